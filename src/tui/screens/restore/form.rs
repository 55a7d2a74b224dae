//! The parameters of a runbook, with what can be chosen for each.

use super::options::{Choice, choices};
use super::preview::Preview;
use crate::model::id::{AssetId, BackupId, RunbookId};
use crate::model::task::Values;
use crate::runbook::{Mode, Param, ParamKind, Runbook};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::format;
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane, Field, ListState, scroll_mark};
use crossterm::event::KeyCode;
use ratatui::layout::Rect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    Fields,
    /// The list of choices of the selected field.
    Choices,
    /// Typing into the selected field.
    Typing,
}

#[derive(Debug)]
pub struct Form {
    runbook: RunbookId,
    title: String,
    params: Vec<Param>,
    values: Vec<Field>,
    mode: Mode,
    fields: ListState,
    picks: ListState,
    focus: Focus,
    problems: Vec<String>,
    planning: bool,
    pane: DocPane,
}

impl Form {
    pub fn new(runbook: &Runbook, cx: &Cx) -> Self {
        let values = runbook.params.iter().map(|param| Field::with(default_of(param))).collect();
        let mut form = Self {
            runbook: runbook.id.clone(),
            title: runbook.title.clone(),
            params: runbook.params.clone(),
            values,
            // Who only looks around must not be one key from production.
            mode: Mode::DryRun,
            fields: ListState::default(),
            picks: ListState::default(),
            focus: Focus::Fields,
            problems: Vec::new(),
            planning: false,
            pane: DocPane::default(),
        };
        // Where only one thing can be meant, it is filled in.
        for at in 0..form.params.len() {
            let only = form.choices(at, cx).filter(|choices| choices.len() == 1);
            if let (true, Some(only)) = (form.values[at].is_empty(), only) {
                form.values[at] = Field::with(&only[0].value);
            }
        }
        form
    }

    pub fn for_asset(runbook: &Runbook, asset: &AssetId, backup: Option<&BackupId>, cx: &Cx) -> Self {
        let mut form = Self::new(runbook, cx);
        let mut set = |fits: fn(&ParamKind) -> bool, text: &str| {
            if let Some(at) = form.params.iter().position(|param| fits(&param.kind)) {
                form.values[at] = Field::with(text);
            }
        };
        set(|kind| matches!(kind, ParamKind::Asset { .. }), asset.as_str());
        if let Some(backup) = backup {
            set(|kind| matches!(kind, ParamKind::Backup { .. }), backup.as_str());
        }
        form
    }

    fn value_of(&self, name: &str) -> String {
        let at = self.params.iter().position(|param| param.name == name);
        at.map(|at| self.values[at].text()).unwrap_or_default()
    }

    fn choices(&self, at: usize, cx: &Cx) -> Option<Vec<Choice>> {
        choices(self.params.get(at)?, &self.params, |name| self.value_of(name), cx)
    }

    fn selected_field(&self) -> usize {
        self.fields.selected(self.params.len()).unwrap_or(0)
    }

    /// Takes a value, and forgets what was chosen below something else.
    fn set(&mut self, at: usize, value: &str) {
        if self.values[at].text() == value {
            return;
        }
        self.values[at] = Field::with(value);
        let name = self.params[at].name.clone();
        for (other, param) in self.params.iter().enumerate() {
            let below = match &param.kind {
                ParamKind::Backup { asset } => *asset == name,
                ParamKind::Copy { backup } => *backup == name,
                _ => false,
            };
            if below {
                self.values[other] = Field::with(default_of(param));
            }
        }
    }

    fn cycle(&mut self, forward: bool, cx: &Cx) {
        let at = self.selected_field();
        let Some(choices) = self.choices(at, cx).filter(|choices| !choices.is_empty()) else { return };
        let now = self.values.get(at).map(Field::text).unwrap_or_default();
        let place = choices.iter().position(|choice| choice.value == now);
        let next = match (place, forward) {
            (None, _) => 0,
            (Some(place), true) => (place + 1) % choices.len(),
            (Some(place), false) => (place + choices.len() - 1) % choices.len(),
        };
        self.set(at, &choices[next].value);
    }

