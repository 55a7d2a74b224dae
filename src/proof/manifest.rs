//! Lists of what a folder must hold, with a checksum per file: PostgreSQL's `backup_manifest`, sums of
//! model files, `SHA256SUMS`.

use super::fault::Fault;
use super::forms::tar::{Member, Visitor};
use crate::model::registry::{self, Registry};
use crate::model::text::escaped;
use crc_fast::{CrcAlgorithm, Digest as CrcDigest};
use serde::Deserialize;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use std::collections::BTreeMap;

/// Problems that are named; all are counted.
const SAMPLES: usize = 10;

/// Longest `backup_manifest` that is read, in bytes: some hundred thousand files.
pub const LONGEST: u64 = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Crc32c,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "CRC32C" => Self::Crc32c,
            "SHA224" => Self::Sha224,
            "SHA256" => Self::Sha256,
            "SHA384" => Self::Sha384,
            "SHA512" => Self::Sha512,
            _ => return None,
        })
    }
}

enum Sum {
    Crc32c(Box<CrcDigest>),
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Sum {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32c => Sum::Crc32c(Box::new(CrcDigest::new(CrcAlgorithm::Crc32Iscsi))),
            Algorithm::Sha224 => Sum::Sha224(Sha224::new()),
            Algorithm::Sha256 => Sum::Sha256(Sha256::new()),
            Algorithm::Sha384 => Sum::Sha384(Sha384::new()),
            Algorithm::Sha512 => Sum::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Sum::Crc32c(sum) => sum.update(bytes),
            Sum::Sha224(sum) => sum.update(bytes),
            Sum::Sha256(sum) => sum.update(bytes),
            Sum::Sha384(sum) => sum.update(bytes),
            Sum::Sha512(sum) => sum.update(bytes),
        }
    }

    /// As the manifest writes it; PostgreSQL gives a CRC in the byte order of memory, which is little
    /// endian on every platform it is commonly built for.
    fn hexadecimal(self) -> String {
        match self {
            Sum::Crc32c(sum) => hex::encode((sum.finalize() as u32).to_le_bytes()),
            Sum::Sha224(sum) => hex::encode(sum.finalize()),
            Sum::Sha256(sum) => hex::encode(sum.finalize()),
            Sum::Sha384(sum) => hex::encode(sum.finalize()),
            Sum::Sha512(sum) => hex::encode(sum.finalize()),
        }
    }
}

#[derive(Debug)]
struct Expected {
    size: Option<u64>,
    sum: Option<(Algorithm, Box<str>)>,
    seen: bool,
}

/// What must be there, and what was found so far.
#[derive(Debug)]
pub struct Manifest {
    pub name: String,
    files: BTreeMap<String, Expected>,
    base_backup: bool,
    /// A file that is not listed is a fault.
    exact: bool,
    /// Files that agreed in size and checksum, and their bytes.
    pub agreed: u64,
    pub agreed_bytes: u64,
    /// Files with an agreed size and no checksum to compare.
    pub unsummed: u64,
    /// Files that the manifest does not name.
    pub unlisted: u64,
    pub wrong: u64,
    /// The first of the wrong ones, escaped.
    pub problems: Vec<String>,
}

#[derive(Deserialize)]
struct PgManifest {
    #[serde(rename = "Files", default)]
    files: Vec<PgFile>,
    #[serde(rename = "Manifest-Checksum")]
    checksum: String,
}

#[derive(Deserialize)]
struct PgFile {
    #[serde(rename = "Path", default)]
    path: Option<String>,
    #[serde(rename = "Encoded-Path", default)]
    encoded: Option<String>,
    #[serde(rename = "Size")]
    size: u64,
    #[serde(rename = "Checksum-Algorithm", default)]
    algorithm: Option<String>,
    #[serde(rename = "Checksum", default)]
    checksum: Option<String>,
}

