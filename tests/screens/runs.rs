//! Runbooks, a plan, and a run in several states of its questions.

use super::estate::{actor, before, now};
use chrono::Duration;
use relight::event::{Event, EventKind, Purpose};
use relight::model::actor::Actor;
use relight::model::amount::Amount;
use relight::model::estate::AssetKind;
use relight::model::task::{Effect, Failure, Progress, TargetIdentity, TaskOutcome, TaskSpec, Unit, Values};
use relight::runbook::approval::{ApprovalRequest, Approver, short_code};
use relight::runbook::commit::{AnotherPoint, CommitPoint, Provisional};
use relight::runbook::definition::{ByMode, TaskTemplate};
use relight::runbook::estimate::Estimate;
use relight::runbook::plan::PlannedAction;
use relight::runbook::state::{Handover, LossSeen, Standing, Working};
use relight::runbook::{
    Action, Armed, Confirm, Debt, Exception, Mode, Param, ParamKind, Plan, PlannedStep, Question, QuestionKind,
    RunState, RunStatus, Runbook, RunbookKind, SkipRule, Step, StepRecord, StepState,
};
use relight::session::RunView;
use relight::session::view::Link;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration as Span;

const STEPS: [(&str, &str, Effect, Confirm, &str); 8] = [
    ("prove", "Prove the chosen backup to level 4", Effect::Observe, Confirm::None, "backup.verify"),
    ("preflight", "Check space, versions, connections and privileges", Effect::Observe, Confirm::None, "pg.preflight"),
    ("safety", "Dump the current database, as a way back", Effect::Costly, Confirm::Key, "pg.safety-dump"),
    ("side", "Create the database beside it", Effect::Reversible, Confirm::None, "pg.create-side"),
    ("restore", "Restore into the database beside it", Effect::Reversible, Confirm::None, "pg.restore"),
    ("validate", "Compare tables and rows with the dump", Effect::Observe, Confirm::None, "pg.validate"),
    ("swap", "Swap orders_restore_20261120_135000 in", Effect::Irreversible, Confirm::Phrase, "pg.swap"),
    ("health", "Ask the application whether it is well", Effect::Observe, Confirm::None, "http.health"),
];

#[expect(clippy::too_many_lines, reason = "one literal that reads best whole")]
pub fn runbooks() -> Vec<Runbook> {
    let param = |name: &str, title: &str, kind: ParamKind, required: bool, default: Option<&str>, help: &str| Param {
        name: name.into(),
        title: title.into(),
        help: help.into(),
        kind,
        required,
        default: default.map(Into::into),
    };
    let steps = STEPS.map(|(id, title, effect, confirm, module)| Step {
        group: None,
        id: id.into(),
        title: title.into(),
        help: String::new(),
        action: Action::Task(TaskTemplate { module: module.into(), with: Values::new() }),
        effect,
        confirm,
        phrase: None,
        target: None,
        timeout: Span::from_mins(10),
        retry: 0,
        skip: SkipRule::Forbidden,
        undo: None,
        by_mode: ByMode::default(),
        proof_out: None,
        proof_in: vec![],
        declare: None,
        approve: None,
        post: None,
        loss_from: None,
        stop_if: None,
        limit: None,
        commit: None,
    });
    let postgres = Runbook {
        groups: vec![],
        id: "restore-postgres".into(),
        title: "Restore a PostgreSQL database".into(),
        summary: "The database is damaged or data was deleted. Restores a dump into a database beside it, compares, \
                  and swaps both names. Production is untouched until the swap."
            .into(),
        kind: RunbookKind::Restore,
        digest: "51c9f0aa77e1d1b1".repeat(4),
        origin: "built in".into(),
        params: vec![
            param(
                "asset",
                "Database",
                ParamKind::Asset { kinds: vec![AssetKind::PostgreSql] },
                true,
                None,
                "Which database is to be restored.",
            ),
            param(
                "backup",
                "Backup",
                ParamKind::Backup { asset: "asset".into() },
                true,
                Some("latest-proven"),
                "The newest one whose proof passed, or any other.",
            ),
            param("copy", "Copy", ParamKind::Copy { backup: "backup".into() }, false, None, "Where to read it from."),
            param(
                "jobs",
                "Parallel jobs",
                ParamKind::Integer { min: 1, max: 16 },
                false,
                Some("4"),
                "For custom dumps.",
            ),
        ],
        resolve: Vec::new(),
        names: Vec::new(),
        touches: Vec::new(),
        drill: None,
        lock: Vec::new(),
        steps: steps.to_vec(),
    };
    let mut files = postgres.clone();
    files.id = "restore-files".into();
    files.title = "Restore a folder of files".into();
    files.params[0].kind = ParamKind::Asset { kinds: vec![AssetKind::Files, AssetKind::Config, AssetKind::Models] };
    vec![postgres, files]
}

