//! `relight modules`: everything that a step of a runbook can use, from the one table that runs it.

use crate::cli::table::{Cell, Table};
use crate::cli::{Output, Tone};
use crate::model::task::Effect;
use crate::model::time::Timestamp;
use crate::report::Exit;
use crate::tasks::{InputKind, Module, Reach, table};
use color_eyre::eyre;
use serde::Serialize;

/// List the task modules that runbooks are made of
///
/// With a name: one module with its inputs. `--markdown` prints the reference that stands in
/// config/runbooks/MODULES.md.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of a module, or the beginning of some: `pg.restore`, `backup.`
    name: Option<String>,
    /// Print the reference
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    summary: &'static str,
    effect: Effect,
    inputs: Vec<InputRow>,
    outputs: &'static [&'static str],
    idempotent: bool,
    undo: &'static str,
    drills: String,
    programs: &'static [&'static str],
    /// What it counts before it begins, so that a `limit` can hold it to that.
    counts: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct InputRow {
    name: &'static str,
    kind: &'static str,
    required: bool,
    help: &'static str,
}

#[derive(Serialize)]
struct Body<'a> {
    modules: &'a [Row],
}

pub fn run(args: &Args, now: Timestamp, out: &mut Output) -> eyre::Result<Exit> {
    let all = table::all();
    let wanted = args.name.as_deref().unwrap_or_default();
    let rows: Vec<Row> = all.modules().map(row).filter(|row| row.name.starts_with(wanted)).collect();
    if rows.is_empty() {
        let known = all.modules().map(|module| module.spec().name);
        let near = crate::located::nearest(wanted, known).map(|name| format!("did you mean `{name}`?"));
        let fault = crate::report::Fault::usage(format!("there is no module `{wanted}`"));
        return Err(fault.hint(near.unwrap_or_else(|| "`relight modules` lists them".to_owned())).into());
    }
    if args.markdown {
        out.raw(markdown(&rows).as_bytes())?;
    } else if out.json {
        out.document("modules", 1, now, &Body { modules: &rows })?;
    } else if let [one] = rows.as_slice() {
        details(one, out)?;
    } else {
        let mut table = Table::new(&["MODULE", "EFFECT", "AGAIN", "DRILLS", "WHAT IT DOES"]);
        for row in &rows {
            let again = if row.idempotent { "yes" } else { "no" };
            table.row([
                Cell::new(Tone::Strong, row.name),
                row.effect.to_string().into(),
                again.into(),
                (&row.drills).into(),
                row.summary.into(),
            ]);
        }
        table.print(out)?;
    }
    Ok(Exit::Fine)
}

fn row(module: &dyn Module) -> Row {
    let spec = module.spec();
    let inputs = spec.inputs.iter().map(|input| InputRow {
        name: input.name,
        kind: kind(input.kind),
        required: input.required,
        help: input.help,
    });
    Row {
        name: spec.name,
        summary: spec.summary,
        effect: spec.effect,
        inputs: inputs.collect(),
        outputs: spec.outputs,
        idempotent: spec.idempotent,
        undo: spec.undo,
        drills: drills(module),
        programs: spec.programs,
        counts: counts(module),
    }
}

fn counts(module: &dyn Module) -> Vec<&'static str> {
    let counts = module.counts();
    [(counts.objects, "objects"), (counts.bytes, "bytes")]
        .into_iter()
        .filter_map(|(may, word)| may.then_some(word))
        .collect()
}

const fn kind(kind: InputKind) -> &'static str {
    match kind {
        InputKind::Text => "text",
        InputKind::Integer => "integer",
        InputKind::Flag => "flag",
        InputKind::List => "list",
        InputKind::Table => "table",
    }
}

/// What a drill may do with it, from where it reaches.
fn drills(module: &dyn Module) -> String {
    let place = match (module.spec().effect, module.reach()) {
        (Effect::Observe, _) => "looks",
        (_, None) => "never",
        (_, Some(Reach::RunFolder)) => "run's folder",
        (_, Some(Reach::Databases { .. })) => "scratch database",
        (_, Some(Reach::Folders { .. })) => "scratch folder",
        (_, Some(Reach::Servers { .. })) => "scratch server",
        (_, Some(Reach::Images { .. })) => "scratch tag",
        (_, Some(Reach::Traffic { .. })) => "scratch traffic",
    };
    match module.makes() {
        Some(makes) => format!("{place}, cleared by {}", makes.remove),
        None => place.to_owned(),
    }
}

fn details(row: &Row, out: &mut Output) -> eyre::Result<()> {
    let name = out.toned(Tone::Strong, row.name);
    out.line(&format!("{name}: {}", row.summary))?;
    let again = if row.idempotent { "does no harm" } else { "is not safe" };
    for (what, text) in [
        ("effect", row.effect.to_string()),
        ("again", format!("running it twice {again}")),
        ("undo", row.undo.to_owned()),
        ("drills", row.drills.clone()),
        ("counts", row.counts.join(", ")),
        ("programs", row.programs.join(", ")),
        ("outputs", row.outputs.join(", ")),
    ] {
        if !text.is_empty() {
            out.line(&format!("  {what:<9} {text}"))?;
        }
    }
    out.line("")?;
    let mut table = Table::new(&["INPUT", "KIND", "NEEDED", "MEANING"]);
    for input in &row.inputs {
        let needed = if input.required { "yes" } else { "" };
        table.row([Cell::new(Tone::Strong, input.name), input.kind.into(), needed.into(), input.help.into()]);
    }
    Ok(table.print(out)?)
}

const PREFACE: &str = "# Task modules\n\n\
    What a step's `use` can name. This page is what `relight modules --markdown` prints; a test holds it to that.\n\
    *Again* says whether running a module twice with the same input does no harm. *Drills* says where a drill lets it\n\
    work: a module that changes something and has no place there never runs in one. Inputs in *italics* may be left out.\n";

const LIMITS: &str = "\n## Limits\n\n\
    What these modules would touch they count before they begin; a step's `limit` holds them to it:\n\n";

fn markdown(rows: &[Row]) -> String {
    let mut text = PREFACE.to_owned();
    let mut subject = "";
    for row in rows {
        let (of, _) = row.name.split_once('.').unwrap_or((row.name, ""));
        if of != subject {
            subject = of;
            text.push_str(&format!(
                "\n## {subject}\n\n| module | what it does | effect | inputs | again | undo | drills |\n|---|---|---|---|---|---|---|\n"
            ));
        }
        let input = |input: &InputRow| {
            if input.required { input.name.to_owned() } else { format!("*{}*", input.name) }
        };
        let inputs: Vec<String> = row.inputs.iter().map(input).collect();
        let cells = [
            format!("`{}`", row.name),
            row.summary.to_owned(),
            row.effect.to_string(),
            inputs.join(", "),
            if row.idempotent { "yes" } else { "no" }.to_owned(),
            row.undo.to_owned(),
            row.drills.clone(),
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text.push_str(LIMITS);
    for row in rows.iter().filter(|row| !row.counts.is_empty()) {
        text.push_str(&format!("- `{}`: {}\n", row.name, row.counts.join(", ")));
    }
    text
}
