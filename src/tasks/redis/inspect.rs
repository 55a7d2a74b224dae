//! `redis.inspect`: the live server of an asset, its files by name, and what stands in the way of a restore.

use super::look::{Info, Seen, info as ask_info, look, setting};
use super::scratch::{Names, Side, folder_id};
use super::wire::{self, Session};
use crate::model::estate::{Asset, Server};
use crate::model::id::AssetId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::connect::address;
use crate::tasks::pg::pair::home::Home;
use serde::Deserialize;
use serde_json::{Value, json};

pub struct Inspect;

static SPEC: ModuleSpec = ModuleSpec {
    name: "redis.inspect",
    summary: "Look at the live Redis server of an asset, its settings and its data folder",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of the configuration" },
        InputSpec {
            name: "read_only",
            kind: InputKind::Flag,
            required: false,
            help: "Nothing will be restored: its home need not be known, it may be a replica, and it must be up",
        },
        InputSpec {
            name: "drill",
            kind: InputKind::Flag,
            required: false,
            help: "Look at the asset's drill place instead, a folder of this machine that must be free",
        },
    ],
    outputs: &[
        "server",
        "title",
        "host",
        "folder",
        "parent",
        "live_id",
        "names",
        "running",
        "run_id",
        "version",
        "replicas",
        "keys",
        "memory_bytes",
        "health_url",
        "warnings",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "redis-server"],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    drill: bool,
}

#[async_trait::async_trait]
impl Module for Inspect {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(inspect(cx, input).await)
    }
}

fn refused(what: String, next: &str) -> Failure {
    Failure::new(what).means("nothing was done").next(next.to_owned())
}

fn live<'a>(cx: &'a TaskContext, id: &AssetId) -> Result<(&'a Asset, &'a Server), Failure> {
    let asset = cx.estate.asset(id);
    let asset =
        asset.ok_or_else(|| refused(format!("the configuration names no asset `{id}`"), "see `relight health`"))?;
    let server = asset.server.as_ref();
    let server = server
        .ok_or_else(|| refused(format!("asset `{id}` names no server"), "give it `server`, and make a new plan"))?;
    Ok((asset, wire::server(cx, server)?))
}

/// The home of a server, with everything that a restore needs to be told.
fn home<'a>(cx: &'a TaskContext, server: &'a Server) -> Result<Home<'a>, Failure> {
    let home = Home::of(cx, server)?;
    if home.place.start.is_empty() || home.place.stop.is_empty() {
        let what = format!("nobody knows how server `{}` is stopped and started", server.id);
        let next = "say it in its [servers.home]: stop and start, such as [\"systemctl\", \"stop\", \"redis-server\"]; then make a new plan";
        return Err(refused(what, next));
    }
    Ok(home)
}

/// The server as a backup needs to know it.
async fn source(cx: &TaskContext, asset: &Asset, server: &Server) -> Result<Values, Stop> {
    let info = match look(cx, server).await? {
        Seen::Up(info) if !info.is_on("loading") => info,
        Seen::Closed(failure) => return Err(Stop::Failed(failure)),
        other => {
            let what = format!("server `{}` {}", server.id, other.words());
            return Err(refused(what, "see that it runs and serves, and make a new plan").into());
        }
    };
    Ok(values(json!({
        "server": server.id,
        "title": format!("Redis `{}` on {}", server.id, address(server)),
        "running": true,
        "run_id": info.get("run_id"),
        "version": info.get("redis_version"),
        "replicas": info.number("connected_slaves").unwrap_or(0),
        "keys": info.total().keys,
        "memory_bytes": info.number("used_memory").unwrap_or(0),
        "health_url": asset.health_url,
        "warnings": [],
    })))
}

/// The place where drills load it; the live server is not even asked.
async fn scratch(cx: &TaskContext, asset: &Asset, server: &Server) -> Result<Values, Stop> {
    let path = asset.drill.as_ref().and_then(|drill| drill.path.as_ref()).and_then(|path| path.to_str());
    let path = path.ok_or_else(|| {
        let next =
            "add `drill = { path = \"…\" }`, a folder of this machine that is not there yet, and make a new plan";
        refused(format!("asset `{}` has no place for drills", asset.id), next)
    })?;
    let side = Side::at(cx, true, &server.id, path)?;
    if folder_id(&side.home(), path).await?.is_some() {
        let next = "clear what an earlier drill left (`relight runs` lists it), or name another place for drills";
        return Err(refused(format!("{} is there already", escaped(path)), next).into());
    }
    let home = side.home();
    home.run(home.program("redis-server", &["--version"])).await?.success("redis-server --version", home.host)?;
    Ok(values(json!({
        "server": server.id,
        "title": format!("a Redis in {} on this machine", escaped(path)),
        "host": home.host.id,
        "folder": path,
        "parent": parent(path),
        "live_id": "none: it is a scratch folder",
        "names": Names::default(),
        "running": false,
        "run_id": "",
        "version": "",
        "replicas": 0,
        "keys": 0,
        "memory_bytes": 0,
        "health_url": null,
        "warnings": [],
    })))
}

