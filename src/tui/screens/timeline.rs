//! To which instants each asset can be restored: spans, single points, and the holes between.

use crate::catalog::RecoveryWindow;
use crate::model::id::AssetId;
use crate::model::time::{Timestamp, short_duration};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, Line, span};
use crate::tui::format;
use crate::tui::freshness;
use crate::tui::screen::{Cx, Place, Reaction, Screen};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane, ListState};
use chrono::{Datelike, Duration, TimeZone};
use ratatui::layout::Rect;

/// Spans that can be shown, in hours.
const ZOOMS: [i64; 8] = [6, 24, 72, 168, 336, 720, 2_160, 8_760];

#[derive(Debug)]
pub struct Timeline {
    list: ListState,
    zoom: usize,
    pane: DocPane,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { list: ListState::default(), zoom: 4, pane: DocPane::default() }
    }
}

impl Timeline {
    fn current<'a>(&self, cx: &Cx<'a>) -> Option<&'a AssetId> {
        let assets = &cx.view.health.assets;
        assets.get(self.list.selected(assets.len())?).map(|asset| &asset.id)
    }

    fn scale(&self, cx: &Cx) -> (Timestamp, Timestamp) {
        (cx.now - Duration::hours(ZOOMS[self.zoom]), cx.now)
    }

    fn draw_rows(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let assets = &cx.view.health.assets;
        let names = assets.iter().map(|asset| crate::tui::fit::width(asset.id.as_str(), canvas.glyphs)).max();
        let column = (names.unwrap_or(8) as u16).clamp(6, 22).min(area.width / 3);
        let bar = Rect { x: area.x + column + 4, width: area.width.saturating_sub(column + 5), ..area };
        let (from, to) = self.scale(cx);
        axis(canvas, bar, from, to, cx);
        let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        for (line, at) in self.list.window(assets.len(), usize::from(rows.height)).enumerate() {
            let y = rows.y + line as u16;
            let whole = Rect { y, height: 1, ..area };
            let on = self.list.selected(assets.len()) == Some(at);
            if on {
                canvas.tint(whole, Role::Selected);
                canvas.text(area.x, y, 1, canvas.glyphs.pointer, Role::Accent);
            }
            canvas.hit(whole, Hit::Row { pane: 0, row: at });
            let id = &assets[at].id;
            canvas.text(area.x + 2, y, column, id.as_str(), Role::Strong);
            let cells = match cx.view.catalog.window(id) {
                Some(window) => cells(window, from, to, bar.width, cx),
                None => vec![span("no backup", Role::Critical)],
            };
            canvas.line(bar.x, y, bar.width, &cells);
        }
    }
}

impl Screen for Timeline {
    fn scope(&self) -> Scope {
        Scope::Timeline
    }

    fn title(&self, _cx: &Cx) -> String {
        "Timeline".to_owned()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let window = self.current(cx).and_then(|id| cx.view.catalog.window(id));
        let mut doc = Doc::new();
        legend(&mut doc, cx);
        if let Some(window) = window {
            window_doc(&mut doc, window, cx);
        } else {
            doc.blank();
            doc.text("It cannot be restored to any instant: no backup is known.", Role::Critical);
        }
        let span_word = match ZOOMS[self.zoom] {
            hours if hours % 24 == 0 => format!("{}d", hours / 24),
            hours => format!("{hours}h"),
        };
        let mut remark = freshness::of_catalog(cx);
        remark.push(span(format!(" · last {span_word} · {}", cx.zone()), Role::Dim));
        super::list_page::halves(
            canvas,
            area,
            &super::list_page::Halves {
                title: "Recovery windows",
                remark,
                rows: cx.view.health.assets.len(),
                lower: self.current(cx).map_or_else(String::new, ToString::to_string),
                empty: "No assets are configured.",
            },
            |canvas, area| self.draw_rows(canvas, area, cx),
            |canvas, area| self.pane.draw(canvas, area, &doc),
        );
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::ZoomIn => self.zoom = self.zoom.saturating_sub(1),
            Act::ZoomOut => self.zoom = (self.zoom + 1).min(ZOOMS.len() - 1),
            Act::Open => {
                let asset = self.current(cx).cloned();
                return asset.map_or(Reaction::Handled, |id| Reaction::Show(Place::Catalog, Selected::Asset(id)));
            }
            Act::PageUp | Act::PageDown => {
                self.pane.act(act);
            }
            act if self.list.act(act, cx.view.health.assets.len()) => self.pane = DocPane::default(),
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        let Hit::Row { row, .. } = hit else { return Reaction::Ignored };
        if self.list.selected(cx.view.health.assets.len()) == Some(row) {
            return self.act(Act::Open, cx);
        }
        self.list.select(row);
        self.pane = DocPane::default();
        Reaction::Handled
    }

    fn selected(&self, cx: &Cx) -> Selected {
        self.current(cx).map_or(Selected::Nothing, |id| Selected::Asset(id.clone()))
    }
}

/// Hours between two marks of the axis, shortest first.
const TICKS: [i64; 11] = [1, 2, 3, 6, 12, 24, 48, 168, 336, 672, 1_344];
/// Columns that a mark takes with the blank after it.
const TICK: i64 = 8;

