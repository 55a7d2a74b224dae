//! The `[[groups]]` tables, and what makes of them an order of the steps.

use super::scope::Scope;
use super::{filled, well_named};
use crate::located::{Fields, Item, Located, Place, Problem, nearest};
use crate::model::task::Effect;
use crate::runbook::definition::{Action, Confirm, Step};
use crate::runbook::group::Group;

/// Most steps of a group that work at once.
const MOST: u32 = 16;

/// A group with the place of its name.
pub type Found = (Group, Place);

/// All tables of the runbook.
pub fn read_all(fields: &mut Fields<'_>) -> Vec<Found> {
    let mut groups = Vec::new();
    fields.tables("groups", |fields| {
        groups.extend(read(fields, &groups));
        Some(())
    });
    groups
}

/// Reads one table; `earlier` are those before it, which it may need.
fn read(fields: &mut Fields<'_>, earlier: &[Found]) -> Option<Found> {
    let id = fields.required::<Located<String>>("id");
    if let Some(id) = &id {
        well_named(id, |problem| fields.report(problem));
        if let Some((_, first)) = earlier.iter().find(|(group, _)| group.id == id.value) {
            let message = format!("two groups are called `{}`", id.value);
            fields.report(Problem::at(&id.place, message).also(first, "first named here"));
        }
    }
    let title = fields.need("title").and_then(|item| filled(&item));
    let needs = fields.optional::<Vec<Located<String>>>("needs");
    for need in needs.iter().flatten() {
        let known = || earlier.iter().map(|(group, _)| group.id.as_str());
        if !known().any(|group| group == need.value) {
            let message = format!("there is no earlier group `{}` to wait for", need.value);
            fields.report(Problem::at(&need.place, message).suggest(nearest(&need.value, known()), "name one above"));
        }
    }
    let parallel = fields.take("parallel").and_then(|item| within(&item, "lie between 1 and 16"));
    let join = fields.take("join").and_then(|item| join(&item));
    let id = id?;
    let group = Group {
        id: id.value,
        title: title?,
        needs: needs.map(|needs| needs.into_iter().map(|need| need.value).collect()),
        parallel: parallel.unwrap_or(1),
        join,
    };
    Some((group, id.place))
}

fn within(item: &Item<'_>, wanted: &str) -> Option<u32> {
    match item.read::<u32>()? {
        number if (1..=MOST).contains(&number) => Some(number),
        _ => item.refuse(wanted),
    }
}

/// How many are enough; `None` for `"all"`.
fn join(item: &Item<'_>) -> Option<u32> {
    const WANTED: &str = "be \"all\", \"any\" or a number between 1 and 16";
    if !item.is_string() {
        return within(item, WANTED);
    }
    match item.read::<String>()?.as_str() {
        "all" => None,
        "any" => Some(1),
        _ => item.refuse(WANTED),
    }
}

/// The `group` of a step.
pub fn named(fields: &mut Fields<'_>, scope: &Scope<'_>) -> Option<String> {
    let group = fields.optional::<Located<String>>("group")?;
    let known = || scope.groups.iter().map(|(group, _)| group.id.as_str());
    if !known().any(|id| id == group.value) {
        let message = format!("there is no group `{}`", group.value);
        let near = nearest(&group.value, known());
        fields.report(Problem::at(&group.place, message).suggest(near, "add a [[groups]] table"));
    }
    Some(group.value)
}

/// What only the whole runbook tells: each group's steps stand together, after those of the groups that it needs, and
/// can do what the group asks of them.
pub fn check(groups: &[Found], steps: &[Step], seen: &[Located<String>], mut report: impl FnMut(Problem)) {
    let place =
        |step: &Step| seen.iter().find(|seen| seen.value == step.id.as_str()).map_or(Place::WHOLE, |seen| seen.place);
    for (group, at) in groups {
        let members: Vec<(usize, &Step)> =
            steps.iter().enumerate().filter(|(_, step)| step.group.as_ref() == Some(&group.id)).collect();
        let (Some((first, _)), Some((last, _))) = (members.first(), members.last()) else {
            let message = format!("no step belongs to the group `{}`", group.id);
            report(Problem::at(at, message).help(format!("group = \"{}\" at its steps", group.id)));
            continue;
        };
        if last - first >= members.len() {
            let message = format!("the steps of the group `{}` do not stand together", group.id);
            report(Problem::at(&place(members[members.len() - 1].1), message).also(at, "the group is named here"));
        }
        let behind = |need: &&String| steps.iter().skip(*first).any(|step| step.group.as_ref() == Some(*need));
        for need in group.needs.iter().flatten().filter(behind) {
            let message = format!("the group `{}` needs `{need}`, whose steps come after its own", group.id);
            report(
                Problem::at(at, message).help("let the steps of a group stand after those of the groups that it needs"),
            );
        }
        for (_, step) in &members {
            if let Some(problem) = unfit(group, step) {
                report(Problem::at(&place(step), problem).also(at, "the group is named here"));
            }
        }
        if group.join.is_some_and(|join| join as usize > members.len()) {
            let message = format!("the group `{}` asks for more steps than it has ({})", group.id, members.len());
            report(Problem::at(at, message));
        }
    }
}

/// Why the step cannot be one of the group.
fn unfit(group: &Group, step: &Step) -> Option<String> {
    let (id, name) = (&step.id, &group.id);
    if step.commit.is_some() {
        return Some(format!("`{id}` is the commit point: everything before it comes first, so it stands in no group"));
    }
    let task = matches!(step.action, Action::Task(_));
    if group.join.is_some() && (!task || step.effect != Effect::Observe || step.proof_out.is_some()) {
        return Some(format!(
            "`{id}` cannot be left out once enough of `{name}` are done: only steps that read, and give no proof, can"
        ));
    }
    let alone = !task
        || step.effect > Effect::Costly
        || step.confirm == Confirm::Phrase
        || step.target.is_some()
        || step.approve.is_some();
    (group.parallel > 1 && alone).then(|| {
        format!(
            "`{id}` works alone, so it cannot be one of `{name}`, whose steps work beside one another: a person does or \
             approves it, it has a target or a phrase, or it cannot be taken back"
        )
    })
}
