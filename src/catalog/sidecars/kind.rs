//! Which file is which sidecar, by its name alone.

use crate::stores::ObjectMeta;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SidecarKind {
    /// `backup_catalog.csv`: label, end, size of every dump of its folder.
    CatalogCsv,
    /// `metadata.json` of a full or incremental.
    Metadata,
    /// `manifest_TS.json` of a run of model backups.
    ModelManifest,
    /// `checksums.txt` and its kin, and `<object>.sha256`.
    Checksums,
    /// `backup_contents.txt`: what `pg_restore --list` printed.
    Contents,
    /// `backup_info.txt` of a Redis copy.
    Info,
    /// `manifest.txt` of a tree: date, file count, size.
    TreeManifest,
    /// PostgreSQL's `backup_manifest`.
    PgManifest,
    /// PostgreSQL's `backup_label`.
    BackupLabel,
    /// `backup_label_TS`, also gzipped: one line that names an incremental.
    LabelStamp,
    /// `backup_manifest.txt`, of no fixed form.
    ManifestText,
    /// `backup.log`: a line per success.
    Log,
    /// `backup_metadata.csv`, `.tsv`, `.txt` or `.sql`: a table of backups that was taken out of its database.
    MetadataTable,
    /// `backup-verification.log`: what a nightly check found, in free text.
    VerificationLog,
    /// `recovery_report…`: what a recovery wrote of itself, in free text.
    RecoveryReport,
}

/// Longest sidecar that is read, in bytes; manifests list every file and may be long.
const SMALL: u64 = 1 << 20;
const LIST: u64 = 4 << 20;
const MANIFEST: u64 = 16 << 20;

impl SidecarKind {
    /// The kind of a file with this last name part.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "backup_catalog.csv" => Self::CatalogCsv,
            "metadata.json" => Self::Metadata,
            "checksums.txt" | "SHA256SUMS" | "sha256sums.txt" | "SHA256SUMS.txt" => Self::Checksums,
            "backup_contents.txt" => Self::Contents,
            "backup_info.txt" => Self::Info,
            "manifest.txt" => Self::TreeManifest,
            "backup_manifest" => Self::PgManifest,
            "backup_label" => Self::BackupLabel,
            "backup_manifest.txt" => Self::ManifestText,
            "backup.log" => Self::Log,
            "backup-verification.log" | "backup_verification.log" => Self::VerificationLog,
            "backup_metadata.csv" | "backup_metadata.tsv" | "backup_metadata.txt" | "backup_metadata.sql" => {
                Self::MetadataTable
            }
            _ => return Self::of_family(name),
        })
    }

    fn of_family(name: &str) -> Option<Self> {
        if name.strip_prefix("manifest_").and_then(|rest| rest.strip_suffix(".json")).is_some() {
            return Some(Self::ModelManifest);
        }
        if let Some(rest) = name.strip_prefix("recovery_report").or_else(|| name.strip_prefix("recovery-report")) {
            let text = [".txt", ".md", ".log"].iter().any(|ending| rest.ends_with(ending));
            return text.then_some(Self::RecoveryReport);
        }
        if let Some(stamp) = name.strip_prefix("backup_label_") {
            let stamp = stamp.strip_suffix(".gz").unwrap_or(stamp);
            return (!stamp.is_empty() && !stamp.contains('.')).then_some(Self::LabelStamp);
        }
        (name.len() > 7 && name.ends_with(".sha256")).then_some(Self::Checksums)
    }

    /// Whether only its end is read, because it grows for ever.
    pub(super) fn grows(self) -> bool {
        matches!(self, Self::Log | Self::VerificationLog)
    }

    pub(super) fn limit(self) -> u64 {
        match self {
            Self::CatalogCsv | Self::Contents | Self::Log | Self::MetadataTable => LIST,
            Self::ModelManifest | Self::PgManifest => MANIFEST,
            _ => SMALL,
        }
    }
}

/// A sidecar that was listed and not read yet.
#[derive(Clone, Debug)]
pub(in crate::catalog) struct Loose {
    pub kind: SidecarKind,
    pub meta: ObjectMeta,
}
