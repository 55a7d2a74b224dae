//! The cluster that recovers beside the live one: its folder, the folder with what it needs, and the way to ask it.

use crate::model::estate::{Server, ServerHome};
use crate::model::id::ServerId;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{Command, Said};
use crate::tasks::input::Stop;
use crate::tasks::module::{InputKind, InputSpec};
use crate::tasks::patience::Patience;
use crate::tasks::pg::connect;
use crate::tasks::pg::pair::home::{Home, listed};
use std::time::Duration;

/// Row of the inputs of every module that works on it.
pub const SIDE: InputSpec = InputSpec {
    name: "side",
    kind: InputKind::Text,
    required: true,
    help: "Absolute path of the folder in which it recovers, beside the data folder: its name, `.recover_` and a stamp",
};

/// The note that says which run made the folder.
const RUN: &str = "run";
/// Longest path of the folder with its socket.
const AUX_BYTES: usize = 92;
const STOPPING: Duration = Duration::from_mins(2);
/// A server that is not there by then has ended already.
const APPEARING: &str = "10s";
const BEAT: Duration = Duration::from_millis(100);

pub struct Side<'a> {
    /// The live server, at home.
    pub live: Home<'a>,
    pub path: String,
    /// Segments, settings, log, socket and notes of the recovery; nobody else may look into it.
    pub aux: String,
    place: ServerHome,
}

impl<'a> Side<'a> {
    pub fn of(cx: &'a TaskContext, server: &ServerId, side: &str) -> Result<Self, Failure> {
        let live = Home::of(cx, connect::server(cx, server)?)?;
        let refused = |what: &str, next: &str| {
            Err(Failure::new(format!("{} cannot be recovered in: {what}", escaped(side)))
                .means("nothing was done")
                .next(next))
        };
        let stamp = side.strip_prefix(live.place.data_dir.as_str()).and_then(|rest| rest.strip_prefix(".recover_"));
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if stamp.is_none_or(|stamp| stamp.is_empty() || !stamp.chars().all(fine)) {
            return refused("it is not named after the data folder", "make a new plan; it names the folder");
        }
        // PostgreSQL hands the path to a shell when it asks for a segment.
        let plain = |c: char| fine(c) || matches!(c, '/' | '.' | '-');
        if !side.starts_with('/') || !side.chars().all(plain) || side.split('/').any(|part| part == "..") {
            return refused(
                "its path has characters that do not belong into a restore_command",
                "give the server a data folder whose path has letters, digits, `_`, `-` and `.` only",
            );
        }
        let aux = format!("{side}.d");
        if aux.len() > AUX_BYTES {
            return refused("its path is too long for a socket", "give the server a data folder with a shorter path");
        }
        let place = ServerHome { data_dir: side.to_owned(), service: None, ..live.place.clone() };
        Ok(Self { live, path: side.to_owned(), aux, place })
    }

