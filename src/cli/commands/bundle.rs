//! A run's evidence as files that verify without Relight: report, journal, plan, approvals, keys, sums, signature.

use super::approver::read_key;
use super::report::markdown;
use crate::cli::Output;
use crate::cli::run_document::{self, Told};
use crate::event::EventKind;
use crate::journal::{HEAD, JOURNAL};
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::report::{Exit, Fault};
use crate::runbook::approval::signature_bytes;
use crate::runbook::engine::audit_approvals;
use crate::runbook::{Question, QuestionKind};
use crate::runner::RunFolder;
use chrono_tz::Tz;
use color_eyre::eyre;
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const SUMS: &str = "SHA256SUMS";
const HOW: &str = include_str!("bundle.md");

type Files = Vec<(String, Vec<u8>)>;

/// Text that is kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn kept(json: bool, tell: impl FnOnce(&mut Output) -> eyre::Result<()>) -> eyre::Result<Vec<u8>> {
    let text = Kept::default();
    let mut out = Output::kept(json, Box::new(text.clone()));
    tell(&mut out)?;
    out.finish()?;
    let bytes = text.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(bytes)
}

pub fn write(
    folder: &RunFolder,
    zone: Tz,
    now: Timestamp,
    (to, key): (&Path, &Path),
    out: &mut Output,
) -> eyre::Result<Exit> {
    let key = read_key(key)?;
    let told = run_document::read(folder)?;
    if !told.state.status.is_over() {
        let fault = Fault::new(Exit::Unknown, format!("run {} is not over: its evidence is not whole", folder.run));
        return Err(fault.hint("finish or abort it first; the report itself can be read at any time").into());
    }
    if let Some((entry, what)) = audit_approvals(&told.events, &told.state.plan.approvers).first() {
        let what = escaped(what).into_owned();
        return Err(Fault::new(Exit::Critical, format!("line {entry} of the journal: {what}")).into());
    }
    let mut files: Files = vec![
        ("report.md".to_owned(), kept(false, |out| markdown(folder, &told, zone, now, out))?),
        ("run.json".to_owned(), kept(true, |out| run_document::print(folder, now, out))?),
        ("plan.json".to_owned(), serde_json::to_vec_pretty(&*told.state.plan)?),
        (JOURNAL.to_owned(), std::fs::read(folder.path.join(JOURNAL))?),
        (HEAD.to_owned(), std::fs::read(folder.path.join(HEAD))?),
        ("VERIFY.md".to_owned(), HOW.as_bytes().to_vec()),
        ("keys/signer.pem".to_owned(), key.public().pem()?.into_bytes()),
    ];
    approvals(&told, &mut files)?;
    let sums = files
        .iter()
        .fold(String::new(), |sums, (name, bytes)| sums + &format!("{}  {name}\n", hex::encode(Sha256::digest(bytes))));
    files.push((format!("{SUMS}.sig"), key.sign(sums.as_bytes())));
    files.push((SUMS.to_owned(), sums.into_bytes()));
    let place = to.display();
    let tar = to.extension().is_some_and(|extension| extension == "tar");
    let written = if tar { archive(to, &files, now) } else { unpacked(to, &files) };
    written.map_err(|error| Fault::new(Exit::Critical, format!("{place} cannot be written: {error}")))?;
    out.line(&format!("{} files in {}, signed by {}", files.len(), escaped(&place.to_string()), escaped(&key.name)))?;
    out.line("VERIFY.md among them says how to check them with openssl and sha256sum")?;
    Ok(Exit::Fine)
}

/// What each approver signed, their signature and their key.
fn approvals(told: &Told, files: &mut Files) -> eyre::Result<()> {
    let mut asked = None;
    for event in &told.events {
        match &event.kind {
            EventKind::QuestionAsked { question, .. } => {
                asked = match serde_json::from_value::<Question>(question.clone()).map(|question| question.kind) {
                    Ok(QuestionKind::Approval { request, .. }) => Some(request),
                    _ => None,
                };
            }
            EventKind::ApprovalGiven { number, approver, signature, .. } => {
                let Some(request) = &asked else { continue };
                let name = format!("approvals/{number}-{approver}");
                files.push((format!("{name}.txt"), request.text().into_bytes()));
                files.push((format!("{name}.sig"), signature_bytes(signature)?));
            }
            _ => {}
        }
    }
    for approver in &told.state.plan.approvers {
        files.push((format!("keys/approver-{}.pem", approver.name), approver.pem()?.into_bytes()));
    }
    Ok(())
}

fn unpacked(to: &Path, files: &Files) -> io::Result<()> {
    let folder = |path: &Path| DirBuilder::new().mode(0o700).create(path);
    folder(to)?;
    folder(&to.join("keys"))?;
    folder(&to.join("approvals"))?;
    for (name, bytes) in files {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    Ok(())
}

fn archive(to: &Path, files: &Files, now: Timestamp) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut tar = tar::Builder::new(file);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(now.timestamp()).unwrap_or(0));
        tar.append_data(&mut header, name, bytes.as_slice())?;
    }
    tar.into_inner()?.sync_all()
}
