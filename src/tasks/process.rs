//! Programs as children: argument vectors, a clean environment, an own process group, bounded output.
//!
//! Standard input is fed from a stream. When that stream breaks, the child is killed before its input is
//! closed, so that no program takes half of its input for all of it.

use super::context::{Cancel, TaskContext, TaskFeed};
use super::input::Stop;
use crate::model::task::Failure;
use crate::model::text::escaped;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

/// How long a group may take to leave after being asked.
const GRACE: Duration = Duration::from_secs(5);
/// Lines kept of the beginning and of the end of what a program says on standard error.
const KEPT_LINES: usize = 40;
/// Longer lines are cut here.
const LINE_BYTES: usize = 4096;

/// What to run.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
}

impl Program {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let mut env: Vec<(OsString, OsString)> =
            [("LC_ALL", "C.UTF-8"), ("TZ", "UTC"), ("HOME", "/nonexistent")].map(|(k, v)| (k.into(), v.into())).into();
        if let Some(path) = std::env::var_os("PATH") {
            env.push(("PATH".into(), path));
        }
        Self { path: path.into(), args: Vec::new(), env }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn envs<K: Into<OsString>, V: Into<OsString>>(mut self, envs: impl IntoIterator<Item = (K, V)>) -> Self {
        self.env.extend(envs.into_iter().map(|(k, v)| (k.into(), v.into())));
        self
    }

    /// Name for messages.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        escaped(&name.to_string_lossy()).into_owned()
    }
}

/// Bytes for standard input. The first error ends the child.
pub type Feed = BoxStream<'static, Result<Bytes, Failure>>;

/// Standard input of a child.
pub struct Input {
    pub stream: Feed,
    /// The stream must end well even where the child needs less of it: what it did not read is read for it.
    pub whole: bool,
}

/// What happens to standard output.
pub enum Output<'a> {
    /// Line by line into the task's feed.
    Lines,
    /// Every chunk to this function; a failure ends the child.
    Chunks(&'a mut (dyn FnMut(&[u8]) -> Result<(), Failure> + Send)),
    /// Every chunk to whoever holds the other end, at their pace; when they are gone, the pipe is closed.
    Pieces(mpsc::Sender<Bytes>),
}

/// How a program ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub program: String,
    pub status: ExitStatus,
    /// First and last lines of standard error, untrusted.
    pub stderr: Vec<String>,
    /// The program closed its input before all of it was handed over.
    pub input_cut: bool,
}

impl Ended {
    /// The program's own no, where it said one.
    pub fn success(&self) -> Result<(), Failure> {
        if self.status.success() {
            return Ok(());
        }
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("`{}` ended with status {code}", self.program),
            (None, Some(signal)) => format!("`{}` was killed by signal {}", self.program, named(signal)),
            (None, None) => format!("`{}` ended in an unknown way", self.program),
        };
        let mut failure = Failure::new(how);
        for line in &self.stderr {
            failure = failure.evidence(escaped(line).into_owned());
        }
        Err(failure)
    }
}

/// A signal as operators know it, with what usually sends it.
fn named(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        6 => "SIGABRT: it gave itself up",
        7 => "SIGBUS: it crashed",
        9 => "SIGKILL: someone killed it, or the kernel did when memory ran out",
        11 => "SIGSEGV: it crashed",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return signal.to_string(),
    };
    format!("{signal} ({name})")
}

/// Runs a program to its end, or kills its whole group when the task is cancelled or its input breaks.
pub async fn run(program: Program, input: Option<Input>, output: Output<'_>, cx: &TaskContext) -> Result<Ended, Stop> {
    run_listening(program, input, output, &mut |_| true, cx).await
}

/// The same, with a look at each line of standard error: whether it is told as it comes. All are kept for the end.
pub async fn run_listening(
    program: Program,
    input: Option<Input>,
    output: Output<'_>,
    listen: &mut (dyn FnMut(&str) -> bool + Send),
    cx: &TaskContext,
) -> Result<Ended, Stop> {
    let name = program.name();
    let mut child = spawn(&program, input.is_some())?;
    let mut group = Group::of(&child);
    let mut stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut tail = Tail::default();
    let whole = input.as_ref().is_some_and(|input| input.whole);

    let ended = {
        let feeding = feed(&mut stdin, input);
        let reading = async {
            tokio::try_join!(read_output(stdout, output, &cx.feed), read_errors(stderr, &mut tail, listen, &cx.feed))
        };
        tokio::pin!(feeding, reading);
        watch(&mut child, feeding, reading, whole, &cx.cancel, &name).await
    };
    match ended {
        Ok((status, input_cut)) => {
            group.sweep();
            Ok(Ended { program: name, status, stderr: tail.lines(), input_cut })
        }
        Err(stop) => {
            // Only now, with the group gone, may the input be closed: see the module's first lines.
            group.end(&mut child).await;
            drop(stdin);
            Err(tail.lines().into_iter().fold(stop, |stop, line| stop.evidence(escaped(&line).into_owned())))
        }
    }
}

/// Follows the child and its pipes until the child and its output have ended.
async fn watch<F, R, T>(
    child: &mut Child,
    mut feeding: std::pin::Pin<&mut F>,
    mut reading: std::pin::Pin<&mut R>,
    whole: bool,
    cancel: &Cancel,
    name: &str,
) -> Result<(ExitStatus, bool), Stop>
where
    F: Future<Output = Result<bool, Failure>>,
    R: Future<Output = Result<T, Failure>>,
{
    let (mut fed, mut read, mut status) = (None, false, None);
    loop {
        tokio::select! {
            biased;
            reason = cancel.cancelled() => return Err(Stop::Cancelled(reason)),
            result = feeding.as_mut(), if fed.is_none() => fed = Some(result?),
            result = reading.as_mut(), if !read => { result?; read = true; }
            result = child.wait(), if status.is_none() => match result {
                Ok(ended) => status = Some(ended),
                Err(error) => return Err(Stop::Unknown(Failure::new(format!("the end of `{name}` could not be read: {error}")))),
            },
            // Someone whom the child left behind holds its output open: sweep them away.
            () = tokio::time::sleep(GRACE), if status.is_some() && !read => read = true,
        }
        let owed = whole && fed.is_none() && status.is_some_and(|status: ExitStatus| status.success());
        if let (Some(status), true, false) = (status, read, owed) {
            return Ok((status, fed.unwrap_or(true)));
        }
    }
}

