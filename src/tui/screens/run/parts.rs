//! The parts of a run's screen: head, and what is known about a step.

use crate::model::task::TaskOutcome;
use crate::runbook::estimate::{Estimate, Forecast, forecast, longest};
use crate::runbook::{PlannedStep, RunStatus, StepRecord};
use crate::session::RunView;
use crate::session::view::Link;
use crate::tui::canvas::{Canvas, Line, line_width, span};
use crate::tui::dialogs::question_doc;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, gauge};
use crate::tui::{fit, format};
use ratatui::layout::Rect;

/// Draws what the run is and how long it takes; returns the rows used.
pub fn head(canvas: &mut Canvas, area: Rect, run: &RunView, cx: &Cx) -> u16 {
    let state = &run.state;
    let (word, role) = (state.status.word(), format::status_role(&state.status));
    let status: Line = vec![span(format!("{word} "), role)];
    let status_columns = line_width(&status, canvas.glyphs) as u16;
    let title = format!(" {}", state.plan.title);
    canvas.text(area.x, area.y, area.width.saturating_sub(status_columns + 1), &title, Role::Title);
    canvas.line_right(area.x, area.y, area.width, &status);
    canvas.line(area.x + 1, area.y + 1, area.width.saturating_sub(2), &clockwork(run, cx, area.width));
    let mut rows = 2;
    if let Some(line) = expected(run, cx).filter(|_| rows < area.height) {
        canvas.line(area.x + 1, area.y + rows, area.width.saturating_sub(2), &line);
        rows += 1;
    }
    let width = area.width.saturating_sub(2);
    if area.height >= 28
        && let Some(line) = ahead(run, cx)
    {
        canvas.line(area.x + 1, area.y + rows, width, &line);
        rows += 1;
    }
    // Whole sentences, as long as the half of the screen lasts.
    let lines = remarks(run, cx).into_iter().flat_map(|(text, role)| {
        let lines = fit::wrap(&text, usize::from(width), canvas.glyphs);
        lines.into_iter().map(move |line| (line, role))
    });
    for (text, role) in lines.collect::<Vec<_>>() {
        if rows >= area.height / 2 {
            break;
        }
        canvas.text(area.x + 1, area.y + rows, width, &text, role);
        rows += 1;
    }
    rows
}

/// How long it takes, what it waited for, which plan it is: as many of these as fit whole.
fn clockwork(run: &RunView, cx: &Cx, width: u16) -> Line {
    let state = &run.state;
    let mut parts: Vec<Line> = Vec::new();
    match state.clock_began() {
        None if state.started_at.is_some() => parts.push(vec![span("prepares the drill", Role::Dim)]),
        None => parts.push(vec![span("not started", Role::Dim)]),
        Some(started) => parts.push(elapsed(run, state.ended_at.unwrap_or(cx.now) - started, width, cx)),
    }
    let waiting = if state.awaits_person() { (cx.now - state.last_at).num_milliseconds().max(0) } else { 0 };
    let waited = chrono::Duration::milliseconds(state.human_wait_ms as i64 + waiting);
    if waited.num_seconds() > 0 {
        parts.push(vec![span(format!("   {} of it waiting for people", format::stopwatch(waited)), Role::Dim)]);
    }
    parts.push(vec![span(format!("   plan {}", format::digest(&state.plan.digest)), Role::Code)]);
    let mut line: Line = Vec::new();
    for part in parts {
        if line_width(&line, cx.glyphs) + line_width(&part, cx.glyphs) <= usize::from(width.saturating_sub(2)) {
            line.extend(part);
        }
    }
    line
}

fn elapsed(run: &RunView, elapsed: chrono::Duration, width: u16, cx: &Cx) -> Line {
    let Some(rto) = run.state.plan.rto else {
        return vec![span(format::stopwatch(elapsed), Role::Strong), span(" elapsed, no RTO to keep", Role::Dim)];
    };
    let limit = chrono::Duration::seconds(rto.as_secs() as i64);
    let role = if elapsed > limit { Role::Critical } else { Role::Strong };
    let mut line =
        vec![span(format::stopwatch(elapsed), role), span(format!(" of RTO {} ", format::stopwatch(limit)), Role::Dim)];
    let cells = if width >= 60 { 20 } else { 8 };
    line.extend(gauge::budget(elapsed.num_seconds().max(0) as u64, rto.as_secs(), cells, cx.glyphs));
    line
}