pub fn identity() -> TargetIdentity {
    TargetIdentity {
        title: "database orders on db1.internal:5432".into(),
        facts: vec![
            ("role".into(), "primary".into()),
            ("system identifier".into(), "7312204418823301121".into()),
            ("oid".into(), "16384".into()),
            ("size".into(), "41.2 GB".into()),
            ("newest write".into(), "2026-11-20 14:58:44 CET".into()),
        ],
        read_at: now(),
    }
}

pub fn plan() -> Plan {
    let object = |value: serde_json::Value| value.as_object().cloned().unwrap();
    Plan {
        groups: vec![],
        runbook: "restore-postgres".into(),
        title: "Restore orders-db".into(),
        runbook_digest: "51c9f0aa77e1d1b1".repeat(4),
        estate: "platform".into(),
        environment: "production".into(),
        mode: Mode::Real,
        made_at: before(0, 12),
        params: object(json!({"asset": "orders-db", "backup": "orders-db-full-20261119T115511Z", "jobs": 4})),
        resolved: object(json!({"source": {"store": "s3-primary", "size": 4_812_334_117_u64}})),
        names: object(json!({"side": "orders_restore_20261120_135000", "old": "orders_before_20261120_135000"})),
        touches: vec![
            "creates database orders_restore_20261120_135000 on db1.internal:5432".into(),
            "renames database orders to orders_before_20261120_135000 (kept)".into(),
            "renames database orders_restore_20261120_135000 to orders".into(),
        ],
        lock_scope: Vec::new(),
        clock: None,
        rpo: Some(Span::from_hours(24)),
        rto: Some(Span::from_hours(1)),
        steps: STEPS
            .map(|(id, title, effect, confirm, module)| PlannedStep {
                group: None,
                id: id.into(),
                title: title.into(),
                help: "What the side database holds is compared with the dump's own table of contents.".into(),
                action: PlannedAction::Task(TaskSpec { module: module.into(), input: Values::new() }),
                effect,
                confirm,
                phrase: (confirm == Confirm::Phrase).then(|| "swap orders {{ target.code }}".into()),
                target: None,
                identity: (effect == Effect::Irreversible).then(identity),
                timeout: Span::from_mins(30),
                retry: 0,
                skip: SkipRule::Forbidden,
                undo: (effect == Effect::Irreversible)
                    .then(|| TaskSpec { module: "pg.swap-back".into(), input: Values::new() }),
                idempotent: false,
                omitted: None,
                makes: None,
                clears: None,
                proof_out: None,
                proof_in: vec![],
                takes_proofs: false,
                declare: None,
                estimate: None,
                loss_from: None,
                approve: None,
                post: None,
                stop_if: None,
                limit: None,
                commit: None,
            })
            .to_vec(),
        approvers: vec![],
        digest: "c0ffee5eed1234567890abcdef0123456789abcdef0123456789abcdef012345".into(),
    }
}

fn record(at: usize, turn: usize, state: StepState) -> StepRecord {
    let done = at < turn;
    StepRecord {
        id: STEPS[at].0.into(),
        state: match () {
            () if done => StepState::Done,
            () if at == turn => state,
            () => StepState::Pending,
        },
        attempt: u32::from(at <= turn),
        started_at: (at <= turn).then(|| before(0, 11) + Duration::seconds(at as i64 * 70)),
        ended_at: done.then(|| before(0, 11) + Duration::seconds(at as i64 * 70 + 64)),
        outcome: done.then(|| TaskOutcome::Done {
            output: json!({"tables": 142, "rows": 48_112_907}).as_object().cloned().unwrap(),
        }),
        why: None,
        ..StepRecord::pending(STEPS[at].0.into())
    }
}

