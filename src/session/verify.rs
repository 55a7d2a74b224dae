//! Raising the proof of a backup, as a task of the session.

use super::state::State;
use crate::health::Severity;
use crate::model::id::{BackupId, StoreId};
use crate::model::proof::Level;
use crate::model::task::{TaskOutcome, Values};
use crate::tasks::Owner;
use serde_json::{Value, json};
use std::sync::Arc;

impl State {
    pub fn verify(&mut self, backup: &BackupId, level: Level, store: Option<&StoreId>) {
        let Some(found) = self.view.catalog.get(backup) else {
            self.tell(Severity::Warning, &format!("Backup {backup} is not in the catalog."), "Scan again.");
            return;
        };
        let (Some(resolve), Some(verify)) =
            (self.parts.modules.get("backup.resolve").cloned(), self.parts.modules.get("backup.verify").cloned())
        else {
            self.tell(Severity::Critical, "This build has no module that verifies backups.", "");
            return;
        };
        let mut wanted = Values::new();
        wanted.insert("asset".to_owned(), json!(found.asset));
        wanted.insert("backup".to_owned(), json!(backup));
        if let Some(store) = store {
            wanted.insert("store".to_owned(), json!(store));
        }
        let (parts, catalog) = (self.parts.clone(), Arc::clone(&self.view.catalog));
        let now = self.now();
        self.tasks.start(format!("Verify {backup} to {level}"), now, move |feed, cancel| async move {
            let cx = parts.task_context(catalog, Owner::new("session", "verify"), feed, cancel);
            let source = match resolve.run(&cx, &wanted).await {
                TaskOutcome::Done { output } => output,
                other => return other,
            };
            let mut input = Values::new();
            input.insert("source".to_owned(), Value::Object(source));
            input.insert("level".to_owned(), json!(level));
            verify.run(&cx, &input).await
        });
        self.touch();
    }
}
