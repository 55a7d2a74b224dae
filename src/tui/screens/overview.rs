//! What can be restored, to when, and what is wrong with it: worst first.

use crate::health::{AssetHealth, Finding, Severity};
use crate::model::id::AssetId;
use crate::model::proof::{ProofOutcome, ProofRecord};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, Line, line_width, span};
use crate::tui::format;
use crate::tui::freshness;
use crate::tui::screen::{Cx, Place, Reaction, Screen};
use crate::tui::screens::{detail::Detail, restore_of, verify};
use crate::tui::situation::{Selected, Situation};
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, Doc, DocPane, ListState, Row, Table, gauge};
use ratatui::layout::Rect;

const COLUMNS: [Column; 9] = [
    Column::new("VERDICT", 10, 10, 0),
    Column::new("ASSET", 10, 26, 0).cut(),
    Column::new("AGE OF RPO", 10, 12, 1),
    Column::new("", 8, 10, 4),
    Column::new("NEWEST", 16, 16, 6),
    Column::new("WINDOW", 12, 20, 7),
    Column::new("COPIES", 6, 8, 3),
    Column::new("PROOF", 8, 16, 2),
    Column::new("SIZES", 5, 12, 5),
];

#[derive(Debug, Default)]
pub struct Overview {
    list: ListState,
    findings: DocPane,
    /// The findings have the keys.
    in_findings: bool,
    /// The asset under the cursor, kept when the order changes.
    asset: Option<AssetId>,
}

impl Overview {
    fn current<'a>(&self, cx: &Cx<'a>) -> Option<&'a AssetHealth> {
        let assets = &cx.view.health.assets;
        assets.get(self.list.selected(assets.len())?)
    }

    fn select(&mut self, cx: &Cx) {
        self.asset = self.current(cx).map(|asset| asset.id.clone());
        self.findings = DocPane::default();
    }
}

impl Screen for Overview {
    fn scope(&self) -> Scope {
        Scope::Overview
    }

    fn title(&self, _cx: &Cx) -> String {
        "Overview".to_owned()
    }

    fn sync(&mut self, cx: &Cx) {
        let assets = &cx.view.health.assets;
        match self.asset.as_ref().and_then(|id| assets.iter().position(|asset| &asset.id == id)) {
            Some(at) => self.list.select(at),
            None => self.asset = self.current(cx).map(|asset| asset.id.clone()),
        }
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let assets = &cx.view.health.assets;
        summary(canvas, area, cx);
        let rest = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let table = Table {
            columns: &COLUMNS,
            rows: assets.len(),
            list: &self.list,
            pane: 0,
            focused: !self.in_findings,
            heading: true,
        };
        let doc = self.current(cx).map(|asset| findings(asset, cx)).unwrap_or_default();
        let title = self.current(cx).map_or_else(Vec::new, |asset| {
            let word = format::counted(asset.findings.len() as u64, "finding", "findings");
            vec![span(asset.id.to_string(), Role::Title), span(format!("  {word}"), Role::Dim)]
        });
        let (upper, lower) = split(rest, assets.len() as u16);
        if rest.height >= 14 && rest.width >= 60 {
            let border = |on: bool| if on { Role::BorderFocus } else { Role::Border };
            let mut remark = freshness::of_catalog(cx);
            remark.push(span(format!(" · {}", cx.zone()), Role::Dim));
            let inner = canvas.panel(upper, &[span("Assets", Role::Title)], &remark, border(!self.in_findings));
            table.draw(canvas, inner, |at| row(&assets[at], inner.width, cx));
            let inner =
                canvas.panel(lower, &title, &[span(freshness::of_health(cx), Role::Dim)], border(self.in_findings));
            self.findings.draw(canvas, inner, &doc);
        } else {
            table.draw(canvas, upper, |at| row(&assets[at], upper.width, cx));
            canvas.rule(lower, lower.y, &title);
            let inner = Rect { y: lower.y + 1, height: lower.height.saturating_sub(1), ..lower };
            self.findings.draw(canvas, inner, &doc);
        }
        if assets.is_empty() {
            let text = "No assets are configured. See `relight config check`.";
            canvas.text(upper.x + 2, upper.y + 2, upper.width.saturating_sub(4), text, Role::Dim);
        }
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::NextPane | Act::PreviousPane => self.in_findings = !self.in_findings,
            Act::Back if self.in_findings => self.in_findings = false,
            Act::Open => {
                return self
                    .asset
                    .clone()
                    .map_or(Reaction::Handled, |asset| Reaction::Show(Place::Catalog, Selected::Asset(asset)));
            }
            Act::OverviewDetail | Act::OverviewVerify => {
                let selected = self.selected(cx);
                let situation = Situation { view: cx.view, frozen: cx.frozen, selected: &selected };
                let Some(backup) = situation.backup() else { return Reaction::Handled };
                return if act == Act::OverviewVerify {
                    verify(&backup)
                } else {
                    Reaction::Push(Box::new(Detail::new(backup)))
                };
            }
            Act::OverviewRestore => {
                return self.asset.as_ref().map_or(Reaction::Handled, |asset| restore_of(cx, asset, None));
            }
            act if self.in_findings => {
                if !self.findings.act(act) {
                    return Reaction::Ignored;
                }
            }
            act => {
                if !self.list.act(act, cx.view.health.assets.len()) {
                    return Reaction::Ignored;
                }
                self.select(cx);
            }
        }
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        let Hit::Row { row, .. } = hit else { return Reaction::Ignored };
        self.in_findings = false;
        if self.list.selected(cx.view.health.assets.len()) == Some(row) {
            return self.act(Act::Open, cx);
        }
        self.list.select(row);
        self.select(cx);
        Reaction::Handled
    }

    fn selected(&self, cx: &Cx) -> Selected {
        self.current(cx).map_or(Selected::Nothing, |asset| Selected::Asset(asset.id.clone()))
    }
}