/// When recovery is expected by earlier runs, and what that leaves of the RTO.
fn expected(run: &RunView, cx: &Cx) -> Option<Line> {
    let Forecast { p50, p90, margin, unknown } = forecast(&run.state, cx.now)?;
    let mut line = vec![
        span("expected after ", Role::Dim),
        span(format::stopwatch(p50), Role::Strong),
        span(" (p50) to ", Role::Dim),
        span(format::stopwatch(p90), Role::Strong),
        span(" (p90)", Role::Dim),
    ];
    match margin {
        Some(margin) if margin < chrono::Duration::zero() => {
            line.push(span(format!("   RTO missed by {}", format::stopwatch(-margin)), Role::Critical));
        }
        Some(margin) => line.push(span(format!("   margin {}", format::stopwatch(margin)), Role::Ok)),
        None => {}
    }
    if unknown > 0 {
        line.push(span(format!("   {unknown} unmeasured"), Role::Dim));
    }
    Some(line)
}

/// The steps ahead that make the time.
fn ahead(run: &RunView, cx: &Cx) -> Option<Line> {
    let forecast = forecast(&run.state, cx.now)?;
    let longest = longest(&run.state, cx.now);
    let mut line = vec![span("made by ", Role::Dim)];
    for (place, (at, p50, p90)) in longest.iter().take(3).enumerate() {
        let step = run.state.plan.steps.get(*at)?;
        let gap = if place > 0 { "   " } else { "" };
        line.push(span(format!("{gap}{} {} ", at + 1, step.id), Role::Base));
        line.push(span(format!("{} to {}", format::stopwatch(*p50), format::stopwatch(*p90)), Role::Strong));
    }
    let rest = longest.len().saturating_sub(3);
    if rest > 0 {
        line.push(span(format!("   {} more", format::counted(rest as u64, "step", "steps")), Role::Dim));
    }
    (longest.len() + forecast.unknown > 1).then_some(line)
}

/// What must not be overlooked: lost runner, pause, exceptions, leftovers, frozen screen.
fn remarks(run: &RunView, cx: &Cx) -> Vec<(String, Role)> {
    let mut out = Vec::new();
    if let Some(why) = run.state.fenced_off() {
        out.push((format!("FENCED OFF: {why}. Nothing more happens in this copy of the run."), Role::Critical));
    }
    match &run.link {
        Link::Lost(_) if run.state.fenced_off().is_some() => {}
        Link::Elsewhere(unseen) => out.extend(watched(run, unseen.as_deref(), cx)),
        Link::Lost(how) => out.push((format!("The runner is lost ({how}). u brings it back."), Role::Critical)),
        Link::Connecting => out.push(("Connecting to the runner…".to_owned(), Role::Info)),
        Link::Connected | Link::Ended => {}
    }
    let over = run.state.status.is_over();
    if matches!(run.link, Link::Connected) && !over {
        out.extend(operated(run, cx));
    }
    let driven = matches!(run.link, Link::Connected);
    if let RunStatus::Paused { cause } = &run.state.status
        && run.state.fenced_off().is_none()
    {
        out.push((format!("Paused: {cause}.{}", if driven { " s goes on." } else { "" }), Role::Warning));
    }
    if cx.frozen && run.state.question.is_some() {
        out.push(("The screen is frozen: nothing can be answered. ctrl-f lets it go on.".to_owned(), Role::Warning));
    }
    out.extend(provisional(run, cx));
    for amendment in &run.state.amendments {
        let changes: Vec<String> = amendment.changes.iter().map(crate::runbook::commit::Change::words).collect();
        out.push((format!("Amended by {}: {} ({})", amendment.by, changes.join(", "), amendment.why), Role::Info));
    }
    for exception in &run.state.exceptions {
        out.push((format!("Exception at {}: {} ({})", exception.step, exception.text, exception.by), Role::Warning));
    }
    for debt in run.state.debts.iter().filter(|debt| debt.is_due() && run.state.status.is_over()) {
        out.push((format!("Not cleared: {} (relight clean {})", debt.title, run.state.id), Role::Critical));
    }
    if !run.state.leftovers.is_empty() {
        out.push((format!("Left behind: {}", run.state.leftovers.join(", ")), Role::Critical));
    }
    out
}

