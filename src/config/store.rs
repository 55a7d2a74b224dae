//! `[[stores]]`: where copies lie.

use super::names::{HttpAddress, Line, Names, Zone, path_below};
use super::secret_ref::secret_ref;
use crate::located::{Fields, Item, Problem};
use crate::model::backup::ARCHIVE_CLASSES;
use crate::model::estate::{S3Credentials, S3Encryption, S3Keeping, S3Place, StoreConfig, StorePlace};
use crate::model::id::StoreId;
use std::path::Path;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Local,
    S3,
}

const S3_KEYS: [&str; 13] = [
    "bucket",
    "prefix",
    "region",
    "endpoint",
    "force_path_style",
    "profile",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "anonymous",
    "storage_class",
    "encryption",
    "kms_key",
];

pub(super) fn store(fields: &mut Fields<'_>, names: &mut Names, base: &Path) -> Option<StoreConfig> {
    let id = names.define(fields);
    let kind = fields.need("type").and_then(|item| item.choice(&[("local", Kind::Local), ("s3", Kind::S3)]));
    let site = fields.optional::<Line>("site");
    let medium = fields.optional::<Line>("medium");
    let time_zone = fields.optional::<Zone>("time_zone").map_or(chrono_tz::UTC, |zone| zone.0);
    let place = match kind {
        Some(Kind::Local) => {
            fields.forbid(&S3_KEYS, "the store's type is `local`");
            let path = fields.need("path").and_then(|item| path_below(base, &item));
            path.map(|path| StorePlace::Local { path })
        }
        Some(Kind::S3) => {
            fields.forbid(&["path"], "the store's type is `s3`; folders of a bucket are its `prefix`");
            s3(fields, base).map(|place| StorePlace::S3(Box::new(place)))
        }
        None => {
            // Which keys belong here is unknown until the type is mended.
            fields.take("path");
            for key in S3_KEYS {
                fields.take(key);
            }
            None
        }
    };
    let (default_site, default_medium) = match kind? {
        Kind::Local => ("local", "disk"),
        Kind::S3 => ("s3", "object"),
    };
    Some(StoreConfig {
        id: StoreId::new(id?),
        place: place?,
        site: site.map_or_else(|| default_site.to_owned(), |line| line.0),
        medium: medium.map_or_else(|| default_medium.to_owned(), |line| line.0),
        time_zone,
    })
}

fn s3(fields: &mut Fields<'_>, base: &Path) -> Option<S3Place> {
    let bucket = fields.need("bucket").and_then(|item| bucket(&item));
    let prefix = fields.take("prefix").map_or_else(|| Some(String::new()), |item| prefix(&item));
    let endpoint = fields.optional::<HttpAddress>("endpoint").map(|address| address.0);
    let region = match &endpoint {
        // Servers other than AWS mostly ignore the region, but the signature needs one.
        Some(_) => Some(fields.optional::<Line>("region").unwrap_or_else(|| Line("us-east-1".to_owned()))),
        None => fields.required::<Line>("region"),
    };
    let force_path_style = fields.optional::<bool>("force_path_style").unwrap_or(endpoint.is_some());
    let credentials = credentials(fields, base);
    let keeping = keeping(fields);
    Some(S3Place {
        bucket: bucket?,
        prefix: prefix?,
        region: region?.0,
        endpoint,
        force_path_style,
        credentials: credentials?,
        keeping: keeping?,
    })
}

fn keeping(fields: &mut Fields<'_>) -> Option<S3Keeping> {
    #[derive(Clone, Copy, PartialEq)]
    enum By {
        Own,
        Kms,
    }
    let class = fields.take("storage_class").map(|item| storage_class(&item));
    let by = fields.take("encryption").map(|item| item.choice(&[("AES256", By::Own), ("aws:kms", By::Kms)]));
    if !matches!(by, Some(Some(By::Kms))) {
        fields.forbid(&["kms_key"], "only `encryption = \"aws:kms\"` uses a key of the key service");
    }
    let key = fields.optional::<Line>("kms_key").map(|line| line.0);
    let encryption = match by {
        None => None,
        Some(by) => Some(match by? {
            By::Own => S3Encryption::Aes256,
            By::Kms => S3Encryption::Kms { key },
        }),
    };
    let storage_class = match class {
        None => None,
        Some(class) => Some(class?),
    };
    Some(S3Keeping { storage_class, encryption })
}

