//! The SQL text of a backup: as it lies in the store, or as `pg_restore` makes it of a custom-format dump, while it
//! streams. Nothing is kept on this machine's disk.

use super::Input;
use crate::model::content::Form;
use crate::model::estate::Server;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::decode::{self, Meter};
use crate::tasks::input::Stop;
use crate::tasks::pg::tools;
use crate::tasks::process::{self, Ended, Feed, Output, Program};
use futures::future::{BoxFuture, pending};
use futures::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

/// Pieces of text between `pg_restore` and whoever loads it.
const IN_FLIGHT: usize = 8;

pub struct Text<'a> {
    pub feed: Feed,
    /// What was read of the stored bytes.
    pub meter: Meter,
    /// Must be polled while the text is read. It ends only when the text cannot be made, and says why.
    pub making: BoxFuture<'a, Stop>,
}

pub async fn open<'a>(cx: &'a TaskContext, server: &Server, input: &Input) -> Result<Text<'a>, Stop> {
    let (stored, meter) = decode::open(cx, &input.source).await?;
    match input.source.content.form {
        Form::PlainSql => Ok(Text { feed: stored, meter, making: pending().boxed() }),
        Form::PgCustom => {
            let mut program = Program::new(tools::find(server, "pg_restore")?).args(["--format=custom", "--file=-"]);
            if input.without().owners {
                program = program.arg("--no-owner");
            }
            if input.without().privileges {
                program = program.arg("--no-privileges");
            }
            let (feed, making) = made(cx, program, stored);
            Ok(Text { feed, meter, making })
        }
        other => Err(Failure::new(format!("the backup is {other}, not a PostgreSQL dump"))
            .means("it cannot be loaded into a database; nothing was done")
            .next("choose a plain SQL or custom-format dump")
            .into()),
    }
}

/// What a program writes while it reads `stored`. The text ends well only after the program has.
fn made(cx: &TaskContext, program: Program, stored: Feed) -> (Feed, BoxFuture<'_, Stop>) {
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    let (good, end) = oneshot::channel();
    let making = async move {
        let input = process::Input { stream: stored, whole: true };
        let ended = process::run(program, Some(input), Output::Pieces(sender), cx).await;
        match ended.and_then(|ended| explain(&ended).map_err(Stop::Failed)) {
            Ok(()) => {
                // Nobody waits for it where the load has failed already.
                let _ = good.send(());
                pending().await
            }
            Err(stop) => stop,
        }
    };
    let end = async move { end.await.err().map(|_| Err(Failure::new("pg_restore was stopped"))) };
    let feed =
        ReceiverStream::new(receiver).map(Ok).chain(futures::stream::once(end).filter_map(futures::future::ready));
    (feed.boxed(), making.boxed())
}

fn explain(ended: &Ended) -> Result<(), Failure> {
    let Err(failure) = ended.success() else { return Ok(()) };
    let first = ended.stderr.iter().find(|line| line.contains("error:")).cloned();
    let mut told = Failure::new(first.map_or(failure.what, |line| escaped(&line).into_owned()));
    told.evidence = failure.evidence;
    Err(told
        .means("the dump cannot be read to its end; the side database will not be used, the live one was not touched")
        .next("choose another copy or an older backup"))
}
