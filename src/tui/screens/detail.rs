//! One backup: where it lies, what it hangs on, what disputes it, what was proven.

use super::catalog::state_of;
use super::overview::finding_text;
use crate::model::backup::{Backup, TimeSource};
use crate::model::id::BackupId;
use crate::model::proof::ProofOutcome;
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Line, span};
use crate::tui::format;
use crate::tui::freshness;
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::screens::{restore_of, verify};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane};
use ratatui::layout::Rect;

#[derive(Debug)]
pub struct Detail {
    id: BackupId,
    pane: DocPane,
}

impl Detail {
    pub fn new(id: BackupId) -> Self {
        Self { id, pane: DocPane::default() }
    }

    fn doc(&self, cx: &Cx) -> Doc {
        let mut doc = Doc::new();
        let Some(backup) = cx.view.catalog.get(&self.id) else {
            doc.text("This backup is no longer in the catalog: the last scan did not find it.", Role::Warning);
            return doc;
        };
        facts(&mut doc, backup, cx);
        for asset in cx.view.health.assets.iter().filter(|asset| asset.id == backup.asset) {
            let about = asset.findings.iter().filter(|finding| finding.backup.as_ref() == Some(&backup.id));
            for (at, finding) in about.enumerate() {
                if at == 0 {
                    doc.heading("Findings");
                }
                finding_text(&mut doc, finding, cx);
            }
        }
        copies(&mut doc, backup, cx);
        chain(&mut doc, backup);
        proofs(&mut doc, backup, cx);
        sidecars(&mut doc, backup, cx);
        doc
    }
}

impl Screen for Detail {
    fn scope(&self) -> Scope {
        Scope::Detail
    }

    fn title(&self, _cx: &Cx) -> String {
        self.id.to_string()
    }

    fn opens(&self, _cx: &Cx) -> bool {
        false
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let framed = area.height >= 14 && area.width >= 60;
        let inner = if framed {
            canvas.panel(area, &[span(self.id.to_string(), Role::Title)], &freshness::of_catalog(cx), Role::BorderFocus)
        } else {
            area
        };
        self.pane.draw(canvas, inner, &self.doc(cx));
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::DetailVerify => verify(&self.id),
            Act::DetailRestore => match cx.view.catalog.get(&self.id) {
                Some(backup) => restore_of(cx, &backup.asset, Some(&backup.id)),
                None => Reaction::Warn("the backup is no longer in the catalog".to_owned()),
            },
            Act::Open => Reaction::Handled,
            act if self.pane.act(act) => Reaction::Handled,
            _ => Reaction::Ignored,
        }
    }

    fn selected(&self, _cx: &Cx) -> Selected {
        Selected::Backup(self.id.clone())
    }

    fn whole_text(&self, cx: &Cx) -> Option<String> {
        Some(self.doc(cx).plain(cx.glyphs))
    }
}

fn facts(doc: &mut Doc, backup: &Backup, cx: &Cx) {
    let taken = format!("{} ({})", format::instant(backup.taken_at, cx.zone()), format::ago(backup.taken_at, cx.now));
    doc.fact("asset", backup.asset.to_string(), Role::Strong);
    doc.fact("taken", taken, Role::Base);
    let source = match backup.time_source {
        TimeSource::Metadata => "read from its metadata",
        TimeSource::Name => "read from its name",
        TimeSource::Modified => "only the modification time, which copies change",
    };
    doc.fact("time is", source, if backup.time_source == TimeSource::Modified { Role::Warning } else { Role::Dim });
    if let Some(other) = backup.ambiguous_with {
        let text = format!("the name may also mean {}", format::instant(other, cx.zone()));
        doc.fact("ambiguous", text, Role::Warning);
    }
    doc.fact("kind", backup.kind.to_string(), Role::Base);
    doc.fact(
        "size",
        format!("{} ({} bytes)", format::bytes(backup.size_bytes), format::count(backup.size_bytes)),
        Role::Base,
    );
    let content = backup.content.as_ref().map_or_else(|| "not read yet".to_owned(), ToString::to_string);
    doc.fact("content", content, Role::Base);
    let (word, role) = match backup.complete {
        Some(true) => ("yes", Role::Ok),
        Some(false) => ("no", Role::Critical),
        None => ("nothing tells", Role::Dim),
    };
    doc.fact("complete", word, role);
    for why in &backup.incomplete_because {
        doc.fact("", why.clone(), Role::Critical);
    }
    let marks = state_of(backup, freshness::is_stale(cx.view, backup));
    if !marks.is_empty() {
        doc.facts("marks", marks);
    }
}