/// A run whose turn is at step `turn`, in this state.
pub fn run_at(turn: usize, state: StepState, status: RunStatus) -> RunView {
    let steps = (0..STEPS.len()).map(|at| record(at, turn, state)).collect();
    RunView {
        state: RunState {
            lease: None,
            handover: None,
            provisional: None,
            turn: None,
            amendments: Vec::new(),
            id: "20261120T135000Z-restore-postgres".into(),
            plan: Arc::new(plan()),
            status,
            steps,
            operator: actor(),
            hands: vec![],
            created_at: before(0, 12),
            started_at: Some(before(0, 11)),
            ended_at: None,
            armed: Some(Armed {
                by: actor(),
                reason: "orders table was truncated".into(),
                incident: Some("INC-2041".into()),
                until: now() + Duration::minutes(18),
            }),
            question: None,
            exceptions: Vec::new(),
            leftovers: Vec::new(),
            debts: Vec::new(),
            human_wait_ms: 74_000,
            seq: 21,
            last_at: before(0, 0),
            working: vec![],
            abort: None,
            paused: None,
            asked: 9,
        },
        events: Arc::new(events()),
        live: vec![],
        output: Arc::new(vec![
            ("restore".into(), "pg_restore: processing data for table \"public.orders\"".into()),
            ("restore".into(), "pg_restore: creating INDEX \"public.orders_pkey\"".into()),
            ("restore".into(), "evil \x1b[2J\x1b]52;c;AAAA\x07 line".into()),
            ("validate".into(), "142 of 142 tables, 48,112,907 rows".into()),
        ]),
        link: Link::Connected,
    }
}

pub fn running() -> RunView {
    let mut run = run_at(4, StepState::Running, RunStatus::Running);
    run.live = vec![(
        "restore".into(),
        Progress { done: 61, total: Some(142), unit: Unit::Tables, note: "public.order_items".into() },
    )];
    run
}

/// A drill at work, with what earlier runs took; one step of it was never measured.
pub fn drilling() -> RunView {
    let mut run = running();
    let mut plan = plan();
    plan.mode = Mode::Drill;
    for (at, step) in plan.steps.iter_mut().enumerate().filter(|(at, _)| *at != 5) {
        let p50_ms = 60_000 * (at as u64 + 1);
        step.estimate = Some(Estimate { p50_ms, p90_ms: p50_ms * 3 / 2, runs: 7 });
    }
    run.state.plan = Arc::new(plan);
    let (step, since) = (STEPS[4].0.into(), before(0, 2));
    run.state.working = vec![Working { step, attempt: 1, purpose: Purpose::Run, since }];
    run
}

/// A drill that was aborted and has not cleared what it made.
pub fn owing() -> RunView {
    let mut run = run_at(4, StepState::Cancelled, RunStatus::AbortedDirty);
    let title = "database orders_drill_restore_20261120_135000".to_owned();
    run.state.debts = vec![Debt { step: STEPS[3].0.into(), title, since: before(0, 9), gone_at: None }];
    run.state.leftovers = vec!["Create the side database (create-side) was done and is not taken back".to_owned()];
    run.state.ended_at = Some(before(0, 1));
    run
}

fn question(step: usize, kind: QuestionKind, title: &str) -> Question {
    Question {
        number: 9,
        step: STEPS[step].0.into(),
        kind,
        title: title.into(),
        if_yes: "Sessions on orders are ended, and orders_restore_20261120_135000 takes its name.".into(),
        if_no: "The run pauses here. Production stays as it is.".into(),
        if_nothing: "The run waits. Arming ends in 18 minutes and then asks again.".into(),
        target: None,
        drift: Vec::new(),
        asked_at: before(0, 1),
        loss: None,
    }
}

