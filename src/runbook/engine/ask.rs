//! Questions, in words: what it is about, what yes, no and silence lead to.

use super::advance::At;
use super::{proof, words};
use crate::event::EventKind;
use crate::model::amount::Amount;
use crate::model::task::{Effect, Reality};
use crate::runbook::approval::{ApprovalRequest, short_code};
use crate::runbook::definition::{AnswerKind, SkipRule};
use crate::runbook::plan::PlannedAction;
use crate::runbook::state::{Question, QuestionKind, StepState};

const SILENCE: &str = "The run waits here; nothing starts by itself.";

fn put(at: At<'_>, kind: QuestionKind, title: String, if_yes: String, if_no: String) -> EventKind {
    let number = at.state.asked + 1;
    let (if_nothing, loss) = (silence(at, &kind), at.loss(&kind));
    let question = Question {
        number,
        step: at.step(),
        kind,
        title,
        if_yes,
        if_no,
        if_nothing,
        target: at.record.identity.clone(),
        drift: Vec::new(),
        asked_at: at.now.at,
        loss,
    };
    EventKind::QuestionAsked { step: at.step(), number, question: words::data(&question) }
}

/// What time alone does to the question.
fn silence(at: At<'_>, kind: &QuestionKind) -> String {
    let ends = match kind {
        QuestionKind::Approval { request, .. } => {
            let until = request.expires.format("%H:%M:%S UTC");
            format!(" At {until} this request runs out, and is asked anew with another code.")
        }
        QuestionKind::Key | QuestionKind::Phrase { .. } => match &at.state.armed {
            Some(armed) if at.changes() => {
                format!(
                    " At {} the run is read-only again, and must be armed anew.",
                    armed.until.format("%H:%M:%S UTC")
                )
            }
            _ => String::new(),
        },
        _ => String::new(),
    };
    let decide = at.decide_by().map_or_else(String::new, |by| {
        format!(
            " The run holds, recovered and not committed; from {} on that alarms.",
            by.format("%Y-%m-%d %H:%M:%S UTC")
        )
    });
    format!("{SILENCE}{ends}{decide}")
}

