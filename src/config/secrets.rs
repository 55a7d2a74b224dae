//! Reads secrets from environment, files and commands, at the moment they are needed.

use crate::model::secret::{Secret, SecretRef, SecretSource};
use crate::model::text::escaped;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The secrets of this machine and this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemSecrets;

/// How long a command may take to print a secret.
const DEADLINE: Duration = Duration::from_secs(10);

/// More bytes than any key has.
const LARGEST: usize = 64 << 10;

impl SecretSource for SystemSecrets {
    fn read(&self, from: &SecretRef) -> Result<Secret, String> {
        match from {
            SecretRef::Env(name) => from_env(name),
            SecretRef::File(path) => from_file(path, first_line),
            SecretRef::Command(argv) => from_command(argv, DEADLINE, first_line),
        }
    }

    fn read_whole(&self, from: &SecretRef) -> Result<Secret, String> {
        match from {
            SecretRef::Env(name) => from_env(name),
            SecretRef::File(path) => from_file(path, all_lines),
            SecretRef::Command(argv) => from_command(argv, DEADLINE, all_lines),
        }
    }
}

fn from_env(name: &str) -> Result<Secret, String> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(Secret::new(value)),
        Ok(_) => Err(format!("environment variable {} is empty", escaped(name))),
        Err(std::env::VarError::NotPresent) => Err(format!("environment variable {} is not set", escaped(name))),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("environment variable {} is not UTF-8", escaped(name))),
    }
}

/// What becomes of the bytes of a file or a command.
type Part = fn(Vec<u8>) -> Result<Secret, &'static str>;

fn from_file(path: &Path, part: Part) -> Result<Secret, String> {
    let shown = path.display().to_string();
    let name = escaped(&shown);
    let failed = |error: std::io::Error| format!("secret file {name} cannot be read: {error}");
    let file = std::fs::File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if found.mode() & 0o007 != 0 {
        let mode = found.mode() & 0o777;
        return Err(format!("secret file {name} is open to everyone (mode {mode:04o}); run: chmod 600 {name}"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST as u64).read_to_end(&mut bytes).map_err(failed)?;
    part(bytes).map_err(|why| format!("secret file {name} {why}"))
}

fn all_lines(bytes: Vec<u8>) -> Result<Secret, &'static str> {
    match String::from_utf8(bytes) {
        Ok(text) if text.trim().is_empty() => Err("is empty"),
        Ok(text) => Ok(Secret::new(text)),
        Err(_) => Err("is not UTF-8 text"),
    }
}

fn first_line(bytes: Vec<u8>) -> Result<Secret, &'static str> {
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text")?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line.to_owned())),
        _ => Err("has an empty first line"),
    }
}

fn from_command(argv: &[String], deadline: Duration, part: Part) -> Result<Secret, String> {
    let (program, arguments) = argv.split_first().ok_or("the secret's command is empty")?;
    let name = escaped(program).into_owned();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what the command started ends with it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("secret command {name} cannot be started: {error}"))?;
    let until = Instant::now() + deadline;
    let outcome = collect(&mut child, until);
    let (printed, complaint, status) = match outcome {
        Ok(done) => done,
        Err(why) => {
            end_group(&mut child);
            return Err(format!("secret command {name} {why}"));
        }
    };
    if !status.success() {
        let text = String::from_utf8_lossy(&complaint);
        let said: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let said = said.iter().rev().take(3).rev().map(|line| escaped(line)).collect::<Vec<_>>().join("; ");
        let said = if said.is_empty() { "it said nothing on standard error".to_owned() } else { said };
        return Err(format!("secret command {name} failed ({status}): {said}"));
    }
    part(printed).map_err(|why| format!("secret command {name}: its output {why}"))
}

type Collected = (Vec<u8>, Vec<u8>, std::process::ExitStatus);

/// Reads both pipes to their ends and waits, all before `until`.
fn collect(child: &mut Child, until: Instant) -> Result<Collected, String> {
    let mut out = child.stdout.take().ok_or("has no output")?;
    let mut err = child.stderr.take().ok_or("has no error output")?;
    let (mut printed, mut complaint) = (Vec::new(), Vec::new());
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("did not answer within {} s", DEADLINE.as_secs()));
        }
        let mut ends = Vec::with_capacity(2);
        if out_open {
            ends.push(PollFd::from_borrowed_fd(out.as_fd(), PollFlags::IN));
        }
        if err_open {
            ends.push(PollFd::from_borrowed_fd(err.as_fd(), PollFlags::IN));
        }
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut ends, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
        let ready: Vec<bool> = ends.iter().map(|end| !end.revents().is_empty()).collect();
        drop(ends);
        let mut ready = ready.into_iter();
        if out_open && ready.next() == Some(true) {
            out_open = chunk(&mut out, &mut printed)?;
        }
        if err_open && ready.next() == Some(true) {
            err_open = chunk(&mut err, &mut complaint)?;
        }
    }
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok((printed, complaint, status)),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => return Err("closed its output but did not end".to_owned()),
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    }
}

/// One read; `false` at the end. What exceeds the limit is read and dropped.
fn chunk(from: &mut impl Read, into: &mut Vec<u8>) -> Result<bool, String> {
    let mut buffer = [0; 4096];
    match from.read(&mut buffer) {
        Ok(0) => Ok(false),
        Ok(n) => {
            let room = LARGEST.saturating_sub(into.len());
            into.extend_from_slice(&buffer[..n.min(room)]);
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

fn end_group(child: &mut Child) {
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_first_line_of_a_closed_file_is_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "s3cret\nsecond\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(SystemSecrets.read(&SecretRef::File(path.clone())).unwrap().expose(), "s3cret");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = SystemSecrets.read(&SecretRef::File(path)).unwrap_err();
        assert!(refused.contains("mode 0644") && refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn a_command_prints_the_secret_or_says_why_not() {
        let secret = from_command(&argv(&["printf", "s3cret\\nmore"]), DEADLINE, first_line).unwrap();
        assert_eq!(secret.expose(), "s3cret");
        let failed = from_command(&argv(&["ls", "/no/such/place"]), DEADLINE, first_line).unwrap_err();
        assert!(failed.contains("/no/such/place"), "{failed}");
        let absent = from_command(&argv(&["/no/such/program"]), DEADLINE, first_line).unwrap_err();
        assert!(absent.contains("cannot be started"), "{absent}");
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let before = Instant::now();
        let late = from_command(&argv(&["sleep", "60"]), Duration::from_millis(50), first_line).unwrap_err();
        assert!(late.contains("did not answer"), "{late}");
        assert!(before.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn an_unset_variable_is_named() {
        let missing = SystemSecrets.read(&SecretRef::Env("RELIGHT_NO_SUCH_VARIABLE".into())).unwrap_err();
        assert!(missing.contains("RELIGHT_NO_SUCH_VARIABLE is not set"), "{missing}");
    }
}
