//! A page of text built from headings, facts and sentences, wrapped to whatever width there is.

use super::table::scroll_mark;
use crate::tui::action::Act;
use crate::tui::canvas::{Canvas, Line, Span, line_width, span};
use crate::tui::fit;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Role;
use ratatui::layout::Rect;
use std::cell::Cell;

/// Below this width a fact's name has no column of its own.
const NARROW: usize = 48;
/// A fact with a longer name begins on the line after it.
const WIDEST_NAME: usize = 26;

#[derive(Clone, Debug)]
enum Block {
    Blank,
    Heading(String),
    /// A fact: the name keeps a column of its own.
    Fact(String, Line),
    /// Wrapped text behind a mark; later lines align with the first word.
    Text {
        mark: Line,
        text: String,
        role: Role,
    },
    /// Short texts behind a mark, separated by points; a line ends between two of them.
    Figures {
        mark: Line,
        items: Vec<String>,
        role: Role,
    },
    /// A line that is cut rather than wrapped.
    Line(Line),
}

#[derive(Clone, Debug, Default)]
pub struct Doc {
    blocks: Vec<Block>,
}

impl Doc {
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty line, unless there is one already.
    pub fn blank(&mut self) -> &mut Self {
        if !matches!(self.blocks.last(), None | Some(Block::Blank)) {
            self.blocks.push(Block::Blank);
        }
        self
    }

    pub fn heading(&mut self, text: impl Into<String>) -> &mut Self {
        self.blank();
        self.blocks.push(Block::Heading(text.into()));
        self
    }

    pub fn fact(&mut self, name: impl Into<String>, value: impl Into<String>, role: Role) -> &mut Self {
        self.blocks.push(Block::Fact(name.into(), vec![span(value.into(), role)]));
        self
    }

    /// A fact whose value has parts of several roles.
    pub fn facts(&mut self, name: impl Into<String>, value: Line) -> &mut Self {
        self.blocks.push(Block::Fact(name.into(), value));
        self
    }

    pub fn text(&mut self, text: impl Into<String>, role: Role) -> &mut Self {
        self.marked(Vec::new(), text, role)
    }

    pub fn marked(&mut self, mark: Line, text: impl Into<String>, role: Role) -> &mut Self {
        self.blocks.push(Block::Text { mark, text: text.into(), role });
        self
    }

    pub fn figures(&mut self, mark: Line, items: Vec<String>, role: Role) -> &mut Self {
        self.blocks.push(Block::Figures { mark, items, role });
        self
    }

    pub fn line(&mut self, line: Line) -> &mut Self {
        self.blocks.push(Block::Line(line));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The lines for a width.
    pub fn lines(&self, width: u16, glyphs: &Glyphs) -> Vec<Line> {
        let width = usize::from(width.max(1));
        let column = |section: &[Block]| {
            let names = section.iter().filter_map(|block| match block {
                Block::Fact(name, _) => Some(fit::width(name, glyphs)),
                _ => None,
            });
            names.max().unwrap_or(0).min(WIDEST_NAME).min(width / 2)
        };
        let mut out = Vec::new();
        // The names of one section share a column.
        for section in self.blocks.chunk_by(|_, next| !matches!(next, Block::Heading(_))) {
            lines_of(&mut out, section, column(section), width, glyphs);
        }
        out
    }

    pub fn height(&self, width: u16, glyphs: &Glyphs) -> u16 {
        u16::try_from(self.lines(width, glyphs).len()).unwrap_or(u16::MAX)
    }

    /// Everything as plain text, for the clipboard.
    pub fn plain(&self, glyphs: &Glyphs) -> String {
        let lines = self.lines(100, glyphs);
        let text = |line: Line| line.iter().map(|span| fit::shown(&span.text, glyphs).into_owned()).collect::<String>();
        lines.into_iter().map(text).collect::<Vec<_>>().join("\n")
    }
}

fn lines_of(out: &mut Vec<Line>, section: &[Block], column: usize, width: usize, glyphs: &Glyphs) {
    for block in section {
        match block {
            Block::Blank => out.push(Vec::new()),
            Block::Heading(text) => out.push(vec![span(text.clone(), Role::Heading)]),
            Block::Line(line) => out.push(line.clone()),
            Block::Fact(name, value) => fact(out, name, value, column, width, glyphs),
            Block::Figures { mark, items, role } => figures(out, mark, items, *role, width, glyphs),
            Block::Text { mark, text, role } => marked(out, mark, text, *role, width, glyphs),
        }
    }
}

fn fact(out: &mut Vec<Line>, name: &str, value: &[Span], column: usize, width: usize, glyphs: &Glyphs) {
    if width < NARROW && !name.is_empty() {
        let text: String = value.iter().map(|span| span.text.as_ref()).collect();
        let role = value.first().map_or(Role::Base, |span| span.role);
        marked(out, &[span(format!("{name}  "), Role::Dim)], text.trim(), role, width, glyphs);
        return;
    }
    let column = if width < NARROW { 0 } else { column };
    let room = width.saturating_sub(column + 2).max(1);
    let name = if fit::width(name, glyphs) > column {
        out.push(vec![span(name.to_owned(), Role::Dim)]);
        String::new()
    } else {
        fit::shown(name, glyphs).into_owned()
    };
    let pad = " ".repeat(column - fit::width(&name, glyphs).min(column) + 2);
    let mut first = vec![span(name, Role::Dim), span(pad, Role::Base)];
    if line_width(value, glyphs) <= room || value.len() != 1 {
        first.extend(value.iter().cloned());
        out.push(first);
        return;
    }
    for (at, piece) in fit::wrap(&value[0].text, room, glyphs).into_iter().enumerate() {
        if at == 0 {
            first.push(span(piece, value[0].role));
            out.push(std::mem::take(&mut first));
        } else {
            out.push(vec![span(" ".repeat(column + 2), Role::Base), span(piece, value[0].role)]);
        }
    }
}

fn figures(out: &mut Vec<Line>, mark: &[Span], items: &[String], role: Role, width: usize, glyphs: &Glyphs) {
    const BETWEEN: &str = " · ";
    let room = width.saturating_sub(line_width(mark, glyphs)).max(1);
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        let joined = lines.last().map(|line| format!("{line}{BETWEEN}{item}"));
        match joined.filter(|line| fit::width(line, glyphs) <= room) {
            Some(line) => {
                lines.pop();
                lines.push(line);
            }
            None => lines.push(item.clone()),
        }
    }
    for (at, line) in lines.iter().enumerate() {
        let indent = [span(" ".repeat(line_width(mark, glyphs)), Role::Base)];
        marked(out, if at == 0 { mark } else { &indent }, line, role, width, glyphs);
    }
}

