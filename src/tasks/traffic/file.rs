//! `traffic.file`: points clients at a server by a file, and keeps what it said before.

use crate::model::estate::{Host, Server, Traffic};
use crate::model::id::{AssetId, ServerId};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command};
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::{connect, target};
use serde::Deserialize;
use serde_json::json;

pub struct File;

static SPEC: ModuleSpec = ModuleSpec {
    name: "traffic.file",
    summary: "Replace the file that tells clients where the writable server is, and reload its reader",
    effect: Effect::Reversible,
    inputs: &[
        InputSpec {
            name: "asset",
            kind: InputKind::Text,
            required: true,
            help: "Asset whose server describes its traffic",
        },
        InputSpec { name: "server", kind: InputKind::Text, required: true, help: "Where clients are to go" },
        InputSpec { name: "stamp", kind: InputKind::Text, required: true, help: "Names the former file" },
    ],
    outputs: &["traffic", "kept"],
    idempotent: true,
    undo: "traffic.file-back puts the former file in place",
    programs: &["ssh", "tee", "mv"],
};

/// What is told where nothing says how clients find the server.
pub const NOT_MOVED: &str = "not moved: no [servers.traffic] is configured";
/// Largest file that is replaced.
const MAX_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    server: ServerId,
    stamp: String,
}

#[async_trait::async_trait]
impl Module for File {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(point(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let Some(place) = Place::of(cx, &input.asset, &input.stamp)? else { return Ok(None) };
            let wanted = place.content(connect::server(cx, &input.server)?);
            Ok::<_, Stop>(Some(place.now(&place.traffic.path).await?.as_deref() == Some(wanted.as_bytes())))
        };
        match looking.await {
            Ok(Some(false)) => Reality::NotDone("the file does not say it".to_owned()),
            // Whether its reader was told is not to be seen in the file: telling it twice does no harm.
            Ok(Some(true)) => Reality::NotDone("the file says it; its reader is told again".to_owned()),
            Ok(None) => Reality::Done(values(json!({ "traffic": NOT_MOVED }))),
            Err(Stop::Failed(failure) | Stop::Unknown(failure)) => Reality::Unknown(failure),
            Err(Stop::Cancelled(_)) => Reality::Unknown(Failure::new("the look was cut short")),
        }
    }
}

async fn point(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let Some(place) = Place::of(cx, &input.asset, &input.stamp)? else {
        cx.feed.line(NOT_MOVED);
        return Ok(values(json!({ "traffic": NOT_MOVED })));
    };
    let server = connect::server(cx, &input.server)?;
    let wanted = place.content(server);
    let before = place.now(&place.traffic.path).await?;
    if before.as_deref() != Some(wanted.as_bytes()) {
        if before.is_some() && place.now(&place.kept).await?.is_none() {
            place.must("keeping the former file", &["cp", "-p", "--", &place.traffic.path, &place.kept]).await?;
        }
        place.replace(wanted.as_bytes()).await?;
    }
    place.reload().await?;
    let kept = place.now(&place.kept).await?.map(|_| place.kept.clone());
    let traffic = format!("{} says {}", escaped(&place.traffic.path), connect::address(server));
    Ok(values(json!({ "traffic": traffic, "kept": kept })))
}

/// The file, on its host.
pub struct Place<'a> {
    cx: &'a TaskContext,
    host: &'a Host,
    pub traffic: &'a Traffic,
    /// Where the former file is kept.
    pub kept: String,
}

impl<'a> Place<'a> {
    /// `None` where the asset's server does not say how clients find it.
    pub fn of(cx: &'a TaskContext, asset: &AssetId, stamp: &str) -> Result<Option<Self>, Failure> {
        let (server, _) = target::of_asset(cx, asset)?;
        let Some(traffic) = &server.traffic else { return Ok(None) };
        if stamp.is_empty() || !stamp.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Failure::new("the stamp is not one: letters, digits and `_` only"));
        }
        let kept = format!("{}.before_{stamp}", traffic.path);
        Ok(Some(Self { cx, host: host::find(cx, &traffic.host)?, traffic, kept }))
    }

    fn content(&self, server: &Server) -> String {
        let filled = self.traffic.content.replace("{port}", &server.port.to_string());
        filled.replace("{server}", server.id.as_str()).replace("{host}", &server.host)
    }

    /// What a file holds; `None` where it is not there.
    pub async fn now(&self, path: &str) -> Result<Option<Vec<u8>>, Stop> {
        if host::run(self.cx, self.host, Command::new(["test", "-e", path])).await?.status != 0 {
            return Ok(None);
        }
        let said = self.must("reading the traffic file", &["cat", "--", path]).await?;
        if said.len() > MAX_BYTES {
            return Err(Failure::new(format!("{} is larger than a file that names a server", escaped(path))).into());
        }
        Ok(Some(said))
    }

    pub async fn must(&self, doing: &str, argv: &[&str]) -> Result<Vec<u8>, Stop> {
        let said = host::run(self.cx, self.host, Command::new(argv.iter().copied())).await?;
        Ok(said.success(doing, self.host)?.stdout)
    }

    /// Puts a whole new file in place by one move; its reader sees the old or the new, never half of one.
    pub async fn replace(&self, content: &[u8]) -> Result<(), Stop> {
        let fresh = format!("{}.relight-new", self.traffic.path);
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

    pub async fn reload(&self) -> Result<(), Stop> {
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
