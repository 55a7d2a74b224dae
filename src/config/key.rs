//! `[[keys]]`: what backups are encrypted with, and where the secret halves come from.

use super::names::{Line, Names, path_below};
use super::secret_ref::secret_ref;
use crate::located::{Fields, Problem};
use crate::model::id::KeyId;
use crate::model::key::{Key, KeyKind};
use std::path::Path;

#[derive(Clone, Copy)]
enum Kind {
    Passphrase,
    OpenPgp,
    Age,
}

const KINDS: [(&str, Kind); 3] = [("passphrase", Kind::Passphrase), ("openpgp", Kind::OpenPgp), ("age", Kind::Age)];

pub(super) fn key(fields: &mut Fields<'_>, names: &mut Names, base: &Path) -> Option<Key> {
    let id = names.define(fields);
    let kind = fields.need("type").and_then(|item| item.choice(&KINDS))?;
    let secret = |fields: &mut Fields<'_>, name| fields.take(name).and_then(|item| secret_ref(&item, base));
    let kind = match kind {
        Kind::Passphrase => {
            let passphrase = fields.need("passphrase").and_then(|item| secret_ref(&item, base));
            KeyKind::Passphrase { passphrase: passphrase? }
        }
        Kind::OpenPgp => KeyKind::OpenPgp {
            public_key: fields.take("public_key").and_then(|item| path_below(base, &item)),
            secret_key: secret(fields, "secret_key"),
            passphrase: secret(fields, "passphrase"),
        },
        Kind::Age => {
            let recipients = fields.optional::<Vec<Line>>("recipients").unwrap_or_default();
            let recipients = recipients.into_iter().map(|line| line.0).collect();
            KeyKind::Age { recipients, identity: secret(fields, "identity") }
        }
    };
    if let Some(lacks) = lacking(&kind) {
        fields.report(Problem::at(&fields.place, format!("this key neither encrypts nor opens: it has no {lacks}")));
        return None;
    }
    Some(Key { id: KeyId::new(id?), kind })
}

fn lacking(kind: &KeyKind) -> Option<&'static str> {
    match kind {
        KeyKind::OpenPgp { public_key: None, secret_key: None, .. } => Some("`public_key` and no `secret_key`"),
        KeyKind::Age { recipients, identity: None } if recipients.is_empty() => Some("`recipients` and no `identity`"),
        _ => None,
    }
}
