//! `checksums.txt` and its kin: digests with paths, absolute ones of another machine among them.

use super::told::{About, Told, lossy};
use crate::catalog::sighting::base_name;

const LINES: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Checksums {
    /// Digest in lower case, and the path as written; empty for a line that is only a digest.
    lines: Vec<(String, String)>,
    bad: usize,
}

impl Checksums {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut sums = Self::default();
        for line in lossy(bytes).lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).take(LINES) {
            match read(line) {
                Some(entry) => sums.lines.push(entry),
                None => sums.bad += 1,
            }
        }
        sums
    }

    pub(super) fn about(&self, about: &About<'_>) -> Told {
        let mut told = Told::default();
        if self.bad > 0 {
            told.warnings.push(format!("{} lines are not a digest with a path", self.bad));
        }
        match about.members {
            Some(members) => {
                for (digest, path) in &self.lines {
                    let relative = path.strip_prefix("./").unwrap_or(path);
                    told.fact(format!("{} {relative}", algorithm(digest)), digest);
                    let last = base_name(path);
                    let top = !relative.trim_start_matches('/').contains('/') || relative.starts_with('/');
                    if top && !members.more && !members.has(last) {
                        told.incomplete(format!("`{last}` is in its list of checksums and not in the folder"));
                    }
                }
            }
            None => self.about_object(about, &mut told),
        }
        told
    }

    fn about_object(&self, about: &About<'_>, told: &mut Told) {
        let of_object = about.sidecar.strip_suffix(".sha256") == Some(about.path);
        let fits: Vec<&(String, String)> = self
            .lines
            .iter()
            .filter(|(_, path)| base_name(path) == about.name() || (of_object && self.lines.len() == 1))
            .collect();
        match fits.as_slice() {
            [] => told.disagree(format!("it has no line for `{}`", about.name())),
            [(first, _), rest @ ..] if rest.iter().any(|(d, _)| d != first && d.len() == first.len()) => {
                told.disagree("it gives two different digests for this object");
            }
            all => {
                for (digest, path) in all {
                    told.fact("path", path);
                    if algorithm(digest) == "sha256" {
                        told.sha256 = Some(digest.clone());
                    } else {
                        told.fact(algorithm(digest), digest);
                    }
                }
            }
        }
    }
}

/// `digest  path`, `digest *path`, `SHA256 (path) = digest`, or a digest alone.
fn read(line: &str) -> Option<(String, String)> {
    let is_digest = |t: &str| t.bytes().all(|b| b.is_ascii_hexdigit()) && algorithm(t) != "digest";
    if let Some((path, digest)) = line.rsplit_once(") = ")
        && let Some((_, path)) = path.split_once(" (")
        && is_digest(digest)
    {
        return Some((digest.to_ascii_lowercase(), path.to_owned()));
    }
    let (digest, path) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let path = path.trim_start();
    is_digest(digest).then(|| (digest.to_ascii_lowercase(), path.strip_prefix('*').unwrap_or(path).to_owned()))
}

fn algorithm(digest: &str) -> &'static str {
    match digest.len() {
        32 => "md5",
        40 => "sha1",
        64 => "sha256",
        128 => "sha512",
        _ => "digest",
    }
}
