//! `[watch]`: how `relight watch` looks, and whom it tells.

use crate::located::{Fields, Problem};
use std::ops::RangeInclusive;
use std::time::Duration;

const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);
const TIMES: RangeInclusive<i64> = 2..=100;
/// What stands for something in the words of `notify`.
const NAMES: [&str; 4] = ["{asset}", "{run}", "{server}", "{what}"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Between two looks.
    pub every: Duration,
    /// Looks in a row that must say down.
    pub times: u32,
    /// Program and arguments; empty: nobody is told but whoever reads the output.
    pub notify: Vec<String>,
    /// To whom each run that a watch opens is handed over.
    pub operator: Option<String>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { every: Duration::from_secs(5), times: 3, notify: Vec::new(), operator: None }
    }
}

pub(super) fn watch(fields: &mut Fields<'_>) -> Option<Watch> {
    let usual = Watch::default();
    let every = fields.take("every").map_or(Some(usual.every), |item| match item.read::<Duration>()? {
        every if EVERY.contains(&every) => Some(every),
        _ => item.refuse("lie between 1s and 1h"),
    });
    let times = fields.take("times").map_or(Some(usual.times), |item| match item.read::<i64>()? {
        times if TIMES.contains(&times) => u32::try_from(times).ok(),
        _ => item.refuse("lie between 2 and 100: one look alone proves nothing"),
    });
    let notify = fields.take("notify").map_or(Some(usual.notify), |item| {
        let words = item.read::<Vec<String>>()?;
        if words.first().is_none_or(|program| program.trim().is_empty()) {
            return item.refuse("be a program and its arguments, such as [\"/usr/local/bin/page\", \"{what}\"]");
        }
        for word in &words {
            if let Some(unknown) = unknown_name(word) {
                let problem = Problem::at(&item.place, format!("nothing stands for `{unknown}`"));
                item.report(problem.help(format!("there are {}", NAMES.join(", "))));
                return None;
            }
        }
        Some(words)
    });
    let operator = fields.take("operator").map_or(Some(None), |item| match item.read::<String>()? {
        name if name.trim().is_empty() => item.refuse("name the person to whom the run is handed over"),
        name => Some(Some(name)),
    });
    Some(Watch { every: every?, times: times?, notify: notify?, operator: operator? })
}

/// The first `{word}` that means nothing.
fn unknown_name(text: &str) -> Option<&str> {
    text.match_indices('{').find_map(|(at, _)| {
        let name = &text[at..=at + text[at..].find('}')?];
        let is_name = name.len() > 2 && name[1..name.len() - 1].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        (is_name && !NAMES.contains(&name)).then_some(name)
    })
}