/// A run that asks; `kind` says what.
pub fn asking(kind: &str) -> RunView {
    let waiting = |turn, state| run_at(turn, state, RunStatus::Waiting);
    match kind {
        "key" => {
            let mut run = waiting(2, StepState::AwaitingAnswer);
            let mut question = question(2, QuestionKind::Key, "Dump the current database first?");
            question.target = Some(identity());
            run.state.question = Some(question);
            run
        }
        "phrase" => typing(),
        "failed" => {
            let mut run = waiting(4, StepState::Failed);
            run.state.steps[4].outcome = Some(TaskOutcome::Failed { failure: failure() });
            let kind = QuestionKind::Failed { may_retry: true, may_skip: false, may_undo: true, may_look: true };
            run.state.question = Some(question(4, kind, "The restore failed. What now?"));
            run
        }
        "unknown" => {
            let mut run = waiting(4, StepState::Unknown);
            run.state.steps[4].why = Some("The runner died while pg_restore ran; nobody knows how far it came.".into());
            run.state.question = Some(question(4, QuestionKind::Unknown, "Did the restore take effect?"));
            run
        }
        "drift" => drifted(),
        "attest" => {
            let mut run = waiting(7, StepState::AwaitingAnswer);
            let kind =
                QuestionKind::Attest { prompt: "Open the shop and place a test order. What did you see?".into() };
            run.state.question = Some(question(7, kind, "Is the application well?"));
            run
        }
        "approval" => approving(),
        "limit" => {
            let mut run = waiting(6, StepState::Blocked);
            let counted = Amount { objects: Some(1_204_311), bytes: None };
            let limit = Amount { objects: Some(50_000), bytes: None };
            let title = "“Swap in” would touch more than its limit: 1204311 objects, and at most 50000 may be";
            run.state.question = Some(question(6, QuestionKind::Limit { counted, limit, may_skip: true }, title));
            run
        }
        "proof" => {
            let mut run = waiting(6, StepState::Blocked);
            let kind = QuestionKind::Proof {
                missing: vec!["fence-receipt".into()],
                loss: Some("db1 is not proven to be fenced: what it still takes is lost or merged by hand".into()),
                phrase: Some("swap without a fence and lose what db1 takes".into()),
                from: Some("safety".into()),
            };
            run.state.question = Some(question(6, kind, "“Swap in” starts only with proof that is missing"));
            run
        }
        _ => {
            let mut run = waiting(2, StepState::Blocked);
            run.state.armed = None;
            run.state.question = Some(question(2, QuestionKind::Arm, "This run is read-only"));
            run
        }
    }
}

fn typing() -> RunView {
    let mut run = run_at(6, StepState::AwaitingAnswer, RunStatus::Waiting);
    let phrase = QuestionKind::Phrase { phrase: "swap orders 9f3c".into() };
    let mut question = question(6, phrase, "Swap the restored database in?");
    question.target = Some(identity());
    question.loss = Some(LossSeen {
        text: "the last 26h 07m: all that is newer than 2026-11-19 11:55:11 UTC".into(),
        known_by: "the age of the backup".into(),
        at: before(0, 1),
    });
    run.state.question = Some(question);
    run
}

/// The plan with a commit point, whose steps can be taken back; for this backup.
pub fn committing(backup: &str) -> Plan {
    let mut plan = plan();
    for step in &mut plan.steps[3..6] {
        step.undo = Some(TaskSpec { module: "pg.drop-side".into(), input: Values::new() });
    }
    let another = AnotherPoint { back_to: STEPS[3].0.into(), params: vec!["backup".into()] };
    plan.steps[6].commit = Some(CommitPoint { decide_within: Some(Span::from_hours(2)), another: Some(another) });
    plan.params.insert("backup".into(), backup.into());
    plan.touches = vec![format!("reads {backup}")];
    plan.digest = plan.compute_digest();
    plan
}

/// Recovered, not committed; `late`: for longer than it should be.
pub fn provisional(late: bool) -> RunView {
    let mut run = typing();
    run.state.status = RunStatus::Provisional;
    run.state.plan = Arc::new(committing("latest"));
    run.state.provisional = Some(Provisional {
        step: STEPS[6].0.into(),
        since: before(0, 30),
        decide_by: Some(now() + Duration::minutes(if late { -12 } else { 90 })),
        overdue_at: late.then(|| before(0, 12)),
    });
    run
}

fn drifted() -> RunView {
    let mut run = run_at(6, StepState::Blocked, RunStatus::Waiting);
    let mut question = question(6, QuestionKind::Drift, "The target is not what the plan saw");
    question.target = Some(identity());
    question.drift = vec![("newest write".into(), "2026-11-20 14:40:02 CET".into(), "2026-11-20 14:58:44 CET".into())];
    run.state.question = Some(question);
    run.state.exceptions.push(Exception {
        step: "safety".into(),
        at: before(0, 9),
        by: actor(),
        text: "skipped: the disk is full".into(),
    });
    run
}

