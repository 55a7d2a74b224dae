//! Marks, borders and bars, each in Unicode and in ASCII. Nerd Fonts are never needed.

use crate::health::Severity;
use crate::runbook::StepState;
use ratatui::symbols::border;

#[derive(Clone, Debug)]
pub struct Glyphs {
    pub ascii: bool,
    pub border: border::Set<'static>,
    pub ellipsis: &'static str,
    pub pointer: &'static str,
    pub arrow: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub dot: &'static str,
    pub rule: &'static str,
    pub bar_full: &'static str,
    pub bar_rest: &'static str,
    pub over: &'static str,
    pub hole: &'static str,
    pub point: &'static str,
    pub scroll: &'static str,
    /// Eight heights, lowest first.
    pub spark: [&'static str; 8],
}

impl Glyphs {
    pub const fn unicode() -> Self {
        Self {
            ascii: false,
            border: border::ROUNDED,
            ellipsis: "…",
            pointer: "▸",
            arrow: "→",
            up: "▲",
            down: "▼",
            dot: "·",
            rule: "─",
            // Thin, so that the bars of two rows do not run into one.
            bar_full: "━",
            bar_rest: "─",
            over: "▶",
            hole: "╳",
            point: "◆",
            scroll: "┃",
            spark: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "▇"],
        }
    }

    pub const fn ascii() -> Self {
        Self {
            ascii: true,
            border: border::Set {
                top_left: "+",
                top_right: "+",
                bottom_left: "+",
                bottom_right: "+",
                vertical_left: "|",
                vertical_right: "|",
                horizontal_top: "-",
                horizontal_bottom: "-",
            },
            ellipsis: "~",
            pointer: ">",
            arrow: "->",
            up: "^",
            down: "v",
            dot: "-",
            rule: "-",
            bar_full: "#",
            bar_rest: ".",
            over: ">",
            hole: "x",
            point: "o",
            scroll: "#",
            spark: ["_", "_", ".", "-", "-", "=", "=", "#"],
        }
    }

    pub const fn severity(&self, severity: Severity) -> &'static str {
        match (severity, self.ascii) {
            (Severity::Ok, false) => "✓",
            (Severity::Warning, false) => "▲",
            (Severity::Unknown, _) => "?",
            (Severity::Critical, false) => "✗",
            (Severity::Ok, true) => "+",
            (Severity::Warning, true) => "!",
            (Severity::Critical, true) => "X",
        }
    }

    pub const fn step(&self, state: StepState) -> &'static str {
        use StepState as S;
        match (state, self.ascii) {
            (S::Pending, false) => "○",
            (S::Pending, true) => ".",
            (S::Ready | S::Armed, false) => "◇",
            (S::Ready | S::Armed, true) => "o",
            (S::Blocked, false) => "■",
            (S::Blocked, true) => "#",
            (S::AwaitingAnswer | S::AwaitingApproval, false) => "◆",
            (S::AwaitingAnswer | S::AwaitingApproval, true) => "*",
            (S::Running | S::Verifying | S::Reconciling | S::Compensating, false) => "▶",
            (S::Running | S::Verifying | S::Reconciling | S::Compensating, true) => ">",
            (S::Done, false) => "✓",
            (S::Done, true) => "+",
            (S::Failed | S::TimedOut | S::CompensationFailed, false) => "✗",
            (S::Failed | S::TimedOut | S::CompensationFailed, true) => "X",
            (S::Interrupted | S::Unknown, _) => "?",
            (S::Skipped | S::DoneByHand, false) => "↷",
            (S::Skipped | S::DoneByHand, true) => "/",
            (S::Compensated, false) => "↶",
            (S::Compensated, true) => "<",
            (S::Cancelled | S::NotRun, false) => "–",
            (S::Cancelled | S::NotRun, true) => "-",
        }
    }
}

/// What stands for a typographic character on a terminal that shows ASCII only; `None` if nothing does.
pub const fn ascii_for(c: char) -> Option<&'static str> {
    Some(match c {
        '·' | '–' | '—' | '─' | '•' => "-",
        '→' => "->",
        '←' => "<-",
        '…' => "...",
        '’' | '‘' => "'",
        '“' | '”' => "\"",
        '×' => "x",
        '≥' => ">=",
        '≤' => "<=",
        '±' => "+-",
        '↑' => "up",
        '↓' => "down",
        '\u{a0}' => " ",
        _ => return None,
    })
}