/// Assets above, findings below: the table gets what it needs, at most three fifths.
fn split(area: Rect, rows: u16) -> (Rect, Rect) {
    let framed = area.height >= 14 && area.width >= 60;
    let need = rows.max(1) + 1 + if framed { 2 } else { 0 };
    let upper = need.min((area.height * 3).div_ceil(5)).min(area.height);
    let split = Rect { height: upper, ..area };
    (split, Rect { y: area.y + upper, height: area.height - upper, ..area })
}

fn summary(canvas: &mut Canvas, area: Rect, cx: &Cx) {
    let health = &cx.view.health;
    let mut line: Line = Vec::new();
    for severity in [Severity::Critical, Severity::Unknown, Severity::Warning, Severity::Ok] {
        let count = health.assets.iter().filter(|asset| asset.verdict == severity).count();
        if count == 0 {
            continue;
        }
        let role = format::severity_role(severity);
        let short = area.width < 60;
        let word = if short { "" } else { format::severity_word(severity) };
        line.push(span(format!("{} {count} {word}", canvas.glyphs.severity(severity)), role));
        line.push(span(if short { " " } else { "   " }, Role::Base));
    }
    let tight = area.height < 15 || area.width < 60;
    let age = if tight { freshness::of_catalog(cx) } else { Vec::new() };
    let lost: Vec<_> =
        cx.view.catalog.stores.iter().filter(|scan| freshness::lost(cx.view, &scan.id).is_some()).collect();
    if !lost.is_empty() {
        let whole: Vec<String> = lost.iter().map(|scan| freshness::lost_sentence(scan, cx.now)).collect();
        let short = format::counted(lost.len() as u64, "store lost", "stores lost");
        let room = usize::from(area.width.saturating_sub(2)).saturating_sub(line_width(&line, canvas.glyphs));
        let room = room.saturating_sub(line_width(&age, canvas.glyphs) + 2);
        let whole = whole.join("   ");
        let fits = crate::tui::fit::width(&whole, canvas.glyphs) <= room;
        line.push(span(if fits { whole } else { short }, Role::Unknown));
    }
    let used = canvas.line(area.x + 1, area.y, area.width.saturating_sub(2), &line);
    let room = area.width.saturating_sub(used + 3);
    if line_width(&age, canvas.glyphs) <= usize::from(room) {
        canvas.line_right(area.x + used + 2, area.y, room, &age);
    }
}