/// Two approvals are wanted, one of them is given.
fn approving() -> RunView {
    let mut run = run_at(6, StepState::AwaitingApproval, RunStatus::Waiting);
    let approver = |name: &str| Approver { name: name.into(), public_key: "unused".into() };
    let mut plan = plan();
    plan.approvers = ["ada", "deploy", "grace"].map(approver).into();
    run.state.hands = vec!["deploy".into()];
    run.state.steps[6].approvals = vec![approver("ada")];
    let request = ApprovalRequest {
        estate: plan.estate.clone(),
        environment: plan.environment.clone(),
        run: run.state.id.clone(),
        mode: plan.mode.to_string(),
        step: STEPS[6].0.into(),
        title: STEPS[6].1.into(),
        loss: "what was written to orders since the backup of 2026-11-19 11:55 UTC, about 26 h".into(),
        plan: "7b1f93c20aa4d4e8".repeat(4),
        question: 9,
        operator: "deploy".into(),
        expires: now() + Duration::minutes(28),
    };
    run.state.plan = Arc::new(plan);
    let (code, short) = (request.code(), short_code(&request.text()));
    let kind = QuestionKind::Approval { request: Box::new(request), quorum: 2, code, short };
    run.state.question = Some(question(6, kind, "“Swap in” needs the approval of 2 other people"));
    run
}

/// Someone else operates the run, and offers it where `offered`.
pub fn watched(offered: bool) -> RunView {
    let mut run = asking("phrase");
    let grace = Actor { name: "grace".into(), host: "ops1".into(), pid: 812 };
    run.state.operator = grace.clone();
    run.state.handover = offered.then(|| Handover {
        from: grace,
        to: "deploy".into(),
        believed: "The side database is whole; only its swap is left. Support has told the customers.".into(),
        next: "Ask the shop owner, then swap".into(),
        open: vec!["Swap it in: your turn".into(), "Ask the application whether it is well: pending".into()],
        at: before(0, 2),
    });
    run
}

/// A copy that another machine has taken the run away from.
pub fn fenced_off() -> RunView {
    let mut run = run_at(4, StepState::Interrupted, RunStatus::Paused { cause: "fenced off".into() });
    run.state.lease = Some(Standing {
        epoch: 3,
        place: "s3://platform-backups/relight/".into(),
        taken_from: None,
        lapsed: None,
        lost: Some("database orders was taken over by grace@ops2 at 13:58:00 UTC (epoch 4): ops1 burnt down".into()),
    });
    run.link = Link::Lost("its process is gone".into());
    run
}

pub fn failure() -> Failure {
    Failure::new("pg_restore stopped at its first error.")
        .means("The side database is incomplete. Production is untouched.")
        .next("Choose an older backup, or repair the cause and retry.")
        .evidence("pg_restore: error: could not execute query: ERROR: extension \"postgis\" is not available")
        .evidence("exit code 1 after 3m 12s")
}

fn events() -> Vec<Event> {
    let at = |seq: u64| before(0, 12) + Duration::seconds(seq as i64 * 8);
    let kinds = vec![
        EventKind::RunCreated { plan_digest: plan().digest, plan: json!({}) },
        EventKind::RunnerStarted { pid: 5120, resumed: false, version: "0.1.0".into() },
        EventKind::RunStarted,
        EventKind::StepReady { step: "prove".into() },
        EventKind::TaskIntended {
            step: "prove".into(),
            attempt: 1,
            purpose: Purpose::Run,
            task: TaskSpec { module: "backup.verify".into(), input: Values::new() },
            epoch: 0,
        },
        EventKind::StepDone { step: "prove".into() },
        EventKind::Armed {
            reason: "orders table was truncated".into(),
            incident: Some("INC-2041".into()),
            until: now(),
        },
        EventKind::IdentityRead { step: "swap".into(), identity: identity(), drift: Vec::new() },
        EventKind::TaskEnded {
            step: "restore".into(),
            attempt: 1,
            purpose: Purpose::Run,
            outcome: TaskOutcome::Failed { failure: failure() },
        },
        EventKind::NoteAdded { text: "Customer support knows.".into() },
    ];
    kinds
        .into_iter()
        .enumerate()
        .map(|(n, kind)| Event {
            seq: n as u64 + 1,
            run: "20261120T135000Z-restore-postgres".into(),
            at: at(n as u64),
            mono_ms: n as u64 * 8_000,
            actor: actor(),
            kind,
        })
        .collect()
}