    /// The side cluster as a server at home.
    pub fn home(&self) -> Home<'_> {
        Home { cx: self.live.cx, server: self.live.server, host: self.live.host, place: &self.place }
    }

    pub fn server(&self) -> &'a Server {
        self.live.server
    }

    pub async fn is(&self, path: &str) -> Result<bool, Stop> {
        Ok(self.live.run(Command::new(["test", "-e", path, "-o", "-L", path])).await?.status == 0)
    }

    /// Whether this run made what is there.
    pub async fn is_mine(&self) -> Result<bool, Stop> {
        Ok(self.noted(RUN).await?.is_some_and(|run| run == self.live.cx.owner.run))
    }

    /// Refuses to work on what another run, or nobody, made.
    pub async fn must_be_mine(&self) -> Result<(), Stop> {
        if self.is_mine().await? {
            return Ok(());
        }
        Err(Failure::new(format!("{} was not made by this run", escaped(&self.path)))
            .means("whose it is cannot be told; nothing was done")
            .next("look at it on its host, or make a new plan: it gets a folder of its own")
            .into())
    }

    /// Makes the folder with what the recovery needs. It has its name only once it says whose it is: a runner that
    /// ends in between leaves nothing that nobody may clear.
    pub async fn claim(&self) -> Result<(), Stop> {
        let (doing, fresh) = ("making the folder for the recovery", self.unclaimed());
        self.live.must(doing, &["mkdir", "-m", "0700", "--", &fresh]).await?;
        self.keep(&format!("{fresh}/{RUN}"), &self.live.cx.owner.run).await?;
        self.live.must(doing, &["mv", "-T", "--", &fresh, &self.aux]).await?;
        Ok(())
    }

    /// Where that folder is until then.
    fn unclaimed(&self) -> String {
        format!("{}.new", self.aux)
    }

    /// Keeps a word about how far the recovery is, beside it.
    pub async fn note(&self, name: &str, text: &str) -> Result<(), Stop> {
        self.keep(&format!("{}/{name}", self.aux), text).await
    }

    async fn keep(&self, file: &str, text: &str) -> Result<(), Stop> {
        let write = Command::new(["dd", &format!("of={file}"), "conv=fsync", "status=none"]).stdin(text.to_owned());
        self.live.run(write).await?.success("keeping a note", self.live.host)?;
        Ok(())
    }

    pub async fn noted(&self, name: &str) -> Result<Option<String>, Stop> {
        let file = format!("{}/{name}", self.aux);
        if !self.is(&file).await? {
            return Ok(None);
        }
        let said = self.live.run(Command::new(["cat", "--", &file])).await?;
        Ok((said.status == 0).then(|| said.text().trim_end().to_owned()))
    }

    /// Asks it over its own socket, which only its account can reach.
    pub async fn ask(&self, database: &str, sql: &str) -> Result<Said, Stop> {
        let port = self.server().port.to_string();
        let words = ["-X", "-A", "-t", "-q", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", &self.aux, "-p", &port];
        let words: Vec<&str> =
            words.into_iter().chain(["-U", &self.server().user, "-d", database, "-f", "-"]).collect();
        self.live.run(self.live.program("psql", &words).within(Duration::from_hours(6)).stdin(sql.to_owned())).await
    }

    /// The same, where it must answer.
    pub async fn told(&self, doing: &str, database: &str, sql: &str) -> Result<String, Stop> {
        Ok(self.ask(database, sql).await?.success(doing, self.live.host)?.text())
    }

    /// Whether any of its processes is there.
    pub async fn runs(&self) -> Result<bool, Stop> {
        Ok(self.is(&self.path).await? && !self.home().processes().await?.is_empty())
    }

    /// Starts it with these options, and waits only until it is there: a process that has just been made is not yet
    /// in its folder, and would be taken for one that ended without a word.
    pub async fn begin(&self, options: &str) -> Result<(), Stop> {
        let log = format!("{}/log", self.aux);
        let args = ["start", "-D", &self.path, "-W", "-l", &log, "-o", options];
        let said = self.live.run(self.live.program("pg_ctl", &args)).await?;
        said.success("starting the recovery", self.live.host)?;
        let mut patience = Patience::new(self.live.cx, Some(APPEARING), BEAT)?;
        while !self.runs().await? && patience.again("the recovery starts").await? {}
        Ok(())
    }

    pub async fn stop(&self, mode: &str) -> Result<(), Stop> {
        if !self.runs().await? {
            return Ok(());
        }
        let left = self.home().end(mode, STOPPING).await?;
        if left.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("the cluster in {} does not stop: {}", escaped(&self.path), listed(&left)))
            .means("its folder stays as it is as long as it runs")
            .next("end it on its host, then retry")
            .into())
    }

    /// The first of its folders that is there.
    pub async fn left(&self) -> Result<Option<String>, Stop> {
        for path in [self.path.clone(), self.aux.clone(), self.unclaimed()] {
            if self.is(&path).await? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Removes all that this run made for the recovery, and nothing else.
    pub async fn clear(&self) -> Result<(), Stop> {
        let unclaimed = self.unclaimed();
        if self.is(&unclaimed).await? {
            self.live.must("removing what the recovery needed", &["rm", "-rf", "--", &unclaimed]).await?;
        }
        if self.left().await?.is_none() {
            return Ok(());
        }
        self.must_be_mine().await?;
        self.stop("immediate").await?;
        self.live.must("removing the recovered folder", &["rm", "-rf", "--", &self.path]).await?;
        // The note of whose it is goes last: as long as it is there, whatever is left is known to be this run's.
        let (aux, note) = (&self.aux, format!("{}/{RUN}", self.aux));
        let rest = ["find", aux, "-mindepth", "1", "!", "-path", &note, "-delete"];
        self.live.must("removing what the recovery needed", &rest).await?;
        self.live.must("removing what the recovery needed", &["rm", "-rf", "--", &self.aux]).await?;
        Ok(())
    }

    /// The last lines of its log.
    pub async fn last_words(&self) -> Result<Vec<String>, Stop> {
        let said = self.live.run(Command::new(["tail", "-n", "40", "--", &format!("{}/log", self.aux)])).await?;
        Ok(said.text().lines().map(|line| escaped(line).into_owned()).collect())
    }
}
