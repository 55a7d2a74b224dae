//! The one edge that turns any error into kind, causes, hint and exit code.

use crate::catalog::snapshot::ChooseError;
use crate::config::{NoConfig, StateError};
use crate::located::Problems;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::runner::RunnerError;
use crate::stores::StoreError;
use color_eyre::eyre;
use std::fmt;
use std::process::ExitCode;

/// How a call ended, as scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well, and was checked.
    Fine,
    /// A warning, or a run with exceptions.
    Warning,
    /// Critical, or failed.
    Critical,
    /// Nobody knows: something could not be seen.
    Unknown,
    /// The call itself was wrong.
    Usage,
    /// The configuration, or the folders it needs, cannot be used.
    Config,
    /// The operator stopped it.
    Interrupted,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Warning => 1,
            Exit::Critical => 2,
            Exit::Unknown => 3,
            Exit::Usage => 64,
            Exit::Config => 78,
            Exit::Interrupted => 130,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Exit::Fine => "note",
            Exit::Warning => "warning",
            Exit::Critical => "error",
            Exit::Unknown => "unknown",
            Exit::Usage => "usage",
            Exit::Config => "configuration",
            Exit::Interrupted => "interrupted",
        }
    }
}

impl From<crate::health::Severity> for Exit {
    fn from(verdict: crate::health::Severity) -> Self {
        match verdict {
            crate::health::Severity::Ok => Exit::Fine,
            crate::health::Severity::Warning => Exit::Warning,
            crate::health::Severity::Unknown => Exit::Unknown,
            crate::health::Severity::Critical => Exit::Critical,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// An error whose exit code and advice its author knows.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub exit: Exit,
    pub message: String,
    /// What shows it, one line each.
    pub lines: Vec<String>,
    /// What to do next; may be empty.
    pub hint: String,
}

impl Fault {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), lines: Vec::new(), hint: String::new() }
    }

    /// A call that asks for something that is not there or makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Texts that may have several lines.
    #[must_use]
    pub fn lines<'t>(mut self, texts: impl IntoIterator<Item = &'t String>) -> Self {
        self.lines.extend(texts.into_iter().flat_map(|text| text.lines()).map(str::to_owned));
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// An error as it is shown: every text safe for a terminal.
#[derive(Debug)]
pub struct Report {
    pub exit: Exit,
    pub message: String,
    /// From the nearest cause to the deepest.
    pub causes: Vec<String>,
    pub evidence: Vec<String>,
    pub hint: String,
    /// The message is laid out already, with a heading of its own.
    laid_out: bool,
}

impl Report {
    pub fn new(error: &eyre::Report) -> Self {
        let mut causes: Vec<String> = error.chain().map(|cause| escaped(&cause.to_string()).into_owned()).collect();
        // A wrapper that repeats its cause word for word says nothing new.
        causes.dedup();
        let message = if causes.is_empty() { String::new() } else { causes.remove(0) };
        let mut report =
            Self { exit: Exit::Critical, message, causes, evidence: Vec::new(), hint: String::new(), laid_out: false };
        for cause in error.chain() {
            if report.knows(cause) {
                break;
            }
        }
        report
    }

    /// Takes exit code and advice from the first cause that has them.
    fn knows(&mut self, cause: &(dyn std::error::Error + 'static)) -> bool {
        if let Some(fault) = cause.downcast_ref::<Fault>() {
            self.exit = fault.exit;
            self.evidence = fault.lines.iter().map(|line| escaped(line).into_owned()).collect();
            self.hint.clone_from(&fault.hint);
        } else if let Some(problems) = cause.downcast_ref::<Problems>() {
            self.exit = Exit::Config;
            self.message = problems.to_string();
            self.causes.clear();
            self.laid_out = true;
            self.hint = match problems.len() {
                1 => "mend it and run `relight config check`".to_owned(),
                n => format!("mend these {n} and run `relight config check`"),
            };
        } else if cause.is::<NoConfig>() {
            self.exit = Exit::Config;
            "name one with --config FILE, or try `relight demo`".clone_into(&mut self.hint);
        } else if let Some(state) = cause.downcast_ref::<StateError>() {
            self.exit = Exit::Config;
            self.hint = match state {
                StateError::Open { path, .. } => format!("run: chmod 700 {}", path.display()),
                _ => "name another folder with --state DIR".to_owned(),
            };
        } else if let Some(choice) = cause.downcast_ref::<ChooseError>() {
            self.exit = Exit::Usage;
            match choice {
                ChooseError::Many { .. } => "type more of the id",
                ChooseError::None(_) | ChooseError::NoLatest(_) | ChooseError::NoneBy { .. } => {
                    "`relight catalog` lists the ids"
                }
                ChooseError::NoProven(_) => "`relight verify BACKUP --level L4` proves one",
            }
            .clone_into(&mut self.hint);
        } else if let Some(store) = cause.downcast_ref::<StoreError>() {
            self.exit = Exit::Unknown;
            store.hint().clone_into(&mut self.hint);
        } else if let Some(error) = cause.downcast_ref::<RunnerError>() {
            self.exit = match error {
                RunnerError::NoRun(_) | RunnerError::Ambiguous { .. } | RunnerError::Taken { .. } => Exit::Usage,
                RunnerError::NoRunner { .. } | RunnerError::NotUp { .. } => Exit::Unknown,
                _ => Exit::Critical,
            };
            match error {
                RunnerError::Ambiguous { .. } => "type more of the id",
                RunnerError::Journal(_) | RunnerError::Replay(_) => "`relight journal verify` names what is wrong",
                RunnerError::NotUp { .. } => "the run is kept; `relight runs` lists it, `relight resume` tries again",
                _ => "",
            }
            .clone_into(&mut self.hint);
        } else if let Some(failure) = cause.downcast_ref::<Failure>() {
            self.causes.extend((!failure.meaning.is_empty()).then(|| escaped(&failure.meaning).into_owned()));
            self.evidence = failure.evidence.iter().map(|line| escaped(line).into_owned()).collect();
            self.hint.clone_from(&failure.next);
        } else {
            return false;
        }
        true
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.laid_out {
            f.write_str(&self.message)?;
        } else {
            write!(f, "{}: {}", self.exit.word(), self.message)?;
        }
        for cause in &self.causes {
            write!(f, "\n  because: {cause}")?;
        }
        for line in &self.evidence {
            write!(f, "\n  | {line}")?;
        }
        if !self.hint.is_empty() {
            write!(f, "\n  next: {}", escaped(&self.hint))?;
        }
        Ok(())
    }
}

/// Panics end with one plain message and where to report it; errors go through [`Report`].
pub fn install() -> eyre::Result<()> {
    color_eyre::config::HookBuilder::blank()
        .theme(color_eyre::config::Theme::new())
        .display_env_section(false)
        .capture_span_trace_by_default(false)
        .panic_section("This is a defect of Relight. Runs go on in their own processes; `relight runs` lists them.")
        .install()
}

/// Shows an error on standard error and gives the code to end with.
pub fn show(error: &eyre::Report) -> Exit {
    use std::io::Write as _;
    let report = Report::new(error);
    // With standard error gone there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{report}");
    report.exit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::StoreId;
    use crate::stores::StoreErrorKind;
    use eyre::WrapErr as _;

    #[test]
    fn the_first_known_cause_gives_code_and_hint_and_text_is_escaped() {
        let store = StoreError::new(StoreErrorKind::Unreachable, &StoreId::new("s3"), Some("a\x1b[2J"), "refused");
        let error = Err::<(), _>(store).wrap_err("the catalog could not be read").unwrap_err();
        let report = Report::new(&error);
        assert_eq!(report.exit, Exit::Unknown);
        let text = report.to_string();
        assert!(text.starts_with("unknown: the catalog could not be read\n  because: store `s3`, object `a\\x1b[2J`"));
        assert!(text.contains("\n  next: Check endpoint"), "{text}");
    }

    #[test]
    fn an_error_of_no_known_kind_is_a_failure() {
        assert_eq!(Report::new(&eyre::eyre!("boom")).to_string(), "error: boom");
        assert_eq!(Report::new(&eyre::eyre!("boom")).exit, Exit::Critical);
    }

    #[test]
    fn problems_keep_their_layout() {
        let problems = crate::config::parse("x.toml", "", std::path::Path::new("/")).unwrap_err();
        let report = Report::new(&eyre::Report::new(problems));
        assert_eq!(report.exit, Exit::Config);
        assert!(report.to_string().contains("error: the file lacks `estate`\n  --> x.toml"), "{report}");
    }
}
