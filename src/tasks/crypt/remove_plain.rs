//! `crypt.remove-plain`: the plaintext of the run, once what was encrypted has been opened again.

use super::target::{FILE, SEALED};
use super::test_decrypt::Receipt;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::artefact::{self, Artefact};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;

pub struct RemovePlain;

static SPEC: ModuleSpec = ModuleSpec {
    name: "crypt.remove-plain",
    summary: "Remove the run's plaintext file, which an encrypted file was seen to hold",
    effect: Effect::Reversible,
    inputs: &[FILE, SEALED],
    outputs: &["removed"],
    idempotent: true,
    undo: "none is needed: the encrypted file was opened to its end and holds the same bytes",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    file: String,
    sealed: String,
}

#[async_trait::async_trait]
impl Module for RemovePlain {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::RunFolder)
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(remove(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = || {
            let input: Input = read(input)?;
            let path = artefact::path(cx, &input.file)?;
            Ok::<_, Failure>(if path.exists() || artefact::part(&path).exists() {
                Reality::NotDone("the plaintext is still there".to_owned())
            } else {
                Reality::Done(values(json!({ "removed": false })))
            })
        };
        look().unwrap_or_else(Reality::Unknown)
    }
}

async fn remove(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    if !artefact::path(cx, &input.file)?.exists() {
        return Ok(values(json!({ "removed": artefact::remove(cx, &input.file)? })));
    }
    let (_, plain) = Artefact::of(cx, &input.file)?;
    let (path, _) = Artefact::of(cx, &input.sealed)?;
    let kept = |why: String| {
        Failure::new(format!("the plaintext `{}` may not go: {why}", escaped(&input.file)))
            .means("it may be the only copy that can be read; it was left where it is")
            .next("run the step that decrypts as a test, then retry")
    };
    let text = std::fs::read(Receipt::path(&path))
        .map_err(|error| kept(format!("nobody has opened the encrypted file: {error}")))?;
    let receipt: Receipt = serde_json::from_slice(&text).map_err(|error| kept(error.to_string()))?;
    let (_, sha256) = artefact::measure(cx, &path).await?;
    if receipt.sealed_sha256 != sha256 {
        return Err(kept("the encrypted file is not the one that was opened".to_owned()).into());
    }
    if receipt.plain_sha256 != plain.sha256 {
        return Err(kept("the encrypted file holds something else".to_owned()).into());
    }
    Ok(values(json!({ "removed": artefact::remove(cx, &input.file)? })))
}
