//! What must be looked at every day, week, month and quarter: measured where it can be, answered where not.

use super::list_page::{Click, Halves, ListPage};
use crate::checklist::{Check, Checklist, Facts, Judged, JudgedItem, Outcome, judge};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, Line, span};
use crate::tui::dialogs::{ReasonDialog, ReasonKind};
use crate::tui::format;
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, Doc, Row};
use ratatui::layout::Rect;

const COLUMNS: [Column; 3] =
    [Column::new("STATE", 10, 10, 0), Column::new("ITEM", 24, 90, 0).cut(), Column::new("CHECKED BY", 10, 24, 1)];

#[derive(Debug, Default)]
pub struct Checklists {
    /// Which list is in sight.
    list: usize,
    page: ListPage,
}

fn judged<'a>(list: &'a Checklist, cx: &Cx<'a>) -> Judged<'a> {
    let view = cx.view;
    let facts = Facts {
        health: &view.health,
        catalog: &view.catalog,
        proofs: &view.proofs,
        notes: &view.answers,
        zone: cx.zone(),
        now: cx.now,
    };
    judge(list, facts)
}

impl Checklists {
    fn current<'a>(&self, cx: &Cx<'a>) -> Option<&'a Checklist> {
        let lists = &cx.view.checklists;
        lists.get(self.list.min(lists.len().saturating_sub(1)))
    }

    fn turn(&mut self, forward: bool, cx: &Cx) {
        let lists = cx.view.checklists.len().max(1);
        let now = self.list.min(lists - 1);
        self.list = if forward { (now + 1) % lists } else { (now + lists - 1) % lists };
        self.page = ListPage::default();
    }

    /// Asks for the words of the answer.
    fn answer(&self, outcome: Outcome, cx: &Cx) -> Reaction {
        let Some(list) = self.current(cx) else { return Reaction::Handled };
        let item = self.page.selected(list.items.len()).map(|at| &list.items[at]);
        match item.map(|item| (item, &item.check)) {
            None => Reaction::Handled,
            Some((item, Check::Person { asks })) => {
                let (checklist, item, asks) = (list.id.clone(), item.id.clone(), asks.clone());
                Reaction::Push(Box::new(ReasonDialog::new(ReasonKind::Check { checklist, item, outcome, asks })))
            }
            Some((_, Check::Rules(_) | Check::Proof { .. })) => {
                Reaction::Warn("it is measured: nobody can tick it by hand".to_owned())
            }
        }
    }
}

impl Screen for Checklists {
    fn scope(&self) -> Scope {
        Scope::Checklists
    }

    fn title(&self, cx: &Cx) -> String {
        self.current(cx).map_or_else(|| "Checklists".to_owned(), |list| format!("Checklist {}", list.id))
    }

    fn opens(&self, _cx: &Cx) -> bool {
        false
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let shown = self.current(cx).map(|list| judged(list, cx));
        let items = shown.as_ref().map_or(&[][..], |judged| &judged.items);
        let at = self.page.selected(items.len());
        let doc = at.map(|at| item_doc(&items[at], cx)).unwrap_or_default();
        let title = self.title(cx);
        let around = Halves {
            title: &title,
            remark: self.names(cx),
            rows: items.len(),
            lower: at.map_or_else(String::new, |at| items[at].item.title.clone()),
            empty: "No checklist could be read.",
        };
        self.page.draw(canvas, area, &around, &COLUMNS, |at| cells(&items[at], cx), &doc);
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        let rows = self.current(cx).map_or(0, |list| list.items.len());
        match act {
            Act::CheckHolds => return self.answer(Outcome::Passed, cx),
            Act::CheckFails => return self.answer(Outcome::Failed, cx),
            Act::Left | Act::Right => self.turn(act == Act::Right, cx),
            Act::NextList => self.turn(true, cx),
            Act::NextPane | Act::PreviousPane => self.turn(act == Act::NextPane, cx),
            Act::Open => {}
            act if self.page.act(act, rows) => {}
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        let rows = self.current(cx).map_or(0, |list| list.items.len());
        match self.page.click(hit, rows) {
            Click::Elsewhere => Reaction::Ignored,
            Click::Selected | Click::Again => Reaction::Handled,
        }
    }

    fn selected(&self, cx: &Cx) -> Selected {
        let item = self.current(cx).and_then(|list| list.items.get(self.page.selected(list.items.len())?));
        item.map_or(Selected::Nothing, |item| Selected::Text(item.title.clone()))
    }
}

impl Checklists {
    /// Every list with its verdict; the one in sight stands out.
    fn names(&self, cx: &Cx) -> Line {
        let mut line: Line = Vec::new();
        let shown = self.current(cx).map(|list| &list.id);
        for list in cx.view.checklists.iter() {
            let verdict = judged(list, cx).verdict;
            let gap = if line.is_empty() { "" } else { "  " };
            line.push(span(format!("{gap}{} ", cx.glyphs.severity(verdict)), format::severity_role(verdict)));
            let on = shown == Some(&list.id);
            line.push(span(list.id.clone(), if on { Role::Title } else { Role::Dim }));
        }
        line
    }
}

fn is_for_people(item: &JudgedItem) -> bool {
    matches!(item.item.check, Check::Person { .. })
}

fn cells(item: &JudgedItem, cx: &Cx) -> Row {
    let role = format::severity_role(item.verdict);
    // What nobody has answered yet is no warning about the estate.
    let word = if is_for_people(item) && item.note.is_none() { "open" } else { format::severity_word(item.verdict) };
    let by = match item.note {
        Some(note) => note.by.to_string(),
        None if is_for_people(item) => "a person".to_owned(),
        None => "relight".to_owned(),
    };
    Row::Cells(vec![
        vec![span(format!("{} {word}", cx.glyphs.severity(item.verdict)), role)],
        vec![span(item.item.title.clone(), Role::Base)],
        vec![span(by, Role::Dim)],
    ])
}

fn item_doc(item: &JudgedItem, cx: &Cx) -> Doc {
    let mut doc = Doc::new();
    let role = format::severity_role(item.verdict);
    doc.marked(vec![span(format!("{} ", cx.glyphs.severity(item.verdict)), role)], item.answer.clone(), Role::Base);
    for line in item.evidence.iter().filter(|line| **line != item.answer) {
        doc.marked(vec![span(format!("  {} ", cx.glyphs.dot), role)], line.clone(), Role::Base);
    }
    if let Some(note) = item.note {
        let at = format!("{} ({})", format::instant(note.at, cx.zone()), format::ago(note.at, cx.now));
        doc.fact("answered", at, Role::Dim);
    }
    if let Check::Person { asks } = &item.item.check {
        doc.blank();
        doc.text(asks.clone(), Role::Strong);
        let keys = (cx.keymap.hint(Act::CheckHolds), cx.keymap.hint(Act::CheckFails));
        let text = format!("{} answers that it holds, {} that it does not.", keys.0, keys.1);
        doc.text(text, Role::Dim);
    }
    if !item.item.help.is_empty() {
        doc.blank();
        doc.text(item.item.help.clone(), Role::Dim);
    }
    doc
}
