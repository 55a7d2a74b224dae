//! A plan in the making: a runbook, its parameters, and what the looks at the world have answered so far.

mod limit;
mod probe;

use super::approval::Approver;
use super::definition::{Action, Approve, Confirm, ModeRule, ParamKind, Runbook, Step, TaskTemplate};
use super::drill::Made;
use super::group::Group;
use super::modules::{InputRow, InputType, Modules};
use super::plan::{Mode, Plan, PlannedAction, PlannedApproval, PlannedDeclare, PlannedStep};
use super::{digest, drill, template};
use crate::model::estate::{Asset, Estate};
use crate::model::id::{AssetId, StepId};
use crate::model::objective::Objectives;
use crate::model::task::{Effect, TargetIdentity, TaskSpec, Values};
use crate::model::text::escaped;
use crate::model::time::{Timestamp, name_stamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longest name of a lock scope, in bytes.
const MAX_SCOPE: usize = 1024;

#[derive(Clone, Debug)]
pub struct Binding<'a> {
    runbook: &'a Runbook,
    modules: &'a Modules,
    mode: Mode,
    made_at: Timestamp,
    params: Values,
    resolved: Values,
    names: Values,
    /// How many approve where the runbook leaves it to the estate.
    quorum: u32,
}

impl<'a> Binding<'a> {
    /// `params` are the typed values that [`super::params::parse`] returned.
    pub fn new(
        runbook: &'a Runbook,
        modules: &'a Modules,
        params: Values,
        mode: Mode,
        made_at: Timestamp,
    ) -> Result<Self, Vec<String>> {
        if mode == Mode::Drill && runbook.drill.is_none() && runbook.steps.iter().any(|s| s.effect != Effect::Observe) {
            return Err(vec![format!(
                "`{}` cannot be drilled: it has no [drill] table that leads its steps to a scratch place. \
                 Use --mode dry-run to rehearse without changing anything.",
                runbook.id
            )]);
        }
        Ok(Self { runbook, modules, mode, made_at, params, resolved: Values::new(), names: Values::new(), quorum: 0 })
    }

    fn context(&self) -> Value {
        json!({
            "param": self.params,
            "resolve": self.resolved,
            "name": self.names,
            "plan": { "stamp": name_stamp(self.made_at), "mode": self.mode.to_string() },
        })
    }

    /// The next look that the plan needs: its id, its title and the task. `None` when all have answered.
    pub fn next_look(&mut self) -> Result<Option<(String, String, TaskSpec)>, Vec<String>> {
        let Some(look) = self.runbook.resolve.get(self.resolved.len()) else { return Ok(None) };
        self.settle_names();
        let elsewhere = look.drill.clone().filter(|_| self.mode == Mode::Drill);
        let template = elsewhere.unwrap_or(TaskTemplate { module: look.module.clone(), with: look.with.clone() });
        let task = self.task(&template, &format!("look `{}`", look.id))?;
        Ok(Some((look.id.clone(), look.title.clone(), task)))
    }

    /// Binds the answer to the look that [`Binding::next_look`] named last.
    pub fn answer(&mut self, output: Values) {
        if let Some(look) = self.runbook.resolve.get(self.resolved.len()) {
            self.resolved.insert(look.id.clone(), digest::settled(&Value::Object(output)));
        }
    }

    /// Fixes as many names as can be told by now; later ones may use earlier ones.
    fn settle_names(&mut self) {
        for (name, text) in self.runbook.names.iter().skip(self.names.len()) {
            let Ok(value) = template::render_text(text, &self.context()) else { break };
            self.names.insert(name.clone(), Value::String(value));
        }
    }

