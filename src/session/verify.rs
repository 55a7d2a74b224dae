//! Raising the proof of a backup, as a task of the session.

use super::state::State;
use crate::health::Severity;
use crate::model::id::{BackupId, StoreId};
use crate::model::proof::Level;
use crate::model::task::Values;
use crate::tasks::Owner;
use serde_json::json;
use std::sync::Arc;

impl State {
    pub fn verify(&mut self, backup: &BackupId, level: Level, store: Option<&StoreId>) {
        if self.view.catalog.get(backup).is_none() {
            self.tell(Severity::Warning, &format!("Backup {backup} is not in the catalog."), "Scan again.");
            return;
        }
        let Some(module) = self.parts.modules.get("backup.verify").cloned() else {
            self.tell(Severity::Critical, "This build has no module that verifies backups.", "");
            return;
        };
        // Not by way of a plan: what a plan refuses to read must be proven all the more.
        let mut input = Values::new();
        input.insert("backup".to_owned(), json!(backup));
        input.insert("store".to_owned(), json!(store));
        input.insert("level".to_owned(), json!(level));
        let (parts, catalog) = (self.parts.clone(), Arc::clone(&self.view.catalog));
        let now = self.now();
        let task = self.tasks.start(format!("Verify {backup} to {level}"), now, move |feed, cancel| async move {
            let cx = parts.task_context(catalog, Owner::new("session", "verify"), feed, cancel);
            module.run(&cx, &input).await
        });
        self.verifying.insert(task);
        self.touch();
    }
}
