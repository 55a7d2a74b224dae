//! Procedures: what each is for, what it asks, what its steps do.

use super::list_page::{Click, Halves, ListPage};
use super::restore::Form;
use crate::runbook::{Action, Confirm, Runbook, RunbookKind};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::format;
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, Doc, Row};
use ratatui::layout::Rect;

const COLUMNS: [Column; 4] = [
    Column::new("RUNBOOK", 16, 26, 0).cut(),
    Column::new("KIND", 8, 10, 2),
    Column::new("STEPS", 5, 5, 3).right(),
    Column::new("TITLE", 10, 60, 1),
];

#[derive(Debug, Default)]
pub struct Runbooks {
    page: ListPage,
}

impl Runbooks {
    fn current<'a>(&self, cx: &Cx<'a>) -> Option<&'a Runbook> {
        let runbooks = &cx.view.runbooks;
        runbooks.get(self.page.selected(runbooks.len())?)
    }
}

impl Screen for Runbooks {
    fn scope(&self) -> Scope {
        Scope::Runbooks
    }

    fn title(&self, _cx: &Cx) -> String {
        "Runbooks".to_owned()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let runbooks = &cx.view.runbooks;
        let rows = runbooks.len();
        let mut doc = Doc::new();
        for error in cx.view.runbook_errors.iter() {
            for line in error.lines() {
                doc.marked(vec![span("! ", Role::Critical)], line.to_owned(), Role::Critical);
            }
        }
        if let Some(runbook) = self.current(cx) {
            runbook_doc(&mut doc, runbook);
        }
        let remark = match cx.view.runbook_errors.len() as u64 {
            0 => Vec::new(),
            n => vec![span(format::counted(n, "file cannot be read", "files cannot be read"), Role::Critical)],
        };
        let around = Halves {
            title: "Runbooks",
            remark,
            rows,
            lower: match self.current(cx) {
                Some(runbook) => runbook.title.clone(),
                None if cx.view.runbook_errors.is_empty() => String::new(),
                None => "Problems".to_owned(),
            },
            empty: "No runbook is loaded.",
        };
        self.page.draw(canvas, area, &around, &COLUMNS, |at| cells(&runbooks[at]), &doc);
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::Open => match self.current(cx) {
                Some(runbook) => Reaction::Push(Box::new(Form::new(runbook, cx))),
                None => Reaction::Handled,
            },
            act if self.page.act(act, cx.view.runbooks.len()) => Reaction::Handled,
            _ => Reaction::Ignored,
        }
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        match self.page.click(hit, cx.view.runbooks.len()) {
            Click::Elsewhere => Reaction::Ignored,
            Click::Selected => Reaction::Handled,
            Click::Again => self.act(Act::Open, cx),
        }
    }

    fn selected(&self, cx: &Cx) -> Selected {
        self.current(cx).map_or(Selected::Nothing, |runbook| Selected::Runbook(runbook.id.clone()))
    }
}

const fn kind_word(kind: RunbookKind) -> &'static str {
    match kind {
        RunbookKind::Restore => "restore",
        RunbookKind::Pitr => "pitr",
        RunbookKind::Switchover => "switchover",
        RunbookKind::Failover => "failover",
        RunbookKind::Failback => "failback",
        RunbookKind::Backup => "backup",
        RunbookKind::Retention => "retention",
        RunbookKind::Checklist => "checklist",
    }
}

fn cells(runbook: &Runbook) -> Row {
    Row::Cells(vec![
        vec![span(runbook.id.to_string(), Role::Strong)],
        vec![span(kind_word(runbook.kind), Role::Base)],
        vec![span(runbook.steps.len().to_string(), Role::Base)],
        vec![span(runbook.title.clone(), Role::Base)],
    ])
}

fn runbook_doc(doc: &mut Doc, runbook: &Runbook) {
    doc.blank();
    doc.text(runbook.summary.clone(), Role::Base);
    doc.text(format!("{}, digest {}", runbook.origin, format::digest(&runbook.digest)), Role::Dim);
    doc.heading("It asks for");
    for param in &runbook.params {
        let need = if param.required { "" } else { " (optional)" };
        doc.fact(param.title.clone(), format!("{}{need}", param.help), Role::Base);
    }
    doc.heading("Its steps");
    for (at, step) in runbook.steps.iter().enumerate() {
        let ask = match (&step.action, step.confirm) {
            (Action::Question { .. }, _) => " (a question)",
            (Action::Attest { .. }, _) => " (done by a person)",
            (_, Confirm::None) => "",
            (_, Confirm::Key) => " (asks for a key)",
            (_, Confirm::Phrase) => " (asks for a typed phrase)",
        };
        let mark = vec![
            span(format!("{:>3} ", at + 1), Role::Dim),
            span(format!("{:<13}", step.effect), format::effect_role(step.effect)),
        ];
        doc.marked(mark, format!("{}{ask}", before_planning(&step.title)), Role::Base);
    }
}

/// A title as it reads before a plan has filled it in: for each expression its first case, in which a text
/// stands as it is and a value as its name in angle brackets.
fn before_planning(title: &str) -> String {
    let mut out = String::new();
    let mut rest = title;
    while let Some((before, (inside, after))) =
        rest.split_once("{{").and_then(|(before, tail)| Some((before, tail.split_once("}}")?)))
    {
        out.push_str(before);
        let case = inside.split_once(" if ").map_or(inside, |(case, _)| case);
        for part in case.split('~').map(str::trim) {
            match part.strip_prefix(['\'', '"']).and_then(|part| part.strip_suffix(['\'', '"'])) {
                Some(text) => out.push_str(text),
                None => out.push_str(&format!("<{}>", name_of(part))),
            }
        }
        rest = after;
    }
    out + rest
}

/// The last two names of a path, without the word that says where the value comes from.
fn name_of(path: &str) -> String {
    let value = path.split('|').next().unwrap_or(path).trim();
    let names: Vec<&str> = value.split('.').skip(1).collect();
    let last = names.len().saturating_sub(2);
    if names.is_empty() { value.to_owned() } else { names[last..].join(" ").replace('_', " ") }
}

#[cfg(test)]
mod tests {
    use super::before_planning;

    #[test]
    fn titles_read_well_before_they_are_filled_in() {
        assert_eq!(before_planning("Prove the backup"), "Prove the backup");
        assert_eq!(before_planning("Create {{ name.side }} now"), "Create <side> now");
        assert_eq!(before_planning("Stop {{ resolve.pair.primary.server }}"), "Stop <primary server>");
        let case = "{{ 'Point clients at ' ~ resolve.pair.standby.server if resolve.pair.traffic else 'None' }}";
        assert_eq!(before_planning(case), "Point clients at <standby server>");
        assert_eq!(before_planning("a }} b {{ c"), "a }} b {{ c");
    }
}
