//! A file that names the writable server, on its host: replaced in one move, its former content kept beside it.

use crate::model::estate::{Host, Server, TrafficFile};
use crate::model::task::{Failure, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command};
use crate::tasks::input::{Stop, values};
use crate::tasks::module::Reality;
use crate::tasks::pg::connect;
use serde_json::json;

/// Largest file that is replaced.
const MAX_BYTES: usize = 1 << 20;

/// The file, on its host.
pub struct Place<'a> {
    cx: &'a TaskContext,
    host: &'a Host,
    traffic: &'a TrafficFile,
    /// Where the former file is kept.
    kept: String,
}

impl<'a> Place<'a> {
    pub fn of(cx: &'a TaskContext, traffic: &'a TrafficFile, stamp: &str) -> Result<Self, Failure> {
        let kept = format!("{}.before_{stamp}", traffic.path);
        Ok(Self { cx, host: host::find(cx, &traffic.host)?, traffic, kept })
    }

    pub async fn point(&self, server: &Server) -> Result<Values, Stop> {
        self.write(server).await?;
        self.reload().await?;
        self.told(server).await
    }

    /// The file says it, and its former content is kept.
    pub async fn write(&self, server: &Server) -> Result<(), Stop> {
        let wanted = self.content(server);
        let before = self.now(&self.traffic.path).await?;
        if before.as_deref() != Some(wanted.as_bytes()) {
            if before.is_some() && self.now(&self.kept).await?.is_none() {
                self.must("keeping the former file", &["cp", "-p", "--", &self.traffic.path, &self.kept]).await?;
            }
            self.replace(wanted.as_bytes()).await?;
        }
        Ok(())
    }

    pub async fn told(&self, server: &Server) -> Result<Values, Stop> {
        let kept = self.now(&self.kept).await?.map(|_| self.kept.clone());
        let traffic = format!("{} says {}", escaped(&self.traffic.path), connect::address(server));
        Ok(values(json!({ "traffic": traffic, "kept": kept })))
    }

    pub async fn reality(&self, server: &Server) -> Result<Reality, Stop> {
        let says = self.now(&self.traffic.path).await?.as_deref() == Some(self.content(server).as_bytes());
        Ok(Reality::NotDone(if says {
            // Whether its reader was told is not to be seen in the file: telling it twice does no harm.
            "the file says it; its reader is told again".to_owned()
        } else {
            "the file does not say it".to_owned()
        }))
    }

    pub async fn back(&self) -> Result<Values, Stop> {
        self.restore().await?;
        self.reload().await?;
        Ok(values(json!({ "traffic": format!("{} is as it was before", escaped(&self.traffic.path)) })))
    }

    /// Puts the former file back in place.
    pub async fn restore(&self) -> Result<(), Stop> {
        let Some(former) = self.now(&self.kept).await? else {
            return Err(Failure::new(format!("{} is not there", escaped(&self.kept)))
                .means("there is no former file to put back: there was none, or it said the same")
                .next("write the file by hand if clients must go elsewhere")
                .into());
        };
        self.replace(&former).await
    }

    fn content(&self, server: &Server) -> String {
        let filled = self.traffic.content.replace("{port}", &server.port.to_string());
        filled.replace("{server}", server.id.as_str()).replace("{host}", &server.host)
    }

    /// What a file holds; `None` where it is not there.
    async fn now(&self, path: &str) -> Result<Option<Vec<u8>>, Stop> {
        if host::run(self.cx, self.host, Command::new(["test", "-e", path])).await?.status != 0 {
            return Ok(None);
        }
        let said = self.must("reading the traffic file", &["cat", "--", path]).await?;
        if said.len() > MAX_BYTES {
            return Err(Failure::new(format!("{} is larger than a file that names a server", escaped(path))).into());
        }
        Ok(Some(said))
    }

    async fn must(&self, doing: &str, argv: &[&str]) -> Result<Vec<u8>, Stop> {
        let said = host::run(self.cx, self.host, Command::new(argv.iter().copied())).await?;
        Ok(said.success(doing, self.host)?.stdout)
    }

    /// Where a new file is prepared.
    fn fresh(&self) -> String {
        format!("{}.relight-new", self.traffic.path)
    }

    /// The file, or what belongs to it, that is there.
    pub async fn left(&self) -> Result<Option<String>, Stop> {
        let path = &self.traffic.path;
        // A look that only failed to find something proves nothing: the host must see the folder.
        let holder = path.rsplit_once('/').map_or("/", |(holder, _)| if holder.is_empty() { "/" } else { holder });
        self.must("looking at the folder of the traffic file", &["test", "-d", holder]).await?;
        for path in [path, &self.fresh(), &self.kept] {
            if self.now(path).await?.is_some() {
                return Ok(Some(escaped(path).into_owned()));
            }
        }
        Ok(None)
    }

    /// Removes the file, and what was kept of it: where a drill made it.
    pub async fn remove(&self) -> Result<(), Stop> {
        let (path, fresh) = (&self.traffic.path, self.fresh());
        self.must("removing the traffic file of a drill", &["rm", "-f", "--", path, &fresh, &self.kept]).await?;
        Ok(())
    }

    /// Puts a whole new file in place by one move; its reader sees the old or the new, never half of one.
    async fn replace(&self, content: &[u8]) -> Result<(), Stop> {
        let fresh = self.fresh();
        if self.now(&self.traffic.path).await?.is_some() {
            // For its owner and mode.
            self.must("preparing the new file", &["cp", "-p", "--", &self.traffic.path, &fresh]).await?;
        }
        let write = Command::new(["tee", "--", &fresh]).stdin(content);
        host::run(self.cx, self.host, write).await?.success("writing the new file", self.host)?;
        if self.now(&fresh).await?.as_deref() != Some(content) {
            return Err(Failure::new("the new file does not hold what was written to it")
                .means("the old one is still in place")
                .next("look at the free space on that host")
                .into());
        }
        self.must("moving the new file into place", &["mv", "-T", "--", &fresh, &self.traffic.path]).await?;
        Ok(())
    }

    async fn reload(&self) -> Result<(), Stop> {
        if self.traffic.reload.is_empty() {
            return Ok(());
        }
        let said = host::run(self.cx, self.host, Command::new(self.traffic.reload.iter().cloned())).await?;
        said.success("telling the reader of the traffic file", self.host).map_err(|failure| {
            failure
                .means("the file is in place, and whoever reads it may still use what it said before")
                .next("reload it by hand, or retry")
        })?;
        Ok(())
    }
}
