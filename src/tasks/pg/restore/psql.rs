//! `psql` as the session that keeps the order: how it is started, and what its complaints mean for the dump.

use super::Input;
use crate::model::estate::Server;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::pg::tools::{self, Version};
use crate::tasks::process::{Ended, Program};

/// A program that reads SQL from its input, in a transaction, and what a guarded dump needs around it.
pub struct Psql {
    pub program: Program,
    /// Under this key `psql` takes no commands of its own; `None` where it does not know how.
    pub key: Option<String>,
}

impl Psql {
    pub async fn find(cx: &TaskContext, server: &Server, input: &Input) -> Result<Self, Stop> {
        let path = tools::find(server, "psql")?;
        let guarded = can_restrict(tools::version(cx, &path).await?);
        let program = tools::client(cx, server, path, &input.side)?.args([
            "--no-psqlrc",
            "--quiet",
            "--output=/dev/null",
            "--set=ON_ERROR_STOP=1",
            "--set=VERBOSITY=verbose",
            // The commit of the mark waits for the disk, and with it all that was committed before.
            "--command=SET synchronous_commit = off",
            // A dump may say what works only outside of a transaction, and then on more than its own database.
            "--command=BEGIN",
            "--file=-",
        ]);
        Ok(Self { program, key: if guarded { Some(random()?) } else { None } })
    }

    /// The line that stands before the dump.
    pub fn closed(&self) -> String {
        self.key.as_ref().map_or_else(|| "\n".to_owned(), |key| format!("\\restrict {key}\n"))
    }

    /// After it, `psql` takes commands again.
    pub fn open(&self) -> String {
        self.key.as_ref().map(|key| format!("\n\\unrestrict {key}\n")).unwrap_or_default()
    }
}

/// Random text that no dump can have guessed.
pub fn random() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("no random bytes from the system: {error}")))?;
    Ok(hex::encode(bytes))
}

/// The first SQL error with its line in the dump: `line` tells it for a line of what `psql` was given, `last` is the
/// last that was handed over.
pub fn explain(ended: &Ended, line: impl Fn(u64) -> u64, last: u64, means: &str) -> Result<(), Failure> {
    let Err(failure) = ended.success() else {
        return if ended.input_cut {
            Err(Failure::new(format!("psql stopped reading near line {last} and reported success"))
                .means("the dump told psql to stop early; the load was not committed by us")
                .next("look at the dump by hand"))
        } else {
            Ok(())
        };
    };
    let place = ended.stderr.iter().find_map(|said| {
        let (number, what) = said.strip_prefix("psql:<stdin>:")?.split_once(": ")?;
        Some((line(number.parse().ok()?), what.to_owned()))
    });
    let mut told = match place {
        Some((line, what)) => failed_line(line, &what),
        None => Failure::new(failure.what),
    };
    told.evidence = failure.evidence;
    Err(told.means(means).next(MEND))
}

pub fn failed_line(line: u64, what: &str) -> Failure {
    Failure::new(format!("line {line} of the dump failed: {}", escaped(what)))
}

pub const MEND: &str =
    "mend what the error names (missing role, extension, space), then retry; or choose another backup";

/// Whether this `psql` knows `\restrict`.
fn can_restrict(version: Version) -> bool {
    let since = match version.major {
        13 => 22,
        14 => 19,
        15 => 14,
        16 => 10,
        17 => 6,
        other => return other >= 18,
    };
    version.minor >= since
}