impl Manifest {
    /// PostgreSQL's `backup_manifest`, held to its own checksum first.
    pub fn of_base_backup(bytes: &[u8]) -> Result<Self, Fault> {
        let name = "backup_manifest";
        let parsed: PgManifest = serde_json::from_slice(bytes)
            .map_err(|e| Fault::bad(format!("{name} cannot be read: {}", escaped(&e.to_string()))))?;
        let key = b"\"Manifest-Checksum\"";
        let covered = bytes.windows(key.len()).rposition(|w| w == key).unwrap_or(0);
        if !hex::encode(Sha256::digest(&bytes[..covered])).eq_ignore_ascii_case(&parsed.checksum) {
            return Err(Fault::bad(format!("{name} does not have the checksum that it states for itself")));
        }
        let mut files = BTreeMap::new();
        for file in parsed.files {
            let path = match (file.path, file.encoded) {
                (Some(path), _) => path,
                (None, Some(encoded)) => {
                    let bytes = hex::decode(encoded).map_err(|_| Fault::bad(format!("{name} names a broken path")))?;
                    String::from_utf8_lossy(&bytes).into_owned()
                }
                (None, None) => return Err(Fault::bad(format!("{name} lists a file without a path"))),
            };
            let sum = match (file.algorithm, file.checksum) {
                (Some(algorithm), Some(checksum)) => {
                    let known = Algorithm::named(&algorithm).ok_or_else(|| {
                        Fault::Closed(format!(
                            "{name} uses the checksum {}, which is not known here",
                            escaped(&algorithm)
                        ))
                    })?;
                    Some((known, checksum.into_boxed_str()))
                }
                _ => None,
            };
            files.insert(path, Expected { size: Some(file.size), sum, seen: false });
        }
        Ok(Self::new(name.to_owned(), files, true))
    }

    /// The manifest of a model registry, of all its models or of one: what it lists, and nothing besides.
    pub fn of_registry(name: &str, bytes: &[u8], only: Option<&str>) -> Result<Self, Fault> {
        let files = Registry::parse(bytes).and_then(|registry| registry.files(only));
        let files = files.map_err(|why| Fault::bad(format!("{}: {why}", escaped(name))))?;
        let expected = |file: registry::Expected| Expected {
            size: Some(file.size),
            sum: file.sha256.map(|sum| (Algorithm::Sha256, sum.into())),
            seen: false,
        };
        let files = files.into_iter().map(|(path, file)| (path, expected(file))).collect();
        Ok(Self { exact: true, ..Self::new(name.to_owned(), files, false) })
    }

    /// Paths with their SHA-256, hexadecimal.
    pub fn of_sums(name: &str, sums: impl IntoIterator<Item = (String, String)>) -> Self {
        let expected = |sum: String| Expected { size: None, sum: Some((Algorithm::Sha256, sum.into())), seen: false };
        let files = sums.into_iter().map(|(path, sum)| (path, expected(sum))).collect();
        Self::new(name.to_owned(), files, false)
    }