fn row(asset: &AssetHealth, width: u16, cx: &Cx) -> Row {
    // Pictures give way before words do.
    let (bar_cells, spark_cells) = if width >= 130 { (10, 12) } else { (8, 8) };
    let verdict = format::severity_role(asset.verdict);
    let stale = !freshness::lost_stores_of(cx.view, &asset.id).is_empty();
    let value = |role: Role| if stale { Role::Stale } else { role };
    let age = asset.age_seconds.map_or_else(|| "never".to_owned(), format::brief);
    let age_line: Line = match asset.rpo_seconds {
        Some(rpo) => vec![
            span(
                age,
                value(if asset.age_seconds.is_none_or(|a| a > rpo as i64) { Role::Critical } else { Role::Base }),
            ),
            span(format!(" of {}", format::brief(rpo as i64)), Role::Dim),
        ],
        None => vec![span(age, value(Role::Base)), span(" no RPO", Role::Faint)],
    };
    let bar = match (asset.age_seconds, asset.rpo_seconds) {
        (Some(age), Some(rpo)) => gauge::budget(age.max(0) as u64, rpo, bar_cells, cx.glyphs),
        _ => Vec::new(),
    };
    let (proof, proof_role) = format::proof(asset.proof.as_ref());
    let passed = |p: &&ProofRecord| p.outcome == ProofOutcome::Passed;
    let proof_age =
        asset.proof.as_ref().filter(passed).map(|p| format!(" {}", freshness::age(p.at, cx.now))).unwrap_or_default();
    Row::Cells(vec![
        vec![
            span(cx.glyphs.severity(asset.verdict), verdict),
            span(format!(" {}", format::severity_word(asset.verdict)), verdict),
        ],
        vec![span(asset.id.to_string(), Role::Strong)],
        age_line,
        bar,
        vec![span(
            asset.newest_at.map_or_else(|| "nothing".to_owned(), |at| format::instant_short(at, cx.zone())),
            value(Role::Base),
        )],
        vec![span(window(asset, cx), value(Role::Base))],
        copies(asset, cx, value(Role::Base)),
        vec![span(proof, value(proof_role)), span(proof_age, Role::Dim)],
        gauge::sparkline(&asset.sizes, spark_cells, asset.verdict, cx.glyphs),
    ])
}

fn window(asset: &AssetHealth, cx: &Cx) -> String {
    let Some(window) = cx.view.catalog.window(&asset.id) else { return "none".to_owned() };
    let (Some(from), Some(to)) = (window.earliest, window.latest) else { return "none".to_owned() };
    let ends = (freshness::age(from, cx.now), freshness::age(to, cx.now));
    let holes = if window.holes.is_empty() { String::new() } else { format!(" {}", cx.glyphs.hole) };
    format!("{} – {} ago{holes}", ends.0, ends.1)
}

fn copies(asset: &AssetHealth, cx: &Cx, role: Role) -> Line {
    let have = asset.copies;
    let rule = cx.view.estate.asset(&asset.id).and_then(|a| a.objectives.copies);
    match rule {
        None => vec![span(have.total.to_string(), role)],
        Some(rule) => {
            let short = have.total < rule.total || have.media < rule.media || have.off_site < rule.off_site;
            vec![
                span(have.total.to_string(), if short { Role::Warning } else { role }),
                span(format!(" of {}", rule.total), Role::Dim),
            ]
        }
    }
}

fn findings(asset: &AssetHealth, cx: &Cx) -> Doc {
    let mut doc = Doc::new();
    for scan in freshness::lost_stores_of(cx.view, &asset.id) {
        let text = format!("{}: values in grey may be old.", freshness::lost_sentence(scan, cx.now));
        doc.marked(vec![span("? ", Role::Unknown)], text, Role::Stale);
    }
    if asset.findings.is_empty() {
        let glyph = cx.glyphs.severity(Severity::Ok);
        doc.marked(vec![span(format!("{glyph} "), Role::Ok)], "Nothing is wrong with it.", Role::Dim);
    }
    for finding in &asset.findings {
        doc.blank();
        finding_text(&mut doc, finding, cx);
    }
    doc
}

/// A finding with its figures and what to do about it.
pub fn finding_text(doc: &mut Doc, finding: &Finding, cx: &Cx) {
    let role = format::severity_role(finding.severity);
    let mark = vec![
        span(format!("{} ", cx.glyphs.severity(finding.severity)), role),
        span(format!("{}  ", finding.rule), role),
    ];
    doc.marked(mark, finding.message.clone(), Role::Base);
    if !finding.evidence.is_empty() {
        let figures: Vec<String> = finding
            .evidence
            .iter()
            .map(|(name, value)| format!("{name} {}", format::figure(value, cx.zone())))
            .collect();
        doc.figures(vec![span("  ", Role::Base)], figures, Role::Dim);
    }
    if !finding.remedy.is_empty() {
        doc.marked(vec![span(format!("  {} ", cx.glyphs.arrow), Role::Accent)], finding.remedy.clone(), Role::Base);
    }
}
