//! From a runbook and parameters to a plan: looks at the world, pins what it sees, fixes the names.

use super::folder::RunFolder;
use super::ground::{Ground, module_rows};
use super::history;
use crate::model::id::StepId;
use crate::model::task::{Failure, TargetIdentity, TaskOutcome, TaskSpec, Values};
use crate::model::time::Timestamp;
use crate::runbook::estimate;
use crate::runbook::plan::PlannedAction;
use crate::runbook::{Binding, Mode, Plan, Runbook, engine, params};
use crate::tasks::{TaskFeed, production};
use std::collections::BTreeMap;
use std::time::Duration;

/// A look while planning has this long: someone waits for it.
const LOOK_LIMIT: Duration = Duration::from_mins(2);

/// Resolves everything, or says every problem. `say` hears what is being looked at.
pub async fn make_plan(
    ground: &Ground,
    runbook: &Runbook,
    given: &Values,
    mode: Mode,
    say: impl Fn(&str),
) -> Result<Plan, Vec<String>> {
    let params = params::parse(runbook, given, &ground.estate)?;
    let modules = module_rows(&ground.modules);
    let mut binding = Binding::new(runbook, &modules, params, mode, own_second(ground).await)?;
    while let Some((_, title, task)) = binding.next_look()? {
        say(&title);
        let output = look(ground, &task).await.map_err(|failure| vec![in_words(&title, &failure)])?;
        binding.answer(output);
    }
    let mut identities = BTreeMap::new();
    for (step, task) in binding.targets()? {
        say(&format!("Identify the target of {step}"));
        let identity = identify(ground, &step, &task).await?;
        identities.insert(step, identity);
    }
    let mut plan = binding.plan(&ground.estate, &identities)?;
    learn(ground, &mut plan).await;
    if mode == Mode::Drill {
        say("Look that no step reaches production");
        apart_from_production(ground, &plan).await?;
    }
    Ok(plan)
}

/// The instant that the plan's names are made from. They carry seconds: what a run of this very second has made or set
/// aside has the same names, so its second is waited out.
async fn own_second(ground: &Ground) -> Timestamp {
    let now = ground.clock.now();
    if RunFolder::any_of_second(&ground.state_dir, now) {
        tokio::time::sleep(Duration::from_millis(1000 - u64::from(now.timestamp_subsec_millis().min(999)))).await;
    }
    ground.clock.now()
}

/// The plan of a run anew, with other values of some parameters: names, instants and every answer of the world that
/// does not hang on those values stay as they are; what hangs on them is looked at again.
pub async fn another_plan(
    ground: &Ground,
    runbook: &Runbook,
    plan: &Plan,
    given: &Values,
    say: impl Fn(&str),
) -> Result<Plan, Vec<String>> {
    if runbook.digest != plan.runbook_digest {
        return Err(vec![format!(
            "the file of `{}` has changed since this run was planned: the run keeps to what it was, and another point \
             needs a new run",
            runbook.id
        )]);
    }
    let mut values = plan.params.clone();
    values.extend(given.clone());
    let params = params::parse(runbook, &values, &ground.estate)?;
    let modules = module_rows(&ground.modules);
    let mut before = Binding::new(runbook, &modules, plan.params.clone(), plan.mode, plan.made_at)?;
    let mut binding = Binding::new(runbook, &modules, params, plan.mode, plan.made_at)?;
    while let Some((id, title, task)) = binding.next_look()? {
        let known = plan.resolved.get(&id).and_then(|answer| answer.as_object()).cloned().unwrap_or_default();
        let asked = before.next_look()?.map(|(_, _, task)| task);
        before.answer(known.clone());
        if asked.as_ref() == Some(&task) {
            binding.answer(known);
            continue;
        }
        say(&title);
        binding.answer(look(ground, &task).await.map_err(|failure| vec![in_words(&title, &failure)])?);
    }
    let known: BTreeMap<_, _> = before.targets()?.into_iter().collect();
    let mut identities = BTreeMap::new();
    for (step, task) in binding.targets()? {
        let pinned = plan.step(&step).and_then(|planned| planned.identity.clone());
        let identity = match pinned.filter(|_| known.get(&step) == Some(&task)) {
            Some(identity) => identity,
            None => identify(ground, &step, &task).await?,
        };
        identities.insert(step, identity);
    }
    let mut next = binding.plan(&ground.estate, &identities)?;
    for (old, new) in plan.steps.iter().zip(&mut next.steps) {
        new.estimate = old.estimate;
    }
    next.digest = next.compute_digest();
    if next.mode == Mode::Drill {
        say("Look that no step reaches production");
        apart_from_production(ground, &next).await?;
    }
    Ok(next)
}

async fn identify(ground: &Ground, step: &StepId, task: &TaskSpec) -> Result<TargetIdentity, Vec<String>> {
    let place = format!("The target of step {step}");
    let output = look(ground, task).await.map_err(|failure| vec![in_words(&place, &failure)])?;
    engine::identity_of(&output, ground.clock.now()).map_err(|why| vec![format!("{place}: {why}")])
}

/// What earlier runs took. Without any, or where they cannot be read, the plan says nothing of it.
async fn learn(ground: &Ground, plan: &mut Plan) {
    let (state_dir, like) = (ground.state_dir.clone(), plan.clone());
    if let Ok(taken) = tokio::task::spawn_blocking(move || history::of(&state_dir, &like)).await {
        estimate::learn(plan, &taken);
    }
}

/// Every step of a drill, and what takes it back, against what production is. The runner looks again before
/// each of them starts.
async fn apart_from_production(ground: &Ground, plan: &Plan) -> Result<(), Vec<String>> {
    let cx = ground.to_plan(TaskFeed::silent());
    let mut problems = Vec::new();
    for step in plan.steps.iter().filter(|step| step.omitted.is_none()) {
        let act = if let PlannedAction::Task(task) = &step.action { Some(task) } else { None };
        for task in act.into_iter().chain(&step.undo) {
            let Some(module) = ground.modules.get(&task.module) else { continue };
            if let Err(failure) = production::refuse(&cx, &**module, &task.input).await {
                problems.push(in_words(&format!("Step {}", step.id), &failure));
            }
        }
    }
    problems.dedup();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

async fn look(ground: &Ground, task: &TaskSpec) -> Result<Values, Failure> {
    let Some(module) = ground.modules.get(&task.module) else {
        return Err(Failure::new(format!("there is no task module `{}`", task.module)));
    };
    let cx = ground.to_plan(TaskFeed::silent());
    match tokio::time::timeout(LOOK_LIMIT, module.run(&cx, &task.input)).await {
        Ok(TaskOutcome::Done { output }) => Ok(output),
        Ok(TaskOutcome::Failed { failure } | TaskOutcome::Unknown { failure }) => Err(failure),
        Ok(TaskOutcome::Cancelled { .. }) => Err(Failure::new("it was cancelled")),
        Err(_) => Err(Failure::new(format!("no answer within {} s", LOOK_LIMIT.as_secs()))
            .means("what it asks is unknown, and a plan is not made on guesses")
            .next("look at the connection to it, then plan again")),
    }
}

fn in_words(title: &str, failure: &Failure) -> String {
    let mut text = format!("{title}: {}", failure.what);
    for more in [&failure.meaning, &failure.next] {
        if !more.is_empty() {
            text.push_str(". ");
            let mut letters = more.chars();
            text.extend(letters.next().into_iter().flat_map(char::to_uppercase));
            text.push_str(letters.as_str());
        }
    }
    for line in &failure.evidence {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text
}
