//! `manifest.txt` of a tree (date, file count, size for people) and `backup_manifest.txt` of no fixed form.

use super::told::{About, Told, lossy};

#[derive(Debug)]
pub(super) struct TreeManifest {
    text: String,
    /// `backup_manifest.txt`: nothing in it is sure enough to be checked.
    free: bool,
}

impl TreeManifest {
    pub(super) fn parse(bytes: &[u8], free: bool) -> Self {
        Self { text: lossy(bytes).into_owned(), free }
    }

    pub(super) fn about(&self, about: &About<'_>) -> Told {
        let mut told = Told::default();
        let mut count = None;
        for (index, line) in self.text.lines().map(str::trim).filter(|l| !l.is_empty()).take(64).enumerate() {
            let pair = line.split_once(": ").or_else(|| line.split_once('='));
            match pair {
                Some((key, value)) if !key.contains(char::is_numeric) => {
                    told.fact(key.trim(), value.trim());
                    if key.to_lowercase().contains("file") {
                        count = count.or_else(|| value.trim().parse::<u64>().ok());
                    }
                }
                _ if index == 0 => told.fact("date", line),
                _ if line.parse::<u64>().is_ok() => {
                    told.fact("files", line);
                    count = count.or_else(|| line.parse().ok());
                }
                _ => told.fact("line", line),
            }
        }
        if self.text.trim().is_empty() {
            told.warnings.push("it is empty".to_owned());
        }
        // The count includes the file that it is written to, or not, depending on the tool.
        if let (Some(count), Some(_), false) = (count, about.members, self.free)
            && count.abs_diff(about.objects) > 1
        {
            told.disagree(format!("it counts {count} files, {} objects are there", about.objects));
        }
        told
    }
}
