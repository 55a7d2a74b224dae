//! `relight lesson`: what a run taught, with someone who sees to it.

use crate::cli::{Globals, Output, words};
use crate::model::text::escaped;
use crate::report::{Exit, Fault};
use crate::runner::lessons::{self, Lesson, Lessons};
use crate::runner::runs;
use color_eyre::eyre;
use serde::Serialize;

/// Write down what a run taught, or that a lesson is learnt; without options list its lessons
///
/// Lessons are kept in the run's folder and stand in its report, open ones first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of a run, an unambiguous beginning or end of one, or `latest`
    run: String,
    /// Who sees to it
    #[arg(long, value_name = "NAME", requires = "text", conflicts_with = "done")]
    owner: Option<String>,
    /// The lesson; with --done, how it was learnt
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Number of a lesson that is learnt
    #[arg(long, value_name = "NUMBER", requires = "text")]
    done: Option<u32>,
}

#[derive(Serialize)]
struct Body {
    lessons: Vec<Lesson>,
    /// Numbers of lines of the file that are no lessons.
    unreadable: Vec<u64>,
}

/// Longest text, in bytes.
const LONGEST: usize = 16 * 1024;

fn said(name: &str, text: &str) -> Result<String, Fault> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return Err(Fault::usage(format!("--{name} must be 1 to {LONGEST} bytes of text")));
    }
    Ok(text.to_owned())
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let folder = runs::choose(&setup.state_dir, &args.run)?;
    let (now, by) = (setup.clock.now(), setup.actor.clone());
    match (&args.owner, &args.text, args.done) {
        (_, Some(text), Some(number)) => lessons::close(&folder, number, &said("text", text)?, by, now)?,
        (Some(owner), Some(text), None) => {
            lessons::add(&folder, &said("owner", owner)?, &said("text", text)?, by, now)?;
        }
        (None, None, None) => {}
        _ => return Err(Fault::usage("a lesson needs an owner: --owner NAME --text TEXT").into()),
    }
    let Lessons { lessons, unreadable } = lessons::read(&folder)?;
    if out.json {
        out.document("lessons", 1, now, &Body { lessons, unreadable })?;
        return Ok(Exit::Fine);
    }
    for lesson in &lessons {
        let at = words::instant(lesson.at, setup.estate.time_zone);
        let (number, owner, text) = (lesson.number, escaped(&lesson.owner), escaped(&lesson.text));
        let standing =
            lesson.done.as_ref().map_or("open".to_owned(), |done| format!("learnt: {}", escaped(&done.text)));
        out.line(&format!("{number}. {text} ({owner}, {at}): {standing}"))?;
    }
    for line in &unreadable {
        out.line(&format!("line {line} of the file of lessons cannot be read; it stays there"))?;
    }
    if lessons.is_empty() {
        out.line(&format!("run {} has no lessons yet", folder.run))?;
    }
    Ok(Exit::Fine)
}
