//! One command on one host, its end, and what it said.

use super::ssh;
use crate::model::estate::{Host, Via};
use crate::model::id::HostId;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::process::{self, Feed, Input, Output, Program};
use bytes::Bytes;
use futures::StreamExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

/// Standard output beyond this is not kept.
const KEPT_BYTES: usize = 4 << 20;
/// Begins the line with which the far side of ssh tells how a command ended.
const MARK: &str = "relight-ended-";

pub struct Command {
    pub argv: Vec<String>,
    pub stdin: Option<Feed>,
    /// It is given up after this long.
    pub within: Duration,
    /// For messages.
    pub name: String,
    /// What it says on standard error is of no use to anyone who watches.
    pub quiet: bool,
}

impl Command {
    pub fn new<W: Into<String>>(argv: impl IntoIterator<Item = W>) -> Self {
        let argv: Vec<String> = argv.into_iter().map(Into::into).collect();
        let name = argv.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
        Self { name: escaped(name).into_owned(), argv, stdin: None, within: Duration::from_mins(1), quiet: false }
    }

    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Keeps its standard error for the case that it fails.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    #[must_use]
    pub fn stdin(self, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = Bytes::from(bytes.into());
        self.feed(futures::stream::once(async move { Ok(bytes) }).boxed())
    }

    /// Bytes for its input; when their stream breaks, so does the command.
    #[must_use]
    pub fn feed(mut self, stream: Feed) -> Self {
        self.stdin = Some(stream);
        self
    }
}

/// How a command ended, on whichever host: all of it was heard.
#[derive(Debug)]
pub struct Said {
    /// As a shell tells it: 128 and the signal's number for one that was killed.
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<String>,
}

impl Said {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The command's own no, where it said one.
    pub fn success(self, doing: &str, host: &Host) -> Result<Self, Failure> {
        if self.status == 0 {
            return Ok(self);
        }
        let failure = Failure::new(format!("{doing} on host `{}` ended with status {}", host.id, self.status));
        let text = self.text();
        let lines = self.stderr.iter().cloned().chain(text.lines().map(str::to_owned));
        Err(lines
            .filter(|line| !line.trim().is_empty())
            .take(40)
            .fold(failure, |failure, line| failure.evidence(escaped(&line).into_owned())))
    }
}

/// The configured host with this name.
pub fn find<'a>(cx: &'a TaskContext, id: &HostId) -> Result<&'a Host, Failure> {
    cx.estate.host(id).ok_or_else(|| {
        Failure::new(format!("host `{id}` is not configured"))
            .means("nothing was done")
            .next("add it under `[[hosts]]`, or make a new plan")
    })
}

/// Takes standard output while it comes; its failure ends the command.
pub type Sink<'a> = &'a mut (dyn FnMut(&[u8]) -> Result<(), Failure> + Send);

/// Runs a command to its end. `Stop::Failed` means that it never began, `Stop::Unknown` that nobody knows.
pub async fn run(cx: &TaskContext, host: &Host, command: Command) -> Result<Said, Stop> {
    speak_on(cx, host, command, None).await
}

/// The same for a command whose standard output is its work: all of it goes to `sink`, and none is kept.
pub async fn stream(cx: &TaskContext, host: &Host, command: Command, sink: Sink<'_>) -> Result<Said, Stop> {
    speak_on(cx, host, command, Some(sink)).await
}

async fn speak_on(cx: &TaskContext, host: &Host, mut command: Command, sink: Option<Sink<'_>>) -> Result<Said, Stop> {
    command.argv.splice(0..0, host.run_as.iter().cloned());
    match &host.via {
        Via::Ssh(to) => ssh::run(cx, host, to, command, sink).await,
        Via::Local => {
            let mut words = command.argv.into_iter();
            let program = Program::new(words.next().unwrap_or_default()).args(words);
            let how = Speech { stdin: command.stdin, within: command.within, quiet: command.quiet, sink };
            let spoken = speak(cx, program, how).await?;
            Ok(Said { status: spoken.status, stdout: spoken.stdout, stderr: spoken.stderr })
        }
    }
}

/// What a local program said until it ended.
pub(super) struct Spoken {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<String>,
    /// Lines with which the far side tells an end.
    pub marked: Vec<String>,
}

/// How a local program is spoken with; see [`Command`].
pub(super) struct Speech<'a> {
    pub stdin: Option<Feed>,
    pub within: Duration,
    pub quiet: bool,
    /// Without one, the beginning of standard output is kept.
    pub sink: Option<Sink<'a>>,
}

pub(super) async fn speak(cx: &TaskContext, program: Program, how: Speech<'_>) -> Result<Spoken, Stop> {
    let Speech { stdin, within, quiet, sink } = how;
    let name = program.name();
    let (mut stdout, mut marked) = (Vec::new(), Vec::new());
    let mut keep = |chunk: &[u8]| {
        let room = KEPT_BYTES.saturating_sub(stdout.len());
        stdout.extend_from_slice(&chunk[..chunk.len().min(room)]);
        Ok(())
    };
    let output = match sink {
        Some(sink) => Output::Chunks(sink),
        None => Output::Chunks(&mut keep),
    };
    let mut listen = |line: &str| {
        let is_mark = line.starts_with(MARK);
        if is_mark {
            marked.push(line.to_owned());
        }
        !is_mark && !quiet
    };
    let input = stdin.map(|stream| Input { stream, whole: false });
    let running = process::run_listening(program, input, output, &mut listen, cx);
    let Ok(ended) = tokio::time::timeout(within, running).await else {
        return Err(Stop::Unknown(
            Failure::new(format!("`{name}` did not end within {} s", within.as_secs()))
                .means("it was stopped from here; what it had done by then is not known")
                .next("look at the world again before anything is repeated"),
        ));
    };
    let ended = ended?;
    let status = ended.status.code().or_else(|| ended.status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
    Ok(Spoken { status, stdout, stderr: ended.stderr, marked })
}
