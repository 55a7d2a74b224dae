//! `[[approvers]]`: who may approve what an operator does, and the key that shows it was them.

use super::names::{Line, Names};
use crate::located::Fields;
use crate::model::estate::ApproverKey;
use crate::runbook::approval::Approver;

pub(super) fn approver(fields: &mut Fields<'_>, names: &mut Names) -> Option<ApproverKey> {
    let name = names.define_as("name", fields);
    let key = fields.need("public_key").and_then(|item| {
        let key = Approver { name: String::new(), public_key: item.read::<Line>()?.0 };
        match key.check() {
            Ok(()) => Some(key.public_key),
            Err(_) => item.refuse("be an Ed25519 public key as `relight approver new` prints it"),
        }
    });
    Some(ApproverKey { name: name?, public_key: key? })
}
