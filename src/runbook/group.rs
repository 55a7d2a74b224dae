//! Groups of steps: what waits for what, and how many work at once.
//!
//! Without groups each step waits for all steps before it. The steps of a group stand together in the
//! runbook; a group waits for the groups that it needs, and its steps for one another or not. A step
//! outside all groups waits for everything before it, and everything behind it waits for that step, so that
//! it parts what may overlap from what may not.

use super::plan::{Plan, PlannedStep};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub id: String,
    pub title: String,
    /// Ids of the groups that must be joined before it begins. Absent: everything before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Vec<String>>,
    /// How many of its steps work at once, at least 1.
    pub parallel: u32,
    /// How many of its steps must be done for it to be joined; the others are left out then. Absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<u32>,
}

impl Group {
    /// Whether its steps wait for one another, in their order.
    pub fn is_chain(&self) -> bool {
        self.parallel == 1 && self.join.is_none()
    }
}

impl Plan {
    pub fn group(&self, id: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// The group that the step belongs to.
    pub fn group_of(&self, step: &PlannedStep) -> Option<&Group> {
        self.group(step.group.as_deref()?)
    }

    /// Steps of the group with their places, in order.
    pub fn members<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = (usize, &'a PlannedStep)> {
        self.steps.iter().enumerate().filter(|(_, step)| step.group.as_deref() == Some(group.id.as_str()))
    }

    /// Places of the steps that must be settled before the one at `place` has its turn.
    pub fn waits_for(&self, place: usize) -> Vec<usize> {
        let Some(step) = self.steps.get(place) else { return Vec::new() };
        let Some(group) = self.group_of(step) else { return (0..place).collect() };
        let rests_on = |earlier: &PlannedStep| {
            let proves = earlier.proof_out.as_ref().is_some_and(|proof| step.proof_in.contains(proof));
            proves || step.loss_from.as_ref() == Some(&earlier.id)
        };
        let waits = |earlier: &PlannedStep| match &earlier.group {
            None => true,
            Some(other) if other == &group.id => group.is_chain(),
            Some(other) => group.needs.as_ref().is_none_or(|needs| needs.contains(other)),
        };
        let earlier = self.steps.iter().take(place).enumerate();
        earlier.filter(|(_, earlier)| waits(earlier) || rests_on(earlier)).map(|(at, _)| at).collect()
    }

    /// What the step's group makes of its order, for people; `None` where it just waits for all before it.
    pub fn order_of(&self, step: &PlannedStep) -> Option<String> {
        let group = self.group_of(step)?;
        let title = &group.title;
        let inside = match group.parallel {
            1 if group.is_chain() => format!("is part of “{title}”"),
            1 => format!("is one of “{title}”, of which one works at a time"),
            most => format!("works beside others of “{title}”, at most {most} at once"),
        };
        let waits = match group.needs.as_deref() {
            None => String::new(),
            Some([]) => "; it waits for no other group".to_owned(),
            Some(needs) => {
                let titles = needs.iter().filter_map(|need| Some(format!("“{}”", self.group(need)?.title)));
                format!("; it waits for {}", titles.collect::<Vec<_>>().join(" and "))
            }
        };
        let enough = group.join.map(|join| format!("; {join} of them are enough, the others are left out then"));
        Some(inside + &waits + &enough.unwrap_or_default())
    }
}