    /// The identities that the plan must hold: for each step with a target, the task that reads it.
    pub fn targets(&mut self) -> Result<Vec<(StepId, TaskSpec)>, Vec<String>> {
        self.fix_names()?;
        let (mut tasks, mut problems) = (Vec::new(), Vec::new());
        for step in self.steps() {
            let Some(target) = step.target.as_ref().filter(|_| self.omitted(step).is_none()) else { continue };
            match self.task(target, &format!("target of step `{}`", step.id)) {
                Ok(task) => tasks.push((step.id.clone(), task)),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(tasks) } else { Err(problems) }
    }

    fn fix_names(&mut self) -> Result<(), Vec<String>> {
        self.settle_names();
        match self.runbook.names.get(self.names.len()) {
            None => Ok(()),
            Some((name, text)) => {
                let problem = template::render_text(text, &self.context()).err();
                let problem = problem.map_or_else(String::new, |error| error.to_string());
                Err(vec![format!("name `{name}` cannot be fixed: {problem}")])
            }
        }
    }

    fn task(&self, of: &TaskTemplate, place: &str) -> Result<TaskSpec, Vec<String>> {
        let input = template::render_fields(&of.with, &self.context());
        let input = input.map_err(|error| vec![format!("{place}: {error}")])?;
        let input = self.modules.fit(&of.module, input);
        let input = input.map_err(|all| all.into_iter().map(|p| format!("{place}: {p}")).collect::<Vec<_>>())?;
        Ok(TaskSpec { module: of.module.clone(), input })
    }

    /// The finished plan. Refused while anything in it is not resolved: a template without its value, a
    /// target whose identity was not read, a phrase that cannot be made.
    pub fn plan(mut self, estate: &Estate, identities: &BTreeMap<StepId, TargetIdentity>) -> Result<Plan, Vec<String>> {
        if self.resolved.len() < self.runbook.resolve.len() {
            return Err(vec!["the plan's looks at the world have not all answered".to_owned()]);
        }
        self.fix_names()?;
        self.quorum = estate.quorum;
        let mut problems = Vec::new();
        let mut steps = Vec::new();
        for step in self.steps() {
            match self.step(step, identities.get(&step.id)) {
                Ok(step) => steps.push(step),
                Err(found) => problems.extend(found),
            }
        }
        let context = self.context();
        let mut touches = Vec::new();
        for text in self.touches() {
            match template::render_text(text, &context) {
                // One that is said only in some cases.
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => touches.push(line),
                Err(error) => problems.push(format!("touches: {error}")),
            }
        }
        let lock_scope = self.lock_scope(&context).unwrap_or_else(|found| {
            problems.extend(found);
            Vec::new()
        });
        let approvers = self.approvers(&steps, estate, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let drilled = self.mode == Mode::Drill;
        if drilled {
            drill::clean_up(&mut steps, &mut touches);
        }
        let (objectives, groups) = (self.objectives(estate), self.groups(&steps));
        let mut plan = Plan {
            runbook: self.runbook.id.clone(),
            title: self.runbook.title.clone(),
            runbook_digest: self.runbook.digest.clone(),
            estate: estate.name.clone(),
            environment: estate.environment.clone(),
            mode: self.mode,
            made_at: self.made_at,
            params: self.params,
            resolved: self.resolved,
            names: self.names,
            touches,
            lock_scope,
            clock: self.runbook.drill.as_ref().filter(|_| drilled).and_then(|drill| drill.clock.clone()),
            rpo: objectives.rpo,
            rto: objectives.rto,
            groups,
            steps,
            approvers,
            digest: String::new(),
        };
        plan.digest = plan.compute_digest();
        Ok(plan)
    }

    /// What the run locks: what the runbook says, else the asset that it works on.
    fn lock_scope(&self, context: &Value) -> Result<Vec<String>, Vec<String>> {
        let params = self.runbook.params.iter().filter(|param| matches!(param.kind, ParamKind::Asset { .. }));
        let assets = || params.filter_map(|param| Some(format!("asset {}", self.params.get(&param.name)?.as_str()?)));
        let (mut scope, mut problems) = (Vec::new(), Vec::new());
        for text in &self.runbook.lock {
            match template::render_text(text, context) {
                Ok(name) if name.trim().is_empty() || name.len() > MAX_SCOPE => {
                    problems.push(format!("lock: `{text}` gives a name that is empty or too long"));
                }
                Ok(name) => scope.push(name.trim().to_owned()),
                Err(error) => problems.push(format!("lock: {error}")),
            }
        }
        if self.runbook.lock.is_empty() {
            // A drill works on the scratch place: it must not keep the recovery of the real one waiting.
            let of = if self.mode == Mode::Drill { "drill of " } else { "" };
            scope.extend(assets().map(|name| format!("{of}{name}")));
        }
        scope.sort();
        scope.dedup();
        if problems.is_empty() { Ok(scope) } else { Err(problems) }
    }

    /// Objectives of the first asset that the parameters name, where the run can keep or miss them.
    fn objectives(&self, estate: &Estate) -> Objectives {
        if !self.runbook.kind.recovers() {
            return Objectives::default();
        }
        let names = self.runbook.params.iter().filter(|param| matches!(param.kind, ParamKind::Asset { .. }));
        let asset: Option<&Asset> = names
            .filter_map(|param| self.params.get(&param.name)?.as_str())
            .find_map(|id| estate.asset(&AssetId::from(id)));
        asset.map(|asset| asset.objectives.clone()).unwrap_or_default()
    }

    fn touches(&self) -> &[String] {
        match &self.runbook.drill {
            Some(drill) if self.mode == Mode::Drill && !drill.touches.is_empty() => &drill.touches,
            _ => &self.runbook.touches,
        }
    }

    /// The steps of this mode; those of drills alone are in no other plan.
    fn steps(&self) -> impl Iterator<Item = &'a Step> + use<'a> {
        let drill = self.mode == Mode::Drill;
        self.runbook.steps.iter().filter(move |step| drill || step.by_mode.real == ModeRule::Run)
    }

    /// The groups with the steps that this mode has of them: nobody waits for more than there are.
    fn groups(&self, steps: &[PlannedStep]) -> Vec<Group> {
        let members = |group: &Group| {
            steps.iter().filter(|step| step.group.as_ref() == Some(&group.id) && step.omitted.is_none()).count()
        };
        let of_this_mode = |group: &Group| {
            let most = u32::try_from(members(group)).unwrap_or(u32::MAX);
            Group { join: group.join.map(|join| join.min(most)), ..group.clone() }
        };
        self.runbook.groups.iter().map(of_this_mode).collect()
    }

    /// Why this mode leaves the step out.
    fn omitted(&self, step: &Step) -> Option<String> {
        let rule = match self.mode {
            Mode::DryRun => step.by_mode.dry_run,
            Mode::Drill => step.by_mode.drill,
            Mode::Real => ModeRule::Run,
        };
        (rule == ModeRule::Omit).then(|| format!("the runbook leaves it out in a {}", self.mode))
    }

    /// In a drill: what the step's module says that it makes.
    fn makes(&self, action: &PlannedAction) -> Result<Option<Made>, Vec<String>> {
        let PlannedAction::Task(task) = action else { return Ok(None) };
        if self.mode != Mode::Drill {
            return Ok(None);
        }
        let Some(row) = self.modules.get(&task.module).and_then(|row| row.makes.as_ref()) else { return Ok(None) };
        let shared = |module: &str| {
            let takes = self.modules.get(module).map(|row| row.inputs.as_slice()).unwrap_or_default();
            let input: Values = takes
                .iter()
                .filter_map(|input| Some((input.name.clone(), task.input.get(&input.name)?.clone())))
                .collect();
            self.modules.fit(module, input).map(|input| TaskSpec { module: module.to_owned(), input })
        };
        let name = task.input.get(&row.named_by).and_then(Value::as_str).unwrap_or_default();
        Ok(Some(Made {
            title: format!("{} {name}", row.what),
            remove: shared(&row.remove)?,
            probe: shared(&row.probe)?,
        }))
    }

    /// Everyone who may approve, where a step asks for it: there must be enough of them.
    fn approvers(&self, steps: &[PlannedStep], estate: &Estate, problems: &mut Vec<String>) -> Vec<Approver> {
        let wanted = |step: &PlannedStep| {
            let declared = step.declare.as_ref().and_then(|declare| declare.approve.as_ref());
            let quorum = [step.approve.as_ref(), declared].into_iter().flatten().map(|approve| approve.quorum).max();
            quorum.filter(|_| step.omitted.is_none()).map(|quorum| (step.id.clone(), quorum))
        };
        let wanted: Vec<(StepId, u32)> = steps.iter().filter_map(wanted).collect();
        if wanted.is_empty() || self.mode == Mode::DryRun {
            return Vec::new();
        }
        for (step, quorum) in wanted.iter().filter(|(_, quorum)| *quorum as usize > estate.approvers.len()) {
            let known = estate.approvers.len();
            problems.push(format!(
                "step `{step}` needs {quorum} approval(s), and the configuration names {known} approver(s): \
                 `relight approver new` makes a key and the [[approvers]] entry for it"
            ));
        }
        estate.approvers.clone()
    }

    fn may_run_twice(&self, action: &PlannedAction) -> bool {
        let PlannedAction::Task(task) = action else { return true };
        let row = self.modules.get(&task.module);
        row.is_some_and(|row| row.idempotent || row.effect == Effect::Observe)
    }

    /// The declaration with its texts; the phrase must be one that can be typed.
    fn declared(&self, step: &Step, place: &str, problems: &mut Vec<String>) -> Option<PlannedDeclare> {
        let declare = step.declare.as_ref()?;
        let context = self.context();
        let texts = (template::render_text(&declare.loss, &context), template::render_text(&declare.phrase, &context));
        match texts {
            (Ok(loss), Ok(phrase)) if template::can_be_typed(&phrase) => {
                let approve = self.approved(declare.approve.as_ref(), place, problems);
                return Some(PlannedDeclare { loss, phrase: phrase.trim().to_owned(), approve });
            }
            (Ok(_), Ok(phrase)) => {
                problems.push(format!("{place}: the phrase `{}` of its declaration cannot be typed", escaped(&phrase)));
            }
            (loss, phrase) => {
                let failed = [loss.err(), phrase.err()].into_iter().flatten();
                problems.extend(failed.map(|error| format!("{place}, declare: {error}")));
            }
        }
        None
    }

    fn approved(&self, of: Option<&Approve>, place: &str, problems: &mut Vec<String>) -> Option<PlannedApproval> {
        let of = of?;
        let quorum = of.quorum.or(Some(self.quorum).filter(|quorum| *quorum > 0))?;
        match template::render_text(&of.loss, &self.context()) {
            Ok(loss) => Some(PlannedApproval { quorum, ttl: of.ttl, loss }),
            Err(error) => {
                problems.push(format!("{place}, approve: {error}"));
                None
            }
        }
    }

    fn takes_proofs(&self, step: &Step, action: &PlannedAction) -> bool {
        let PlannedAction::Task(task) = action else { return false };
        let inputs = self.modules.get(&task.module).map(|row| row.inputs.as_slice()).unwrap_or_default();
        let takes = |input: &InputRow| input.name == "proofs" && input.kind == InputType::Table;
        !step.proof_in.is_empty() && inputs.iter().any(takes)
    }

    fn text(&self, text: &str, place: &str, problems: &mut Vec<String>) -> String {
        template::render_text(text, &self.context()).unwrap_or_else(|error| {
            problems.push(format!("{place}: {error}"));
            String::new()
        })
    }

    fn step(&self, step: &Step, identity: Option<&TargetIdentity>) -> Result<PlannedStep, Vec<String>> {
        let place = format!("step `{}`", step.id);
        let mut problems = Vec::new();
        let mut text = |text: &str| self.text(text, &place, &mut problems);
        let (title, help) = (text(&step.title), text(&step.help));
        let human = human(&step.action, text);
        let mut task = |template: &TaskTemplate, what: &str| match self.task(template, &format!("{place}{what}")) {
            Ok(task) => Some(task),
            Err(found) => {
                problems.extend(found);
                None
            }
        };
        let action = match &step.action {
            Action::Task(template) => task(template, "").map(PlannedAction::Task),
            _ => human,
        };
        let target = step.target.as_ref().and_then(|template| task(template, ", target"));
        let undo = step.undo.as_ref().and_then(|template| task(template, ", undo"));
        let omitted = self.omitted(step);
        let unidentified = unidentified(step, identity).filter(|_| omitted.is_none());
        problems.extend(unidentified.map(|problem| format!("{place}: {problem}")));
        let (declare, post) = (self.declared(step, &place, &mut problems), self.post(step, &place, &mut problems));
        let approve = self.approved(step.approve.as_ref(), &place, &mut problems);
        let stop_if = self.stop_if(step, &place, &mut problems);
        let limit = self.limit(step, &place, &mut problems);
        let Some(action) = action.filter(|_| problems.is_empty()) else { return Err(problems) };
        let (takes_proofs, idempotent) = (self.takes_proofs(step, &action), self.may_run_twice(&action));
        let makes = if omitted.is_none() { self.makes(&action)? } else { None };
        Ok(PlannedStep {
            id: step.id.clone(),
            group: step.group.clone(),
            title,
            help,
            action,
            effect: step.effect,
            confirm: step.confirm,
            phrase: step.phrase.clone(),
            target,
            identity: identity.cloned(),
            timeout: step.timeout,
            retry: step.retry,
            skip: step.skip,
            undo,
            idempotent,
            omitted,
            makes,
            clears: None,
            proof_out: step.proof_out.clone(),
            proof_in: step.proof_in.clone(),
            takes_proofs,
            declare,
            estimate: None,
            approve,
            post,
            loss_from: step.loss_from.clone(),
            stop_if,
            limit,
            commit: step.commit.clone(),
        })
    }
}

/// What a person does in the step; `None` where a task does it.
fn human(action: &Action, mut text: impl FnMut(&str) -> String) -> Option<PlannedAction> {
    match action {
        Action::Task(_) => None,
        Action::Question { prompt, answer } => Some(PlannedAction::Question { prompt: text(prompt), answer: *answer }),
        Action::Attest { prompt } => Some(PlannedAction::Attest { prompt: text(prompt) }),
    }
}

/// What is missing of the target's identity, or cannot be made of it.
fn unidentified(step: &Step, identity: Option<&TargetIdentity>) -> Option<String> {
    if step.target.is_some() && identity.is_none() {
        return Some("the identity of its target was not read".to_owned());
    }
    match (&step.phrase, identity, step.confirm) {
        (Some(phrase), Some(identity), Confirm::Phrase) => {
            template::render_phrase(phrase, identity, "").err().map(|error| error.to_string())
        }
        _ => None,
    }
}
