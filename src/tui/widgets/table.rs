//! A table that draws only the rows in sight and gives up its least important columns first.

use super::list::ListState;
use crate::tui::canvas::{Canvas, Hit, Line, line_width};
use crate::tui::theme::Role;
use ratatui::layout::Rect;

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    /// Usual width: narrower content does not make the column narrower, so that it stays still while scrolling.
    pub min: u16,
    /// The column never grows beyond it.
    pub max: u16,
    /// 0 is kept longest.
    pub rank: u8,
    pub right: bool,
    /// Its content may be cut, down to `min`; another column is shown whole or not at all.
    pub cut: bool,
}

impl Column {
    pub const fn new(title: &'static str, min: u16, max: u16, rank: u8) -> Self {
        Self { title, min, max, rank, right: false, cut: false }
    }
    #[must_use]
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

impl Column {
    #[must_use]
    pub const fn cut(mut self) -> Self {
        self.cut = true;
        self
    }
}

#[derive(Debug)]
pub enum Row {
    Cells(Vec<Line>),
    /// A heading across all columns.
    Group(Line),
}

#[derive(Debug)]
pub struct Table<'a> {
    pub columns: &'a [Column],
    pub rows: usize,
    pub list: &'a ListState,
    /// Which list a click on a row belongs to.
    pub pane: u8,
    pub focused: bool,
    pub heading: bool,
}

/// Columns between two columns: screens of a phone's width cannot afford two.
const fn gap(width: u16) -> u16 {
    if width < 57 { 1 } else { 2 }
}

/// Columns shown in `width`, with their widths: `(place, width)`. `natural` is what their content takes.
pub fn layout(columns: &[Column], natural: &[u16], width: u16) -> Vec<(usize, u16)> {
    let wanted = |at: usize| natural.get(at).copied().unwrap_or(0).max(columns[at].min).min(columns[at].max);
    // What names the row keeps a third of the width before it is cut; other columns leave first.
    let floor = |at: usize| match columns[at] {
        Column { cut: false, .. } => wanted(at),
        Column { rank: 0, min, .. } => wanted(at).min(min.max(width / 3)),
        Column { min, .. } => min,
    };
    let bare = |at: usize| wanted(at).min(columns[at].min);
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let need = |kept: &[usize], least: &dyn Fn(usize) -> u16| -> u16 {
        let gaps = gap(width) * (kept.len().saturating_sub(1)) as u16;
        kept.iter().map(|at| least(*at)).sum::<u16>() + gaps
    };
    let worst = |kept: &[usize]| kept.iter().copied().max_by_key(|at| (columns[*at].rank, *at));
    while kept.len() > 1 && need(&kept, &floor) > width {
        let Some(worst) = worst(&kept).filter(|at| columns[*at].rank > 0) else { break };
        kept.retain(|at| *at != worst);
    }
    // Columns of the first rank are cut before one of them leaves.
    let least: &dyn Fn(usize) -> u16 = if need(&kept, &floor) > width { &bare } else { &floor };
    while kept.len() > 1 && need(&kept, least) > width {
        let Some(worst) = worst(&kept) else { break };
        kept.retain(|at| *at != worst);
    }
    let mut spare = width.saturating_sub(need(&kept, least));
    let mut widths: Vec<(usize, u16)> = kept.iter().map(|at| (*at, least(*at).min(width))).collect();
    let mut order: Vec<usize> = (0..widths.len()).collect();
    // What names the row grows first.
    order.sort_by_key(|at| (columns[widths[*at].0].rank, !columns[widths[*at].0].cut));
    for at in order {
        let (column, now) = widths[at];
        let more = wanted(column).saturating_sub(now).min(spare);
        widths[at].1 += more;
        spare -= more;
    }
    widths
}

/// What the content of each column takes in these rows.
fn natural(columns: &[Column], rows: &[Row], heading: bool, glyphs: &crate::tui::glyphs::Glyphs) -> Vec<u16> {
    let of = |at: usize| {
        let cells = rows.iter().filter_map(|row| match row {
            Row::Cells(cells) => cells.get(at).map(|cell| line_width(cell, glyphs) as u16),
            Row::Group(_) => None,
        });
        let title = if heading { columns[at].title.len() as u16 } else { 0 };
        cells.max().unwrap_or(0).max(title)
    };
    (0..columns.len()).map(of).collect()
}

