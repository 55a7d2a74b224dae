//! Tells people through a program of theirs: an argument vector, no shell, and a limit.

use crate::model::task::Failure;
use crate::runner::Ground;
use crate::tasks::TaskFeed;
use crate::tasks::input::Stop;
use crate::tasks::process::{self, Output, Program};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// Runs `argv`, in whose words each `{name}` stands for its value. The error says what became of it.
pub async fn notify(ground: &Ground, argv: &[String], values: &[(&str, &str)]) -> Result<(), String> {
    let filled = |word: &String| {
        values.iter().fold(word.clone(), |word, (name, value)| word.replace(&format!("{{{name}}}"), value))
    };
    let mut words = argv.iter().map(filled);
    let program = Program::new(words.next().unwrap_or_default()).args(words);
    let cx = ground.to_plan(TaskFeed::silent());
    let mut ignore = |_: &[u8]| Ok::<(), Failure>(());
    let running = process::run(program, None, Output::Chunks(&mut ignore), &cx);
    let ended = tokio::time::timeout(LIMIT, running).await;
    let in_words = |failure: Failure| {
        let said = failure.evidence.last().map(|line| format!(": {line}")).unwrap_or_default();
        format!("{}{said}", failure.what)
    };
    match ended {
        Ok(Ok(ended)) => ended.success().map_err(in_words),
        Ok(Err(Stop::Failed(failure) | Stop::Unknown(failure))) => Err(in_words(failure)),
        Ok(Err(Stop::Cancelled(_))) => Err("it was cancelled".to_owned()),
        Err(_) => Err(format!("it did not end within {} s and was stopped", LIMIT.as_secs())),
    }
}
