//! What surrounds every screen: the band that says where you are and what you may do, tabs, footer.

use super::action::{ACTIONS, Act, Scope};
use super::canvas::{Canvas, Hit, Line, line_width, span};
use super::format;
use super::freshness;
use super::screen::{Cx, Place, Screen, scopes};
use super::situation::Situation;
use super::theme::Role;
use crate::health::Severity;
use crate::model::time::Timestamp;
use crate::runbook::Armed;
use crate::session::View;
use ratatui::layout::Rect;

/// Smallest screen that gets a layout; below it one line tells the most important.
pub const SMALLEST: (u16, u16) = (40, 12);

/// Where things go on a screen of this size.
#[derive(Clone, Copy, Debug)]
pub struct Areas {
    pub band: Rect,
    pub tabs: Rect,
    pub body: Rect,
    pub footer: Rect,
}

pub fn areas(whole: Rect) -> Areas {
    let row = |y: u16| Rect { y: whole.y + y, height: 1, ..whole };
    let footer = row(whole.height.saturating_sub(1));
    let air = u16::from(whole.height >= 36);
    let body = Rect { y: whole.y + 2 + air, height: whole.height.saturating_sub(3 + 2 * air), ..whole };
    Areas { band: row(0), tabs: row(1), body, footer }
}

/// Who may do what until when: the session's word, else the open run's.
fn armed(view: &View, now: Timestamp) -> Option<(&'static str, &Armed)> {
    let live = |armed: &&Armed| armed.until > now;
    let of_run = || view.open_run.as_ref().filter(|run| !run.state.status.is_over())?.state.armed.as_ref();
    view.armed
        .as_ref()
        .filter(live)
        .map(|armed| ("ARMED", armed))
        .or_else(|| of_run().filter(live).map(|armed| ("RUN ARMED", armed)))
}

fn environment(view: &View) -> (String, Role) {
    let word = view.estate.environment.to_uppercase();
    let production = matches!(word.as_str(), "PRODUCTION" | "PROD" | "LIVE");
    (format!(" {word} "), if production { Role::Production } else { Role::Environment })
}

/// On a phone's width one word serves both, whoever is armed.
fn permission(view: &View, now: Timestamp, wide: bool) -> Line {
    match armed(view, now) {
        None => vec![span(" READ-ONLY ", Role::ReadOnly)],
        Some((word, armed)) => {
            let word = if wide { word } else { "ARMED" };
            vec![span(format!(" {word} {} ", format::stopwatch(armed.until - now)), Role::Armed)]
        }
    }
}

fn why_armed(view: &View, now: Timestamp) -> String {
    armed(view, now).map_or_else(String::new, |(_, armed)| match &armed.incident {
        Some(incident) => format!("{incident}: {}", armed.reason),
        None => armed.reason.clone(),
    })
}

/// Who acts, as whom towards the stores, in the longest form that fits: the shortest is cut if it must be.
fn identity(view: &View, columns: u16, glyphs: &super::glyphs::Glyphs) -> String {
    let (actor, identity) = (&view.actor, &view.identity);
    let mut forms = vec![actor.to_string()];
    if !identity.is_empty() {
        forms = vec![format!("{actor} as {identity}"), format!("{} as {identity}", actor.name), identity.clone()];
    }
    // Rather fewer parts than half a one.
    let parts: Vec<&str> = identity.split(", ").collect();
    forms.extend((1..parts.len()).rev().map(|kept| parts[..kept].join(", ")));
    let last = forms.last().cloned().unwrap_or_default();
    let fits = |form: &String| super::fit::width(form, glyphs) <= usize::from(columns);
    forms.into_iter().find(fits).unwrap_or(last)
}

