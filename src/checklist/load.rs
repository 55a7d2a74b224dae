//! Checklist files into checklists: every problem at once, with its place.

use super::definition::{Check, Checklist, Item, Period};
use crate::health::rules;
use crate::located::{self, Fields, Located, Place, Problem, Problems, folder, nearest};
use crate::model::proof::Level;
use std::path::PathBuf;
use std::time::Duration;

/// The checklists that come with the program, in the order of their lists.
const BUILT_IN: [(&str, &str); 4] = [
    ("daily", include_str!("../../config/checklists/daily.toml")),
    ("weekly", include_str!("../../config/checklists/weekly.toml")),
    ("monthly", include_str!("../../config/checklists/monthly.toml")),
    ("quarterly", include_str!("../../config/checklists/quarterly.toml")),
];

const PERIODS: [(&str, Period); 4] =
    [("day", Period::Day), ("week", Period::Week), ("month", Period::Month), ("quarter", Period::Quarter)];

/// Everything that could be read, and what could not, ready to show. A checklist of the estate takes the place
/// of a built-in one of the same name; one that cannot be read takes it too, so that nobody ticks the wrong list.
pub fn all(dirs: &[PathBuf]) -> (Vec<Checklist>, Vec<String>) {
    let (mut lists, mut errors) = (Vec::new(), Vec::new());
    for (stem, text) in BUILT_IN {
        match parse(stem, "built in", text) {
            Ok(list) => lists.push(list),
            Err(problems) => errors.push(problems.to_string()),
        }
    }
    for file in folder::files("checklist", dirs, &mut errors) {
        let stem = folder::stem(&file);
        let at = lists.iter().position(|list| list.id == stem);
        let read = folder::text(&file)
            .and_then(|text| parse(&stem, &file.display().to_string(), &text).map_err(|problems| problems.to_string()));
        match (read, at) {
            (Ok(list), Some(at)) => lists[at] = list,
            (Ok(list), None) => lists.push(list),
            (Err(error), at) => {
                errors.push(error);
                if let Some(at) = at {
                    lists.remove(at);
                }
            }
        }
    }
    (lists, errors)
}

/// Reads one checklist. `stem` is its file name without extension, which is its id.
pub fn parse(stem: &str, origin: &str, text: &str) -> Result<Checklist, Problems> {
    located::read(&folder::shown(stem, origin), text, |fields| {
        let title = fields.required::<String>("title");
        let period = fields.need("period").and_then(|item| item.choice(&PERIODS));
        let place = fields.key_place("items").unwrap_or(Place::WHOLE);
        let mut seen = Vec::new();
        let items = fields.tables("items", |fields| item(fields, &mut seen));
        if seen.is_empty() {
            fields.report(Problem::at(&place, "a checklist needs at least one item").help("add an [[items]] table"));
        }
        Some(Checklist { id: stem.to_owned(), title: title?, period: period?, origin: origin.to_owned(), items })
    })
}

fn item(fields: &mut Fields<'_>, seen: &mut Vec<Located<String>>) -> Option<Item> {
    let id = fields.required::<Located<String>>("id");
    if let Some(id) = &id {
        if let Some(first) = seen.iter().find(|known| known.value == id.value) {
            let problem = Problem::at(&id.place, format!("there are two items `{}`", id.value));
            fields.report(problem.also(&first.place, "first named here"));
        }
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if id.value.is_empty() || !id.value.bytes().all(fits) {
            fields.report(Problem::at(&id.place, "an id is made of small letters, digits and `-`"));
        }
    }
    seen.extend(id.clone());
    let title = fields.required::<String>("title");
    let help = fields.optional::<String>("help").unwrap_or_default();
    let check = check(fields);
    Some(Item { id: id?.value, title: title?, help, check: check? })
}

fn check(fields: &mut Fields<'_>) -> Option<Check> {
    let rules = fields.take("rules").and_then(|item| item.read::<Vec<Located<String>>>());
    let proof = fields.table("proof", |fields| {
        let level = fields.required::<Level>("level");
        let within = fields.required::<Duration>("within");
        let within = chrono::Duration::from_std(within?).ok()?;
        Some(Check::Proof { level: level?, within })
    });
    let person = fields.optional::<String>("person").map(|asks| Check::Person { asks });
    let rules = rules.map(|rules| {
        for rule in &rules {
            known(rule, fields);
        }
        Check::Rules(rules.into_iter().map(|rule| rule.value).collect())
    });
    let given = ["rules", "proof", "person"].iter().filter(|key| fields.key_place(key).is_some()).count();
    if given != 1 {
        let problem = Problem::at(&fields.place, "an item is checked in exactly one way");
        fields.report(problem.help("write `rules`, `proof` or `person`"));
        return None;
    }
    rules.or(proof).or(person)
}

/// A slip in a rule's name would tick the item for ever.
fn known(rule: &Located<String>, fields: &Fields<'_>) {
    let names = || rules::ALL.iter().flat_map(|rule| rule.names.iter().copied());
    if names().all(|name| name != rule.value) {
        let problem = Problem::at(&rule.place, format!("there is no rule `{}`", rule.value));
        let all = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        fields.report(problem.suggest(nearest(&rule.value, names()), format!("the rules are {all}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_lists_are_whole() {
        let (lists, errors) = all(&[]);
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!(lists.iter().map(|list| list.id.as_str()).collect::<Vec<_>>(), BUILT_IN.map(|(id, _)| id));
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let text = "title = \"x\"\nperiod = \"dya\"\n[[items]]\nid = \"a\"\ntitle = \"A\"\nrules = [\"age-over-rop\"]\n\
                    [[items]]\nid = \"a\"\ntitle = \"B\"\nperson = \"?\"\nrules = [\"log-hole\"]\n";
        let problems = parse("x", "x.toml", text).unwrap_err().to_string();
        for part in ["x.toml:2:10", "did you mean `age-over-rpo`?", "two items `a`", "in exactly one way"] {
            assert!(problems.contains(part), "{part}: {problems}");
        }
    }
}
