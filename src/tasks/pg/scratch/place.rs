//! The folder of one server for drills, and the mark beside it that says which run made it.

use crate::model::id::ServerId;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::Command;
use crate::tasks::input::Stop;
use crate::tasks::pg::connect;
use crate::tasks::pg::pair::home::{Home, listed};
use std::time::Duration;

const STOPPING: Duration = Duration::from_mins(1);

pub struct Place<'a> {
    pub home: Home<'a>,
    /// An empty folder; its name carries the run. It is made before, and removed after everything else.
    pub mark: String,
}

impl<'a> Place<'a> {
    pub fn of(cx: &'a TaskContext, id: &ServerId) -> Result<Self, Failure> {
        let home = Home::of(cx, connect::server(cx, id)?)?;
        let run: String =
            cx.owner.run.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect();
        let mark = format!("{}.drill_{run}", home.place.data_dir);
        Ok(Self { home, mark })
    }

    pub async fn is(&self, path: &str) -> Result<bool, Stop> {
        // A link that leads nowhere is there, too.
        let argv = ["find", path, "-maxdepth", "0"];
        Ok(self.home.run(Command::new(argv)).await?.status == 0)
    }

    /// Whether this run made what is there.
    pub async fn is_mine(&self) -> Result<bool, Stop> {
        self.is(&self.mark).await
    }

    /// The default log beside the folder.
    pub fn log(&self) -> String {
        self.home.log()
    }

    /// Stops the server and removes its folder; only what carries this run's mark.
    pub async fn clear(&self) -> Result<(), Stop> {
        let data = &self.home.place.data_dir;
        if self.is_mine().await? {
            self.home.end_copies(data).await?;
        }
        self.home.left_alone(&[data]).await?;
        if !self.is(data).await? {
            return Ok(());
        }
        if !self.is_mine().await? {
            return Err(Failure::new(format!("{} is there, and this run did not make it", escaped(data)))
                .means("whose it is cannot be told; nothing was removed")
                .next("look at it on its host; a drill needs a folder that is not there")
                .into());
        }
        if !self.home.processes().await?.is_empty() {
            let left = self.home.end("immediate", STOPPING).await?;
            if !left.is_empty() {
                return Err(Failure::new(format!("server `{}` does not stop: {}", self.home.server.id, listed(&left)))
                    .means("its folder stays as long as it runs")
                    .next("end it on its host, then retry")
                    .into());
            }
        }
        self.home.must("removing the folder of a drill", &["rm", "-rf", "--", data]).await?;
        Ok(())
    }
}
