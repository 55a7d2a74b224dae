//! Leaving read-only mode: a reason, an incident if there is one, and for how long.

use super::form::{Form, Look};
use crate::runbook::Intent;
use crate::session::Request;
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use ratatui::layout::Rect;
use std::time::Duration;

/// Longest time that one arming lasts, in minutes.
const LONGEST: u64 = 240;
const LINES: [(&str, &str); 3] =
    [("Reason", "why production must change now"), ("Incident", "INC-1234, if there is one"), ("Minutes", "1 to 240")];

#[derive(Debug)]
pub struct ArmDialog {
    /// Arms the open run instead of the session.
    run: bool,
    form: Form,
}

impl ArmDialog {
    fn new(run: bool) -> Self {
        Self { run, form: Form::new(LINES, ["", "", "30"]) }
    }

    pub fn for_session() -> Self {
        Self::new(false)
    }

    pub fn for_run() -> Self {
        Self::new(true)
    }

    fn confirm(&mut self, cx: &Cx) -> Reaction {
        let [reason, incident, minutes] = self.form.texts();
        if reason.is_empty() {
            return self.form.refuse(0, "A reason is needed: it goes into the journal.".to_owned());
        }
        let Some(minutes) = minutes.parse::<u64>().ok().filter(|n| (1..=LONGEST).contains(n)) else {
            return self.form.refuse(2, format!("Minutes are a number from 1 to {LONGEST}."));
        };
        let incident = Some(incident).filter(|text| !text.is_empty());
        let span = Duration::from_secs(minutes * 60);
        if self.run {
            return self.form.ask(Ask::Intent(Intent::Arm { reason, incident, until: cx.now + span }));
        }
        Reaction::Pop.and(Reaction::Send(Request::Arm { reason, incident, span }))
    }
}

impl Screen for ArmDialog {
    fn scope(&self) -> Scope {
        Scope::Dialog
    }

    fn title(&self, _cx: &Cx) -> String {
        "Arm".to_owned()
    }

    fn wants_text(&self) -> bool {
        true
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let what = if self.run { "this run" } else { "this console" };
        let (title, estate) = (format!("Arm {what}"), &cx.view.estate);
        let about = format!(
            "Until the time is over, {what} may change {} ({}). Each step still asks on its own.",
            estate.name, estate.environment
        );
        let look = Look { title: &title, about: &about, deed: "Arm", danger: true, width: 72 };
        self.form.draw(canvas, area, cx, &look);
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        if act == Act::Confirm { self.confirm(cx) } else { self.form.act(act) }
    }

    fn key(&mut self, key: Key, cx: &Cx) -> Reaction {
        self.form.key(key, cx)
    }

    fn paste(&mut self, text: &str, _cx: &Cx) -> Reaction {
        self.form.paste(text)
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        if hit == Hit::Button(1) { self.confirm(cx) } else { self.form.click(hit) }
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.form.reply(reply)
    }
}
