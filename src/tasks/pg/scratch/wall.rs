//! Servers for drills, told from those of production: by what the configuration says they are, by address, by
//! folder, and by the process that answers.

use crate::model::estate::{Estate, Server, Traffic, TrafficFile};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command};
use crate::tasks::input::Stop;
use crate::tasks::pg::connect::{self, Session, address};
use crate::tasks::pg::pair::home::Home;
use crate::tasks::pg::pair::look::{Seen, look};
use std::collections::BTreeSet;

fn untold(server: &Server, why: &str) -> Failure {
    Failure::new(format!("whether server `{}` is production cannot be told: {why}", server.id))
        .means("what cannot be told counts as production; nothing was started")
        .next("see that both can be looked at from here, and make a new plan")
}

fn is_production(server: &Server, why: &str) -> Failure {
    Failure::new(format!("server `{}` is production: {why}", server.id))
        .means("a drill never works on production; nothing was started")
        .next("name servers in `drill = { pair = \"…\" }` with a folder and an address that nothing else has")
}

/// Servers in which assets live, and the other halves of those.
fn live_servers(estate: &Estate) -> Vec<&Server> {
    let homes = || estate.assets.iter().filter_map(|asset| estate.server(asset.server.as_ref()?));
    let halves = homes().filter_map(|server| estate.server(server.standby.as_ref()?));
    let other_halves =
        estate.servers.iter().filter(|server| homes().any(|live| server.standby.as_ref() == Some(&live.id)));
    homes().chain(halves).chain(other_halves).collect()
}

/// Both halves of every pair that assets name for drills.
fn scratch_servers(estate: &Estate) -> Vec<&Server> {
    let first = || {
        let pairs = estate.assets.iter().filter_map(|asset| asset.drill.as_ref()?.pair.as_ref());
        pairs.filter_map(|id| estate.server(id))
    };
    first().chain(first().filter_map(|server| estate.server(server.standby.as_ref()?))).collect()
}

/// What the configuration alone tells: it is one for drills, and no asset lives in it.
pub fn live_here(cx: &TaskContext, server: &Server) -> Result<(), Failure> {
    if let Some(live) = live_servers(&cx.estate).into_iter().find(|live| live.id == server.id) {
        return Err(is_production(server, &format!("an asset lives in `{}`, or in its other half", live.id)));
    }
    if scratch_servers(&cx.estate).iter().all(|known| known.id != server.id) {
        return Err(is_production(server, "no asset names it as one for drills"));
    }
    Ok(())
}

/// `Ok` only for a server for drills that shares nothing with any other server of the estate.
pub async fn apart(cx: &TaskContext, server: &Server) -> Result<(), Failure> {
    live_here(cx, server)?;
    let scratch: BTreeSet<&str> = scratch_servers(&cx.estate).iter().map(|server| server.id.as_str()).collect();
    let here = Lineage::of(cx, server).await.map_err(|stop| untold(server, &stop.what()))?;
    let mine = addresses(server).await;
    for other in cx.estate.servers.iter().filter(|other| !scratch.contains(other.id.as_str())) {
        let theirs = addresses(other).await;
        if server.port == other.port && (server.host == other.host || !mine.is_disjoint(&theirs)) {
            return Err(is_production(server, &format!("{} is the address of server `{}`", address(server), other.id)));
        }
        if other.home.is_none() {
            continue;
        }
        let there = Lineage::of(cx, other).await.map_err(|stop| untold(server, &stop.what()))?;
        if here.is_with(&there) {
            return Err(is_production(
                server,
                &format!("its folder is, holds or lies in that of server `{}`", other.id),
            ));
        }
    }
    answers_from_its_folder(cx, server).await
}

async fn addresses(server: &Server) -> BTreeSet<std::net::IpAddr> {
    let found = tokio::net::lookup_host((server.host.as_str(), server.port)).await;
    found.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}

