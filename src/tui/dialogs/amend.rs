//! What may be changed about a run on its way: the time limit of a step, how much it may touch, the time to decide.

use super::form::{Form, Look};
use crate::model::amount::Amount;
use crate::model::id::StepId;
use crate::runbook::{Intent, Question, QuestionKind, RunState};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use ratatui::layout::Rect;

/// What stands in the first line for the decision at the commit point.
const DECIDE: &str = "decide";
const LINES: [(&str, &str); 3] = [
    ("What", "id of a step, or `decide` for the commit point"),
    ("Limit", "30m: its time, or the time to decide from now on; 2000objects, 30GiB: what it may touch"),
    ("Why", "kept in the journal; approvals are asked for anew"),
];
const LOOK: Look<'_> = Look {
    title: "Amend the run",
    about: "Only how long it may take, and how much it may touch. What it does is another plan.",
    deed: "Amend",
    danger: false,
    width: 80,
};

#[derive(Debug)]
pub struct AmendDialog(Form);

impl AmendDialog {
    pub fn open(state: &RunState) -> Self {
        let open = state.steps.iter().find(|record| !record.state.is_settled());
        let what = match open {
            _ if state.is_provisional() => DECIDE,
            Some(record) => record.id.as_str(),
            None => "",
        };
        Self(Form::new(LINES, [what, "", ""]))
    }

    /// For the question about a step's limit.
    pub fn for_limit(question: &Question) -> Self {
        let counted = match &question.kind {
            // What was counted, in figures that are read back.
            QuestionKind::Limit { counted, limit, .. } => {
                let figures = [
                    counted.objects.filter(|_| limit.objects.is_some()).map(|count| format!("{count}objects")),
                    counted.bytes.filter(|_| limit.bytes.is_some()).map(|count| format!("{count}B")),
                ];
                figures.into_iter().flatten().collect::<Vec<_>>().join(",")
            }
            _ => String::new(),
        };
        Self(Form::new(LINES, [question.step.as_str(), &counted, ""]))
    }

    fn amend(&mut self, cx: &Cx) -> Reaction {
        let [what, span, reason] = self.0.texts();
        let amount = span.parse::<Amount>().ok().filter(|_| what != DECIDE);
        let time = humantime::parse_duration(&span).ok();
        if amount.is_none() && time.is_none() {
            let problem = format!("`{span}` is no span such as 30m, and no amount such as 2000objects or 30GiB.");
            return self.0.refuse(1, problem);
        }
        if reason.is_empty() {
            return self.0.refuse(2, "Say why: it is kept in the journal.".to_owned());
        }
        let limit = match (amount, time) {
            (Some(limit), _) => {
                return self.0.ask(Ask::Intent(Intent::LimitAmount { step: StepId::from(what), limit, reason }));
            }
            (None, time) => time.unwrap_or_default(),
        };
        if what != DECIDE {
            return self.0.ask(Ask::Intent(Intent::LimitTime { step: StepId::from(what), limit, reason }));
        }
        let until = chrono::Duration::from_std(limit).ok().and_then(|span| cx.now.checked_add_signed(span));
        match until {
            Some(until) => self.0.ask(Ask::Intent(Intent::Postpone { until, reason })),
            None => self.0.refuse(1, "That is too long.".to_owned()),
        }
    }
}

impl Screen for AmendDialog {
    fn scope(&self) -> Scope {
        Scope::Dialog
    }

    fn title(&self, _cx: &Cx) -> String {
        "Amend".to_owned()
    }

    fn wants_text(&self) -> bool {
        true
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        self.0.draw(canvas, area, cx, &LOOK);
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        if act == Act::Confirm { self.amend(cx) } else { self.0.act(act) }
    }

    fn key(&mut self, key: Key, cx: &Cx) -> Reaction {
        self.0.key(key, cx)
    }

    fn paste(&mut self, text: &str, _cx: &Cx) -> Reaction {
        self.0.paste(text)
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        if hit == Hit::Button(1) { self.amend(cx) } else { self.0.click(hit) }
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.0.reply(reply)
    }
}