/// Marks full hours and midnights of the zone, each where it lies.
fn axis(canvas: &mut Canvas, area: Rect, from: Timestamp, to: Timestamp, cx: &Cx) {
    let seconds = (to - from).num_seconds().max(1);
    let columns = i64::from(area.width);
    let fits = |hours: &&i64| **hours * 3_600 * columns / seconds >= TICK;
    let step = *TICKS.iter().find(fits).unwrap_or(&TICKS[TICKS.len() - 1]);
    let pattern = if step < 24 { "%H:%M" } else { "%m-%d" };
    let local = from.with_timezone(&cx.zone()).naive_local();
    // Longer steps are counted in whole days from a fixed day, so that they stand still while time goes on.
    let day = local.date().num_days_from_ce();
    let back = if step < 24 { 0 } else { i64::from(day) % (step / 24) };
    let mut mark = local.date().and_time(chrono::NaiveTime::MIN) - Duration::days(back);
    loop {
        mark += Duration::hours(step);
        let Some(at) = cx.zone().from_local_datetime(&mark).earliest() else { continue };
        let x = (at.with_timezone(&chrono::Utc) - from).num_seconds() * columns / seconds;
        if x + TICK > columns - 3 {
            break;
        }
        if let Ok(x) = u16::try_from(x) {
            canvas.text(area.x + x, area.y, area.width - x, &mark.format(pattern).to_string(), Role::TableHead);
        }
    }
    canvas.text_right(area.x, area.y, area.width, " now", Role::TableHead);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CellKind {
    Rest,
    Span,
    Point,
    Hole,
}

/// The window as one line of cells; a hole outranks what lies beside it in the same cell.
fn cells(window: &RecoveryWindow, from: Timestamp, to: Timestamp, width: u16, cx: &Cx) -> Line {
    let seconds = (to - from).num_seconds().max(1);
    let edge = |cell: u16| from + Duration::seconds(seconds * i64::from(cell) / i64::from(width.max(1)));
    let mut line: Line = Vec::new();
    let mut last = None;
    for cell in 0..width {
        let (start, end) = (edge(cell), edge(cell + 1));
        let overlaps = |a: Timestamp, b: Timestamp| a < end && b >= start;
        let hole = window.holes.iter().any(|hole| matches!((hole.from, hole.to), (Some(a), Some(b)) if overlaps(a, b)));
        // The newest instant may be "now" itself, which lies on the last edge.
        let point = window.points.iter().any(|at| *at >= start && (*at < end || (cell + 1 == width && *at <= end)));
        let kind = match () {
            () if hole => CellKind::Hole,
            () if window.spans.iter().any(|(a, b)| overlaps(*a, *b)) => CellKind::Span,
            () if point => CellKind::Point,
            () => CellKind::Rest,
        };
        let (glyph, role) = look(kind, cx);
        match line.last_mut().filter(|_| last == Some(kind)) {
            Some(run) => run.text.to_mut().push_str(glyph),
            None => line.push(span(glyph, role)),
        }
        last = Some(kind);
    }
    line
}

fn look(kind: CellKind, cx: &Cx) -> (&'static str, Role) {
    match kind {
        CellKind::Rest => (cx.glyphs.dot, Role::BarRest),
        CellKind::Span => (cx.glyphs.bar_full, Role::BarFill),
        CellKind::Point => (cx.glyphs.point, Role::Info),
        CellKind::Hole => (cx.glyphs.hole, Role::Critical),
    }
}

fn legend(doc: &mut Doc, cx: &Cx) {
    let part = |kind: CellKind, word: &'static str| {
        let (glyph, role) = look(kind, cx);
        [span(glyph, role), span(word, Role::Dim)]
    };
    let parts = [
        part(CellKind::Span, " any time  "),
        part(CellKind::Point, " one time  "),
        part(CellKind::Hole, " hole  "),
        part(CellKind::Rest, " none"),
    ];
    doc.line(parts.into_iter().flatten().collect());
}

fn window_doc(doc: &mut Doc, window: &RecoveryWindow, cx: &Cx) {
    let at = |at: Timestamp| format!("{} ({})", format::instant(at, cx.zone()), format::ago(at, cx.now));
    doc.blank();
    let ends = (window.earliest, window.latest);
    doc.fact("earliest", ends.0.map_or_else(|| "none".to_owned(), at), Role::Base);
    doc.fact("latest", ends.1.map_or_else(|| "none".to_owned(), at), Role::Base);
    if !window.points.is_empty() {
        let points = format::counted(window.points.len() as u64, "single instant", "single instants");
        doc.fact("dumps", points, Role::Base);
    }
    for (from, to) in &window.spans {
        let text = format!(
            "{} – {}, {} without a gap",
            format::instant(*from, cx.zone()),
            format::instant(*to, cx.zone()),
            short_duration(*to - *from)
        );
        doc.fact("continuous", text, Role::Ok);
    }
    for hole in &window.holes {
        let segments = format::counted(hole.segments, "segment", "segments");
        let when = match (hole.from, hole.to) {
            (Some(from), Some(to)) => {
                format!(": {} – {}", format::instant(from, cx.zone()), format::instant(to, cx.zone()))
            }
            _ => String::new(),
        };
        let text = format!("{segments} of timeline {} missing, {} to {}{when}", hole.timeline, hole.first, hole.last);
        doc.fact("hole", text, Role::Critical);
    }
}