pub fn band(canvas: &mut Canvas, area: Rect, cx: &Cx) {
    canvas.fill(area, Role::Band);
    let wide = area.width >= 80;
    let (word, role) = environment(cx.view);
    let mut left: Line = Vec::new();
    if wide {
        left.push(span(" RELIGHT ", Role::Accent));
    }
    left.push(span(format!(" {} ", cx.view.estate.name), Role::Strong));
    left.push(span(word, role));
    if let Some(run) = cx.view.open_run.as_ref().filter(|run| !run.state.status.is_over()) {
        let (word, role) = format::mode(run.state.plan.mode);
        left.push(span(" ", Role::Band));
        left.push(span(format!(" {word} "), role));
    }
    let right = permission(cx.view, cx.now, wide);
    let right_columns = line_width(&right, canvas.glyphs) as u16;
    canvas.line_right(area.x, area.y, area.width, &right);
    let mut room = area.width.saturating_sub(right_columns + 1);
    // Blocks that stand on grounds of their own may touch; then a long estate name gives way; the environment
    // word never does.
    let name_at = usize::from(wide);
    if line_width(&left, canvas.glyphs) > usize::from(room) {
        left.retain(|piece| !piece.text.trim().is_empty());
        left[name_at] = span(format!(" {}", cx.view.estate.name), Role::Strong);
        room += 1;
    }
    let others: usize = left
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != name_at)
        .map(|(_, s)| super::fit::width(&s.text, canvas.glyphs))
        .sum();
    let name_room = usize::from(room).saturating_sub(others);
    if super::fit::width(&left[name_at].text, canvas.glyphs) > name_room {
        let cut = super::fit::fit(left[name_at].text.trim(), name_room.saturating_sub(1), canvas.glyphs);
        left[name_at] = span(format!(" {cut}"), Role::Strong);
    }
    let used = canvas.line(area.x, area.y, room, &left);
    if wide {
        let free = room.saturating_sub(used + 4);
        let reason = why_armed(cx.view, cx.now);
        let reason_columns = super::fit::width(&reason, canvas.glyphs) as u16;
        let who = identity(
            cx.view,
            if reason.is_empty() { free } else { free.saturating_sub(reason_columns + 3) },
            canvas.glyphs,
        );
        let both = format!("{who} · {reason}");
        let fits = !reason.is_empty() && super::fit::width(&both, canvas.glyphs) <= usize::from(free);
        let text = if fits { both } else { identity(cx.view, free, canvas.glyphs) };
        canvas.text_right(area.x + used + 2, area.y, free, &text, Role::BandDim);
    }
}

pub fn tabs(canvas: &mut Canvas, area: Rect, place: Place, trail: &str, cx: &Cx) {
    let badge = badge(cx.view);
    if area.width < 80 {
        let title = format!("{} {trail}", number(place) % 10);
        let used = canvas.text(area.x + 1, area.y, area.width.saturating_sub(2), &title, Role::Title);
        let room = area.width.saturating_sub(used + 4);
        let mut right = badge.map_or_else(Vec::new, |(text, role)| vec![span(text, role), span("  ", Role::Base)]);
        if cx.frozen {
            right.push(span(" FROZEN ", Role::Frozen));
        } else {
            let taken = line_width(&right, canvas.glyphs) as u16;
            let free = room.saturating_sub(taken);
            let who = identity(cx.view, free, canvas.glyphs);
            if super::fit::width(&who, canvas.glyphs) <= usize::from(free) {
                right.push(span(who, Role::Dim));
            }
        }
        canvas.line_right(area.x + used + 3, area.y, room, &right);
        return;
    }
    let form = TabForm::ALL.iter().find(|form| form.columns(cx, badge.as_ref(), canvas.glyphs) <= area.width);
    let form = form.unwrap_or(&TabForm::ALL[TabForm::ALL.len() - 1]);
    let (mut x, mut end) = (area.x + u16::from(!form.short), None);
    let clock = format!("{} ", format::clock(cx.now, cx.zone()));
    for (tab, ..) in Place::ALL {
        let on = tab == place;
        let columns = line_width(&form.label(tab, on, badge.as_ref()), canvas.glyphs) as u16;
        if x + columns > area.right() {
            break;
        }
        canvas.line(x, area.y, columns, &form.label(tab, on, badge.as_ref()));
        canvas.hit(Rect::new(x, area.y, columns, 1), Hit::Tab(number(tab)));
        x += columns + u16::from(form.airy);
        if on {
            end = Some(x - u16::from(form.airy));
        }
    }
    // The ground of the tab in sight ends with a blank, as it begins: its neighbour's, where they touch.
    if let Some(end) = end.filter(|end| *end < area.right()) {
        canvas.text(end, area.y, 1, " ", Role::TabOn);
    }
    let mut right: Line = Vec::new();
    if cx.frozen {
        right.push(span(" FROZEN ", Role::Frozen));
        right.push(span(" ", Role::Base));
    }
    right.push(span(clock, Role::Dim));
    let columns = line_width(&right, canvas.glyphs) as u16;
    if x + columns < area.right() {
        canvas.line_right(area.x, area.y, area.width, &right);
    } else if cx.frozen {
        canvas.line_right(area.x, area.y, area.width, &right[..1]);
    }
}

