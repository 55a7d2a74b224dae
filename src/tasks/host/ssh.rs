//! One command through ssh. It is first made sure that the line stands; what happens after that is known only
//! if the far side said how the command ended.

use super::command::{Command, Said, Sink, Speech, Spoken, speak};
use super::quote;
use crate::model::estate::{Host, Ssh};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::process::Program;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A line that says nothing for this long is taken for cut.
const ALIVE_EVERY_S: u32 = 5;
const ALIVE_TRIES: u32 = 3;
const CONNECT_S: u32 = 10;
const REACH_LIMIT: Duration = Duration::from_secs(30);
/// Longest path of a socket (104 bytes where it is shortest), less what ssh puts behind the folder's name.
const SOCKET_FOLDER_BYTES: usize = 104 - 1 - 40 - 18;

pub async fn run(
    cx: &TaskContext,
    host: &Host,
    to: &Ssh,
    command: Command,
    sink: Option<Sink<'_>>,
) -> Result<Said, Stop> {
    let line = quote::line(&command.argv)?;
    reach(cx, host, to).await?;
    let mark = mark()?;
    let script = format!("{line}; relight_status=$?; printf '\\n%s %s\\n' {mark} \"$relight_status\" >&2");
    let program = program(cx, to).arg(script);
    let how = Speech { stdin: command.stdin, within: command.within, quiet: command.quiet, sink };
    let spoken = speak(cx, program, how).await;
    let lost = |why: String| {
        Stop::Unknown(
            Failure::new(format!("the line to host `{}` was lost while `{}` ran: {why}", host.id, command.name))
                .means("the command may have run, may still run, or may never have begun: nobody here knows")
                .next("look at the world again before anything is repeated"),
        )
    };
    match spoken {
        Ok(spoken) => match ended(&spoken, &mark) {
            Some(status) => Ok(Said { status, stdout: spoken.stdout, stderr: without(spoken.stderr, &mark) }),
            None => Err(lost(last_words(&spoken))),
        },
        // The far side goes on without the line: a command that was let go here is not a command that stopped.
        Err(Stop::Failed(failure) | Stop::Unknown(failure)) => Err(lost(failure.what)),
        Err(cancelled @ Stop::Cancelled(_)) => Err(cancelled),
    }
}

/// Opens the shared connection, or learns that it stands. If this fails nothing was sent.
async fn reach(cx: &TaskContext, host: &Host, to: &Ssh) -> Result<(), Stop> {
    let spoken =
        speak(cx, program(cx, to).arg("true"), Speech { stdin: None, within: REACH_LIMIT, quiet: false, sink: None })
            .await;
    let said = match spoken {
        Ok(spoken) if spoken.status == 0 => return Ok(()),
        Ok(spoken) => spoken.stderr,
        Err(Stop::Failed(failure) | Stop::Unknown(failure)) => vec![failure.what],
        Err(cancelled) => return Err(cancelled),
    };
    let heard = |words: &str| said.iter().any(|line| line.contains(words));
    let changed = heard("REMOTE HOST IDENTIFICATION HAS CHANGED");
    let failure = if changed {
        Failure::new(format!("the key of host `{}` is not the one that is known", host.id))
            .means("another machine answers at this address, or it was installed anew; nothing was sent to it")
            .next("find out which it is; only then put the new key into the known_hosts file")
    } else if heard("Host key verification failed") || heard("host key is known for") {
        Failure::new(format!("the key of host `{}` is not known here", host.id))
            .means("nobody can tell whether the right machine answers; nothing was sent to it")
            .next("put its key, as read on the machine itself, into the known_hosts file")
    } else if heard("Permission denied") {
        Failure::new(format!("host `{}` does not let us in", host.id))
            .means("it answers, and refuses the key; nothing was done")
            .next("check `user` and `key` of this host, without a password prompt: ssh -o BatchMode=yes")
    } else {
        Failure::new(format!("host `{}` cannot be reached", host.id))
            .means("nothing was done; how the host stands is not known from here")
            .next("check the address, the network and whether sshd runs there")
    };
    Err(said.iter().take(12).fold(failure, |failure, line| failure.evidence(escaped(line).into_owned())).into())
}

fn program(cx: &TaskContext, to: &Ssh) -> Program {
    let mut program = Program::new("ssh").args(["-T", "-x", "-a"]);
    for option in ["BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no", "LogLevel=ERROR"] {
        program = program.arg("-o").arg(option);
    }
    program = program
        .arg("-o")
        .arg(format!("ConnectTimeout={CONNECT_S}"))
        .arg("-o")
        .arg(format!("ServerAliveInterval={ALIVE_EVERY_S}"))
        .arg("-o")
        .arg(format!("ServerAliveCountMax={ALIVE_TRIES}"));
    if let Some(known) = &to.known_hosts {
        program = program.arg("-o").arg(format!("UserKnownHostsFile={}", known.display()));
        program = program.args(["-o", "GlobalKnownHostsFile=/dev/null"]);
    }
    if let Some(folder) = sockets(&cx.state_dir) {
        program = program.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=60"]);
        program = program.arg("-o").arg(format!("ControlPath={}/%C", folder.display()));
    }
    if let Some(key) = &to.key {
        program = program.args(["-o", "IdentitiesOnly=yes"]).arg("-i").arg(key);
    }
    if let Some(port) = to.port {
        program = program.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &to.user {
        program = program.arg("-l").arg(user);
    }
    if let Some(agent) = std::env::var_os("SSH_AUTH_SOCK") {
        program = program.envs([("SSH_AUTH_SOCK", agent)]);
    }
    program.arg("--").arg(&to.address)
}

/// Folder for the sockets of shared connections; none where its path is too long for a socket, then every
/// command opens a connection of its own.
fn sockets(state_dir: &Path) -> Option<PathBuf> {
    let folder = state_dir.join("ssh");
    // ssh reads `%` in it as its own sign, and blanks as the end of the value.
    let text = folder.to_str().filter(|text| text.len() <= SOCKET_FOLDER_BYTES && !text.contains(['%', ' ', '"']))?;
    match std::fs::DirBuilder::new().mode(0o700).create(text) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => None,
        _ => Some(folder),
    }
}

/// A word that no program says by itself.
fn mark() -> Result<String, Failure> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("no random numbers were to be had: {error}")))?;
    Ok(format!("relight-ended-{}", hex::encode(bytes)))
}

fn ended(spoken: &Spoken, mark: &str) -> Option<i32> {
    spoken.marked.iter().rev().find_map(|line| line.strip_prefix(mark)?.trim().parse().ok())
}

fn without(lines: Vec<String>, mark: &str) -> Vec<String> {
    lines.into_iter().filter(|line| !line.starts_with(mark) && !line.is_empty()).collect()
}

fn last_words(spoken: &Spoken) -> String {
    match spoken.stderr.iter().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => escaped(line).into_owned(),
        None => format!("ssh ended with status {} and said nothing", spoken.status),
    }
}
