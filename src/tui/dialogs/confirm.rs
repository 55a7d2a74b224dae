//! One key for yes: starting what the plan shows. Enter only ever cancels.

use super::frame::{self, button, danger};
use crate::model::task::Effect;
use crate::runbook::{Intent, Mode, Plan};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::format;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane};
use ratatui::layout::Rect;

#[derive(Clone, Debug)]
pub enum Purpose {
    /// Start a runner for this plan.
    StartPlan(Box<Plan>),
    /// Begin a run whose runner waits.
    BeginRun(Box<Plan>),
}

#[derive(Debug)]
pub struct ConfirmDialog {
    purpose: Purpose,
    /// 0 is Cancel, 1 is Start.
    focus: usize,
    hint: Option<String>,
    sent: bool,
    pane: DocPane,
}

impl ConfirmDialog {
    pub fn new(purpose: Purpose) -> Self {
        Self { purpose, focus: 0, hint: None, sent: false, pane: DocPane::default() }
    }

    fn plan(&self) -> &Plan {
        match &self.purpose {
            Purpose::StartPlan(plan) | Purpose::BeginRun(plan) => plan,
        }
    }

    fn doc(&self, cx: &Cx) -> Doc {
        let plan = self.plan();
        let mut doc = Doc::new();
        if let Some(hint) = &self.hint {
            doc.text(hint.clone(), Role::Warning);
        }
        doc.text(plan.title.clone(), Role::Strong);
        let (word, role) = format::mode(plan.mode);
        doc.facts("mode", vec![span(format!(" {word} "), role)]);
        doc.fact("on", format!("{} ({})", plan.estate, plan.environment), Role::Strong);
        doc.fact(
            "plan",
            format!("{}, made {}", format::digest(&plan.digest), format::ago(plan.made_at, cx.now)),
            Role::Code,
        );
        let count = |least: Effect| plan.steps.iter().filter(|step| step.effect >= least).count();
        let (final_steps, all) = (count(Effect::Fence), plan.steps.len());
        let steps = match final_steps {
            0 => format!("{all}, none of which fences or replaces anything"),
            n => format!("{all}, {n} of which fence or replace production and ask for a typed phrase"),
        };
        doc.fact("steps", steps, if final_steps > 0 && plan.mode == Mode::Real { Role::Warning } else { Role::Base });
        if self.sent {
            doc.text("Starting…", Role::Accent);
        }
        doc
    }

    fn start(&mut self) -> Reaction {
        if self.sent {
            return Reaction::Handled;
        }
        self.sent = true;
        Reaction::Ask(match &self.purpose {
            Purpose::StartPlan(plan) => Ask::Start(plan.clone()),
            Purpose::BeginRun(plan) => Ask::Intent(Intent::Start { plan_digest: plan.digest.clone() }),
        })
    }
}

impl Screen for ConfirmDialog {
    fn scope(&self) -> Scope {
        Scope::Dialog
    }

    fn title(&self, _cx: &Cx) -> String {
        "Start this plan?".to_owned()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let doc = self.doc(cx);
        let width = 76.min(area.width);
        let height = doc.height(width.saturating_sub(6), canvas.glyphs) + 4;
        let real = self.plan().mode == Mode::Real;
        let inner = frame::open(canvas, area, &self.title(cx), real, width, height);
        let row = [button("Cancel", cx.keymap.hint(Act::Cancel)), danger("Start", cx.keymap.hint(Act::Yes))];
        let used = frame::buttons(canvas, inner, &row, Some(self.focus));
        self.pane.draw(canvas, Rect { height: inner.height.saturating_sub(used), ..inner }, &doc);
    }

    fn act(&mut self, act: Act, _cx: &Cx) -> Reaction {
        match act {
            Act::NextButton | Act::PreviousButton => self.focus = 1 - self.focus,
            Act::Press if self.focus == 0 => return Reaction::Pop,
            Act::Press => self.hint = Some("Enter never starts a plan: press y.".to_owned()),
            Act::No => return Reaction::Pop,
            Act::Yes => return self.start(),
            act if self.pane.act(act) => {}
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, _cx: &Cx) -> Reaction {
        match hit {
            Hit::Button(0) => Reaction::Pop,
            Hit::Button(_) => self.start(),
            _ => Reaction::Handled,
        }
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.sent = false;
        match reply {
            Reply::Started(Err(why)) | Reply::Intent(Err(why)) => {
                self.hint = Some(why.clone());
                Reaction::Warn(why)
            }
            _ => Reaction::Pop,
        }
    }
}
