//! Looks at the world beside a step's own work: what must hold after it before it counts as done,
//! and what stops it while it runs.

use crate::model::size::ByteCount;
use crate::model::task::{TaskOutcome, TaskSpec, Values};
use crate::model::text::escaped;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

/// Name under which an intent to look at a step's probes is written down.
pub const PROBES: &str = "probes";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    Is,
    IsNot,
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Compare {
    pub const fn word(self) -> &'static str {
        match self {
            Compare::Is => "is",
            Compare::IsNot => "is not",
            Compare::AtLeast => "is at least",
            Compare::AtMost => "is at most",
            Compare::Above => "is above",
            Compare::Below => "is below",
        }
    }

    /// Whether it needs numbers on both sides.
    pub const fn orders(self) -> bool {
        !matches!(self, Compare::Is | Compare::IsNot)
    }
}

/// What one output of a probe must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    pub output: String,
    pub compare: Compare,
    /// In a runbook a template, in a plan its value.
    pub value: Value,
}

/// A value of an output as people read it.
fn shown(output: &str, value: &Value) -> String {
    match value {
        Value::Number(number) if output.ends_with("bytes") => {
            number.as_u64().map_or_else(|| number.to_string(), |bytes| ByteCount(bytes).to_string())
        }
        Value::String(text) => escaped(text).into_owned(),
        other => escaped(&other.to_string()).into_owned(),
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.output, self.compare.word(), shown(&self.output, &self.value))
    }
}

impl Condition {
    /// The condition with its value as a comparison needs it: a number, where it orders; sizes such as `2GB` are
    /// numbers of bytes.
    pub fn settled(mut self) -> Result<Self, String> {
        if !self.compare.orders() {
            return match &self.value {
                Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(self),
                other => Err(format!("`{}` cannot be compared with {other}", self.output)),
            };
        }
        if let Value::String(text) = &self.value {
            let size: ByteCount = text.parse().map_err(|_| {
                format!("`{}` is compared with `{}`, which is no number and no size", self.output, escaped(text))
            })?;
            self.value = Value::from(size.0);
        }
        match self.value {
            Value::Number(_) => Ok(self),
            other => Err(format!("`{}` {} needs a number, not {other}", self.output, self.compare.word())),
        }
    }

    /// `Ok` with what was seen, and whether it is as it must be. `Err`: it could not be seen.
    fn judge(&self, output: &Values) -> Result<(bool, String), String> {
        let found = output.get(&self.output).filter(|value| !value.is_null());
        let found = found.ok_or_else(|| format!("the look told no `{}`", self.output))?;
        let seen = format!("{} is {}", self.output, shown(&self.output, found));
        let holds = match self.compare {
            Compare::Is => alike(found, &self.value),
            Compare::IsNot => !alike(found, &self.value),
            ordered => {
                let order = order(found, &self.value).ok_or_else(|| format!("{seen}, which is no number"))?;
                match ordered {
                    Compare::AtLeast => order.is_ge(),
                    Compare::AtMost => order.is_le(),
                    Compare::Above => order.is_gt(),
                    _ => order.is_lt(),
                }
            }
        };
        Ok((holds, seen))
    }
}

/// Equal as people read them: a number and the text that writes it are.
fn alike(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    a == b || text(a) == text(b)
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// One look, and what must be seen. Without conditions the module's own verdict counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    pub title: String,
    pub task: TaskSpec,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// What one look says; each with what was seen, or why nothing was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    Holds(String),
    Fails(String),
    /// It could not be looked at: neither yes nor no.
    Unseen(String),
}

impl Probe {
    pub fn judge(&self, outcome: &TaskOutcome) -> Sight {
        let output = match outcome {
            TaskOutcome::Done { output } => output,
            TaskOutcome::Failed { failure } if self.conditions.is_empty() => return Sight::Fails(failure.what.clone()),
            TaskOutcome::Failed { failure } | TaskOutcome::Unknown { failure } => {
                return Sight::Unseen(failure.what.clone());
            }
            TaskOutcome::Cancelled { .. } => return Sight::Unseen("the look was cut off".to_owned()),
        };
        if self.conditions.is_empty() {
            return Sight::Holds("it holds".to_owned());
        }
        let (mut seen, mut wrong, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
        for condition in &self.conditions {
            match condition.judge(output) {
                Ok((true, what)) => seen.push(what),
                Ok((false, what)) => wrong.push(format!("{what} ({condition} is wanted)")),
                Err(why) => unseen.push(why),
            }
        }
        if !wrong.is_empty() {
            Sight::Fails(wrong.join("; "))
        } else if !unseen.is_empty() {
            Sight::Unseen(unseen.join("; "))
        } else {
            Sight::Holds(seen.join("; "))
        }
    }

    /// `“title”: role is primary` for a plan's preview.
    pub fn wanted(&self) -> String {
        let conditions: Vec<String> = self.conditions.iter().map(ToString::to_string).collect();
        match conditions.as_slice() {
            [] => format!("“{}” ({} ends well)", self.title, self.task.module),
            all => format!("“{}” ({}: {})", self.title, self.task.module, all.join(", ")),
        }
    }
}

/// What stops a step's work: each probe names a condition that must not come true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    pub probes: Vec<Probe>,
    /// Between two looks.
    #[serde(with = "crate::model::objective::seconds")]
    pub every: Duration,
}