/// How much of the tabs is written out.
#[derive(Debug)]
struct TabForm {
    short: bool,
    /// A blank of its own between two tabs.
    airy: bool,
    counted: bool,
}

impl TabForm {
    /// The most telling first.
    const ALL: [TabForm; 4] = [
        TabForm { short: false, airy: true, counted: true },
        TabForm { short: false, airy: false, counted: true },
        TabForm { short: true, airy: false, counted: true },
        TabForm { short: true, airy: false, counted: false },
    ];

    fn label(&self, tab: Place, on: bool, badge: Option<&(String, Role)>) -> Line {
        let name = if self.short { short_name(tab) } else { tab.name() };
        let (number, ground) = (number(tab) % 10, if on { Role::TabOn } else { Role::Tab });
        let mut label = vec![span(format!(" {number} "), if on { Role::TabOn } else { Role::Key }), span(name, ground)];
        if let (Place::Notices, Some((text, role))) = (tab, badge) {
            let text = if self.counted { text.as_str() } else { "!" };
            label.push(span(" ", ground));
            label.push(span(text.to_owned(), *role));
        }
        label
    }

    /// What the whole row takes, with the clock where the names are whole.
    fn columns(&self, cx: &Cx, badge: Option<&(String, Role)>, glyphs: &super::glyphs::Glyphs) -> u16 {
        let tabs = Place::ALL.iter().map(|(tab, ..)| line_width(&self.label(*tab, false, badge), glyphs));
        let tabs = tabs.sum::<usize>() + if self.airy { Place::ALL.len() } else { 0 };
        let around = match (self.short, cx.frozen) {
            (true, _) => 0,
            (false, false) => 11,
            (false, true) => 20,
        };
        (tabs + around) as u16
    }
}

const fn short_name(place: Place) -> &'static str {
    match place {
        Place::Overview => "Home",
        Place::Catalog => "Catalog",
        Place::Timeline => "Time",
        Place::Runbooks => "Books",
        Place::Run => "Run",
        Place::Tasks => "Tasks",
        Place::Stores => "Stores",
        Place::Journal => "Log",
        Place::Notices => "News",
        Place::Checklists => "Check",
    }
}

fn number(place: Place) -> u8 {
    Place::ALL.iter().position(|(known, ..)| *known == place).map_or(0, |at| at as u8 + 1)
}

fn badge(view: &View) -> Option<(String, Role)> {
    let worst = view.notices.iter().map(|notice| notice.severity).max()?;
    let glyph = if worst == Severity::Ok { "" } else { "!" };
    Some((format!("{glyph}{}", view.notices.len()), format::severity_role(worst)))
}

