//! Backups that are folders: every object is read, and held to a manifest where there is one.

use super::fault::Fault;
use super::forms::tar;
use super::layers::{self, Limits};
use super::manifest::{Manifest, Members};
use super::pass::Examined;
use super::source::{Digests, Source, Watch};
use crate::model::content::{Content, Form};
use crate::model::proof::{Level, ProofOutcome};
use crate::model::text::escaped;
use std::io::BufRead;

/// How one object of a folder is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The manifest itself; read before everything else.
    Manifest,
    /// An archive of which the members are listed, and where they belong.
    Archive { below: String },
    /// A file that is listed under this path.
    Listed(String),
    /// A file that must not be there.
    Besides,
    /// Nothing is known of it but its bytes.
    Other,
}

/// What `rest`, an object's name below the folder `prefix`, is to `manifest`.
pub fn part(manifest: Option<&Manifest>, prefix: &str, rest: &str) -> Part {
    let Some(manifest) = manifest else { return Part::Other };
    if rest == manifest.name {
        return Part::Manifest;
    }
    let folder = prefix.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    for path in [rest.to_owned(), format!("{folder}/{rest}")] {
        if manifest.lists(&path) {
            return Part::Listed(path);
        }
    }
    if manifest.is_exact() {
        return Part::Besides;
    }
    if manifest.name != "backup_manifest" || rest.contains('/') {
        return Part::Other;
    }
    match rest.split_once(".tar") {
        Some(("base", _)) => Part::Archive { below: String::new() },
        Some((oid, _)) if !oid.is_empty() && oid.bytes().all(|b| b.is_ascii_digit()) => {
            Part::Archive { below: format!("pg_tblspc/{oid}/") }
        }
        _ => Part::Other,
    }
}

/// Reads a listed file or an archive of listed files to its end. What its stored bytes sum up to.
pub fn compare(
    reader: impl BufRead,
    part: &Part,
    size: u64,
    manifest: &mut Manifest,
    watch: &dyn Watch,
) -> Result<Digests, Fault> {
    let mut source = Source::new(reader, watch);
    match part {
        Part::Listed(path) => {
            let mut check = manifest.begin(path);
            loop {
                let piece = source.fill_buf().map_err(|e| Fault::from_io(&e, "its bytes", None))?;
                if piece.is_empty() {
                    break;
                }
                check.see(piece);
                let n = piece.len();
                source.consume(n);
            }
            manifest.end(check);
        }
        Part::Archive { below } => {
            let mut found = Content { wrapped: Vec::new(), form: Form::Unknown };
            let opened = layers::open(Box::new(&mut source), size, Limits::default(), watch, &mut found)?;
            if opened.form != Form::Tar {
                return Err(Fault::bad(format!("it is {} and not an archive", opened.form)));
            }
            tar::walk(opened.reader, &mut Members::new(manifest, below.clone()))?;
        }
        Part::Manifest | Part::Besides | Part::Other => {}
    }
    source.drain()
}

/// What the objects of a folder add up to.
#[derive(Debug, Default)]
pub struct Sum {
    pub objects: u64,
    pub bytes: u64,
    /// Objects without a manifest: how many reached which level.
    opened: u64,
    lowest: Option<Level>,
    failed: Vec<String>,
    failures: u64,
    pub unknown: Option<Fault>,
}

impl Sum {
    /// Takes in one object that was examined by itself.
    pub fn add(&mut self, rest: &str, examined: &Examined) {
        match examined.outcome {
            ProofOutcome::Failed => self.fail(rest, &examined.detail),
            ProofOutcome::Unknown => self.unknown.clone_from(&examined.fault),
            ProofOutcome::Passed if examined.inside.level.is_some() => {
                self.opened += 1;
                self.lowest = Some(self.lowest.map_or(examined.level, |low| low.min(examined.level)));
            }
            ProofOutcome::Passed => {}
        }
    }

    pub fn fail(&mut self, rest: &str, why: &str) {
        self.failures += 1;
        if self.failed.len() < 5 {
            self.failed.push(format!("{}: {why}", escaped(rest)));
        }
    }

    /// The verdict on the whole folder.
    pub fn verdict(self, wanted: Level, manifest: Option<Manifest>) -> Examined {
        let mut examined = Examined::listed(self.bytes.max(1));
        examined.content.form = Form::Tree;
        let facts = &mut examined.inside.facts;
        facts.insert("objects".to_owned(), self.objects.to_string());
        facts.insert("stored_bytes".to_owned(), self.bytes.to_string());
        if let Some(fault) = self.unknown {
            examined.outcome = ProofOutcome::Unknown;
            examined.level = Level::L0;
            examined.detail = format!("the check could not be finished: {fault}");
            examined.fault = Some(fault);
            return examined;
        }
        let mut failed = self.failed;
        let mut failures = self.failures;
        let (level, detail) = match manifest {
            Some(mut manifest) => {
                manifest.close();
                facts.insert("listed_files".to_owned(), manifest.len().to_string());
                facts.insert("agreed_files".to_owned(), manifest.agreed.to_string());
                facts.insert("unlisted_files".to_owned(), manifest.unlisted.to_string());
                failures += manifest.wrong;
                failed.append(&mut manifest.problems);
                let what = format!(
                    "{} files of {} agree with it in size{}",
                    manifest.agreed,
                    manifest.name,
                    if manifest.unsummed == 0 { " and checksum" } else { "; not all have a checksum" }
                );
                (if manifest.unsummed == 0 { Level::L4 } else { Level::L1 }, what)
            }
            None if self.opened > 0 => (
                self.lowest.unwrap_or(Level::L1),
                format!(
                    "{} of {} objects opened and read to their end; no manifest lists what must be there",
                    self.opened, self.objects
                ),
            ),
            None => (Level::L1, format!("{} objects counted; no manifest lists what must be there", self.objects)),
        };
        if failures > 0 {
            let what = format!("{failures} parts are bad: {}", failed.join("; "));
            (examined.level, examined.outcome) = (Level::L1, ProofOutcome::Failed);
            examined.fault = Some(Fault::bad(what.clone()));
            examined.detail = what;
            return examined;
        }
        examined.level = level.min(wanted);
        examined.detail = detail;
        examined
    }
}