async fn inspect(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (asset, server) = live(cx, &input.asset)?;
    if input.read_only {
        return source(cx, asset, server).await;
    }
    if input.drill {
        return scratch(cx, asset, server).await;
    }
    let home = home(cx, server)?;
    let folder = &home.place.data_dir;
    let Some(live_id) = folder_id(&home, folder).await? else {
        return Err(Failure::new(format!("the data folder {} is not there on host `{}`", escaped(folder), home.host.id))
            .means("nobody can tell whose it must be; nothing was done")
            .next("if it was lost, make it anew, empty, with the server's user as its owner; else mend host and data_dir of [servers.home]")
            .into());
    };
    home.run(home.program("redis-server", &["--version"])).await?.success("redis-server --version", home.host)?;
    on_its_parents_disk(&home, &live_id).await?;
    let mut warnings = Vec::new();
    let (info, names) = match look(cx, home.server).await? {
        Seen::Up(info) => {
            let names = settings(cx, &home, &info).await?;
            (Some(info), names)
        }
        Seen::Refused => {
            warnings.push("the server is down: its files are taken to have their standard names".to_owned());
            (None, json!(Names::default()))
        }
        Seen::Closed(failure) => return Err(Stop::Failed(failure)),
        Seen::Silent(how) => {
            let what = format!("{} gives no answer: {}", address(home.server), escaped(&how));
            return Err(Stop::Unknown(
                Failure::new(what).means("whether it runs is not known").next("look at it on its host"),
            ));
        }
    };
    let info = info.unwrap_or_default();
    let parent = parent(folder);
    Ok(values(json!({
        "server": home.server.id,
        "title": format!("Redis `{}` on {}", home.server.id, address(home.server)),
        "host": home.host.id,
        "folder": folder,
        "parent": parent,
        "live_id": live_id,
        "names": names,
        "running": !info.get("role").is_empty(),
        "run_id": info.get("run_id"),
        "version": info.get("redis_version"),
        "replicas": info.number("connected_slaves").unwrap_or(0),
        "keys": info.total().keys,
        "memory_bytes": info.number("used_memory").unwrap_or(0),
        "health_url": asset.health_url,
        "warnings": warnings,
    })))
}

/// A folder that something is mounted on keeps its name.
async fn on_its_parents_disk(home: &Home<'_>, live_id: &str) -> Result<(), Stop> {
    let folder = &home.place.data_dir;
    let (above, device) = (folder_id(home, parent(folder)).await?, |id: &str| id.split(':').next().map(str::to_owned));
    if above.as_deref().and_then(device) != device(live_id) {
        let next = "let its `dir` be a folder inside it, say so in data_dir, and make a new plan";
        return Err(refused(format!("the data folder {} is a disk of its own", escaped(folder)), next)
            .means("it cannot change names with a folder beside it; nothing was done")
            .into());
    }
    Ok(())
}

fn parent(folder: &str) -> &str {
    folder.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty()).unwrap_or("/")
}

/// What a running server calls its files; refused where a restored folder would not last, or not be its own.
async fn settings(cx: &TaskContext, home: &Home<'_>, info: &Info) -> Result<Value, Stop> {
    let refused = |what: String, next: &str| Stop::Failed(refused(what, next));
    if info.is_replica() {
        let master = format!("{}:{}", escaped(info.get("master_host")), escaped(info.get("master_port")));
        let what = format!("server `{}` is a replica of {master}", home.server.id);
        return Err(refused(what, "restore its master: a replica's data is replaced by that"));
    }
    if info.is_on("cluster_enabled") {
        let what = format!("server `{}` is a node of a cluster", home.server.id);
        return Err(refused(what, "restore a cluster node by node by hand: its folder also holds who it is"));
    }
    let mut session = Session::open(cx, home.server).await?;
    if ask_info(&mut session).await?.get("run_id") != info.get("run_id") {
        return Err(refused("the server was restarted in the middle of the look".to_owned(), "look again"));
    }
    let mut found = Vec::new();
    for name in ["dir", "dbfilename", "appendfilename", "appenddirname", "databases"] {
        found.push(setting(&mut session, name).await?);
    }
    let [dir, rdb, aof, aof_dir, databases] = found.try_into().unwrap_or_default();
    if dir.as_deref().map(|dir| dir.trim_end_matches('/')) != Some(home.place.data_dir.as_str()) {
        let what = format!(
            "server `{}` keeps its data in {}, and the configuration says {}",
            home.server.id,
            escaped(dir.as_deref().unwrap_or("an unknown folder")),
            escaped(&home.place.data_dir)
        );
        return Err(refused(what, "mend data_dir of its [servers.home], and make a new plan"));
    }
    let plain = |name: Option<String>, usual: &str| {
        let name = name.unwrap_or_else(|| usual.to_owned());
        let bad = name.is_empty() || name.contains('/') || name.starts_with(['.', '-']) || escaped(&name) != name;
        if bad {
            Err(refused(format!("`{}` is no name of a file", escaped(&name)), "mend the server's settings"))
        } else {
            Ok(name)
        }
    };
    Ok(json!({
        "rdb_name": plain(rdb, "dump.rdb")?,
        "aof_name": plain(aof, "appendonly.aof")?,
        "aof_dir": plain(aof_dir, "appendonlydir")?,
        "databases": databases.and_then(|text| text.parse::<u64>().ok()),
    }))
}
