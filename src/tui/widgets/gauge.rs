//! Bars: an age against its objective, progress, sizes over time.

use crate::health::Severity;
use crate::tui::canvas::{Line, span};
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Role;

/// A bar of `width` cells that is full when `value` reaches `limit`; beyond that it ends in an arrow.
pub fn budget(value: u64, limit: u64, width: usize, glyphs: &Glyphs) -> Line {
    let share = if limit == 0 { f64::from(u8::from(value > 0)) } else { value as f64 / limit as f64 };
    let over = share > 1.0;
    let role = match share {
        s if s > 1.0 => Role::BarOver,
        s if s > 0.8 => Role::BarWarn,
        _ => Role::BarFill,
    };
    let full = ((share.min(1.0) * width as f64).round() as usize).clamp(usize::from(value > 0), width);
    if over && width > 0 {
        return vec![span(glyphs.bar_full.repeat(width - 1), role), span(glyphs.over, role)];
    }
    vec![span(glyphs.bar_full.repeat(full), role), span(glyphs.bar_rest.repeat(width - full), Role::BarRest)]
}

/// Progress of a task; without a total only the amount tells.
pub fn progress(done: u64, total: u64, width: usize, role: Role, glyphs: &Glyphs) -> Line {
    let share = if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) };
    let full = (share * width as f64).floor() as usize;
    vec![span(glyphs.bar_full.repeat(full), role), span(glyphs.bar_rest.repeat(width - full), Role::BarRest)]
}

/// The last `width` sizes as columns, scaled from zero, so that an ordinary one leaves room for a larger; the
/// newest takes the colour of the verdict.
pub fn sparkline(sizes: &[u64], width: usize, verdict: Severity, glyphs: &Glyphs) -> Line {
    let shown = &sizes[sizes.len().saturating_sub(width)..];
    let mut sorted = shown.to_vec();
    sorted.sort_unstable();
    let ordinary = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    let most = sorted.last().copied().unwrap_or(0).max(ordinary.saturating_mul(8) / 5).max(1);
    let column = |size: u64| {
        let height = (size as f64 / most as f64 * 7.0).round() as usize;
        glyphs.spark[height.min(7)]
    };
    let Some((newest, older)) = shown.split_last() else { return Vec::new() };
    let role = match verdict {
        Severity::Ok => Role::Spark,
        verdict => crate::tui::format::severity_role(verdict),
    };
    vec![span(older.iter().map(|size| column(*size)).collect::<String>(), Role::Spark), span(column(*newest), role)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &Line) -> String {
        line.iter().map(|span| span.text.as_ref()).collect()
    }

    #[test]
    fn bars_keep_their_width() {
        let glyphs = Glyphs::unicode();
        assert_eq!(text(&budget(0, 10, 4, &glyphs)), "────");
        assert_eq!(text(&budget(1, 100, 4, &glyphs)), "━───");
        assert_eq!(text(&budget(10, 10, 4, &glyphs)), "━━━━");
        assert_eq!(text(&budget(11, 10, 4, &glyphs)), "━━━▶");
        assert_eq!(text(&progress(50, 100, 4, Role::Accent, &glyphs)), "━━──");
        assert_eq!(text(&sparkline(&[0, 50, 100], 8, Severity::Ok, &glyphs)), "▁▅▇");
        assert_eq!(text(&sparkline(&[1, 20, 30], 2, Severity::Ok, &glyphs)), "▄▅");
        assert_eq!(text(&sparkline(&[90, 100, 100, 2], 8, Severity::Ok, &glyphs)), "▅▅▅▁");
    }
}
