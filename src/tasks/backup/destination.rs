//! `backup.destination`: the names that a backup of this minute has in the asset's own layout.

use super::naming::{Layout, asked, free, nowhere, place, previous, titles};
use super::place::Place;
use crate::catalog::Pattern;
use crate::model::content::Wrapping;
use crate::model::estate::{Asset, Estate, Source};
use crate::model::id::AssetId;
use crate::model::key::Key;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::bundle::SUMS;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use chrono::NaiveDateTime;
use serde::Deserialize;
use serde_json::json;

pub struct Destination;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.destination",
    summary: "Find the names that a new backup has in every store of its asset",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of the configuration" },
        InputSpec { name: "stamp", kind: InputKind::Text, required: true, help: "`plan.stamp`" },
        InputSpec {
            name: "encrypted",
            kind: InputKind::Flag,
            required: false,
            help: "Take the sources whose backups are encrypted; default: the others",
        },
        InputSpec {
            name: "folder",
            kind: InputKind::Flag,
            required: false,
            help: "Take the sources whose backups are folders, as pg_basebackup makes them; default: the others",
        },
    ],
    outputs: &["places", "file", "plain_file", "key", "form", "title", "previous", "previous_bytes", "left_out"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    stamp: String,
    #[serde(default)]
    encrypted: bool,
    #[serde(default)]
    folder: bool,
}

/// What a base backup in the tar form has; a source that requires anything else means another thing.
const MEMBERS: [&str; 5] = ["base.tar.gz", "pg_wal.tar.gz", "backup_manifest", "metadata.json", SUMS];

#[async_trait::async_trait]
impl Module for Destination {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, find(cx, input)).await
    }
}

async fn find(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (asset, at) = asked(cx, &input.asset, &input.stamp)?;
    let (mut places, mut keys, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for source in &asset.sources {
        match named(&cx.estate, source, at, &input) {
            Ok(place) => {
                places.push(place);
                keys.push(source.key.as_ref());
            }
            Err(why) => left_out.push(format!("{} in `{}`: {why}", escaped(&source.pattern), source.store)),
        }
    }
    if places.is_empty() {
        let wanted = if input.folder {
            "of kind `full` whose `match` is one folder with a {time} in it, and a / at its end"
        } else {
            "whose `match` is one name with a {time} in it"
        };
        return Err(nowhere(asset, wanted, left_out).into());
    }
    for place in &places {
        free(cx, place).await?;
    }
    let form = if input.folder { "pg_basebackup" } else { form(asset, &places)? };
    let alike = |path: &str| if input.folder { path.ends_with('/') } else { promised(path) == Some(form) };
    let previous = previous(&cx.catalog, asset, alike);
    let key = if input.encrypted { Some(one_key(asset, &places, &keys)?) } else { None };
    let file = places[0].path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    Ok(values(json!({
        "form": form,
        "file": file,
        "plain_file": unsealed(file),
        "key": key.map(|key| &key.id),
        "title": titles(&places),
        "previous": previous.map(|(backup, _)| &backup.id),
        "previous_bytes": previous.map(|(_, copy)| copy.size_bytes),
        "places": places,
        "left_out": left_out,
    })))
}

fn named(estate: &Estate, source: &Source, at: NaiveDateTime, input: &Input) -> Result<Place, String> {
    if !input.folder {
        return place(estate, source, at, Layout::File, input.encrypted);
    }
    let made = |required: &String| {
        let fits = Pattern::parse(required);
        MEMBERS.iter().any(|name| name == required || fits.as_ref().is_ok_and(|fits| fits.matches(name).is_some()))
    };
    if let Some(other) = source.required.iter().find(|required| !made(required)) {
        return Err(format!("its backups must have `{}`, which a base backup has not", escaped(other)));
    }
    place(estate, source, at, Layout::Folder, input.encrypted)
}

/// What the names promise of the bytes; every place must promise the same.
fn form(asset: &Asset, places: &[Place]) -> Result<&'static str, Failure> {
    let forms: Vec<Option<&'static str>> = places.iter().map(|place| promised(&place.path)).collect();
    match forms.as_slice() {
        [Some(first), rest @ ..] if rest.iter().all(|other| *other == Some(*first)) => Ok(first),
        _ => Err(Failure::new(format!("the names of asset `{}` do not say one form for its backups", asset.id))
            .means("a name must tell what its bytes are; nothing was done")
            .next("let every `match` end alike: .sql, .sql.gz, .dump, .rdb, .rdb.gz, .tar, .tar.gz, .tar.zst (and .gpg or .age)")),
    }
}

