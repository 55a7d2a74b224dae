//! `backup.resolve`: from what an operator typed to one copy of one backup, pinned to its bytes.

use super::choice::{self, proof_of};
use super::contents::{self, Look, Trouble};
use crate::model::backup::{Backup, Copy};
use crate::model::content::{Content, Form};
use crate::model::id::{AssetId, StoreId};
use crate::model::proof::{ProofOutcome, ProofRecord};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::proof::Ledger;
use crate::stores::Pin;
use crate::tasks::context::TaskContext;
use crate::tasks::crypt::keyring::Keyring;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::source::{Source, is_folder};
use crate::tasks::thaw;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;

pub struct BackupResolve;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.resolve",
    summary: "Find one copy of one backup and pin its bytes",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of the configuration" },
        InputSpec {
            name: "backup",
            kind: InputKind::Text,
            required: true,
            help: "An id, an unambiguous beginning of one, `latest` or `latest-proven`",
        },
        InputSpec {
            name: "store",
            kind: InputKind::Text,
            required: false,
            help: "Store to read from; without it the best copy is taken",
        },
    ],
    outputs: &[
        "backup",
        "asset",
        "kind",
        "taken_at",
        "store",
        "location",
        "path",
        "size_bytes",
        "objects",
        "pin",
        "sha256",
        "content",
        "form",
        "title",
        "proof",
        "dump",
        "warnings",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    backup: String,
    #[serde(default)]
    store: Option<StoreId>,
}

#[async_trait::async_trait]
impl Module for BackupResolve {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, resolve(cx, input)).await
    }
}

async fn resolve(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    if cx.estate.asset(&input.asset).is_none() {
        let failure = Failure::new(format!("the configuration names no asset `{}`", input.asset));
        return Err(failure
            .means("there is nothing to choose a backup of")
            .next("see `relight health` for the assets")
            .into());
    }
    let proofs = Ledger::in_state(&cx.state_dir).read().map_err(|error| {
        Stop::Unknown(
            Failure::new(error.to_string())
                .means("what was proven so far is not known")
                .next("mend the file's permissions, or move it aside to begin a new ledger"),
        )
    })?;
    let catalog = (*cx.catalog).clone().with_proofs(&proofs.records);
    let text = input.backup.trim();
    let chosen = choice::backup(&catalog, &input.asset, text)?;
    let named = !matches!(text, "latest" | "latest-proven");
    let only = input.store.filter(|store| !store.as_str().trim().is_empty());
    let (copies, mut reasons) =
        choice::copies(chosen.backup, only.as_ref(), named, &catalog, &cx.estate, &proofs.records);
    let mut unseen = false;
    for copy in copies {
        let keys = Keyring::of(cx, &chosen.backup.asset, &copy.store, &copy.path);
        match pinned(cx, copy, &keys).await {
            Ok((pin, look)) => {
                let mut warnings = chosen.warnings;
                warnings.extend(reasons);
                return Ok(output(cx, chosen.backup, copy, pin, &look, proof_of(&proofs.records, copy), &warnings));
            }
            Err(Trouble::Closed(why)) => reasons.push(format!("the copy in `{}` cannot be opened: {why}", copy.store)),
            Err(Trouble::Bad(why)) => reasons.push(format!("the copy in `{}` is bad: {why}", copy.store)),
            Err(Trouble::Unseen(why)) => {
                unseen = true;
                reasons.push(format!("the copy in `{}` cannot be read: {why}", copy.store));
            }
        }
    }
    Err(nothing(chosen.backup, only.as_ref(), reasons, unseen))
}

fn nothing(backup: &Backup, only: Option<&StoreId>, reasons: Vec<String>, unseen: bool) -> Stop {
    let what = match only {
        Some(store) => format!("no copy of {} in store `{store}` can be read", backup.id),
        None => format!("no copy of {} can be read", backup.id),
    };
    let failure = Failure::new(what)
        .means("the plan cannot be made from this backup")
        .next("mend the store or the key, scan again, or choose another backup or copy");
    let failure = reasons.into_iter().fold(failure, Failure::evidence);
    if unseen { Stop::Unknown(failure) } else { Stop::Failed(failure) }
}

/// The copy as it lies there now, if it is still the one that the catalog knows.
async fn pinned(cx: &TaskContext, copy: &Copy, keys: &Keyring) -> Result<(Option<Pin>, Look), Trouble> {
    let Some(store) = cx.stores.get(&copy.store) else {
        return Err(Trouble::Unseen("the configuration no longer names the store".to_owned()));
    };
    if copy.archive_class().is_some() {
        let way = thaw::in_the_way(&**store, copy).await;
        if let Some(way) = way.map_err(|stop| Trouble::Unseen(stop.what()))? {
            return Err(Trouble::Closed(way));
        }
    }
    if is_folder(&copy.path) {
        let first = store.list(&copy.path, None).next().await;
        return match first {
            Some(Ok(page)) if !page.objects.is_empty() => {
                Ok((None, Look { content: Content { wrapped: Vec::new(), form: Form::Tree }, toc: None }))
            }
            Some(Err(error)) => Err(Trouble::Unseen(error.to_string())),
            _ => Err(Trouble::Bad("its folder is empty or gone; scan again".to_owned())),
        };
    }
    let meta = store.head(&copy.path).await.map_err(|error| Trouble::Unseen(error.to_string()))?;
    let known = Pin { size: copy.size_bytes, etag: copy.etag.clone(), modified: copy.modified_at };
    if !known.holds(&meta) {
        return Err(Trouble::Unseen("the object was replaced since the last scan; scan again".to_owned()));
    }
    let pin = meta.pin();
    let look = contents::look(cx, &**store, &copy.path, &pin, keys).await?;
    Ok((Some(pin), look))
}

fn output(
    cx: &TaskContext,
    backup: &Backup,
    copy: &Copy,
    pin: Option<Pin>,
    look: &Look,
    proof: Option<&ProofRecord>,
    warnings: &[String],
) -> Values {
    let recorded = backup.sidecars.iter().find_map(|s| s.sha256.clone()).filter(|_| !is_folder(&copy.path));
    let location = cx.stores.get(&copy.store).map(|store| store.location()).unwrap_or_default();
    let source = Source {
        backup: backup.id.clone(),
        asset: backup.asset.clone(),
        store: copy.store.clone(),
        path: copy.path.clone(),
        size_bytes: pin.as_ref().map_or(copy.size_bytes, |p| p.size),
        objects: copy.objects,
        pin,
        sha256: proof.filter(|p| p.outcome == ProofOutcome::Passed).and_then(|p| p.sha256.clone()).or(recorded),
        content: look.content.clone(),
        taken_at: backup.taken_at,
        title: format!("backup {} from {location}", backup.id),
    };
    let mut output = values(json!(source));
    let is_dump = matches!(look.content.form, Form::PgCustom | Form::PlainSql);
    let further = json!({
        "kind": backup.kind,
        "location": location,
        "form": contents::form_text(&look.content),
        "proof": proof.map(|p| json!({ "level": p.level, "outcome": p.outcome, "at": p.at, "detail": p.detail })),
        "dump": is_dump.then(|| contents::dump_facts(look.toc.as_ref(), proof)),
        "warnings": warnings,
    });
    output.extend(values(further));
    output
}
