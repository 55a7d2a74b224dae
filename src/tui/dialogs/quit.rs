//! Leaving: what goes on without the console, and what ends with it.

use super::frame::{self, button};
use crate::session::View;
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane};
use ratatui::layout::Rect;

pub const TITLE: &str = "Leave the console?";

#[derive(Debug, Default)]
pub struct QuitDialog {
    /// 0 is Stay, 1 is Leave.
    focus: usize,
    pane: DocPane,
}

impl QuitDialog {
    /// Whether nothing goes on and nothing is lost.
    pub fn is_needless(view: &View) -> bool {
        view.runs.iter().all(|run| run.over) && view.tasks.iter().all(|task| task.ended_at.is_some())
    }
}

fn doc(cx: &Cx) -> Doc {
    let mut doc = Doc::new();
    let lost: Vec<_> = cx.view.runs.iter().filter(|run| !run.over && run.status.contains("lost")).collect();
    let open: Vec<_> = cx.view.runs.iter().filter(|run| !run.over && !run.status.contains("lost")).collect();
    if !open.is_empty() {
        let fate = if cx.runs_end {
            "The demo's servers stop with the console, and the runners of these runs with them:"
        } else {
            "These runs go on without you, to their next question, and wait there:"
        };
        doc.text(fate, Role::Base);
        for run in open {
            let role = if run.needs_operator { Role::Warning } else { Role::Accent };
            let mark = vec![span(format!("  {} ", cx.glyphs.pointer), role)];
            doc.marked(mark, format!("{} ({}, {}): {}", run.title, run.mode, run.status, run.id), role);
        }
        if !cx.runs_end {
            doc.text("Come back with: relight attach RUN", Role::Dim);
        }
    }
    if !lost.is_empty() {
        doc.blank();
        doc.text("These have lost their runner: nothing of them goes on until someone resumes them:", Role::Base);
        for run in lost {
            let mark = vec![span("  ? ", Role::Unknown)];
            doc.marked(mark, format!("{} ({}): {}", run.title, run.mode, run.id), Role::Unknown);
        }
    }
    let tasks: Vec<_> = cx.view.tasks.iter().filter(|task| task.ended_at.is_none()).collect();
    if !tasks.is_empty() {
        doc.blank();
        doc.text("These tasks of the console stop:", Role::Base);
        for task in tasks {
            doc.marked(vec![span(format!("  {} ", cx.glyphs.dot), Role::Dim)], task.title.clone(), Role::Dim);
        }
    }
    if doc.is_empty() {
        doc.text("Nothing is running.", Role::Dim);
    }
    doc
}

impl Screen for QuitDialog {
    fn scope(&self) -> Scope {
        Scope::Dialog
    }

    fn title(&self, _cx: &Cx) -> String {
        TITLE.to_owned()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let doc = doc(cx);
        let width = 72.min(area.width);
        let height = doc.height(width.saturating_sub(6), canvas.glyphs) + 4;
        let inner = frame::open(canvas, area, TITLE, false, width, height);
        let row = [button("Stay", cx.keymap.hint(Act::Cancel)), button("Leave", cx.keymap.hint(Act::Yes))];
        let used = frame::buttons(canvas, inner, &row, Some(self.focus));
        self.pane.draw(canvas, Rect { height: inner.height.saturating_sub(used + 1), ..inner }, &doc);
    }

    fn act(&mut self, act: Act, _cx: &Cx) -> Reaction {
        match act {
            Act::NextButton | Act::PreviousButton => self.focus = 1 - self.focus,
            Act::No => return Reaction::Pop,
            Act::Press if self.focus == 0 => return Reaction::Pop,
            // Leaving changes nothing in the world, so Enter may do it once Leave has the focus.
            Act::Yes | Act::Press | Act::DialogLeave => return Reaction::Leave,
            act if self.pane.act(act) => {}
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, _cx: &Cx) -> Reaction {
        match hit {
            Hit::Button(0) => Reaction::Pop,
            Hit::Button(_) => Reaction::Leave,
            _ => Reaction::Handled,
        }
    }
}
