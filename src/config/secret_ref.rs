//! Where a secret comes from; the secret itself has no place in the file.

use super::names::path_below;
use crate::located::{Fields, Item, Problem};
use crate::model::secret::SecretRef;
use std::path::Path;

const FORMS: &str = "write { env = \"NAME\" }, { file = \"path\" } or { command = [\"program\", \"argument\"] }";

/// `{ env = … }`, `{ file = … }` or `{ command = […] }`.
pub(super) fn secret_ref(item: &Item<'_>, base: &Path) -> Option<SecretRef> {
    if !item.is_table() {
        let why = "a secret in this file would end up in backups, tickets and version control";
        item.report(Problem::at(&item.place, format!("the secret itself must not stand here: {why}")).help(FORMS));
        return None;
    }
    item.table(|fields| one_of(fields, base))
}

fn one_of(fields: &mut Fields<'_>, base: &Path) -> Option<SecretRef> {
    let env = fields.optional::<String>("env");
    let file = fields.take("file").and_then(|item| path_below(base, &item));
    let command = fields.optional::<Vec<String>>("command");
    let given = ["env", "file", "command"].iter().filter(|key| fields.key_place(key).is_some()).count();
    if given != 1 {
        fields.report(Problem::at(&fields.place, "a secret comes from exactly one place").help(FORMS));
        return None;
    }
    match (env, file, command) {
        (Some(name), ..) if name.is_empty() || name.contains(['=', '\0']) => {
            fields.report(Problem::at(&fields.place, "`env` must be the name of an environment variable"));
            None
        }
        (_, _, Some(argv)) if argv.first().is_none_or(String::is_empty) => {
            fields.report(Problem::at(&fields.place, "`command` must begin with a program").help(FORMS));
            None
        }
        (Some(name), ..) => Some(SecretRef::Env(name)),
        (_, Some(path), _) => Some(SecretRef::File(path)),
        (_, _, Some(argv)) => Some(SecretRef::Command(argv)),
        _ => None,
    }
}
