//! Events in plain sentences.

use crate::cli::Tone;
use crate::event::{Event, EventKind, Purpose};
use crate::model::id::StepId;
use crate::model::task::{Reality, TaskOutcome};
use crate::model::text::escaped;
use crate::runbook::commit::Change;
use crate::runbook::{Answer, Plan, Question, RunStatus};
use serde::Deserialize as _;
use serde_json::Value;
use std::time::Duration;

/// What an event means to someone who follows the run; `None` for bookkeeping between two facts. The text is
/// safe for a terminal.
pub fn sentence(event: &Event, plan: &Plan) -> Option<(Tone, String)> {
    let by = &event.actor;
    let told = match &event.kind {
        EventKind::RunCreated { .. } => (Tone::Plain, format!("the run was created by {by}")),
        EventKind::RunnerStarted { pid, resumed: false, .. } => {
            (Tone::Quiet, format!("runner started (process {pid})"))
        }
        EventKind::RunnerStarted { pid, .. } => (Tone::Plain, format!("a runner took the run up (process {pid})")),
        EventKind::RunnerStopped { why } => (Tone::Warning, format!("the runner stopped: {why}")),
        EventKind::RunStarted => (Tone::Plain, format!("the run was started by {by}")),
        EventKind::LeaseAcquired { epoch, scopes, taken_from: None, .. } => {
            (Tone::Quiet, format!("holds {} alone (epoch {epoch})", scopes.join(", ")))
        }
        EventKind::LeaseAcquired { epoch, taken_from: Some(from), .. } => (
            Tone::Warning,
            format!("{by} took the run over from {} (epoch {} to {epoch}): {}", from.holder, from.epoch, from.reason),
        ),
        EventKind::LeaseLapsed { why } => (Tone::Warning, format!("the lease lapsed: {why}")),
        EventKind::LeaseRenewed => (Tone::Plain, "the lease is renewed".to_owned()),
        EventKind::LeaseLost { why } => (Tone::Critical, format!("fenced off: {why}")),
        EventKind::Armed { reason, incident, until } => {
            let incident = incident.as_ref().map(|id| format!(", incident {id}")).unwrap_or_default();
            let until = until.format("%Y-%m-%d %H:%M:%S UTC");
            (Tone::Warning, format!("armed by {by} until {until}: {reason}{incident}"))
        }
        EventKind::Disarmed { why } => (Tone::Plain, format!("read-only again: {why}")),
        EventKind::Paused { cause } => (Tone::Warning, format!("paused: {cause}")),
        EventKind::Resumed => (Tone::Plain, format!("resumed by {by}")),
        EventKind::AbortRequested { reason, undo } => {
            let how = if *undo { "abort with undo" } else { "abort" };
            (Tone::Warning, format!("{how} asked for by {by}: {reason}"))
        }
        EventKind::HandoverOffered { to, next, .. } => {
            (Tone::Warning, format!("{by} offers the run to {to}; next: {next} (relight handover RUN --take)"))
        }
        EventKind::HandoverWithdrawn => (Tone::Plain, format!("{by} takes the offer of the run back")),
        EventKind::HandoverTaken { from, read_back } => {
            (Tone::Warning, format!("{by} operates the run now, handed over by {from}; read back: {read_back}"))
        }
        EventKind::OperatorRelieved { from, reason } => {
            (Tone::Warning, format!("{by} operates the run now, in place of {from}: {reason}"))
        }
        EventKind::NoteAdded { text } => (Tone::Plain, format!("note by {by}: {text}")),
        EventKind::QuestionAsked { number, question, .. } => {
            let title = serde_json::from_value::<Question>(question.clone()).map(|asked| asked.title);
            (Tone::Strong, format!("question {number}: {}", title.unwrap_or_default()))
        }
        EventKind::Answered { number, answer, refused, .. } => answered(by, *number, answer, refused.as_deref()),
        EventKind::ApprovalGiven { step, approver, .. } => {
            (Tone::Strong, format!("{step} approved by {approver}, by signature, told by {by}"))
        }
        EventKind::QuestionWithdrawn { number, why } => {
            (Tone::Plain, format!("question {number} no longer stands: {why}"))
        }
        EventKind::RunEnded { status, .. } => ended(status),
        _ => match at_commit(event) {
            Some(told) => told,
            None => return step_sentence(event, plan),
        },
    };
    Some((told.0, escaped(&told.1).into_owned()))
}

