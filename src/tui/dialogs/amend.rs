//! How long a run may take, changed on its way: the time limit of a step, or the time to decide.

use super::form::{Form, Look};
use crate::model::id::StepId;
use crate::runbook::{Intent, RunState};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use ratatui::layout::Rect;

/// What stands in the first line for the decision at the commit point.
const DECIDE: &str = "decide";
const LINES: [(&str, &str); 3] = [
    ("What", "id of a step, or `decide` for the commit point"),
    ("Span", "30m, 2h: the step's new limit, or the time to decide from now on"),
    ("Why", "kept in the journal; approvals are asked for anew"),
];
const LOOK: Look<'_> = Look {
    title: "Amend the run",
    about: "Only how long it may take. What it does is another plan.",
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

    fn amend(&mut self, cx: &Cx) -> Reaction {
        let [what, span, reason] = self.0.texts();
        let Ok(limit) = humantime::parse_duration(&span) else {
            return self.0.refuse(1, format!("`{span}` is not a span such as 30m or 2h."));
        };
        if reason.is_empty() {
            return self.0.refuse(2, "Say why: it is kept in the journal.".to_owned());
        }
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
