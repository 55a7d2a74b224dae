//! The program as a dialogue on lines: what it prints is read as it comes, answers are typed.

use crate::RELIGHT;
use crate::home::Home;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Steps of `restore-postgres`: 5 restores, 8 swaps.
pub const STEPS: u32 = 9;
/// Longest silence.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Line {
    pub child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    /// Everything that was printed so far.
    pub text: String,
}

/// A question as it was printed.
pub struct Asked {
    pub text: String,
    /// Its `answers:` line.
    pub answers: String,
    pub phrase: Option<String>,
}

impl Line {
    pub fn open(home: &Home, arguments: &[&str]) -> Self {
        Self::with(home, arguments, &[])
    }

    /// With further variables in the environment.
    pub fn with(home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(RELIGHT);
        command.arg("--config").arg(home.config()).arg("--state").arg(home.state());
        command.args(arguments).envs(environment.iter().copied());
        Self::of(command)
    }

    /// The program, however it is started.
    pub fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (send, output) = channel();
        let pipes: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for pipe in pipes {
            let send = send.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let input = child.stdin.take();
        Self { child, input, output, text: String::new() }
    }

    pub fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line; `None` when it has ended.
    fn next(&mut self) -> Option<String> {
        match self.output.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.text.push_str(&line);
                self.text.push('\n');
                Some(line)
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it is silent; it said:\n{}", self.text),
        }
    }

    /// Reads up to a line with these words.
    pub fn until(&mut self, words: &str) {
        while !self.next().unwrap_or_else(|| panic!("`{words}` did not come; it said:\n{}", self.text)).contains(words)
        {
        }
    }

    /// The next question; `None` when the program ended instead.
    pub fn asked(&mut self) -> Option<Asked> {
        let from = self.text.len();
        let mut phrase = None;
        loop {
            let line = self.next()?;
            if let Some(text) = line.strip_prefix("  phrase:") {
                phrase = Some(text.trim().to_owned());
            }
            if let Some(answers) = line.strip_prefix("  answers:") {
                return Some(Asked { text: self.text[from..].to_owned(), answers: answers.to_owned(), phrase });
            }
        }
    }

    /// Says yes to everything that a good run asks, up to the question about `step`, which is returned.
    pub fn go_on_to(&mut self, step: &str) -> Option<Asked> {
        while let Some(asked) = self.asked() {
            if asked.text.contains(step) {
                return Some(asked);
            }
            assert!(asked.answers.contains("yes") || asked.phrase.is_some(), "{}", self.text);
            self.say(asked.phrase.as_deref().unwrap_or("yes"));
        }
        None
    }

    /// To the end, with yes to everything. What was printed, and the exit code.
    pub fn finish(mut self) -> (String, Option<i32>) {
        assert!(self.go_on_to("\u{0}").is_none());
        (self.text.clone(), self.child.wait().unwrap().code())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