/// Servers other than AWS have classes of their own, so that only the form is looked at.
fn storage_class(item: &Item<'_>) -> Option<String> {
    let class = item.read::<String>()?;
    if ARCHIVE_CLASSES.contains(&class.as_str()) {
        let problem =
            Problem::at(&item.place, format!("a backup written as {class} could not be read back and proven"));
        item.report(problem.help("leave it out, and let a lifecycle rule of the bucket move what is old enough"));
        return None;
    }
    if class.is_empty() || !class.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
        return item.refuse("be a storage class, such as STANDARD_IA");
    }
    Some(class)
}

fn bucket(item: &Item<'_>) -> Option<String> {
    let name = item.read::<String>()?;
    if let Some(rest) = name.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = if prefix.is_empty() { String::new() } else { format!(" and prefix = \"{prefix}\"") };
        let problem = Problem::at(&item.place, "`bucket` is a name, not an address");
        item.report(problem.help(format!("write bucket = \"{bucket}\"{prefix}")));
        return None;
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > 255 || !name.bytes().all(fits) {
        return item.refuse("be the name of a bucket: letters, digits, `.`, `_` and `-`");
    }
    Some(name)
}

/// Ends in `/` where there is one, so that a neighbour with a longer name stays invisible.
fn prefix(item: &Item<'_>) -> Option<String> {
    let text = item.read::<String>()?;
    let inner = text.trim_matches('/');
    if inner.split('/').any(|part| matches!(part, "." | "..")) || text.chars().any(char::is_control) {
        return item.refuse("be folder names without `.` and `..`");
    }
    Some(if inner.is_empty() { String::new() } else { format!("{inner}/") })
}

fn credentials(fields: &mut Fields<'_>, base: &Path) -> Option<S3Credentials> {
    let profile = fields.optional::<Line>("profile");
    let access_key_id = fields.optional::<Line>("access_key_id");
    let secret_access_key = fields.take("secret_access_key").map(|item| secret_ref(&item, base));
    let session_token = fields.take("session_token").map(|item| secret_ref(&item, base));
    let anonymous = fields.optional::<bool>("anonymous").unwrap_or(false);

    let ways: Vec<&str> = [
        ("profile", profile.is_some()),
        ("access_key_id", access_key_id.is_some() || secret_access_key.is_some() || session_token.is_some()),
        ("anonymous", anonymous),
    ]
    .into_iter()
    .filter_map(|(way, given)| given.then_some(way))
    .collect();
    if ways.len() > 1 {
        let place = fields.key_place(ways[1]).unwrap_or(fields.place);
        let given = ways.join("` and `");
        let problem = Problem::at(&place, format!("`{given}` are different ways to sign in"));
        fields.report(problem.help("keep one of them; with none, the AWS environment decides"));
        return None;
    }
    if let Some(profile) = profile {
        return Some(S3Credentials::Profile { name: profile.0 });
    }
    if anonymous {
        return Some(S3Credentials::Anonymous);
    }
    match (access_key_id, secret_access_key) {
        (None, None) if session_token.is_none() => Some(S3Credentials::Default),
        (Some(id), Some(secret)) => Some(S3Credentials::Static {
            access_key_id: id.0,
            secret_access_key: secret?,
            session_token: match session_token {
                Some(token) => Some(token?),
                None => None,
            },
        }),
        (id, _) => {
            let (has, lacks) = match id {
                Some(_) => ("access_key_id", "secret_access_key"),
                None => ("secret_access_key", "access_key_id"),
            };
            let place = fields.key_place(has).unwrap_or(fields.place);
            fields.report(Problem::at(&place, format!("fixed keys need `{lacks}` too")));
            None
        }
    }
}
