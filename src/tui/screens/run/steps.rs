//! The place-keeping list: every step with its state, its whole title, and how long it took.

use crate::runbook::{PlannedStep, StepRecord, StepState};
use crate::session::RunView;
use crate::tui::canvas::{Canvas, Hit, Line, span};
use crate::tui::fit;
use crate::tui::format;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{ListState, scroll_mark};
use ratatui::layout::Rect;

/// Columns of the names of effects, with the gap before them.
const EFFECT: u16 = 14;
/// From this width on there is room for the effects beside whole titles.
const WIDE: u16 = 76;

/// One step as it stands in the list.
struct Row {
    state: Line,
    number: String,
    /// Its title in as many lines as it takes.
    title: Vec<String>,
    title_role: Role,
    effect: Line,
    took: String,
}

/// Widths that all rows share.
struct Columns {
    state: u16,
    number: u16,
    title: u16,
    effect: bool,
}

pub fn draw(canvas: &mut Canvas, area: Rect, run: &RunView, list: &ListState, focused: bool, cx: &Cx) {
    let records = &run.state.steps;
    let columns = columns(canvas, area.width, records, cx);
    let rows: Vec<Row> = records.iter().enumerate().map(|(at, record)| row(at, record, run, &columns, cx)).collect();
    let lines: usize = rows.iter().map(|row| row.title.len()).sum();
    let heading = usize::from(area.height) > lines && area.height > 6;
    if heading {
        head(canvas, area, &columns);
    }
    let top = area.y + u16::from(heading);
    let height = usize::from(area.bottom().saturating_sub(top));
    // The list learns its height from here: pages move by it.
    list.window(records.len(), height);
    let selected = list.selected(records.len());
    let first: usize = rows.iter().take(selected.unwrap_or(0)).map(|row| row.title.len()).sum();
    let own = selected.map_or(0, |at| rows[at].title.len());
    let offset = (first + own.div_ceil(2)).saturating_sub(height / 2).min(lines.saturating_sub(height)).min(first);
    let mut line = 0;
    for (at, row) in rows.iter().enumerate() {
        for part in 0..row.title.len() {
            if (offset..offset + height).contains(&line) {
                let place = Rect { y: top + (line - offset) as u16, height: 1, ..area };
                let marked = (selected == Some(at)).then_some(focused);
                draw_line(canvas, place, row, part, &columns, marked);
                canvas.hit(place, Hit::Row { pane: 0, row: at });
            }
            line += 1;
        }
    }
    scroll_mark(canvas, area.right().saturating_sub(1), top, height, lines, offset);
}

fn columns(canvas: &Canvas, width: u16, records: &[StepRecord], cx: &Cx) -> Columns {
    let took = records.iter().map(|record| took(record, cx).len()).max().unwrap_or(0).max(5) as u16 + 2;
    let word = |record: &StepRecord| fit::width(record.state.word(), canvas.glyphs) as u16 + 2;
    let state = records.iter().map(word).max().unwrap_or(0).max(9);
    let number = records.len().to_string().len() as u16 + 1;
    let effect = width >= WIDE;
    let taken = 2 + state + 2 + number + if effect { EFFECT } else { 0 } + took + 1;
    Columns { state, number, title: width.saturating_sub(taken).max(8), effect }
}

fn head(canvas: &mut Canvas, area: Rect, columns: &Columns) {
    let x = area.x + 2;
    canvas.text(x, area.y, columns.state, "STATE", Role::TableHead);
    let x = x + columns.state + 2;
    canvas.text(x, area.y, columns.title, "STEP", Role::TableHead);
    let x = x + columns.number + columns.title;
    if columns.effect {
        canvas.text(x + 2, area.y, EFFECT - 2, "EFFECT", Role::TableHead);
    }
    canvas.text_right(area.x, area.y, area.width.saturating_sub(1), "TOOK", Role::TableHead);
}

fn row(at: usize, record: &StepRecord, run: &RunView, columns: &Columns, cx: &Cx) -> Row {
    let role = format::step_role(record.state);
    let asks = run.state.question.as_ref().is_some_and(|question| question.step == record.id);
    let title_role = match record.state {
        _ if asks => Role::Strong,
        StepState::Pending | StepState::Cancelled => Role::Dim,
        StepState::Running | StepState::Verifying => Role::Strong,
        _ => Role::Base,
    };
    let attempts = if record.attempt > 1 { format!(" (attempt {})", record.attempt) } else { String::new() };
    let step = run.state.plan.steps.get(at);
    let title = step.map_or_else(|| record.id.to_string(), |step| format!("{}{attempts}", step.title));
    Row {
        state: vec![span(format!("{} ", cx.glyphs.step(record.state)), role), span(record.state.word(), role)],
        number: format!("{:>1$} ", at + 1, usize::from(columns.number) - 1),
        title: fit::wrap(&title, usize::from(columns.title), cx.glyphs),
        title_role,
        effect: step
            .map_or_else(Vec::new, |step| vec![span(step.effect.to_string(), format::effect_role(step.effect))]),
        took: if record.started_at.is_some() { took(record, cx) } else { expected(step) },
    }
}

/// What earlier runs took, for a step that has not begun.
fn expected(step: Option<&PlannedStep>) -> String {
    let estimate = step.filter(|step| step.omitted.is_none()).and_then(|step| step.estimate);
    estimate.map_or_else(String::new, |estimate| {
        let p50 = chrono::Duration::milliseconds(i64::try_from(estimate.p50_ms).unwrap_or(i64::MAX));
        format!("~{}", format::stopwatch(p50))
    })
}

fn took(record: &StepRecord, cx: &Cx) -> String {
    match (record.started_at, record.ended_at) {
        (Some(from), Some(to)) => format::stopwatch(to - from),
        (Some(from), None) => format::stopwatch(cx.now - from),
        _ => String::new(),
    }
}

/// Draws one line of a row; `marked` says whether the cursor is on it, and whether it has the keys.
fn draw_line(canvas: &mut Canvas, place: Rect, row: &Row, part: usize, columns: &Columns, marked: Option<bool>) {
    let (x, y) = (place.x, place.y);
    if let Some(focused) = marked {
        let ground = if focused { Role::Selected } else { Role::SelectedIdle };
        canvas.tint(Rect { width: place.width.saturating_sub(1), ..place }, ground);
        if focused && part == 0 {
            canvas.text(x, y, 1, canvas.glyphs.pointer, Role::Accent);
        }
    }
    let text = x + 2 + columns.state + 2;
    canvas.text(text + columns.number, y, columns.title, &row.title[part], row.title_role);
    if part > 0 {
        return;
    }
    canvas.line(x + 2, y, columns.state, &row.state);
    canvas.text(text, y, columns.number, &row.number, Role::Faint);
    if columns.effect {
        canvas.line(text + columns.number + columns.title + 2, y, EFFECT - 2, &row.effect);
    }
    let room = place.width.saturating_sub(1);
    canvas.text_right(x, y, room, &row.took, Role::Dim);
}
