//! The box that dialogs share, always inside the screen, and their row of buttons.

use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::fit;
use crate::tui::theme::Role;
use ratatui::layout::Rect;

/// Beside the box, fewer columns than these would show nothing but scraps of words.
const SCRAPS: u16 = 16;

/// Draws the box in the middle of `area` and returns its inside. It never exceeds `area`.
pub fn open(canvas: &mut Canvas, area: Rect, title: &str, danger: bool, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    let outer = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    if outer.x - area.x < SCRAPS {
        canvas.fill(Rect { x: area.x, width: area.width, ..outer }, Role::Base);
    }
    canvas.fill(outer, Role::Dialog);
    canvas.hit(outer, Hit::Inside);
    let border = if danger { Role::DangerBorder } else { Role::DialogBorder };
    let inner = canvas.panel(outer, &[span(title.to_owned(), Role::Title)], &[], border);
    if inner == outer { outer } else { inner }
}

/// A button: what it says, and the key that presses it wherever the focus is.
#[derive(Clone, Debug)]
pub struct Button {
    pub label: String,
    pub key: String,
    pub danger: bool,
}

pub fn button(label: impl Into<String>, key: impl Into<String>) -> Button {
    Button { label: label.into(), key: key.into(), danger: false }
}

pub fn danger(label: impl Into<String>, key: impl Into<String>) -> Button {
    Button { danger: true, ..button(label, key) }
}

/// Draws the buttons in rows at the foot of `area`; returns how many rows they took.
pub fn buttons(canvas: &mut Canvas, area: Rect, buttons: &[Button], focus: Option<usize>) -> u16 {
    let rows = layout(canvas, area.width, buttons);
    let height = rows.last().map_or(0, |(_, row, _)| row + 1);
    let top = area.bottom().saturating_sub(height);
    for (at, (x, row, width)) in rows.into_iter().enumerate() {
        let y = top + row;
        if y < area.y || y >= area.bottom() {
            continue;
        }
        let place = Rect { x: area.x + x, y, width: width.min(area.width), height: 1 };
        let on = focus == Some(at);
        let ground = match (on, buttons[at].danger) {
            (true, true) => Role::Danger,
            (true, false) => Role::ButtonOn,
            _ => Role::Button,
        };
        canvas.tint(place, ground);
        let text = caption(&buttons[at], on);
        let role = if !on && buttons[at].danger { Role::Critical } else { ground };
        canvas.text(place.x, y, place.width, &text, role);
        canvas.hit(place, Hit::Button(at as u8));
    }
    height
}

/// Rows that the buttons need in this width.
pub fn height(canvas: &Canvas, width: u16, buttons: &[Button]) -> u16 {
    layout(canvas, width, buttons).last().map_or(0, |(_, row, _)| row + 1)
}

fn caption(button: &Button, on: bool) -> String {
    let (open, close) = if on { ("[", "]") } else { (" ", " ") };
    if button.key.is_empty() {
        format!("{open}{}{close}", button.label)
    } else {
        format!("{open}{} {}{close}", button.key, button.label)
    }
}

/// `(column, row, width)` of each button.
fn layout(canvas: &Canvas, width: u16, buttons: &[Button]) -> Vec<(u16, u16, u16)> {
    let (mut x, mut row) = (0, 0);
    let mut out = Vec::with_capacity(buttons.len());
    for button in buttons {
        let columns = fit::width(&caption(button, false), canvas.glyphs) as u16;
        if x > 0 && x + columns > width {
            (x, row) = (0, row + 1);
        }
        out.push((x, row, columns));
        x += columns + 1;
    }
    out
}

/// Moves a focus around `count` places.
pub fn step(focus: usize, count: usize, forward: bool) -> usize {
    let count = count.max(1);
    if forward { (focus + 1) % count } else { (focus + count - 1) % count }
}