fn way_out(at: At<'_>) -> &'static str {
    match at.planned.skip {
        SkipRule::Forbidden => "",
        SkipRule::WithReason => " It may be skipped with a reason, which ends the run with an exception.",
    }
}

/// One key, or the phrase.
pub fn confirm(at: At<'_>, kind: QuestionKind) -> EventKind {
    let nature = match at.planned.effect {
        Effect::Observe => "It only reads.",
        Effect::Reversible => "It can be taken back completely.",
        Effect::Costly => "It can be taken back, but takes time or space, or loads production.",
        Effect::Fence => "It cuts something off from writing.",
        Effect::Irreversible => "It changes what production is.",
    };
    let undo = match (&at.planned.commit, &at.planned.undo) {
        (Some(_), _) => "It commits: nothing up to here can be taken back by this run any more.",
        (None, Some(_)) => "An undo is planned.",
        (None, None) => "No undo is planned.",
    };
    let first = match kind {
        QuestionKind::Phrase { .. } => {
            "Typing the phrase starts it now, if the target is still the same in that second."
        }
        _ => "It starts now.",
    };
    let rests = proof::rests_on(at);
    let size = at.touches();
    let if_yes = if at.changes() {
        format!("{first} {nature} {undo}{size}{rests}")
    } else {
        format!("{first} {nature}{size}{rests}")
    };
    let instead = at.instead_of_commit();
    let if_no = format!("Nothing starts; the run pauses before this step.{}{instead}", way_out(at));
    put(at, kind, at.planned.title.clone(), if_yes, if_no)
}

/// A step that a person does or decides.
pub fn person(at: At<'_>, kind: QuestionKind) -> EventKind {
    let (if_yes, if_no) = match &kind {
        QuestionKind::Attest { .. } => {
            ("Your note of what you did and saw is kept as the step's result.", "The step counts as failed.")
        }
        QuestionKind::Answer { answer: AnswerKind::YesNo, .. } => ("The step is done.", "The step counts as failed."),
        _ => ("Your answer is kept as the step's result.", "The step counts as failed."),
    };
    put(at, kind, at.planned.title.clone(), if_yes.to_owned(), format!("{if_no}{}", way_out(at)))
}

pub fn arm(at: At<'_>) -> EventKind {
    let title = format!("Read-only: arm the run before “{}”", at.planned.title);
    let if_yes = "Arming with a reason lets the run go on; every destructive step still asks by itself.".to_owned();
    let if_no = format!("Nothing starts; the run stays here, or is aborted.{}", way_out(at));
    put(at, QuestionKind::Arm, title, if_yes, if_no)
}

pub fn drift(at: At<'_>, drift: &[(String, String, String)]) -> EventKind {
    let title = format!("The target of “{}” is not what the plan saw", at.planned.title);
    let if_yes = "Accepting with a reason goes on with the target as it is now; the run then ends with an exception. \
                  Looking again reads the target once more."
        .to_owned();
    let if_no = format!("Nothing starts; the run pauses before this step.{}", way_out(at));
    let asked = put(at, QuestionKind::Drift, title, if_yes, if_no);
    let EventKind::QuestionAsked { step, number, mut question } = asked else { return asked };
    question["drift"] = words::data(&drift);
    EventKind::QuestionAsked { step, number, question }
}

/// It would touch more than its limit. A yes there is none: another limit is an amendment, with its reason.
pub fn limit(at: At<'_>, counted: Amount, limit: Amount) -> EventKind {
    let over = counted.over(&limit).join("; ");
    let title = format!("“{}” would touch more than its limit: {over}", at.planned.title);
    let if_yes = "Nothing was started. Look at what it is about to work on: it may be another place than meant. If it is \
                  right, amend the limit with a reason, which ends the run with an exception, and the step goes on to its \
                  own confirmation. Looking again counts once more."
        .to_owned();
    let if_no = format!("Nothing starts; the run pauses before this step, or is aborted.{}", way_out(at));
    let may_skip = at.planned.skip == SkipRule::WithReason;
    put(at, QuestionKind::Limit { counted, limit, may_skip }, title, if_yes, if_no)
}

/// People other than the operator must say yes.
pub fn approval(at: At<'_>, request: ApprovalRequest, quorum: u32) -> EventKind {
    let people = if quorum == 1 { "another person".to_owned() } else { format!("{quorum} other people") };
    let title = format!("“{}” needs the approval of {people}", at.planned.title);
    let names: Vec<&str> = at.state.plan.approvers.iter().map(|approver| approver.name.as_str()).collect();
    let until = request.expires.format("%H:%M:%S UTC");
    let if_yes = format!(
        "Until {until} it can be approved by {}; whoever created, started or armed the run cannot. Then this step asks \
         for its own confirmation.",
        names.join(", ")
    );
    let if_no = format!("Nothing starts; the run pauses before this step.{}", way_out(at));
    let (code, short) = (request.code(), short_code(&request.text()));
    put(at, QuestionKind::Approval { request: Box::new(request), quorum, code, short }, title, if_yes, if_no)
}

/// A proof is missing; `from` is a step that can be run for it.
pub fn proof(at: At<'_>, missing: &[String], from: Option<At<'_>>) -> EventKind {
    let title = format!("“{}” starts only with proof that is missing: {}", at.planned.title, missing.join(", "));
    let again = from.map(|step| format!("Retry runs “{}”, which gives it. ", step.planned.title));
    let declare = at.planned.declare.as_ref();
    let declared = declare.map(|declare| {
        format!(
            "Typing the phrase declares, on record, that it goes on without: {}. The run then ends with an exception. ",
            declare.loss
        )
    });
    let mut if_yes = again.unwrap_or_default() + &declared.unwrap_or_default();
    if if_yes.is_empty() {
        "The runbook has no other way: a proof cannot be replaced by a word.".clone_into(&mut if_yes);
    }
    let if_no = format!("Nothing starts; the run pauses before this step, or is aborted.{}", way_out(at));
    let kind = QuestionKind::Proof {
        missing: missing.to_vec(),
        loss: declare.map(|declare| declare.loss.clone()),
        phrase: declare.map(|declare| declare.phrase.clone()),
        from: from.map(|step| step.step()),
    };
    put(at, kind, title, if_yes.trim().to_owned(), if_no)
}

pub fn failed(at: At<'_>) -> EventKind {
    let task = matches!(at.planned.action, PlannedAction::Task(_));
    let partial = matches!(at.record.reality, Some(Reality::Partial(_)));
    let not_done = matches!(at.record.reality, Some(Reality::NotDone(_)));
    // A look may have found the effect of something that this run knows no attempt of.
    let begun = at.record.attempt > 0 || (at.record.reality.is_some() && !not_done);
    let may_retry = !begun || not_done || (at.planned.idempotent && !partial);
    let kind = QuestionKind::Failed {
        may_retry,
        may_skip: at.planned.skip == SkipRule::WithReason,
        may_undo: begun && at.planned.undo.is_some(),
        may_look: begun && task && at.changes() || at.record.broken_probes().is_some(),
    };
    let word = match at.record.state {
        StepState::TimedOut => "ran out of time",
        _ if at.saw_nothing().is_some() => "could not tell",
        _ => "failed",
    };
    let why = at.record.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let title = format!("“{}” {word}{why}", at.planned.title);
    let if_yes = if at.record.broken_probes().is_some() {
        "It took effect, and what must hold after it does not. Look again looks once more, from the beginning. Done by \
         hand, with evidence, goes on and ends the run with an exception."
    } else if may_retry && !at.changes() {
        "Retry looks again; it only reads. Done by hand, with evidence, goes on and ends the run with an exception."
    } else if may_retry {
        "Retry runs it again. Done by hand, with evidence, goes on and ends the run with an exception."
    } else {
        "It may not simply be run again: what the attempt left is not known to be nothing. \
         Done by hand, with evidence, goes on and ends the run with an exception."
    };
    let if_no = format!("Abort ends the run; with undo it takes back what was done.{}", way_out(at));
    put(at, kind, title, if_yes.to_owned(), if_no)
}

/// On the way back to another point something is still there.
pub fn not_taken_back(at: At<'_>) -> EventKind {
    let kind = QuestionKind::Failed {
        may_retry: false,
        may_skip: false,
        may_undo: at.planned.undo.is_some(),
        may_look: matches!(at.planned.action, PlannedAction::Task(_)),
    };
    let why = at.record.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let title = format!("“{}” is not taken back yet{why}", at.planned.title);
    let if_yes = "Undo takes it back once more; look again looks whether it is still there. By hand, with evidence: you have \
                  taken it back yourself, which ends the run with an exception. Then the way back goes on.";
    let if_no = "Abort ends the run; with undo it takes back what was done.".to_owned();
    put(at, kind, title, if_yes.to_owned(), if_no)
}

pub fn unknown(at: At<'_>) -> EventKind {
    let why = at.record.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let (title, if_yes) = if at.record.broken_probes().is_some() {
        (
            format!("“{}” took effect, and nobody knows whether that holds{why}", at.planned.title),
            "Look again looks once more, from the beginning. Done by hand, with evidence, goes on and ends the run with \
             an exception.",
        )
    } else if at.changes() {
        (
            format!("Nobody knows whether “{}” took effect{why}", at.planned.title),
            "Look again reads the world once more. Done by hand, with evidence, goes on and ends the run with an \
             exception. It cannot be retried until a look says what happened.",
        )
    } else {
        (
            format!("Nobody knows what “{}” would have found{why}", at.planned.title),
            "Look again begins anew; it only reads. Done by hand, with evidence, goes on and ends the run with an \
             exception.",
        )
    };
    let if_yes = if_yes.to_owned();
    let if_no = "Abort ends the run and names this step as unknown.".to_owned();
    put(at, QuestionKind::Unknown, title, if_yes, if_no)
}