/// Recovered and not committed: since when, until when, and what can be done.
fn provisional(run: &RunView, cx: &Cx) -> Option<(String, Role)> {
    let state = &run.state;
    if let Some(turn) = &state.turn {
        return Some((
            format!("Going back to {}: what was done since is being taken back.", turn.back_to),
            Role::Warning,
        ));
    }
    let provisional = state.provisional.as_ref().filter(|_| state.is_provisional())?;
    let since = format::ago(provisional.since, cx.now);
    let another = state.plan.steps.iter().any(|step| step.commit.as_ref().is_some_and(|c| c.another.is_some()));
    let ways = if another { "a commits, o chooses another point, X rolls back" } else { "a commits, X rolls back" };
    let (by, role) = match (provisional.decide_by, state.overdue(cx.now)) {
        (_, Some(late)) => {
            (format!(" The decision is OVERDUE for {}; it holds.", format::stopwatch(late)), Role::Critical)
        }
        (Some(by), None) => (format!(" To be decided within {}.", format::stopwatch(by - cx.now)), Role::Warning),
        (None, None) => (String::new(), Role::Warning),
    };
    Some((format!("Recovered, not committed, {since}.{by} {ways}."), role))
}

/// Who operates the run, where that is not plain: someone else does, or it is on offer.
fn operated(run: &RunView, cx: &Cx) -> Option<(String, Role)> {
    let state = &run.state;
    if let Some(offer) = &state.handover {
        let ago = format::ago(offer.at, cx.now);
        let how = if offer.from == cx.view.actor { "H takes the offer back." } else { "H reads it back and takes it." };
        return Some((format!("{} offers the run to {}, {ago}. {how}", offer.from, offer.to), Role::Warning));
    }
    let other = state.operator.name != cx.view.actor.name && state.started_at.is_some();
    other.then(|| {
        (format!("You watch: {} operates this run. H relieves them, with a reason.", state.operator), Role::Info)
    })
}

/// Who drives a run that is only watched here, and what of it is not seen.
fn watched(run: &RunView, unseen: Option<&str>, cx: &Cx) -> Vec<(String, Role)> {
    let row = cx.view.runs.iter().find(|row| row.id == run.state.id);
    let mut out = Vec::new();
    match row.and_then(|row| row.held.as_ref()) {
        Some(held) => {
            let lease = &held.lease;
            let (sign, epoch) = (format::ago(lease.renewed_at, cx.now), lease.epoch);
            let expired = held.is_silent();
            let silent = if expired { ", too long ago: dead or cut off" } else { "" };
            let text = format!(
                "You watch: {} holds it (epoch {epoch}), last sign of life {sign}{silent}. t takes it over.",
                lease.holder
            );
            out.push((text, if expired { Role::Unknown } else { Role::Info }));
        }
        None => out.push(("You watch: no machine holds it any more.".to_owned(), Role::Info)),
    }
    out.extend(unseen.map(|why| (format!("Its mirror is not seen, what you see may be old: {why}."), Role::Unknown)));
    out
}

/// Whether what is shown comes from a living runner.
pub fn freshness(run: &RunView) -> Line {
    match &run.link {
        Link::Connected => vec![span("live", Role::Ok)],
        Link::Connecting => vec![span("connecting", Role::Info)],
        Link::Elsewhere(None) => vec![span("watched through the mirror", Role::Info)],
        Link::Elsewhere(Some(_)) => vec![span("mirror not seen", Role::Unknown)],
        Link::Lost(_) if run.state.fenced_off().is_some() => vec![span("fenced off", Role::Critical)],
        Link::Lost(_) => vec![span("runner lost", Role::Critical)],
        Link::Ended => vec![span("ended", Role::Dim)],
    }
}

/// The work that runs now, for the corner of the output.
pub fn live(run: &RunView) -> Line {
    let told: Vec<String> = run.live.iter().map(|(step, progress)| format!("{step}: {progress}")).collect();
    if told.is_empty() { Vec::new() } else { vec![span(told.join("   "), Role::Accent)] }
}

/// Rows that the detail pane would like.
pub fn detail_height(run: &RunView, cx: &Cx, width: u16) -> u16 {
    match &run.state.question {
        Some(question) => question_doc(question, cx, true).height(width.saturating_sub(5), cx.glyphs) + 2,
        None => 14,
    }
}

