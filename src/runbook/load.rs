//! Runbook files into runbooks: every problem at once, with its place.

mod commit;
mod group;
mod limit;
mod params;
mod probe;
mod proof;
mod scope;
mod step;

use super::definition::{Drill, Resolve, Runbook, RunbookKind};
use super::modules::Modules;
use crate::located::{self, Fields, Item, Located, Problem, Problems, folder};
use crate::model::id::{RunbookId, StepId};
use crate::model::task::Effect;
pub use limit::{bytes_in, objects_in};
use scope::Scope;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The runbooks that come with the program: file name without extension, and text.
const BUILT_IN: &[(&str, &str)] = &[
    ("backup-files", include_str!("../../config/runbooks/backup-files.toml")),
    ("backup-files-encrypted", include_str!("../../config/runbooks/backup-files-encrypted.toml")),
    ("backup-images", include_str!("../../config/runbooks/backup-images.toml")),
    ("backup-models", include_str!("../../config/runbooks/backup-models.toml")),
    ("backup-postgres", include_str!("../../config/runbooks/backup-postgres.toml")),
    ("backup-postgres-base", include_str!("../../config/runbooks/backup-postgres-base.toml")),
    ("backup-postgres-encrypted", include_str!("../../config/runbooks/backup-postgres-encrypted.toml")),
    ("backup-redis", include_str!("../../config/runbooks/backup-redis.toml")),
    ("expire-backups", include_str!("../../config/runbooks/expire-backups.toml")),
    ("failback-postgres", include_str!("../../config/runbooks/failback-postgres.toml")),
    ("failover-postgres", include_str!("../../config/runbooks/failover-postgres.toml")),
    ("recover-postgres", include_str!("../../config/runbooks/recover-postgres.toml")),
    ("restore-files", include_str!("../../config/runbooks/restore-files.toml")),
    ("restore-images", include_str!("../../config/runbooks/restore-images.toml")),
    ("restore-models", include_str!("../../config/runbooks/restore-models.toml")),
    ("restore-postgres", include_str!("../../config/runbooks/restore-postgres.toml")),
    ("restore-redis", include_str!("../../config/runbooks/restore-redis.toml")),
    ("restore-tables", include_str!("../../config/runbooks/restore-tables.toml")),
    ("switchover-postgres", include_str!("../../config/runbooks/switchover-postgres.toml")),
    ("thaw-backup", include_str!("../../config/runbooks/thaw-backup.toml")),
];

/// Everything that could be read, and what could not, ready to show. A runbook of the estate replaces a
/// built-in one of the same id; two of the estate's with the same id are both refused.
pub fn all(dirs: &[PathBuf], modules: &Modules) -> (Vec<Runbook>, Vec<String>) {
    let (mut runbooks, mut errors) = (Vec::<Runbook>::new(), Vec::new());
    for (stem, text) in BUILT_IN {
        match parse(stem, "built in", text, modules) {
            Ok(runbook) => runbooks.push(runbook),
            Err(problems) => errors.push(problems.to_string()),
        }
    }
    let (mut own, mut twice) = (Vec::<Runbook>::new(), Vec::new());
    for file in folder::files("runbook", dirs, &mut errors) {
        match load(&file, modules) {
            Ok(runbook) => {
                if let Some(other) = own.iter().find(|other| other.id == runbook.id) {
                    errors.push(format!(
                        "{}: runbook `{}` is already defined in {}; neither is used, rename one",
                        runbook.origin, runbook.id, other.origin
                    ));
                    twice.push(runbook.id.clone());
                }
                own.push(runbook);
            }
            Err(error) => errors.push(error),
        }
    }
    runbooks.retain(|built_in| !own.iter().any(|runbook| runbook.id == built_in.id));
    runbooks.extend(own.into_iter().filter(|runbook| !twice.contains(&runbook.id)));
    runbooks.sort_by(|a, b| a.id.cmp(&b.id));
    (runbooks, errors)
}

fn load(file: &Path, modules: &Modules) -> Result<Runbook, String> {
    let text = folder::text(file)?;
    parse(&folder::stem(file), &file.display().to_string(), &text, modules).map_err(|problems| problems.to_string())
}

/// Reads one runbook. `stem` is its file name without extension, which its id must repeat.
pub fn parse(stem: &str, origin: &str, text: &str, modules: &Modules) -> Result<Runbook, Problems> {
    located::read(&folder::shown(stem, origin), text, |fields| runbook(fields, stem, origin, text, modules))
}