fn spawn(program: &Program, piped: bool) -> Result<Child, Failure> {
    let mut command = Command::new(&program.path);
    command
        .args(&program.args)
        .env_clear()
        .envs(program.env.iter().map(|(k, v)| (k, v)))
        .current_dir("/")
        .stdin(if piped { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command.spawn().map_err(|error| {
        Failure::new(format!("`{}` could not be started: {error}", escaped(&program.path.to_string_lossy())))
            .means("nothing was done")
            .next("install the program, or say where it is with `bin_dir`")
    })
}

/// Hands the stream over. `Ok(true)`: the child stopped reading before the end. The pipe is closed only
/// after the stream ended well; after an error the caller still holds it.
async fn feed(stdin: &mut Option<ChildStdin>, input: Option<Input>) -> Result<bool, Failure> {
    let (Some(pipe), Some(Input { mut stream, whole })) = (stdin.as_mut(), input) else { return Ok(false) };
    let mut cut = false;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        cut = cut || pipe.write_all(&chunk).await.is_err();
        if cut && !whole {
            break;
        }
    }
    stdin.take();
    Ok(cut)
}

async fn read_output(
    pipe: Option<impl AsyncRead + Unpin>,
    output: Output<'_>,
    lines: &TaskFeed,
) -> Result<(), Failure> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut buffer = vec![0; 64 * 1024];
    let mut splitter = Splitter::default();
    let mut output = output;
    loop {
        // A broken output pipe ends like a closed one; the exit status tells what happened.
        let count = pipe.read(&mut buffer).await.unwrap_or(0);
        match &mut output {
            Output::Chunks(take) if count > 0 => take(&buffer[..count])?,
            Output::Pieces(to) if count > 0 => {
                if to.send(Bytes::copy_from_slice(&buffer[..count])).await.is_err() {
                    return Ok(());
                }
            }
            Output::Chunks(_) | Output::Pieces(_) => {}
            Output::Lines => splitter.push(&buffer[..count], count == 0, |line| lines.line(line)),
        }
        if count == 0 {
            return Ok(());
        }
    }
}

async fn read_errors(
    pipe: Option<impl AsyncRead + Unpin>,
    tail: &mut Tail,
    listen: &mut (dyn FnMut(&str) -> bool + Send),
    lines: &TaskFeed,
) -> Result<(), Failure> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut buffer = vec![0; 8 * 1024];
    let mut splitter = Splitter::default();
    loop {
        let count = pipe.read(&mut buffer).await.unwrap_or(0);
        splitter.push(&buffer[..count], count == 0, |line| {
            if listen(&line) {
                lines.line(line.clone());
            }
            tail.push(line);
        });
        if count == 0 {
            return Ok(());
        }
    }
}

/// Cuts bytes into lines of bounded length.
#[derive(Default)]
struct Splitter(Vec<u8>);

impl Splitter {
    fn push(&mut self, bytes: &[u8], last: bool, mut each: impl FnMut(String)) {
        for &byte in bytes {
            if byte == b'\n' {
                each(String::from_utf8_lossy(&self.0).into_owned());
                self.0.clear();
            } else if self.0.len() < LINE_BYTES {
                self.0.push(byte);
            }
        }
        if last && !self.0.is_empty() {
            each(String::from_utf8_lossy(&self.0).into_owned());
            self.0.clear();
        }
    }
}

/// The first and the last lines of something long.
#[derive(Default)]
struct Tail {
    first: Vec<String>,
    last: VecDeque<String>,
    dropped: u64,
}

impl Tail {
    fn push(&mut self, line: String) {
        if self.first.len() < KEPT_LINES {
            self.first.push(line);
            return;
        }
        if self.last.len() == KEPT_LINES {
            self.last.pop_front();
            self.dropped += 1;
        }
        self.last.push_back(line);
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = self.first.clone();
        if self.dropped > 0 {
            lines.push(format!("… {} lines left out …", self.dropped));
        }
        lines.extend(self.last.iter().cloned());
        lines
    }
}

/// The child's process group; killed when the task is dropped in the middle.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)))
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(group) = self.0 {
            // It may have left already; that is what is wanted.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }

    /// Asks the group to leave, then makes it.
    async fn end(&mut self, child: &mut Child) {
        self.signal(rustix::process::Signal::TERM);
        let left = tokio::time::timeout(GRACE, child.wait()).await.is_ok();
        self.signal(rustix::process::Signal::KILL);
        if !left {
            let _ = child.wait().await;
        }
        self.0 = None;
    }

    /// Removes whom the child left behind after its own end.
    fn sweep(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }
}

/// The first of `names` in `folder` or, without one, on `PATH` and then in `usual` places.
pub fn find_program(name: &str, folder: Option<&Path>, usual: &[PathBuf]) -> Option<PathBuf> {
    let on_path =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let places = match folder {
        Some(folder) => vec![folder.to_owned()],
        None => usual.iter().cloned().chain(on_path).collect(),
    };
    places.into_iter().map(|place| place.join(name)).find(|path| path.is_file())
}