/// What is known about a step.
pub fn step_doc(run: &RunView, at: usize, cx: &Cx) -> Doc {
    let mut doc = Doc::new();
    let (Some(record), Some(step)) = (run.state.steps.get(at), run.state.plan.steps.get(at)) else { return doc };
    let role = format::step_role(record.state);
    let word = record.state.word();
    doc.facts("state", vec![span(format!("{} ", cx.glyphs.step(record.state)), role), span(word, role)]);
    doc.fact("effect", step.effect.to_string(), format::effect_role(step.effect));
    if let Some(Estimate { p50_ms, p90_ms, runs }) = step.estimate {
        let text = |ms: u64| format::stopwatch(chrono::Duration::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX)));
        let (p50, p90) = (text(p50_ms), text(p90_ms));
        let from = format::counted(u64::from(runs), "run", "runs");
        doc.fact("takes", format!("{p50} (p50), {p90} (p90) in {from}"), Role::Base);
    }
    if let Some(order) = run.state.plan.order_of(step) {
        doc.fact("order", order, Role::Base);
    }
    limits(&mut doc, record, step);
    if let Some(why) = &record.why {
        doc.fact("because", why.clone(), role);
    }
    if record.attempt > 0 {
        doc.fact("attempts", record.attempt.to_string(), Role::Base);
    }
    if let Some(identity) = record.identity.as_ref().or(step.identity.as_ref()) {
        doc.fact("target", identity.title.clone(), Role::Strong);
        doc.fact("read", format::ago(identity.read_at, cx.now), Role::Dim);
    }
    if let Some(watch) = &step.stop_if {
        doc.fact("stops on", watch.wanted(), Role::Base);
    }
    if let Some(post) = &step.post {
        doc.fact("must hold", post.wanted(), Role::Base);
    }
    if step.commit.is_some() {
        doc.fact("commits", "nothing before it can be taken back after it", Role::Warning);
    }
    let undo = match &step.undo {
        _ if run.state.is_beyond_return(&step.id) => "gone: the run is committed".to_owned(),
        Some(undo) => undo.module.clone(),
        None => "none".to_owned(),
    };
    doc.fact("undo", undo, if step.undo.is_some() { Role::Base } else { Role::Dim });
    if let Some((_, progress)) = run.live.iter().find(|(live, _)| live == &record.id) {
        doc.blank();
        if let Some(total) = progress.total {
            doc.line(gauge::progress(progress.done, total, 30, Role::Accent, cx.glyphs));
        }
        doc.text(format!("{progress}  {}", progress.note), Role::Accent);
    }
    outcome(&mut doc, record, cx);
    if !step.help.is_empty() {
        doc.blank();
        doc.text(step.help.clone(), Role::Dim);
    }
    doc
}

/// How long it may take and how much it may touch.
fn limits(doc: &mut Doc, record: &StepRecord, step: &PlannedStep) {
    if let Some(limit) = record.limit {
        doc.fact("time limit", format!("{}, amended", humantime::format_duration(limit)), Role::Warning);
    }
    if let Some(limit) = step.limit {
        let (text, role) = match record.allowed {
            Some(allowed) => (format!("{allowed}, amended from {limit}"), Role::Warning),
            None => (limit.to_string(), Role::Base),
        };
        doc.fact("at most", text, role);
    }
}

fn outcome(doc: &mut Doc, record: &StepRecord, cx: &Cx) {
    if let Some(TaskOutcome::Done { output }) = record.outcome.as_ref().filter(|_| record.broken_probes().is_none())
        && !output.is_empty()
    {
        doc.blank();
        for (name, value) in output {
            doc.fact(name.clone(), format::value(value), Role::Base);
        }
    }
    let Some(failure) = record.last_failure() else { return };
    doc.blank();
    doc.text(failure.what.clone(), Role::Critical);
    if !failure.meaning.is_empty() {
        doc.text(failure.meaning.clone(), Role::Base);
    }
    if !failure.next.is_empty() {
        doc.marked(vec![span(format!("{} ", cx.glyphs.arrow), Role::Accent)], failure.next.clone(), Role::Base);
    }
    for line in &failure.evidence {
        doc.marked(vec![span("  ", Role::Base)], line.clone(), Role::Code);
    }
}