    /// The lines of `sha256sum`: 64 digits, a space, a space or `*`, a path. Of an absolute path, which
    /// means nothing here, the last part counts.
    pub fn of_sum_file(name: &str, text: &str) -> Option<Self> {
        let mut sums = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (sum, path) = line.split_once(' ')?;
            if sum.len() != 64 || !sum.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            let path = path.trim_start_matches([' ', '*']);
            let path = if path.starts_with('/') { path.rsplit('/').next()? } else { path.trim_start_matches("./") };
            sums.push((path.to_owned(), sum.to_owned()));
        }
        (!sums.is_empty()).then(|| Self::of_sums(name, sums))
    }

    fn new(name: String, files: BTreeMap<String, Expected>, base_backup: bool) -> Self {
        let (agreed, agreed_bytes, unsummed, unlisted, wrong) = (0, 0, 0, 0, 0);
        let problems = Vec::new();
        Self { name, files, base_backup, exact: false, agreed, agreed_bytes, unsummed, unlisted, wrong, problems }
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether what it does not list must not be there.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// A file that it does not list.
    pub fn besides(&mut self, path: &str) {
        self.unlisted += 1;
        if self.exact {
            self.problem(format!("{} is not listed", escaped(path)));
        }
    }

    pub fn lists(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Begins the check of one file.
    pub fn begin(&self, path: &str) -> Check {
        let algorithm = self.files.get(path).and_then(|e| e.sum.as_ref()).map(|(algorithm, _)| *algorithm);
        Check { path: path.to_owned(), size: 0, sum: algorithm.map(Sum::new) }
    }

    /// Compares what passed by with what is listed.
    pub fn end(&mut self, check: Check) {
        let Check { path, size, sum } = check;
        let changes = self.base_backup && changes_by_itself(&path);
        let Some(expected) = self.files.get_mut(&path) else {
            self.unlisted += u64::from(!changes);
            return;
        };
        expected.seen = true;
        let stated = expected.size.filter(|stated| *stated != size);
        let found = sum.map(Sum::hexadecimal);
        let listed = expected.sum.as_ref().map(|(_, sum)| sum.to_string());
        let shown = escaped(&path).into_owned();
        match (stated, found, listed) {
            _ if changes => {}
            (Some(stated), _, _) => self.problem(format!("{shown} has {size} bytes, {stated} are listed")),
            (None, Some(found), Some(listed)) if !found.eq_ignore_ascii_case(&listed) => {
                self.problem(format!("{shown} does not have the checksum that is listed"));
            }
            (None, found, _) => {
                self.agreed += 1;
                self.agreed_bytes += size;
                self.unsummed += u64::from(found.is_none());
            }
        }
    }

    fn problem(&mut self, what: String) {
        self.wrong += 1;
        if self.problems.len() < SAMPLES {
            self.problems.push(what);
        }
    }

    /// Everything was read: what is listed and was not seen is missing.
    pub fn close(&mut self) {
        let may_lack = |path: &str| self.base_backup && changes_by_itself(path);
        let missing: Vec<String> = self
            .files
            .iter()
            .filter(|(path, expected)| !expected.seen && !may_lack(path))
            .map(|(path, _)| format!("{} is missing", escaped(path)))
            .collect();
        for what in missing {
            self.problem(what);
        }
    }
}

/// Files that `pg_basebackup` writes or changes after the server made the manifest.
fn changes_by_itself(path: &str) -> bool {
    matches!(path, "backup_manifest" | "postgresql.auto.conf" | "recovery.signal" | "standby.signal")
        || path.starts_with("pg_wal/")
}

/// One file while its content passes by.
pub struct Check {
    path: String,
    size: u64,
    sum: Option<Sum>,
}

impl Check {
    pub fn see(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        if let Some(sum) = &mut self.sum {
            sum.update(bytes);
        }
    }
}

/// The members of an archive, held to a manifest. `below` is where the archive belongs in the tree.
pub struct Members<'m> {
    pub manifest: &'m mut Manifest,
    pub below: String,
    current: Option<Check>,
}

impl<'m> Members<'m> {
    pub fn new(manifest: &'m mut Manifest, below: String) -> Self {
        Self { manifest, below, current: None }
    }
}

impl Visitor for Members<'_> {
    fn file(&mut self, member: &Member) {
        let name = String::from_utf8_lossy(&member.path);
        let path = format!("{}{}", self.below, name.trim_start_matches("./"));
        self.current = Some(self.manifest.begin(&path));
    }

    fn piece(&mut self, bytes: &[u8]) {
        if let Some(check) = &mut self.current {
            check.see(bytes);
        }
    }

    fn done(&mut self) -> Result<(), Fault> {
        if let Some(check) = self.current.take() {
            self.manifest.end(check);
        }
        Ok(())
    }
}
