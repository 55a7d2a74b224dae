//! `crypt.test-decrypt`: opens the encrypted file to its last byte and compares what comes out with what went in.

use super::keyring::Keyring;
use super::target::{FILE, KEY, SEALED, key};
use crate::catalog::sniff;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::proof::forms::openpgp;
use crate::proof::{Fault, Unseal};
use crate::tasks::artefact::{self, Artefact};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use crate::tasks::progress::telling;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct TestDecrypt;

static SPEC: ModuleSpec = ModuleSpec {
    name: "crypt.test-decrypt",
    summary: "Decrypt the run's encrypted file as a whole and compare it with the plaintext",
    effect: Effect::Observe,
    inputs: &[FILE, SEALED, KEY],
    outputs: &["bytes", "sha256", "warning", "proofs"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["gpg", "age"],
};

/// The proof that it gives.
pub const PROOF: &str = "decrypted";

#[derive(Deserialize)]
struct Input {
    file: String,
    sealed: String,
    key: String,
}

/// What was seen to be inside: kept beside the encrypted file, for the step that removes the plaintext.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub sealed_sha256: String,
    pub plain_sha256: String,
    pub key: String,
}

impl Receipt {
    pub fn path(sealed: &Path) -> PathBuf {
        let mut name = sealed.as_os_str().to_owned();
        name.push(".opened");
        name.into()
    }
}

#[async_trait::async_trait]
impl Module for TestDecrypt {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(test(cx, input).await)
    }
}

async fn test(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let key = key(cx, &input.key)?;
    let (_, plain) = Artefact::of(cx, &input.file)?;
    let (path, sealed) = Artefact::of(cx, &input.sealed)?;
    let (stored, sha256) = artefact::measure(cx, &path).await?;
    if (stored, &sha256) != (sealed.bytes, &sealed.sha256) {
        return Err(Failure::new(format!("`{}` is not the file that was encrypted any more", escaped(&input.sealed)))
            .means("it changed in the run's folder; nothing was published")
            .next("run the step that encrypts again")
            .into());
    }
    let passed = Arc::new(AtomicU64::new(0));
    let (counted, keys, file) = (Arc::clone(&passed), Keyring::with(cx, Some(key.clone())), path.clone());
    let opening = tokio::task::spawn_blocking(move || opened(&file, &keys, &counted));
    let look = || Progress {
        done: passed.load(Ordering::Relaxed),
        total: Some(plain.bytes),
        unit: Unit::Bytes,
        note: "decrypting".to_owned(),
    };
    let found = telling(cx, look, opening).await.map_err(|error| Failure::new(format!("opening it broke: {error}")))?;
    let (bytes, inside, warning) = found.map_err(|trouble| match (trouble, cx.cancel.reason()) {
        (_, Some(reason)) => Stop::Cancelled(reason),
        (failure, None) => Stop::Failed(failure),
    })?;
    if (bytes, &inside) != (plain.bytes, &plain.sha256) {
        return Err(Failure::new("what comes out of the encrypted file is not what went in")
            .means("it could not be restored; the plaintext stays, nothing was published")
            .next("encrypt again; if it happens again, the disk or the memory of this machine is suspect")
            .evidence(format!("went in: {} bytes, SHA-256 {}", plain.bytes, plain.sha256))
            .evidence(format!("came out: {bytes} bytes, SHA-256 {inside}"))
            .into());
    }
    if let Some(warning) = &warning {
        cx.feed.line(format!("{key}: {warning}"));
    }
    let receipt = Receipt { sealed_sha256: sha256, plain_sha256: inside, key: key.id.to_string() };
    let text = serde_json::to_vec(&receipt).map_err(|error| Failure::new(error.to_string()))?;
    std::fs::write(Receipt::path(&path), text)
        .map_err(|error| Failure::new(format!("the run's folder could not be written: {error}")))?;
    Ok(values(json!({
        "bytes": bytes,
        "sha256": receipt.plain_sha256,
        "warning": warning,
        "proofs": { PROOF: receipt },
    })))
}

/// Bytes and SHA-256 of the whole plaintext, and what is weak about its protection.
fn opened(path: &Path, keys: &Keyring, passed: &AtomicU64) -> Result<(u64, String, Option<String>), Failure> {
    let lost = |error: std::io::Error| Failure::new(format!("the run's file cannot be read: {error}"));
    let mut file = File::open(path).map_err(lost)?;
    let mut head = Vec::new();
    file.by_ref().take(sniff::HEAD as u64).read_to_end(&mut head).map_err(lost)?;
    file.rewind().map_err(lost)?;
    let Some(seal) = sniff::sniff(&head).form.seal() else {
        return Err(Failure::new("the file is not encrypted").means("nothing may be removed or published"));
    };
    let warning = openpgp::weakness(&head);
    let mut reader = keys.open(seal, Box::new(BufReader::with_capacity(1 << 18, file))).map_err(|e| closed(&e))?;
    let (mut hasher, mut buffer, mut total) = (Sha256::new(), vec![0; 1 << 18], 0);
    loop {
        match reader.read(&mut buffer).map_err(|error| closed(&error))? {
            0 => return Ok((total, hex::encode(hasher.finalize()), warning)),
            count => {
                hasher.update(&buffer[..count]);
                total += count as u64;
                passed.store(total, Ordering::Relaxed);
            }
        }
    }
}

fn closed(error: &std::io::Error) -> Failure {
    let why = match Fault::from_io(error, "the encrypted file", None) {
        Fault::Cancelled => "it was cancelled".to_owned(),
        _ => error.to_string(),
    };
    let failure = Failure::new(format!("the encrypted file cannot be opened again: {why}"))
        .means("it could not be restored; the plaintext stays, nothing was published");
    if error.kind() == ErrorKind::Unsupported {
        failure.next("give the key its secret half in [[keys]] on this machine, or mend it; then retry")
    } else {
        failure.next("encrypt again")
    }
}