/// Whoever answers at its address must be the process of its folder, and no other's.
async fn answers_from_its_folder(cx: &TaskContext, server: &Server) -> Result<(), Failure> {
    let told = async {
        if !matches!(look(cx, server).await?, Seen::Up(_)) {
            return Ok::<_, Stop>(None);
        }
        let session = Session::open(cx, server, &server.maintenance_db).await?;
        let row = session
            .row("reading when it started", "SELECT extract(epoch FROM pg_postmaster_start_time())::bigint", &[])
            .await?;
        let home = Home::of(cx, server)?;
        let file = home.run(Command::new(["cat", "--", &home.file("postmaster.pid")]).quiet()).await?.text();
        let started: Option<i64> = file.lines().nth(2).and_then(|line| line.trim().parse().ok());
        Ok(Some((row.get::<_, i64>(0), started)))
    };
    match told.await {
        Ok(None) => Ok(()),
        // The one is written a moment before the other.
        Ok(Some((answers, Some(file)))) if answers.abs_diff(file) <= 2 => Ok(()),
        Ok(Some(_)) => {
            Err(is_production(server, &format!("what answers at {} does not run in its folder", address(server))))
        }
        Err(stop) => Err(untold(server, &stop.what())),
    }
}

/// A folder on its machine, there or not, with everything that holds it.
struct Lineage {
    /// The machine, until it is started anew.
    machine: String,
    path: String,
    own: Option<String>,
    /// Device and inode of the folder and of what holds it, as far as it is there.
    ids: Vec<String>,
}

impl Lineage {
    async fn of(cx: &TaskContext, server: &Server) -> Result<Self, Stop> {
        let home = Home::of(cx, connect::server(cx, &server.id)?)?;
        let machine =
            home.must("asking the machine who it is", &["cat", "/proc/sys/kernel/random/boot_id"]).await?.text();
        let path = home.must("resolving the folder", &["realpath", "-m", "--", &home.place.data_dir]).await?.text();
        let path = path.trim_end_matches('\n').to_owned();
        let mut all = vec![path.clone()];
        let holder = |path: &String| Some(path.rsplit_once('/')?.0.to_owned()).filter(|holder| !holder.is_empty());
        while let Some(next) = all.last().and_then(holder) {
            all.push(next);
        }
        let argv = ["stat", "-L", "-c", "%d:%i %n", "--"].into_iter().map(str::to_owned).chain(all.iter().cloned());
        let said = home.run(Command::new(argv)).await?.text();
        let rows: Vec<(&str, &str)> = said.lines().filter_map(|line| line.split_once(' ')).collect();
        if rows.is_empty() {
            let what = format!("{} cannot be looked at on host `{}`", escaped(&path), home.host.id);
            return Err(Failure::new(what).into());
        }
        let own = rows.iter().find(|(_, name)| *name == path).map(|(id, _)| (*id).to_owned());
        Ok(Self { machine, own, ids: rows.iter().map(|(id, _)| (*id).to_owned()).collect(), path })
    }

    fn is_with(&self, other: &Self) -> bool {
        let nested = |a: &str, b: &str| a == b || a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
        let holds = |a: &Self, b: &Self| a.own.as_ref().is_some_and(|own| b.ids.contains(own));
        self.machine == other.machine
            && (nested(&self.path, &other.path)
                || nested(&other.path, &self.path)
                || holds(self, other)
                || holds(other, self))
    }
}

/// `Ok` only where the traffic of a server for drills is a file, and no other server's.
pub async fn traffic_apart(cx: &TaskContext, server: &Server) -> Result<(), Failure> {
    let mine = match &server.traffic {
        None => return Ok(()),
        Some(Traffic::File(mine)) => mine,
        Some(other) => return Err(untold(server, &format!("whose clients {other} moves is not known here"))),
    };
    let here = place_of(cx, mine).await.map_err(|stop| untold(server, &stop.what()))?;
    for other in cx.estate.servers.iter().filter(|other| other.id != server.id) {
        let theirs = match &other.traffic {
            Some(Traffic::File(file)) => file,
            Some(Traffic::PgBouncer(pooler)) => &pooler.file,
            Some(Traffic::Dns(_)) | None => continue,
        };
        if here == place_of(cx, theirs).await.map_err(|stop| untold(server, &stop.what()))? {
            let why = format!("its traffic file {} is that of server `{}`", escaped(&mine.path), other.id);
            return Err(is_production(server, &why));
        }
    }
    Ok(())
}

/// A file by its machine and its real path.
async fn place_of(cx: &TaskContext, traffic: &TrafficFile) -> Result<(String, String), Stop> {
    let host = host::find(cx, &traffic.host)?;
    let machine = host::run(cx, host, Command::new(["cat", "/proc/sys/kernel/random/boot_id"])).await?;
    let path = host::run(cx, host, Command::new(["realpath", "-m", "--", &traffic.path])).await?;
    let (machine, path) =
        (machine.success("asking the machine who it is", host)?, path.success("resolving the file", host)?);
    Ok((machine.text(), path.text()))
}