fn copies(doc: &mut Doc, backup: &Backup, cx: &Cx) {
    doc.heading(format::counted(backup.copies.len() as u64, "copy", "copies"));
    for copy in &backup.copies {
        let lost = freshness::lost(cx.view, &copy.store);
        let role = if lost.is_some() { Role::Stale } else { Role::Base };
        let mut figures = vec![format::bytes(copy.size_bytes)];
        if copy.objects > 1 {
            figures.push(format::counted(copy.objects, "object", "objects"));
        }
        if let Some(at) = copy.modified_at {
            figures.push(format!("written {}", format::instant(at, cx.zone())));
        }
        figures.extend(copy.class_text());
        doc.fact(copy.store.to_string(), figures.join(" · "), role);
        doc.fact("", copy.path.clone(), if lost.is_some() { Role::Stale } else { Role::Code });
        if let Some(scan) = lost {
            doc.fact("", freshness::lost_sentence(scan, cx.now), Role::Unknown);
        }
    }
}

fn chain(doc: &mut Doc, backup: &Backup) {
    let Some(link) = &backup.chain else { return };
    doc.heading("Chain");
    doc.fact("builds on", link.base_name.clone(), Role::Code);
    match &link.base {
        Some(base) => doc.fact("found as", base.to_string(), Role::Ok),
        None => doc.fact("found as", "not found: without it this backup restores nothing", Role::Critical),
    };
}

fn proofs(doc: &mut Doc, backup: &Backup, cx: &Cx) {
    doc.heading("Proofs");
    let records: Vec<_> = cx.view.proofs.iter().filter(|proof| proof.backup == backup.id).collect();
    if records.is_empty() {
        doc.text("Never proven: nobody knows whether it can be restored.", Role::Warning);
    }
    for record in records {
        let (word, role) = match record.outcome {
            ProofOutcome::Passed => (format!("{} held", record.level), Role::Ok),
            ProofOutcome::Failed => (format!("{} FAILED, {} held", record.wanted, record.level), Role::Critical),
            ProofOutcome::Unknown => (format!("{} not finished", record.wanted), Role::Unknown),
        };
        let rest =
            format!("  {} · {} · {} · {}", format::ago(record.at, cx.now), record.store, record.actor, record.tool);
        let line: Line = vec![span(word, role), span(rest, Role::Dim)];
        doc.line(line);
        doc.marked(vec![span("  ", Role::Base)], record.detail.clone(), Role::Base);
    }
    let with_facts = cx.view.proofs.iter().find(|proof| proof.backup == backup.id && !proof.facts.is_empty());
    if let Some(record) = with_facts {
        doc.heading("Contents");
        for (name, value) in &record.facts {
            doc.fact(name.replace('_', " "), amount(name, value), Role::Base);
        }
        if let Some(sha) = &record.sha256 {
            doc.fact("sha-256", sha.clone(), Role::Code);
        }
    }
}

/// A number of things with its digits in groups; any other value, such as an identifier, as it is.
fn amount(name: &str, value: &str) -> String {
    let counts = ["bytes", "entries", "files", "objects", "rows", "tables"].iter().any(|word| name.ends_with(word));
    value.parse().ok().filter(|_| counts).map_or_else(|| value.to_owned(), format::count)
}

fn sidecars(doc: &mut Doc, backup: &Backup, cx: &Cx) {
    for sidecar in &backup.sidecars {
        doc.heading(format!("{} in {}", sidecar.name, sidecar.store));
        for disagreement in &sidecar.disagreements {
            let glyph = cx.glyphs.severity(crate::health::Severity::Warning);
            doc.marked(vec![span(format!("{glyph} "), Role::Warning)], disagreement.clone(), Role::Warning);
        }
        for warning in &sidecar.warnings {
            doc.marked(vec![span("! ", Role::Warning)], warning.clone(), Role::Base);
        }
        if sidecar.disagreements.is_empty() {
            doc.text("It agrees with the objects.", Role::Dim);
        }
        for (name, value) in &sidecar.facts {
            doc.fact(name.clone(), value.clone(), Role::Base);
        }
    }
}