fn runbook(fields: &mut Fields<'_>, stem: &str, origin: &str, text: &str, modules: &Modules) -> Option<Runbook> {
    let id = fields.required::<Located<String>>("id");
    if let Some(id) = id.as_ref().filter(|id| id.as_str() != stem) {
        fields.report(
            Problem::at(&id.place, format!("the id `{}` differs from the file's name `{stem}`", id.value))
                .help("a runbook is found by its id: let both be the same"),
        );
    }
    if let Some(id) = &id {
        well_named(id, |problem| fields.report(problem));
    }
    let title = fields.required::<String>("title");
    let summary = fields.optional::<String>("summary").unwrap_or_default();
    let kind = fields.need("kind").and_then(|item| item.choice(&KINDS));
    let mut scope = Scope::new(modules);
    let params = params::read(fields, &mut scope);
    let names = fields.entries("names");
    scope.names = names.iter().map(|(name, _)| name.value.clone()).collect();
    let resolve = fields.tables("resolve", |look| resolve(look, &mut scope));
    let names = names.into_iter().filter_map(|(name, item)| scope.text(&item).map(|text| (name.value, text))).collect();
    let touches = fields.table("plan", |plan| Some(scope.texts(plan.take("touches")))).unwrap_or_default();
    let mut clock = None;
    let drill = fields.table("drill", |drill| {
        clock = drill.optional::<Located<String>>("clock");
        let clock = clock.as_ref().map(|clock| StepId::from(clock.value.clone()));
        Some(Drill { touches: scope.texts(drill.take("touches")), clock })
    });
    let lock = scope.texts(fields.take("lock"));
    scope.groups = group::read_all(fields);
    let steps_at = fields.key_place("steps");
    let mut seen = Vec::<Located<String>>::new();
    let steps = fields.tables("steps", |fields| step::read(fields, &mut scope, &mut seen));
    if let Some(clock) = clock.filter(|clock| seen.iter().all(|step| step.value != clock.value)) {
        let near = located::nearest(&clock.value, seen.iter().map(|step| step.value.as_str()));
        let message = format!("there is no step `{}` for the clock to start from", clock.value);
        fields.report(Problem::at(&clock.place, message).suggest(near, "name the step that stands for the disaster"));
    }
    group::check(&scope.groups, &steps, &seen, |problem| fields.report(problem));
    commit::check(&steps, &seen, &params, |problem| fields.report(problem));
    if seen.is_empty() {
        let place = steps_at.unwrap_or(located::Place::WHOLE);
        fields.report(Problem::at(&place, "a runbook needs at least one step").help("add a [[steps]] table"));
    }
    Some(Runbook {
        id: RunbookId::from(id?.value),
        title: title?,
        summary,
        kind: kind?,
        digest: hex::encode(Sha256::digest(text)),
        origin: origin.to_owned(),
        params,
        resolve,
        names,
        touches,
        drill,
        lock,
        groups: scope.groups.into_iter().map(|(group, _)| group).collect(),
        steps,
    })
}

const KINDS: [(&str, RunbookKind); 8] = [
    ("restore", RunbookKind::Restore),
    ("pitr", RunbookKind::Pitr),
    ("switchover", RunbookKind::Switchover),
    ("failover", RunbookKind::Failover),
    ("failback", RunbookKind::Failback),
    ("backup", RunbookKind::Backup),
    ("retention", RunbookKind::Retention),
    ("checklist", RunbookKind::Checklist),
];

fn resolve(fields: &mut Fields<'_>, scope: &mut Scope<'_>) -> Option<Resolve> {
    let id = fields.required::<Located<String>>("id");
    let title = fields.optional::<String>("title");
    let module = fields.required::<Located<String>>("use");
    let with = fields.take("with");
    let place = fields.place;
    let row = module.as_ref().and_then(|module| scope.module(module, |problem| fields.report(problem)));
    if let (Some(row), Some(module)) = (row, &module)
        && row.effect != Effect::Observe
    {
        let message = format!("`{}` changes something ({}): a look while planning may only read", row.name, row.effect);
        fields.report(Problem::at(&module.place, message));
    }
    let with = scope.input(row, with.as_ref(), &place, |problem| fields.report(problem));
    let drill = step::template(fields, scope, "drill", Some(Effect::Observe));
    let id = id?;
    if scope.looks.iter().any(|(known, _)| known == &id.value) {
        fields.report(Problem::at(&id.place, format!("two looks are called `{}`", id.value)));
    }
    let elsewhere = drill.as_ref().and_then(|drill| scope.row(&drill.module));
    let outputs = row.into_iter().chain(elsewhere).flat_map(|row| row.outputs.clone()).collect();
    scope.looks.push((id.value.clone(), outputs));
    let title = title.unwrap_or_else(|| id.value.clone());
    Some(Resolve { id: id.value, title, module: module?.value, with, drill })
}

/// Ids become parts of file names, marks in databases and words on screens.
fn well_named(id: &Located<String>, report: impl FnOnce(Problem)) {
    const LONGEST: usize = 64;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if !id.value.starts_with(|c: char| c.is_ascii_alphanumeric()) || !id.value.chars().all(plain) || id.len() > LONGEST
    {
        let message = format!("`{}` cannot be an id", crate::model::text::escaped(&id.value));
        let help = format!("use a-z, 0-9, - and _, beginning with a letter or digit, at most {LONGEST}");
        report(Problem::at(&id.place, message).help(help));
    }
}

/// A text that is there and not empty.
fn filled(item: &Item<'_>) -> Option<String> {
    let text = item.read::<String>()?;
    if text.trim().is_empty() { item.refuse("not be empty") } else { Some(text) }
}
