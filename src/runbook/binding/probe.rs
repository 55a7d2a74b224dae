//! A step's probes with their values.

use super::Binding;
use crate::runbook::definition::{PostTemplate, ProbeTemplate, Step};
use crate::runbook::probe::{Condition, Post, Probe, Watch};
use crate::runbook::template;
use std::time::Duration;

/// Time that probes have where the runbook names none: this, and the time for which they must hold once more.
const WITHIN: Duration = Duration::from_mins(2);
const LONGEST: Duration = Duration::from_hours(24);

impl Binding<'_> {
    pub(super) fn post(&self, step: &Step, place: &str, problems: &mut Vec<String>) -> Option<Post> {
        let of = step.post.as_ref()?;
        let place = format!("{place}, post");
        let probes = of.probes.iter().filter_map(|probe| self.probe(probe, &place, problems)).collect();
        match self.spans(of) {
            Ok((stable_for, within)) => Some(Post { probes, stable_for, within }),
            Err(why) => {
                problems.push(format!("{place}: {why}"));
                None
            }
        }
    }

    pub(super) fn stop_if(&self, step: &Step, place: &str, problems: &mut Vec<String>) -> Option<Watch> {
        let of = step.stop_if.as_ref()?;
        let place = format!("{place}, stop_if");
        let probes = of.probes.iter().filter_map(|probe| self.probe(probe, &place, problems)).collect();
        Some(Watch { probes, every: of.every })
    }

    fn spans(&self, of: &PostTemplate) -> Result<(Duration, Duration), String> {
        let span = |text: Option<&String>| text.map(|text| self.span(text)).transpose();
        let stable_for = span(of.stable_for.as_ref())?.unwrap_or_default();
        let within = span(of.within.as_ref())?.unwrap_or(WITHIN + 2 * stable_for);
        if within <= stable_for {
            return Err(format!(
                "what must hold for {} cannot do so within {}",
                humantime::format_duration(stable_for),
                humantime::format_duration(within)
            ));
        }
        Ok((stable_for, within))
    }

    fn span(&self, text: &str) -> Result<Duration, String> {
        let text = template::render_text(text, &self.context()).map_err(|error| error.to_string())?;
        match humantime::parse_duration(text.trim()) {
            Ok(span) if span <= LONGEST => Ok(Duration::from_secs(span.as_millis().div_ceil(1000) as u64)),
            Ok(_) => Err("a step is watched for at most 24h".to_owned()),
            Err(error) => Err(format!("`{}` is no duration: {error}", crate::model::text::escaped(&text))),
        }
    }

    pub(super) fn probe(&self, of: &ProbeTemplate, place: &str, problems: &mut Vec<String>) -> Option<Probe> {
        let context = self.context();
        let mut keep = |problem: String| problems.push(format!("{place}: {problem}"));
        let title = template::render_text(&of.title, &context).map_err(|error| keep(error.to_string())).ok();
        let task = self.task(&of.task, &of.task.module).map_err(|all| all.into_iter().for_each(&mut keep)).ok();
        let mut conditions = Vec::new();
        for condition in &of.conditions {
            let value = template::render_deep(&condition.value, &context).map_err(|error| error.to_string());
            match value.and_then(|value| Condition { value, ..condition.clone() }.settled()) {
                Ok(condition) => conditions.push(condition),
                Err(why) => keep(why),
            }
        }
        Some(Probe { title: title?, task: task?, conditions })
    }
}