fn marked(out: &mut Vec<Line>, mark: &[Span], text: &str, role: Role, width: usize, glyphs: &Glyphs) {
    let indent = line_width(mark, glyphs);
    let hanging = if indent * 3 > width { 2.min(indent) } else { indent };
    let room = width.saturating_sub(hanging).max(1);
    let pieces = fit::wrap_after(text, indent.saturating_sub(hanging), room, glyphs);
    for (at, piece) in pieces.into_iter().enumerate() {
        let mut line = if at == 0 { mark.to_vec() } else { vec![span(" ".repeat(hanging), Role::Base)] };
        line.push(span(piece, role));
        out.push(line);
    }
}

/// Columns of text in a pane: the scroll mark and a blank before it keep theirs.
pub const fn text_width(pane: u16) -> u16 {
    pane.saturating_sub(2)
}

/// Scroll position of a page of text.
#[derive(Clone, Debug, Default)]
pub struct DocPane {
    offset: Cell<usize>,
    furthest: Cell<usize>,
    height: Cell<usize>,
}

impl DocPane {
    pub fn draw(&self, canvas: &mut Canvas, area: Rect, doc: &Doc) {
        let lines = doc.lines(text_width(area.width), canvas.glyphs);
        self.draw_lines(canvas, area, lines.len(), |at| lines[at].clone());
    }

    /// Draws the visible of `rows` lines.
    pub fn draw_lines(&self, canvas: &mut Canvas, area: Rect, rows: usize, line: impl Fn(usize) -> Line) {
        let height = usize::from(area.height);
        self.height.set(height);
        self.furthest.set(rows.saturating_sub(height));
        let offset = self.offset.get().min(self.furthest.get());
        self.offset.set(offset);
        for row in 0..height.min(rows - offset.min(rows)) {
            canvas.line(area.x, area.y + row as u16, area.width.saturating_sub(1), &line(offset + row));
        }
        scroll_mark(canvas, area.right().saturating_sub(1), area.y, height, rows, offset);
    }

    /// Scrolls; `false` if the action does not.
    pub fn act(&mut self, act: Act) -> bool {
        let page = self.height.get().saturating_sub(1).max(1);
        let now = self.offset.get();
        let next = match act {
            Act::Up | Act::DialogUp => now.saturating_sub(1),
            Act::Down | Act::DialogDown => now.saturating_add(1),
            Act::PageUp => now.saturating_sub(page),
            Act::PageDown => now.saturating_add(page),
            Act::Top => 0,
            Act::Bottom => usize::MAX,
            _ => return false,
        };
        self.offset.set(next.min(self.furthest.get()));
        true
    }

    /// Moves to the end and stays there until scrolled.
    pub fn to_end(&self) {
        self.offset.set(usize::MAX);
    }

    pub fn at_end(&self) -> bool {
        self.offset.get() >= self.furthest.get()
    }
}