    /// The values with their types, or what is wrong with them.
    fn values(&self) -> Result<Values, Vec<String>> {
        let mut out = Values::new();
        let mut problems = Vec::new();
        for (param, field) in self.params.iter().zip(&self.values) {
            let text = field.text().trim().to_owned();
            if text.is_empty() {
                if param.required {
                    problems.push(format!("{} is needed.", param.title));
                }
                continue;
            }
            let value = match &param.kind {
                ParamKind::Integer { min, max } => match text.parse::<i64>() {
                    Ok(number) if (*min..=*max).contains(&number) => number.into(),
                    _ => {
                        problems.push(format!("{} is a whole number from {min} to {max}.", param.title));
                        continue;
                    }
                },
                ParamKind::Flag => (text == "yes" || text == "true").into(),
                _ => text.into(),
            };
            out.insert(param.name.clone(), value);
        }
        if problems.is_empty() { Ok(out) } else { Err(problems) }
    }

    fn plan(&mut self) -> Reaction {
        if self.planning {
            return Reaction::Say("the plan is being made".to_owned());
        }
        match self.values() {
            Ok(params) => {
                self.problems.clear();
                self.planning = true;
                self.focus = Focus::Fields;
                Reaction::Ask(Ask::Plan { runbook: self.runbook.clone(), params, mode: self.mode })
            }
            Err(problems) => {
                self.problems = problems;
                Reaction::Handled
            }
        }
    }

    fn open_field(&mut self, cx: &Cx) {
        let at = self.selected_field();
        match self.choices(at, cx) {
            None => self.focus = Focus::Typing,
            Some(choices) => {
                let now = self.values.get(at).map(Field::text).unwrap_or_default();
                self.picks = ListState::default();
                self.picks.select(choices.iter().position(|choice| choice.value == now).unwrap_or(0));
                self.focus = Focus::Choices;
            }
        }
    }

    fn pick(&mut self, cx: &Cx) {
        let at = self.selected_field();
        if let Some(choices) = self.choices(at, cx)
            && let Some(place) = self.picks.selected(choices.len())
        {
            self.set(at, &choices[place].value.clone());
        }
        self.focus = Focus::Fields;
    }
}

/// What a parameter starts with, in the words of its choices.
fn default_of(param: &Param) -> &str {
    match (&param.kind, param.default.as_deref().unwrap_or_default()) {
        (ParamKind::Flag, "true") => "yes",
        (ParamKind::Flag, "false") => "no",
        (_, text) => text,
    }
}

impl Screen for Form {
    fn scope(&self) -> Scope {
        Scope::Form
    }

    fn title(&self, _cx: &Cx) -> String {
        self.runbook.to_string()
    }

