//! Policy against reality: the periods for which a source should have something, and has nothing usable.

use super::period::Class;
use super::plan::SourcePlan;
use crate::model::objective::Retention;
use crate::model::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    pub class: Class,
    pub period: String,
}

/// Of the periods that the policy reaches back to, oldest first. The present one is not over, and before a
/// source's first backup nothing was asked of it.
pub(super) fn missing(plan: &SourcePlan<'_>, policy: &Retention, now: Timestamp) -> Vec<Missing> {
    let Some(first) = plan.items.iter().map(|item| item.backup.taken_at).min() else { return Vec::new() };
    let mut found = Vec::new();
    for class in Class::ALL {
        let usable = plan.items.iter().filter(|item| item.usable);
        let there: BTreeSet<String> = usable.map(|item| class.period(item.backup.taken_at)).collect();
        let (oldest, mut date) = (class.period(first), now.date_naive());
        let mut missed = Vec::new();
        for _ in 1..class.wanted(policy) {
            let Some(before) = class.before(date) else { break };
            date = before;
            let period = class.named(date);
            if period < oldest {
                break;
            }
            if !there.contains(&period) {
                missed.push(Missing { class, period });
            }
        }
        found.extend(missed.into_iter().rev());
    }
    found
}