impl Table<'_> {
    /// Draws the table; `row` is asked only for rows in sight. Returns the height of the rows.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect, row: impl FnMut(usize) -> Row) -> u16 {
        if area.is_empty() {
            return 0;
        }
        let heading = self.heading && area.height > 1;
        let height = area.height - u16::from(heading);
        // Two columns left for the cursor mark, one at the right for the scroll mark and a blank before it.
        let scrolls = self.rows > usize::from(height);
        let inner =
            Rect { x: area.x + 2.min(area.width), width: area.width.saturating_sub(3 + u16::from(scrolls)), ..area };
        let window = self.list.window(self.rows, usize::from(height));
        let rows: Vec<Row> = window.clone().map(row).collect();
        let widths = layout(self.columns, &natural(self.columns, &rows, heading, canvas.glyphs), inner.width);
        let mut top = area.y;
        if heading {
            let mut x = inner.x;
            for (at, width) in &widths {
                let column = &self.columns[*at];
                if column.right {
                    canvas.text_right(x, top, *width, column.title, Role::TableHead);
                } else {
                    canvas.text(x, top, *width, column.title, Role::TableHead);
                }
                x += width + gap(inner.width);
            }
            top += 1;
        }
        let selected = self.list.selected(self.rows);
        for (line, (at, row)) in window.clone().zip(rows).enumerate() {
            let y = top + line as u16;
            let whole = Rect::new(area.x, y, area.width.saturating_sub(1), 1);
            if selected == Some(at) {
                canvas.tint(whole, if self.focused { Role::Selected } else { Role::SelectedIdle });
            }
            canvas.hit(whole, Hit::Row { pane: self.pane, row: at });
            match row {
                Row::Group(line) => {
                    canvas.line(area.x, y, area.width.saturating_sub(1), &line);
                }
                Row::Cells(cells) => self.cells(canvas, inner, y, &widths, &cells),
            }
            if selected == Some(at) && self.focused {
                canvas.text(area.x, y, 1, canvas.glyphs.pointer, Role::Accent);
            }
        }
        self.scroll_mark(canvas, area, top, &window);
        height
    }

    fn cells(&self, canvas: &mut Canvas, inner: Rect, y: u16, widths: &[(usize, u16)], cells: &[Line]) {
        let mut x = inner.x;
        for (at, width) in widths {
            if let Some(cell) = cells.get(*at) {
                if self.columns[*at].right && line_width(cell, canvas.glyphs) <= usize::from(*width) {
                    canvas.line_right(x, y, *width, cell);
                } else {
                    canvas.line(x, y, *width, cell);
                }
            }
            x += width + gap(inner.width);
        }
    }

    fn scroll_mark(&self, canvas: &mut Canvas, area: Rect, top: u16, window: &std::ops::Range<usize>) {
        let height = usize::from(area.bottom().saturating_sub(top));
        scroll_mark(canvas, area.right().saturating_sub(1), top, height, self.rows, window.start);
    }
}

/// A mark on the right edge that shows which part of `rows` is in sight; nothing if all of it is.
pub fn scroll_mark(canvas: &mut Canvas, x: u16, top: u16, height: usize, rows: usize, offset: usize) {
    if rows <= height || height == 0 {
        return;
    }
    let size = (height * height / rows).max(1);
    let travel = height - size;
    let start = offset * travel / (rows - height).max(1);
    for line in start..start + size {
        canvas.text(x, top + line as u16, 1, canvas.glyphs.scroll, Role::Border);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_leave_by_rank_and_grow_to_their_maximum() {
        let columns = [Column::new("a", 4, 10, 0).cut(), Column::new("b", 4, 6, 2), Column::new("c", 4, 4, 1)];
        let natural = [12, 6, 2];
        assert_eq!(layout(&columns, &natural, 80), [(0, 10), (1, 6), (2, 4)]);
        assert_eq!(layout(&columns, &natural, 18), [(0, 6), (1, 6), (2, 4)]);
        assert_eq!(layout(&columns, &natural, 17), [(0, 5), (1, 6), (2, 4)], "a keeps a third");
        assert_eq!(layout(&columns, &natural, 16), [(0, 10), (2, 4)], "b is shown whole or not at all");
        assert_eq!(layout(&columns, &natural, 3), [(0, 3)]);
        let columns = [Column::new("a", 4, 30, 0).cut(), Column::new("b", 30, 30, 1)];
        assert_eq!(layout(&columns, &[20, 30], 45), [(0, 20)], "a name keeps a third, or the other column leaves");
        let columns = [Column::new("a", 12, 28, 0), Column::new("b", 14, 44, 0).cut(), Column::new("c", 7, 7, 1)];
        assert_eq!(layout(&columns, &[27, 17, 4], 37), [(0, 19), (1, 17)], "the name whole, its neighbour cut");
    }
}