/// What happens at a commit point, and on the way back from it.
fn at_commit(event: &Event) -> Option<(Tone, String)> {
    let by = &event.actor;
    Some(match &event.kind {
        EventKind::RunProvisional { decide_by, .. } => {
            let by = decide_by.map(|by| format!(", to be decided by {}", by.format("%Y-%m-%d %H:%M:%S UTC")));
            (Tone::Strong, format!("recovered, not committed{}", by.unwrap_or_default()))
        }
        EventKind::DecisionOverdue { .. } => (
            Tone::Critical,
            "OVERDUE: the time to decide has passed; the run holds, recovered and not committed".to_owned(),
        ),
        EventKind::DecisionPostponed { until, reason } => {
            let until = until.format("%Y-%m-%d %H:%M:%S UTC");
            (Tone::Warning, format!("the decision is put off by {by} until {until}: {reason}"))
        }
        EventKind::AnotherPointChosen { back_to, reason, changes, plan_digest, .. } => {
            let changes: Vec<String> =
                changes.iter().filter_map(|change| Change::deserialize(change).ok()).map(|c| c.words()).collect();
            let digest: String = plan_digest.chars().take(12).collect();
            let what = changes.join(", ");
            (
                Tone::Warning,
                format!("another point chosen by {by}: {what}; back to {back_to}, then by plan {digest}: {reason}"),
            )
        }
        EventKind::WentBack { back_to, .. } => {
            (Tone::Plain, format!("all is taken back to {back_to}; the new plan is in force"))
        }
        _ => return None,
    })
}

fn answered(by: &crate::model::actor::Actor, number: u64, answer: &Value, refused: Option<&str>) -> (Tone, String) {
    let words = serde_json::from_value(answer.clone()).map_or_else(|_| answer.to_string(), |a| answer_words(&a));
    match refused {
        None => (Tone::Plain, format!("question {number} answered by {by}: {words}")),
        Some(why) => (Tone::Warning, format!("question {number}: answer of {by} refused ({words}): {why}")),
    }
}

fn ended(status: &Value) -> (Tone, String) {
    let status = serde_json::from_value::<RunStatus>(status.clone());
    let word = status.as_ref().map_or("with a status that is not understood", RunStatus::word);
    (Tone::Strong, format!("the run is over: {word}"))
}

