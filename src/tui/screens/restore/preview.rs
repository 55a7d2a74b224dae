//! The plan before it runs: everything it touches, step by step, and the digest that is approved.

use crate::model::task::Effect;
use crate::runbook::plan::PlannedAction;
use crate::runbook::{Confirm, Mode, Plan, PlannedStep};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, span};
use crate::tui::dialogs::{ConfirmDialog, Purpose};
use crate::tui::format;
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane};
use ratatui::layout::Rect;
use std::time::Duration;

#[derive(Debug)]
pub struct Preview {
    plan: Box<Plan>,
    pane: DocPane,
}

impl Preview {
    pub fn new(plan: Box<Plan>) -> Self {
        Self { plan, pane: DocPane::default() }
    }

    fn doc(&self, cx: &Cx) -> Doc {
        let plan = &self.plan;
        let mut doc = Doc::new();
        let (word, role) = format::mode(plan.mode);
        let about = match plan.mode {
            Mode::DryRun => "  steps that change something are left out",
            Mode::Drill => "  restores to a scratch place and clears it; production is not touched",
            Mode::Real => "",
        };
        doc.facts("mode", vec![span(format!(" {word} "), role), span(about, Role::Dim)]);
        doc.fact("on", format!("{} ({})", plan.estate, plan.environment), Role::Strong);
        let made = format!("{} ({})", format::instant(plan.made_at, cx.zone()), format::ago(plan.made_at, cx.now));
        doc.fact("made", made, Role::Base);
        doc.fact("digest", format::grouped(&plan.digest), Role::Code);
        let objective = |span: Option<Duration>| {
            span.map_or_else(|| "none".to_owned(), |span| format::brief(span.as_secs() as i64))
        };
        doc.fact("objectives", format!("RPO {}, RTO {}", objective(plan.rpo), objective(plan.rto)), Role::Base);
        doc.heading(if plan.mode == Mode::DryRun { "A real run would touch" } else { "It touches" });
        if plan.touches.is_empty() {
            doc.text("nothing", Role::Ok);
        }
        for touched in &plan.touches {
            doc.marked(vec![span(format!("  {} ", cx.glyphs.dot), Role::Warning)], touched.clone(), Role::Base);
        }
        if !plan.lock_scope.is_empty() {
            doc.blank();
        }
        for scope in &plan.lock_scope {
            doc.fact("locked", format!("{scope}, against other runs"), Role::Base);
        }
        doc.heading("Steps");
        let mut missing = false;
        for (at, step) in plan.steps.iter().enumerate() {
            let left_out = left_out(plan.mode, step, missing);
            missing |= left_out.is_some() && step.omitted.is_none();
            step_lines(&mut doc, (plan, at), step, left_out);
        }
        for (title, values) in
            [("Parameters", &plan.params), ("Names fixed now", &plan.names), ("Looked up", &plan.resolved)]
        {
            if values.is_empty() {
                continue;
            }
            doc.heading(title);
            for (name, value) in values {
                value_lines(&mut doc, name, value);
            }
        }
        doc
    }
}

/// Why the step will not run, by the runner's own rule: a dry run changes nothing, and does not look at what it
/// has not made. `missing`: an earlier step was left out for that.
fn left_out(mode: Mode, step: &PlannedStep, missing: bool) -> Option<String> {
    match &step.omitted {
        Some(why) => Some(why.clone()),
        None if mode != Mode::DryRun => None,
        None if step.effect > Effect::Observe => Some("a dry run changes nothing".to_owned()),
        None => missing.then(|| "what it looks at is not made in a dry run".to_owned()),
    }
}

/// A value as facts: what is inside a table gets the table's name before its own.
fn value_lines(doc: &mut Doc, name: &str, value: &serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (inner, value) in fields {
                value_lines(doc, &format!("{name}.{inner}"), value);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            doc.fact(name, format::counted(items.len() as u64, "entry", "entries"), Role::Base);
        }
        Value::Array(items) if items.is_empty() => {
            doc.fact(name, "none", Role::Base);
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(format::value).collect();
            doc.fact(name, items.join(", "), Role::Base);
        }
        value => {
            doc.fact(name, format::value(value), Role::Base);
        }
    }
}

fn step_lines(doc: &mut Doc, (plan, at): (&Plan, usize), step: &PlannedStep, left_out: Option<String>) {
    let confirm = match step.confirm {
        Confirm::None => "starts by itself",
        Confirm::Key => "asks for y",
        Confirm::Phrase => "asks for a typed phrase",
    };
    let how = match &step.action {
        PlannedAction::Task(task) => {
            format!("{} · {confirm} · at most {}", task.module, format::brief(step.timeout.as_secs() as i64))
        }
        PlannedAction::Question { .. } => "a question to the operator".to_owned(),
        PlannedAction::Attest { .. } => "done by a person, who says what was done and seen".to_owned(),
    };
    let mark = vec![
        span(format!("{:>3} ", at + 1), Role::Dim),
        span(format!("{:<13}", step.effect), format::effect_role(step.effect)),
    ];
    doc.marked(mark, step.title.clone(), if left_out.is_some() { Role::Dim } else { Role::Strong });
    let indent = || vec![span(" ".repeat(17), Role::Base)];
    if let Some(why) = left_out {
        doc.marked(indent(), format!("left out: {why}"), Role::Warning);
        return;
    }
    doc.marked(indent(), how, Role::Dim);
    if let Some(order) = plan.order_of(step) {
        doc.marked(indent(), order, Role::Dim);
    }
    if let Some(identity) = &step.identity {
        doc.marked(indent(), format!("target: {}", identity.title), Role::Base);
    }
    if let Some(watch) = &step.stop_if {
        doc.marked(indent(), format!("stops on this: {}", watch.wanted()), Role::Base);
    }
    if let Some(post) = &step.post {
        doc.marked(indent(), format!("done only when this holds: {}", post.wanted()), Role::Base);
    }
    match &step.undo {
        Some(undo) => {
            doc.marked(indent(), format!("undo: {}", undo.module), Role::Dim);
        }
        None if step.effect > Effect::Observe => {
            doc.marked(indent(), "no undo", Role::Warning);
        }
        None => {}
    }
}

impl Screen for Preview {
    fn scope(&self) -> Scope {
        Scope::Plan
    }

    fn title(&self, _cx: &Cx) -> String {
        format!("plan {}", format::digest(&self.plan.digest))
    }

    fn opens(&self, _cx: &Cx) -> bool {
        false
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let framed = area.height >= 14 && area.width >= 60;
        let inner = if framed {
            let remark = [span("nothing has been changed yet", Role::Dim)];
            let title = [span(format!("Plan: {}", self.plan.title), Role::Title)];
            canvas.panel(area, &title, &remark, Role::BorderFocus)
        } else {
            area
        };
        self.pane.draw(canvas, inner, &self.doc(cx));
    }

    fn act(&mut self, act: Act, _cx: &Cx) -> Reaction {
        match act {
            Act::PlanStart => Reaction::Push(Box::new(ConfirmDialog::new(Purpose::StartPlan(self.plan.clone())))),
            Act::PlanSave => Reaction::Copy(self.plan.digest.clone()),
            // Enter starts nothing.
            Act::Open => Reaction::Say("s starts the plan".to_owned()),
            act if self.pane.act(act) => Reaction::Handled,
            _ => Reaction::Ignored,
        }
    }

    fn selected(&self, _cx: &Cx) -> Selected {
        Selected::Text(self.plan.digest.clone())
    }

    fn whole_text(&self, cx: &Cx) -> Option<String> {
        Some(self.doc(cx).plain(cx.glyphs))
    }
}
