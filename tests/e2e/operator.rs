//! Someone at a run: watches its events, answers its questions.

use relight::event::EventKind;
use relight::model::actor::Actor;
use relight::model::time::Clock as _;
use relight::runbook::state::{Question, QuestionKind, RunStatus};
use relight::runbook::{Answer, Intent, RunState};
use relight::runner::protocol::FromRunner;
use relight::runner::{Client, RunFolder};
use relight::wiring::SystemClock;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// Longest silence of a run that is not over.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Run {
    pub folder: RunFolder,
    client: Client,
    told: Receiver<FromRunner>,
    state: Option<RunState>,
    /// Every event so far, in order.
    pub events: Vec<EventKind>,
    answered: u64,
}

impl Run {
    pub async fn attach(folder: &RunFolder) -> Self {
        Self::attach_as(folder, "tester").await
    }

    pub async fn attach_as(folder: &RunFolder, name: &str) -> Self {
        let actor = Actor { name: name.to_owned(), host: "here".to_owned(), pid: std::process::id() };
        let (client, told) = Client::connect(folder, &actor, 0).await.unwrap();
        let mut run = Self { folder: folder.clone(), client, told, state: None, events: Vec::new(), answered: 0 };
        loop {
            match run.hear("catching up").await {
                Heard::CaughtUp => return run,
                // It may come to its end, and leave, before it has told everything; the journal has it all.
                Heard::Gone => {
                    run.read_journal();
                    return run;
                }
                Heard::Event | Heard::Other => {}
            }
        }
    }

    fn read_journal(&mut self) {
        let events = relight::journal::read(&self.folder.path).unwrap();
        let mut state = RunState::create(&events[0]).unwrap();
        events[1..].iter().for_each(|event| drop(state.apply(event)));
        self.state = Some(state);
        self.events = events.into_iter().map(|event| event.kind).collect();
    }

    pub fn state(&self) -> &RunState {
        self.state.as_ref().unwrap()
    }

    async fn hear(&mut self, waiting_for: &str) -> Heard {
        let said = timeout(PATIENCE, self.told.recv()).await;
        let Ok(said) = said else {
            panic!("{waiting_for}: the run is silent; {}\n{}", self.describe(), self.folder.log_tail())
        };
        match said {
            Some(FromRunner::Event { event }) => {
                match &mut self.state {
                    None => self.state = Some(RunState::create(&event).unwrap()),
                    Some(state) => drop(state.apply(&event)),
                }
                self.events.push(event.kind);
                Heard::Event
            }
            Some(FromRunner::CaughtUp { .. }) => Heard::CaughtUp,
            Some(_) => Heard::Other,
            None => Heard::Gone,
        }
    }

    pub async fn intent(&self, intent: Intent) -> Result<(), String> {
        self.client.intent(intent).await
    }

    pub async fn begin(&self) {
        self.intent(Intent::Start { plan_digest: self.state().plan.digest.clone() }).await.unwrap();
    }

    /// Answers the open question.
    pub async fn answer(&mut self, answer: Answer) -> Result<(), String> {
        let question = self.state().question.as_ref().expect("no question is open").number;
        let said = self.intent(Intent::Answer { question, answer }).await;
        if said.is_ok() {
            self.answered = question;
        }
        said
    }

    /// Says yes to everything that a good run asks, until `stop` wants the question, or until the run is
    /// over, or until it asks something that a good run does not: then that question is returned.
    pub async fn go_on(&mut self, stop: impl Fn(&Question) -> bool) -> Option<Question> {
        loop {
            if self.state().status.is_over() {
                return None;
            }
            let open = self.state().question.clone().filter(|question| question.number > self.answered);
            let Some(question) = open else {
                let heard = self.hear("going on").await;
                assert!(heard != Heard::Gone, "the line was lost; {}\n{}", self.describe(), self.folder.log_tail());
                continue;
            };
            if stop(&question) {
                return Some(question);
            }
            let answer = match &question.kind {
                QuestionKind::Arm => {
                    let until = SystemClock.now() + chrono::Duration::minutes(30);
                    let arm = Intent::Arm { reason: "restore".to_owned(), incident: Some("INC-1".to_owned()), until };
                    self.intent(arm).await.unwrap();
                    self.answered = question.number;
                    continue;
                }
                QuestionKind::Key | QuestionKind::Answer { .. } => Answer::Yes,
                QuestionKind::Phrase { phrase } => Answer::Phrase { text: phrase.clone() },
                _ => return Some(question),
            };
            self.answer(answer).await.unwrap();
        }
    }

    /// To the end, with yes to everything.
    pub async fn finish(&mut self) -> RunStatus {
        if let Some(question) = self.go_on(|_| false).await {
            panic!("{}\n{}\n{}", question.title, self.describe(), self.failures());
        }
        self.state().status.clone()
    }

    /// Aborts with undo, and waits until the run is over.
    pub async fn abort(&mut self) {
        self.intent(Intent::Abort { reason: "enough".to_owned(), undo: true }).await.unwrap();
        self.until("the end of the abort", |state| state.status.is_over()).await;
    }

    /// Waits until the last answer has been taken up.
    pub async fn answered_question(&mut self) {
        let answered = self.answered;
        self.until("the answer", |state| state.question.as_ref().is_none_or(|q| q.number > answered)).await;
    }

    /// Waits until the line breaks.
    pub async fn gone(&mut self) {
        while self.hear("the end of the runner").await != Heard::Gone {}
    }

    /// Waits for a state without answering anything.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&RunState) -> bool) {
        while !wanted(self.state()) {
            let heard = self.hear(what).await;
            assert!(heard != Heard::Gone, "{what}: the line was lost; {}", self.describe());
        }
    }

    /// Every failure that the run has told, for people.
    pub fn failures(&self) -> String {
        let outcomes = self.state().steps.iter().filter_map(|step| step.outcome.as_ref().map(|o| (&step.id, o)));
        let lines: Vec<String> = outcomes
            .filter(|(_, outcome)| !matches!(outcome, relight::model::task::TaskOutcome::Done { .. }))
            .map(|(step, outcome)| format!("{step}: {outcome:#?}\n"))
            .collect();
        lines.concat()
    }

    /// Where everything stands, for people.
    pub fn describe(&self) -> String {
        let Some(state) = &self.state else { return "nothing was heard of it".to_owned() };
        let steps: Vec<String> = state
            .steps
            .iter()
            .map(|step| format!("{}: {} {}", step.id, step.state, step.why.as_deref().unwrap_or_default()))
            .collect();
        format!("{}; {}; {:?}", state.status.word(), steps.join(", "), state.question)
    }
}

#[derive(PartialEq)]
enum Heard {
    Event,
    CaughtUp,
    Other,
    Gone,
}

/// Stops at the question of a step.
pub fn at(step: &str) -> impl Fn(&Question) -> bool + '_ {
    move |question| question.step.as_str() == step && question.kind != QuestionKind::Arm
}