fn step_sentence(event: &Event, plan: &Plan) -> Option<(Tone, String)> {
    let (tone, step, told): (Tone, &StepId, String) = match &event.kind {
        EventKind::TaskIntended { step, attempt, purpose, .. } => (Tone::Plain, step, begins(*purpose, *attempt)?),
        EventKind::TaskEnded { step, purpose: Purpose::Undo, outcome: TaskOutcome::Done { .. }, .. } => {
            (Tone::Plain, step, "the undo ended".to_owned())
        }
        EventKind::DeadlinePassed { step, .. } => {
            (Tone::Warning, step, "its time limit passed; it was told to stop".to_owned())
        }
        EventKind::StopMet { step, why, .. } => (Tone::Critical, step, format!("STOPS: {why}; it was told to stop")),
        EventKind::Reconciled { step, reality, .. } => {
            let (tone, what) = seen(reality);
            (tone, step, what)
        }
        EventKind::IdentityRead { step, identity, drift } if !drift.is_empty() => {
            let facts: Vec<&str> = drift.iter().map(|(fact, _, _)| fact.as_str()).collect();
            let text = format!("its target, {}, changed since the plan: {}", identity.title, facts.join(", "));
            (Tone::Warning, step, text)
        }
        EventKind::AmountCounted { step, counted } => (Tone::Plain, step, format!("would touch {counted}")),
        EventKind::LimitAmended { step, before, after, reason } => {
            (Tone::Warning, step, format!("it may touch {after}, not {before}: {reason}"))
        }
        EventKind::StepConfirmed { step } => (Tone::Quiet, step, "confirmed".to_owned()),
        EventKind::StepBlocked { step, why } => (Tone::Warning, step, format!("blocked: {why}")),
        EventKind::StepDone { step } => (Tone::Good, step, "done".to_owned()),
        EventKind::StepFailed { step, why } => (Tone::Critical, step, format!("FAILED: {why}")),
        EventKind::StepTimedOut { step } => (Tone::Critical, step, "TIMED OUT".to_owned()),
        EventKind::StepInterrupted { step, .. } => {
            (Tone::Unknown, step, "interrupted: the runner ended while it worked".to_owned())
        }
        EventKind::StepUnknown { step, why } => (Tone::Unknown, step, format!("UNKNOWN: {why}")),
        EventKind::StepSkipped { step, reason } => (Tone::Warning, step, format!("skipped: {reason}")),
        EventKind::StepNotRun { step, why } => (Tone::Quiet, step, format!("not run: {why}")),
        EventKind::StepCancelled { step, why } => (Tone::Warning, step, format!("cancelled: {why}")),
        EventKind::StepDoneByHand { step, evidence } => (Tone::Warning, step, format!("done by hand: {evidence}")),
        EventKind::DebtIncurred { step, title } => {
            (Tone::Plain, step, format!("owed from here until it is seen gone: {title}"))
        }
        EventKind::DebtSettled { step } => (Tone::Good, step, "what it made was seen gone".to_owned()),
        EventKind::StepUndone { step } => (Tone::Good, step, "undone".to_owned()),
        EventKind::TimeLimitAmended { step, before, after, reason } => {
            let span = |seconds: u64| humantime::format_duration(Duration::from_secs(seconds));
            (Tone::Warning, step, format!("its time limit is {}, not {}: {reason}", span(*after), span(*before)))
        }
        EventKind::StepUndoneByHand { step, evidence } => {
            (Tone::Warning, step, format!("taken back by hand: {evidence}"))
        }
        EventKind::StepUndoFailed { step, why } => (Tone::Critical, step, format!("UNDO FAILED: {why}")),
        EventKind::DriftAccepted { step, reason } => (Tone::Warning, step, format!("drift accepted: {reason}")),
        EventKind::ProofDeclared { step, missing, loss } => {
            (Tone::Critical, step, format!("DECLARED, without {}: {loss}", missing.join(", ")))
        }
        EventKind::StepReopened { step, wanted_by } => {
            (Tone::Plain, step, format!("to run for the proof that {wanted_by} needs"))
        }
        _ => return None,
    };
    let at = plan.steps.iter().position(|planned| &planned.id == step)?;
    let text = format!("step {} of {}, {}: {told}", at + 1, plan.steps.len(), plan.steps[at].title);
    Some((tone, escaped(&text).into_owned()))
}

fn begins(purpose: Purpose, attempt: u32) -> Option<String> {
    Some(match purpose {
        Purpose::Run if attempt > 1 => format!("starts, attempt {attempt}"),
        Purpose::Run => "starts".to_owned(),
        Purpose::Reconcile => "looking at the world for what became of it".to_owned(),
        Purpose::Count => "counting what it would touch".to_owned(),
        Purpose::Verify => "looking whether what it did holds".to_owned(),
        Purpose::Undo => "its undo starts".to_owned(),
        Purpose::ReconcileUndo => "looking at the world for what became of its undo".to_owned(),
        Purpose::IdentifyToAsk | Purpose::IdentifyToAct => return None,
    })
}

fn seen(reality: &Reality) -> (Tone, String) {
    match reality {
        Reality::Done(_) => (Tone::Good, "the look says: it took effect".to_owned()),
        Reality::NotDone(why) => (Tone::Plain, format!("the look says: it took no effect ({why})")),
        Reality::Partial(why) => (Tone::Warning, format!("the look says: something of it is there ({why})")),
        Reality::Unknown(failure) => (Tone::Unknown, format!("the look could not tell: {}", failure.what)),
    }
}

/// An answer as it was meant.
pub fn answer_words(answer: &Answer) -> String {
    match answer {
        Answer::Yes => "yes".to_owned(),
        Answer::No => "no".to_owned(),
        Answer::Phrase { text } => format!("the phrase “{text}”"),
        Answer::Value { value } => value.as_str().map_or_else(|| value.to_string(), |text| format!("“{text}”")),
        Answer::Approve { approver, .. } => format!("an approval in the name of {approver}"),
        Answer::Retry => "retry".to_owned(),
        Answer::Skip { reason } => format!("skip: {reason}"),
        Answer::DoneByHand { evidence } => format!("done by hand: {evidence}"),
        Answer::AcceptDrift { reason } => format!("accept the drift: {reason}"),
        Answer::LookAgain => "look again".to_owned(),
        Answer::Undo => "undo".to_owned(),
    }
}