/// Hints for the keys that work now, from the registry. `on_top`: the screen lies on another one.
pub fn footer(canvas: &mut Canvas, area: Rect, top: &dyn Screen, on_top: bool, cx: &Cx) {
    let hints: Vec<(Line, Option<usize>)> = hints(top, on_top, cx)
        .into_iter()
        .map(|(keys, label, at)| (vec![span(keys, Role::Key), span(format!(" {label}"), Role::KeyLabel)], at))
        .collect();
    let tight = area.width < 60;
    let place = |(at, (_, action)): (usize, &(Line, Option<usize>))| match action.map(|at| ACTIONS[at].act) {
        // What this screen is for comes first of all: the open question of a run, the start of a plan.
        _ if at == 0 => 0,
        Some(Act::Palette) if tight => 3,
        Some(Act::Help | Act::Quit | Act::Palette) => 1,
        _ => 2,
    };
    let mut order: Vec<(u8, usize)> = hints.iter().enumerate().map(|hint| (place(hint), hint.0)).collect();
    order.sort_unstable();
    let columns = |line: &Line| line_width(line, canvas.glyphs) as u16 + 2;
    let mut room = area.width.saturating_sub(1);
    let mut kept = vec![false; hints.len()];
    for (_, at) in order {
        let own = columns(&hints[at].0);
        if own <= room + 2 {
            room = room.saturating_sub(own);
            kept[at] = true;
        }
    }
    let mut x = area.x + 1;
    for ((line, action), _) in hints.iter().zip(kept).filter(|(_, kept)| *kept) {
        let used = canvas.line(x, area.y, area.right().saturating_sub(x), line);
        if let Some(at) = action {
            canvas.hit(Rect::new(x, area.y, used, 1), Hit::Action(*at));
        }
        x += used + 2;
    }
}

/// `(key, title, place in the registry)`, most important first.
fn hints(top: &dyn Screen, on_top: bool, cx: &Cx) -> Vec<(String, String, Option<usize>)> {
    if top.wants_text() && !top.is_dialog() {
        let hint = |key: &str, label: &str| (key.to_owned(), label.to_owned(), None);
        return vec![hint("type", "to filter"), hint("enter", "keep"), hint("esc", "clear"), hint("up/down", "move")];
    }
    let live = scopes(top);
    let selected = top.selected(cx);
    let situation = Situation { view: cx.view, frozen: cx.frozen, selected: &selected };
    let mut rows: Vec<(usize, &super::action::ActionRow)> = ACTIONS
        .iter()
        .enumerate()
        .filter(|(_, row)| row.footer > 0 && live.contains(&row.scope) && situation.why_not(row.need).is_none())
        .collect();
    rows.sort_by_key(|(_, row)| row.footer);
    // Help and quit keep their place at every width.
    rows.sort_by_key(|(_, row)| u8::from(row.scope == Scope::Global) * 2);
    rows.iter()
        .filter(|(_, row)| !cx.keymap.keys_of(row).is_empty())
        .filter(|(_, row)| row.act != Act::Open || top.opens(cx))
        .map(|(at, row)| {
            // There the key takes away one layer, and does not leave.
            let title = if row.act == Act::Quit && on_top { "back" } else { row.title };
            (cx.keymap.hint(row.act), title.to_owned(), Some(*at))
        })
        .collect()
}

/// All that a screen below the smallest layout can hold.
pub fn one_line(canvas: &mut Canvas, area: Rect, cx: &Cx) {
    let mut line = permission(cx.view, cx.now, true);
    let (word, role) = environment(cx.view);
    line.push(span(word, role));
    if let Some(run) = cx.view.open_run.as_ref().filter(|run| !run.state.status.is_over()) {
        let (word, role) = format::mode(run.state.plan.mode);
        line.push(span(format!(" {word} "), role));
        line.push(span(format!(" run {} ", run.state.status.word()), format::status_role(&run.state.status)));
    }
    for severity in [Severity::Critical, Severity::Unknown, Severity::Warning, Severity::Ok] {
        let count = cx.view.health.assets.iter().filter(|asset| asset.verdict == severity).count();
        if count > 0 {
            let text = format!(" {}{count} {}", canvas.glyphs.severity(severity), format::severity_word(severity));
            line.push(span(text, format::severity_role(severity)));
        }
    }
    line.push(span(format!("  {}", cx.view.estate.name), Role::Strong));
    canvas.line(area.x, area.y, area.width, &line);
    if area.height > 1 {
        let hint = format!("{} quits; needs {}x{}", cx.keymap.hint(Act::Quit), SMALLEST.0, SMALLEST.1);
        canvas.text(area.x, area.y + 1, area.width, &hint, Role::Dim);
    }
    if area.height > 2 {
        canvas.line(area.x, area.y + 2, area.width, &freshness::of_catalog(cx));
    }
}