impl Watch {
    /// On what it stops, in one line.
    pub fn wanted(&self) -> String {
        let probes: Vec<String> = self.probes.iter().map(Probe::wanted).collect();
        format!("{}, looked at every {}", probes.join(" or "), humantime::format_duration(self.every))
    }
}

/// What must hold after a step's work before the step is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Post {
    pub probes: Vec<Probe>,
    /// How long all of it must hold on end.
    #[serde(with = "crate::model::objective::seconds")]
    pub stable_for: Duration,
    /// Until when.
    #[serde(with = "crate::model::objective::seconds")]
    pub within: Duration,
}

impl Post {
    /// As the task that looks; its input is all of this.
    pub fn task(&self) -> TaskSpec {
        let input = serde_json::to_value(self).ok().and_then(|value| value.as_object().cloned()).unwrap_or_default();
        TaskSpec { module: PROBES.to_owned(), input }
    }

    /// What it wants, in one line.
    pub fn wanted(&self) -> String {
        let probes: Vec<String> = self.probes.iter().map(Probe::wanted).collect();
        let secs = |span: Duration| humantime::format_duration(span).to_string();
        let stable = match self.stable_for {
            Duration::ZERO => String::new(),
            span => format!(" for {} on end", secs(span)),
        };
        format!("{}{stable}, within {}", probes.join(" and "), secs(self.within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::task::Failure;
    use serde_json::json;

    fn probe(compare: Compare, value: Value) -> Probe {
        let condition = Condition { output: "free_bytes".to_owned(), compare, value }.settled().unwrap();
        let task = TaskSpec { module: "test.look".to_owned(), input: Values::new() };
        Probe { title: "Room".to_owned(), task, conditions: vec![condition] }
    }

    fn seen(value: Value) -> TaskOutcome {
        TaskOutcome::Done { output: [("free_bytes".to_owned(), value)].into_iter().collect() }
    }

    #[test]
    fn sizes_are_compared_as_numbers() {
        let room = probe(Compare::AtLeast, json!("2GB"));
        assert_eq!(room.judge(&seen(json!(2_000_000_000_u64))), Sight::Holds("free_bytes is 2.00 GB".to_owned()));
        let Sight::Fails(why) = room.judge(&seen(json!(5_000))) else { panic!("it holds") };
        assert_eq!(why, "free_bytes is 5.00 kB (free_bytes is at least 2.00 GB is wanted)");
        assert!(matches!(probe(Compare::Below, json!(7)).judge(&seen(json!(6.5))), Sight::Holds(_)));
    }

    #[test]
    fn what_cannot_be_seen_is_neither_yes_nor_no() {
        let room = probe(Compare::AtLeast, json!(1));
        for outcome in [
            seen(Value::Null),
            seen(json!("many")),
            TaskOutcome::Failed { failure: Failure::new("no connection") },
            TaskOutcome::Unknown { failure: Failure::new("no answer") },
            TaskOutcome::Done { output: Values::new() },
        ] {
            assert!(matches!(room.judge(&outcome), Sight::Unseen(_)), "{outcome:?}");
        }
    }

    #[test]
    fn a_probe_without_conditions_has_its_own_verdict() {
        let own = Probe { conditions: Vec::new(), ..probe(Compare::Is, json!(1)) };
        let failed = TaskOutcome::Failed { failure: Failure::new("not well") };
        assert_eq!(own.judge(&failed), Sight::Fails("not well".to_owned()));
        assert!(matches!(own.judge(&seen(json!(1))), Sight::Holds(_)));
    }

    #[test]
    fn what_has_no_order_is_not_ordered() {
        let condition = |compare, value| Condition { output: "role".to_owned(), compare, value }.settled();
        assert!(condition(Compare::Above, json!("primary")).is_err());
        assert!(condition(Compare::AtMost, json!(true)).is_err());
        assert!(condition(Compare::Is, Value::Null).is_err());
        assert!(condition(Compare::Is, json!("primary")).is_ok());
    }
}
