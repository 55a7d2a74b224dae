//! A sidecar of any kind, read.

use super::backup_label::{BackupLabel, LabelStamp};
use super::catalog_csv::CatalogCsv;
use super::checksums::Checksums;
use super::contents::Contents;
use super::info::Info;
use super::kind::SidecarKind;
use super::log::Log;
use super::metadata_json::Metadata;
use super::metadata_table::MetadataTable;
use super::model_manifest::ModelManifest;
use super::pg_manifest::PgManifest;
use super::report::Report;
use super::told::{About, Told, opened};
use super::tree_manifest::TreeManifest;

#[derive(Debug)]
pub(super) enum Document {
    CatalogCsv(CatalogCsv),
    Metadata(Metadata),
    ModelManifest(ModelManifest),
    Checksums(Checksums),
    Contents(Contents),
    Info(Info),
    Tree(TreeManifest),
    PgManifest(PgManifest),
    Label(BackupLabel),
    Stamp(LabelStamp),
    Log(Log),
    MetadataTable(MetadataTable),
    Verification(Report),
    Recovery(Report),
}

impl Document {
    pub(super) fn parse(kind: SidecarKind, bytes: &[u8]) -> Result<Self, String> {
        Ok(match kind {
            SidecarKind::CatalogCsv => Self::CatalogCsv(CatalogCsv::parse(bytes)),
            SidecarKind::Metadata => Self::Metadata(Metadata::parse(bytes)?),
            SidecarKind::ModelManifest => Self::ModelManifest(ModelManifest::parse(bytes)?),
            SidecarKind::Checksums => Self::Checksums(Checksums::parse(bytes)),
            SidecarKind::Contents => Self::Contents(Contents::parse(bytes)),
            SidecarKind::Info => Self::Info(Info::parse(bytes)),
            SidecarKind::TreeManifest => Self::Tree(TreeManifest::parse(bytes, false)),
            SidecarKind::ManifestText => Self::Tree(TreeManifest::parse(bytes, true)),
            SidecarKind::PgManifest => Self::PgManifest(PgManifest::parse(bytes)?),
            SidecarKind::BackupLabel => Self::Label(BackupLabel::parse(bytes)),
            SidecarKind::LabelStamp => {
                let bytes = opened(bytes, kind.limit()).map_err(|error| format!("it does not decompress: {error}"))?;
                Self::Stamp(LabelStamp::parse(&bytes))
            }
            SidecarKind::Log => Self::Log(Log::parse(bytes)),
            SidecarKind::MetadataTable => Self::MetadataTable(MetadataTable::parse(bytes)?),
            SidecarKind::VerificationLog => Self::Verification(Report::verification(bytes)),
            SidecarKind::RecoveryReport => Self::Recovery(Report::recovery(bytes)),
        })
    }

    /// `None` where it does not speak of this backup at all.
    pub(super) fn about(&self, about: &About<'_>, log_segments: u64) -> Option<Told> {
        Some(match self {
            Self::CatalogCsv(csv) => csv.about(about),
            Self::Metadata(metadata) => metadata.about(about),
            Self::ModelManifest(manifest) => manifest.about(about),
            Self::Checksums(sums) => sums.about(about),
            Self::Contents(contents) => contents.about(about),
            Self::Info(info) => info.about(about),
            Self::Tree(manifest) => manifest.about(about),
            Self::PgManifest(manifest) => manifest.about(about),
            Self::Label(label) => label.about(about),
            Self::Stamp(stamp) => stamp.about(about, log_segments),
            Self::Log(log) => return log.about(about),
            Self::MetadataTable(table) => return table.about(about),
            Self::Verification(report) => report.verified(about),
            Self::Recovery(report) => return report.recovered(about),
        })
    }
}