    fn wants_text(&self) -> bool {
        self.focus == Focus::Typing
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let framed = area.height >= 14 && area.width >= 60;
        let rows = self.params.len() as u16 + 2;
        // Who chooses on a small screen needs the choices, and of the fields only the one that is chosen for.
        let most = if self.focus == Focus::Choices && !framed { 3 } else { (area.height * 3).div_ceil(5) };
        let height = (rows + if framed { 2 } else { 0 }).min(most);
        let upper = Rect { height, ..area };
        let lower = Rect { y: area.y + height, height: area.height - height, ..area };
        let at = self.selected_field();
        let title = self.params.get(at).map_or_else(String::new, |param| param.title.clone());
        let (mode, mode_role) = format::mode(self.mode);
        if framed {
            let border = if self.focus == Focus::Choices { Role::Border } else { Role::BorderFocus };
            let remark = [span(format!(" {mode} "), mode_role)];
            let inner = canvas.panel(upper, &[span(self.title.clone(), Role::Title)], &remark, border);
            self.draw_fields(canvas, inner, cx);
            let border = if self.focus == Focus::Choices { Role::BorderFocus } else { Role::Border };
            let inner = canvas.panel(lower, &[span(title, Role::Title)], &[], border);
            self.draw_about(canvas, inner, cx);
        } else {
            self.draw_fields(canvas, upper, cx);
            canvas.rule(lower, lower.y, &[span(title, Role::Title)]);
            let inner = Rect { y: lower.y + 1, height: lower.height.saturating_sub(1), ..lower };
            self.draw_about(canvas, inner, cx);
        }
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match (self.focus, act) {
            (_, Act::FormPlan) => return self.plan(),
            (_, Act::FormMode) => {
                self.mode = self.next_mode(cx);
            }
            (Focus::Typing | Focus::Choices, Act::Back) | (Focus::Typing, Act::Open) => self.focus = Focus::Fields,
            (Focus::Choices, Act::Open) => self.pick(cx),
            (Focus::Fields, Act::Open) if self.params.is_empty() => return self.plan(),
            (Focus::Fields, Act::Open) => self.open_field(cx),
            (Focus::Fields, Act::Left | Act::Right) => self.cycle(act == Act::Right, cx),
            (Focus::Choices, act) => {
                let rows = self.choices(self.selected_field(), cx).map_or(0, |choices| choices.len());
                if !self.picks.act(act, rows) {
                    return Reaction::Ignored;
                }
            }
            (_, act) if self.fields.act(act, self.params.len()) => self.focus = Focus::Fields,
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn key(&mut self, key: Key, _cx: &Cx) -> Reaction {
        if matches!(key.code, KeyCode::Up | KeyCode::Down) {
            return Reaction::Ignored;
        }
        let at = self.selected_field();
        let taken = self.values.get_mut(at).is_some_and(|field| field.key(key));
        if taken { Reaction::Handled } else { Reaction::Ignored }
    }

    fn paste(&mut self, text: &str, _cx: &Cx) -> Reaction {
        let at = self.selected_field();
        match self.values.get_mut(at) {
            Some(field) if self.focus == Focus::Typing => {
                field.paste(text);
                Reaction::Handled
            }
            _ => Reaction::Ignored,
        }
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        match hit {
            Hit::Row { pane: 0, row } if self.focus == Focus::Fields && self.selected_field() == row => {
                self.open_field(cx);
            }
            Hit::Row { pane: 0, row } => {
                self.fields.select(row);
                self.focus = Focus::Fields;
            }
            Hit::Row { row, .. } => {
                self.picks.select(row);
                self.pick(cx);
            }
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.planning = false;
        match reply {
            Reply::Plan(Ok(plan)) => Reaction::Push(Box::new(Preview::new(plan))),
            Reply::Plan(Err(problems)) => {
                self.problems = problems;
                Reaction::Warn("no plan: see the problems".to_owned())
            }
            _ => Reaction::Handled,
        }
    }
}

impl Form {
    fn draw_fields(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let names = self.params.iter().map(|param| crate::tui::fit::width(&param.title, canvas.glyphs)).max();
        let column = (names.unwrap_or(0) as u16).min(area.width / 2).max(4);
        let rows = self.params.len();
        let selected = self.fields.selected(rows);
        let last = area.bottom().saturating_sub(1);
        let list_height = usize::from(area.height.saturating_sub(2));
        for (line, at) in self.fields.window(rows, list_height).enumerate() {
            let y = area.y + line as u16;
            let whole = Rect { y, height: 1, ..area };
            let on = selected == Some(at);
            if on {
                canvas.tint(whole, if self.focus == Focus::Choices { Role::SelectedIdle } else { Role::Selected });
                canvas.text(area.x, y, 1, canvas.glyphs.pointer, Role::Accent);
            }
            canvas.hit(whole, Hit::Row { pane: 0, row: at });
            let param = &self.params[at];
            canvas.text(area.x + 2, y, column, &param.title, Role::Dim);
            let place = Rect { x: area.x + column + 4, y, width: area.width.saturating_sub(column + 5), height: 1 };
            if on && self.focus == Focus::Typing {
                self.values[at].draw(canvas, place, "", true);
                continue;
            }
            let text = self.values[at].text();
            let (text, role) = match (text.is_empty(), param.required) {
                (false, _) => (text, Role::Strong),
                (true, true) => ("needed".to_owned(), Role::Warning),
                (true, false) => ("automatic".to_owned(), Role::Placeholder),
            };
            canvas.text(place.x, y, place.width, &text, role);
        }
        let offset = self.fields.window(rows, list_height).start;
        scroll_mark(canvas, area.right().saturating_sub(1), area.y, list_height, rows, offset);
        let (word, role) = format::mode(self.mode);
        let key = cx.keymap.hint(Act::FormMode);
        let about = match self.mode {
            Mode::Real => "every step runs",
            Mode::DryRun => "nothing is changed",
            Mode::Drill => "works in a scratch place and clears it",
        };
        let next = self.next_mode(cx);
        let room = area.width.saturating_sub(2);
        let forms = [format!("  {about}; {key} switches to {next}"), format!("  {about}; {key}: {next}")];
        let free = usize::from(room).saturating_sub(word.len() + 2);
        let about = forms.into_iter().find(|form| crate::tui::fit::width(form, canvas.glyphs) <= free);
        let about = about.unwrap_or_else(|| format!("  {key} switches to {next}"));
        let mode = [span(format!(" {word} "), role), span(about, Role::Dim)];
        canvas.line(area.x + 2, last.saturating_sub(1), room, &mode);
        let plan = cx.keymap.hint(Act::FormPlan);
        let (text, role) = match () {
            () if self.planning => ("Making the plan: looking at stores and target…".to_owned(), Role::Accent),
            () if !self.problems.is_empty() => (format!("No plan yet; {plan} tries again."), Role::Warning),
            () => (format!("{plan} makes the plan and changes nothing."), Role::Dim),
        };
        canvas.text(area.x + 2, last, area.width.saturating_sub(2), &text, role);
    }

    /// Drills are offered where the chosen asset has a place for them.
    fn next_mode(&self, cx: &Cx) -> Mode {
        let chosen = |id: &str| self.values.iter().any(|value| value.text() == id);
        let mut assets = cx.view.estate.assets.iter();
        let has_place = assets.any(|asset| asset.drill.is_some() && chosen(asset.id.as_str()));
        match self.mode {
            Mode::DryRun if has_place => Mode::Drill,
            Mode::DryRun | Mode::Drill => Mode::Real,
            Mode::Real => Mode::DryRun,
        }
    }

    fn draw_about(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let mut doc = Doc::new();
        for problem in &self.problems {
            doc.marked(vec![span("! ", Role::Critical)], problem.clone(), Role::Critical);
        }
        let at = self.selected_field();
        let Some(param) = self.params.get(at) else {
            doc.text("This runbook asks for nothing.", Role::Dim);
            self.pane.draw(canvas, area, &doc);
            return;
        };
        let tight = self.focus == Focus::Choices && area.height < 8;
        if !param.help.is_empty() && !tight {
            doc.text(param.help.clone(), Role::Base);
        }
        let Some(choices) = self.choices(at, cx) else {
            doc.text("Enter begins and ends typing.", Role::Dim);
            self.pane.draw(canvas, area, &doc);
            return;
        };
        if let Some(on) = self.pointed(&choices, at) {
            let name = if on.value.is_empty() { "any" } else { &on.value };
            doc.marked(vec![span(format!("{name}  "), Role::Strong)], on.about.clone(), Role::Dim);
        }
        if !tight {
            doc.blank();
        }
        let height = doc.height(area.width.saturating_sub(1), canvas.glyphs).min(area.height / 2);
        self.pane.draw(canvas, Rect { height, ..area }, &doc);
        let rows = Rect { y: area.y + height, height: area.height - height, ..area };
        self.draw_choices(canvas, rows, at, &choices);
    }

    /// The choice under the cursor, or the one that is taken.
    fn pointed<'a>(&self, choices: &'a [Choice], at: usize) -> Option<&'a Choice> {
        let place = match self.focus {
            Focus::Choices => self.picks.selected(choices.len()),
            Focus::Fields | Focus::Typing => {
                let now = self.values[at].text();
                choices.iter().position(|choice| choice.value == now)
            }
        };
        choices.get(place?).filter(|choice| !choice.about.is_empty())
    }

    fn draw_choices(&self, canvas: &mut Canvas, area: Rect, at: usize, choices: &[Choice]) {
        let now = self.values[at].text();
        let widths = choices.iter().map(|choice| crate::tui::fit::width(&choice.value, canvas.glyphs)).max();
        let column = (widths.unwrap_or(0) as u16).clamp(6, (area.width * 3 / 5).max(6));
        let chosen = choices.iter().position(|choice| choice.value == now).unwrap_or(0);
        let mut follow = ListState::default();
        follow.select(chosen);
        let list = if self.focus == Focus::Choices { &self.picks } else { &follow };
        let window = list.window(choices.len(), usize::from(area.height));
        let edge = area.right().saturating_sub(1);
        scroll_mark(canvas, edge, area.y, usize::from(area.height), choices.len(), window.start);
        let area = Rect { width: area.width.saturating_sub(2), ..area };
        for (line, place) in window.enumerate() {
            let y = area.y + line as u16;
            let whole = Rect { y, height: 1, ..area };
            if self.focus == Focus::Choices && list.selected(choices.len()) == Some(place) {
                canvas.tint(whole, Role::Selected);
                canvas.text(area.x, y, 1, canvas.glyphs.pointer, Role::Accent);
            }
            canvas.hit(whole, Hit::Row { pane: 1, row: place });
            let choice = &choices[place];
            let on = choice.value == now;
            let mark = if on { canvas.glyphs.point } else { " " };
            canvas.text(area.x + 2, y, 1, mark, Role::Accent);
            let value = if choice.value.is_empty() { "any" } else { &choice.value };
            canvas.text(area.x + 4, y, column, value, if on { Role::Strong } else { Role::Base });
            let x = area.x + column + 6;
            // Shown whole or not at all: above the list stands what there is to know about the chosen one.
            let room = area.right().saturating_sub(x + 1);
            if crate::tui::fit::width(&choice.about, canvas.glyphs) <= usize::from(room) {
                canvas.text(x, y, room, &choice.about, Role::Dim);
            }
        }
    }
}