/// The one key of all places, of the kind that their names promise.
fn one_key<'a>(asset: &Asset, places: &[Place], keys: &[Option<&'a Key>]) -> Result<&'a Key, Failure> {
    let refused = |what: String, next: &str| Failure::new(what).means("nothing was done").next(next);
    let key = match keys {
        [Some(first), rest @ ..] if rest.iter().all(|other| *other == Some(*first)) => *first,
        _ => {
            let what = format!("the encrypted sources of asset `{}` do not all name the same key", asset.id);
            return Err(refused(what, "give each of them the same `key`, one of [[keys]], and make a new plan"));
        }
    };
    let ending = if key.seal() == Wrapping::Age { ".age" } else { ".gpg" };
    match places.iter().find(|place| !place.path.ends_with(ending)) {
        Some(place) => Err(refused(
            format!("`{}` does not end in {ending}, which {key} makes", escaped(&place.path)),
            "let the `match` of the source say what its files are, or name another key",
        )),
        None => Ok(key),
    }
}

/// The name of what is inside an encrypted file.
fn unsealed(name: &str) -> &str {
    name.strip_suffix(".gpg").or_else(|| name.strip_suffix(".age")).unwrap_or(name)
}

fn promised(name: &str) -> Option<&'static str> {
    let name = unsealed(name);
    let forms = [
        (".sql", "plain"),
        (".sql.gz", "plain-gzip"),
        (".dump", "custom"),
        (".pgdump", "custom"),
        (".rdb", "rdb"),
        (".rdb.gz", "rdb-gzip"),
        (".tar", "tar"),
        (".tar.gz", "tar-gzip"),
        (".tgz", "tar-gzip"),
        (".tar.zst", "tar-zstd"),
    ];
    forms.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, form)| form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_promises_its_bytes() {
        assert_eq!(promised("a/crud_20260101_020000.sql.gz"), Some("plain-gzip"));
        assert_eq!(promised("a.sql.gz.gpg"), Some("plain-gzip"));
        assert_eq!(promised("a.dump"), Some("custom"));
        assert_eq!(promised("a.bin"), None);
    }

    #[test]
    fn only_one_plain_name_with_a_time_is_a_place() {
        let at = NaiveDateTime::parse_from_str("20260101_020000", "%Y%m%d_%H%M%S").unwrap();
        let name = |pattern: &str| Pattern::parse(pattern).unwrap().name_at(at);
        assert_eq!(name("db/x_{time:%Y%m%d_%H%M%S}.dump").as_deref(), Some("db/x_20260101_020000.dump"));
        for open in ["x_{moving}.dump", "x_{time}/", "x_*_{time}.dump", "x_{id}_{time}.dump", "x.dump"] {
            assert_eq!(name(open), None, "{open}");
        }
        let folder = |pattern: &str| Pattern::parse(pattern).unwrap().folder_at(at);
        assert_eq!(folder("full/full_{time:%Y%m%d_%H%M%S}/").as_deref(), Some("full/full_20260101_020000/"));
        for open in ["x_{time}.dump", "full/{id}/", "full/{id}_{time}/"] {
            assert_eq!(folder(open), None, "{open}");
        }
    }
}
