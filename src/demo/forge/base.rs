//! Physical base backups: the folder that `pg_basebackup --format=tar --gzip` leaves, in small.
//!
//! Layout, labels and manifest are true to version 15; the cluster inside is a sample of a few files and
//! would not start a server.

use super::archive::{Member, gzip, tar};
use super::wal::position;
use crate::model::time::Timestamp;
use crate::model::wal::Segment;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::Result;

/// Files of the folder by name.
pub fn folder(cluster: &[Member], label: &str, first: Segment, at: Timestamp) -> Result<Vec<Member>> {
    let (start, end) = (position(first, 0x28), position(first, 0x100));
    let stamp = at.format("%Y-%m-%d %H:%M:%S GMT");
    let label = format!(
        "START WAL LOCATION: {start} (file {first})\nCHECKPOINT LOCATION: {}\nBACKUP METHOD: streamed\n\
         BACKUP FROM: primary\nSTART TIME: {stamp}\nLABEL: {label}\nSTART TIMELINE: {}\n",
        position(first, 0x60),
        first.timeline
    );
    let mut members = vec![("backup_label".to_owned(), label.into_bytes())];
    members.extend_from_slice(cluster);
    let manifest = manifest(&members, &start, &end, first.timeline, at);
    let base = gzip(&tar(&members, at)?)?;
    let log = gzip(&tar(&[(format!("archive_status/{first}.done"), Vec::new())], at)?)?;
    Ok(vec![
        ("backup_manifest".to_owned(), manifest.into_bytes()),
        ("base.tar.gz".to_owned(), base),
        ("pg_wal.tar.gz".to_owned(), log),
    ])
}

/// The manifest's text. Its own checksum covers every byte before the line that states it.
fn manifest(members: &[Member], start: &str, end: &str, timeline: u32, at: Timestamp) -> String {
    let modified = at.format("%Y-%m-%d %H:%M:%S GMT").to_string();
    let files: Vec<String> = members
        .iter()
        .map(|(path, bytes)| {
            let sum = hex::encode(Sha256::digest(bytes));
            format!(
                "{{ \"Path\": {}, \"Size\": {}, \"Last-Modified\": \"{modified}\", \"Checksum-Algorithm\": \"SHA256\", \"Checksum\": \"{sum}\" }}",
                json!(path),
                bytes.len()
            )
        })
        .collect();
    let body = format!(
        "{{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n{}\n],\n\"WAL-Ranges\": [\n\
         {{ \"Timeline\": {timeline}, \"Start-LSN\": \"{start}\", \"End-LSN\": \"{end}\" }}\n],\n",
        files.join(",\n")
    );
    let sum = hex::encode(Sha256::digest(body.as_bytes()));
    format!("{body}\"Manifest-Checksum\": \"{sum}\"}}\n")
}
