//! From the words of a command line to a plan: the runbook, its parameters, a look at the world.

use super::args::Globals;
use super::scan::scan_all;
use crate::catalog::{Catalog, ScanStatus};
use crate::located::nearest;
use crate::model::task::Values;
use crate::model::text::escaped;
use crate::report::{Exit, Fault};
use crate::runbook::{Mode, ParamKind, Plan, Runbook, params};
use crate::runner::planner::make_plan;
use crate::session::Scanned;
use crate::wiring::Setup;
use clap::ValueEnum;
use color_eyre::eyre;
use serde_json::Value;
use std::io::Write as _;
use std::sync::Arc;

/// What every command that makes a plan takes.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanArgs {
    /// Id of a runbook: its file name without extension
    pub runbook: String,
    /// A parameter of the runbook; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Change things, or leave every step out that would
    #[arg(long, value_enum, default_value_t = ModeArg::Real)]
    pub mode: ModeArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Steps that change something are not run, and nothing is claimed about them
    DryRun,
    /// Against targets that cannot be production
    Drill,
    /// The steps run
    Real,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::DryRun => Mode::DryRun,
            ModeArg::Drill => Mode::Drill,
            ModeArg::Real => Mode::Real,
        }
    }
}

/// A plan with what it was made from, or everything that stands against it.
pub struct Planned {
    pub setup: Setup,
    pub runbook: Runbook,
    pub plan: Result<Plan, Vec<String>>,
}

pub async fn plan(globals: &Globals, args: &PlanArgs) -> eyre::Result<Planned> {
    let (setup, runbook, given) = asked(globals, &args.runbook, &args.set).await?;
    let catalog = catalog(globals, &setup, &runbook).await;
    let ground = setup.ground(Arc::new(catalog));
    let plan = make_plan(&ground, &runbook, &given, args.mode.into(), |what| told(globals, what)).await;
    Ok(Planned { setup, runbook, plan })
}

/// The runbook and its parameters as they were typed; both are known to fit.
pub async fn asked(globals: &Globals, runbook: &str, set: &[String]) -> eyre::Result<(Setup, Runbook, Values)> {
    let given = given(set)?;
    let setup = globals.setup().await?;
    let runbook = choose(&setup, runbook)?;
    if let Err(problems) = params::parse(&runbook, &given, &setup.estate) {
        let fault = Fault::usage(format!("`{}` cannot be planned with these parameters", runbook.id));
        return Err(fault.lines(&problems).hint(wanted(&runbook)).into());
    }
    Ok((setup, runbook, given))
}

/// What the runbook may have to look up: a scan of this minute, where it has anything to do with backups.
pub async fn catalog(globals: &Globals, setup: &Setup, runbook: &Runbook) -> Catalog {
    let backups = |kind: &ParamKind| matches!(kind, ParamKind::Backup { .. } | ParamKind::Copy { .. });
    let looked_up = runbook.resolve.iter().any(|look| look.module.starts_with("backup."));
    if !looked_up && !runbook.params.iter().any(|param| backups(&param.kind)) {
        return Catalog::default();
    }
    let scanned = scan_all(globals, setup).await;
    tell_unseen(&scanned);
    scanned.catalog
}

/// Every problem of a plan that could not be made.
pub fn refused(runbook: &Runbook, problems: &[String]) -> Fault {
    let fault = Fault::new(Exit::Critical, format!("no plan can be made for `{}`", runbook.id));
    fault.lines(problems).hint("mend what is named and plan again; nothing was changed")
}

/// Values as they were typed.
pub fn given(set: &[String]) -> Result<Values, Fault> {
    let mut values = Values::new();
    for pair in set {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Fault::usage(format!("`--set {pair}` has no `=`")).hint("write --set NAME=VALUE"));
        };
        if values.insert(name.trim().to_owned(), Value::String(value.to_owned())).is_some() {
            return Err(Fault::usage(format!("parameter `{}` is set twice", name.trim())));
        }
    }
    Ok(values)
}

fn wanted(runbook: &Runbook) -> String {
    let name = |param: &crate::runbook::Param| {
        let kind = match &param.kind {
            ParamKind::Choice { of } => of.join("|"),
            _ => param.title.clone(),
        };
        format!("--set {}=… ({kind}{})", param.name, if param.required { "" } else { ", optional" })
    };
    match runbook.params.as_slice() {
        [] => "it takes no parameters".to_owned(),
        params => params.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

/// The runbook with this id.
pub fn choose(setup: &Setup, id: &str) -> Result<Runbook, Fault> {
    let (runbooks, errors) = setup.runbooks();
    if let Some(found) = runbooks.iter().find(|runbook| runbook.id.as_str() == id) {
        return Ok(found.clone());
    }
    if !errors.is_empty() {
        let fault = Fault::new(Exit::Config, format!("runbook `{id}` is not among those that can be read"));
        return Err(fault.lines(&errors).hint("mend the runbook files that are named"));
    }
    let names = || runbooks.iter().map(|runbook| runbook.id.as_str());
    let hint = match nearest(id, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
    };
    Err(Fault::usage(format!("there is no runbook `{id}`")).hint(hint))
}

/// What the plan rests on that this call did not see itself.
fn tell_unseen(scanned: &Scanned) {
    for store in scanned.catalog.stores.iter().filter(|store| store.status != ScanStatus::Ok) {
        let since = match store.scanned_at {
            Some(at) => format!("what is known of it is from {}", at.format("%Y-%m-%d %H:%M UTC")),
            None => "nothing is known of it".to_owned(),
        };
        let why = escaped(store.error.as_deref().unwrap_or("no reason was given"));
        tell(&format!("warning: store {} was not seen whole ({why}); {since}", escaped(store.id.as_str())));
    }
}

/// What is being looked at for a plan.
pub fn told(globals: &Globals, what: &str) {
    if !globals.json {
        tell(&format!("looking: {}", escaped(what)));
    }
}

fn tell(line: &str) {
    // With standard error gone there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}
