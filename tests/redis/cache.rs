//! A real Redis with a log of changes, run by scripts as a service would be, and its backups.

use crate::disks::{Ballast, Small};
use crate::home::Home;
use relight::runbook::Plan;
use serde_json::json;
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The server's user; we are root.
const NOBODY: &str = "65534";

pub struct Cache {
    /// Under the data; it goes once no server is left on it.
    _disk: Option<Small>,
    home: Home,
    pub port: u16,
}

impl Deref for Cache {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Cache {
    /// A running server with keys in three databases, one snapshot of it, and then keys that were flushed.
    pub async fn flushed(appendonly: bool) -> Self {
        Self::running(appendonly).await.then_flushed()
    }

    /// The same, its data on a file system of its own, and the snapshot in the bucket alone.
    pub async fn on_a_small_disk(size: &str) -> Self {
        let cache = Self::prepared(true, |srv| Some(Small::at(srv, size))).await.then_flushed();
        let bytes = std::fs::read(cache.snapshot()).unwrap();
        cache.s3.put("cache/redis_20260102_030000.rdb", &bytes);
        std::fs::remove_file(cache.snapshot()).unwrap();
        cache
    }

    fn then_flushed(self) -> Self {
        let cache = self;
        cache.fill();
        cache.back_up("redis_20260102_030000.rdb");
        cache.cli(&["FLUSHALL"]);
        cache.cli(&["SET", "wrong", "written after the loss"]);
        cache
    }

    pub async fn running(appendonly: bool) -> Self {
        Self::prepared(appendonly, |_| None).await
    }

    async fn prepared(appendonly: bool, prepare: impl FnOnce(&Path) -> Option<Small>) -> Self {
        let home = Home::new().await;
        std::fs::create_dir(home.path("srv")).unwrap();
        let disk = prepare(&home.path("srv"));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cache = Self { _disk: disk, home, port };
        std::fs::set_permissions(cache.path("."), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(cache.live()).unwrap();
        std::fs::set_permissions(cache.live(), PermissionsExt::from_mode(0o750)).unwrap();
        std::os::unix::fs::chown(cache.live(), Some(65534), Some(65534)).unwrap();
        let settings = format!(
            "bind 127.0.0.1\nport {port}\ndir {}\nappendonly {}\ndaemonize yes\nsave 900 1\nrepl-diskless-sync-delay 0\n",
            cache.live().display(),
            if appendonly { "yes" } else { "no" }
        );
        std::fs::write(cache.path("redis.conf"), settings).unwrap();
        cache.scripts();
        std::fs::write(cache.config(), cache.config_text()).unwrap();
        cache.run("start");
        cache
    }

    /// Start and stop as a service manager has them: once, however often they are asked for. While a file
    /// `<name>.hold` is there, they say that they have come so far, and wait.
    fn scripts(&self) {
        let conf = self.path("redis.conf");
        let hold = |name: &str| {
            let at = self.sign(name, "").display().to_string();
            format!("if [ -e {at}.hold ]; then touch {at}.reached; while [ -e {at}.hold ]; do sleep 0.02; done; fi\n")
        };
        let ping = format!("redis-cli -p {} PING >/dev/null 2>&1", self.port);
        let as_nobody = format!("setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups");
        // The server must not inherit the lock, nor a copy of it that the shell keeps for itself.
        let lock = format!("exec 9>{}\nflock 9\n", self.path("service.lock").display());
        let (started, stopped) = (hold("start"), hold("stop"));
        let start = format!(
            "{started}{lock}{ping} && exit 0\nsetsid --wait {as_nobody} redis-server {} 9>&-\n",
            conf.display()
        );
        let stop = format!("{stopped}{lock}{ping} || exit 0\nredis-cli -p {} SHUTDOWN\nexit 0\n", self.port);
        std::fs::create_dir(self.path("bin")).unwrap();
        std::fs::create_dir(self.path("signs")).unwrap();
        std::fs::set_permissions(self.path("signs"), PermissionsExt::from_mode(0o777)).unwrap();
        let loads = format!("case \"$*\" in *relight.sock*) {} ;; esac\nexec redis-server \"$@\"\n", hold("load"));
        for (name, text) in [("start.sh", start), ("stop.sh", stop), ("bin/redis-server", loads)] {
            std::fs::write(self.path(name), format!("#!/bin/bash\n{text}")).unwrap();
            std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::symlink("/usr/bin/redis-cli", self.path("bin/redis-cli")).unwrap();
    }

    fn config_text(&self) -> String {
        let (estate, port) = (self.estate("cache/"), self.port);
        let at = |name: &str| self.path(name).display().to_string();
        format!(
            r#"{estate}

[[hosts]]
id = "here"
via = "local"

[[servers]]
id = "cache"
kind = "redis"
host = "127.0.0.1"
port = {port}
  [servers.home]
  host = "here"
  data_dir = "{}"
  bin_dir = "{}"
  start = ["{}"]
  stop = ["{}"]

[[assets]]
id = "sessions"
kind = "redis"
server = "cache"

  [[assets.sources]]
  store = "shelf"
  match = "redis_{{time:%Y%m%d_%H%M%S}}.rdb"
  kind = "full"

  [[assets.sources]]
  store = "bucket"
  match = "redis_{{time:%Y%m%d_%H%M%S}}.rdb"
  kind = "full"
"#,
            at("srv/data"),
            at("bin"),
            at("start.sh"),
            at("stop.sh")
        )
    }

    /// Scripts and tests tell each other by files here.
    fn sign(&self, name: &str, ending: &str) -> PathBuf {
        self.path("signs").join(format!("{name}{ending}"))
    }

    pub fn live(&self) -> PathBuf {
        self.path("srv/data")
    }

    pub fn relight(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(crate::home::RELIGHT);
        command.arg("--config").arg(self.config()).arg("--state").arg(self.state()).args(arguments);
        command.output().unwrap()
    }

    pub fn run(&self, script: &str) {
        let status = Command::new(self.path(&format!("{script}.sh"))).status().unwrap();
        assert!(status.success(), "{script}");
        if script == "start" {
            self.until("the server answers", || self.try_cli(&["PING"]).as_deref() == Some("PONG"));
        }
    }

    pub fn until(&self, what: &str, mut there: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !there() {
            assert!(Instant::now() < deadline, "did not come: {what}, on port {}", self.port);
            std::thread::yield_now();
        }
    }

    fn try_cli(&self, words: &[&str]) -> Option<String> {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    pub fn cli(&self, words: &[&str]) -> String {
        self.try_cli(words).unwrap_or_else(|| panic!("{words:?}"))
    }

    pub fn info(&self, field: &str) -> String {
        let text = self.cli(&["INFO"]);
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    }

    pub fn fill(&self) {
        let fill = "for i = 1, 400 do redis.call('SET', 'k' .. i, 'v' .. i) end \
            for i = 1, 100 do redis.call('SET', 'e' .. i, 'v', 'EX', 100000) end";
        self.cli(&["EVAL", fill, "0"]);
        let far = "for i = 1, 200 do redis.call('HSET', 'h' .. i, 'a', i, 'b', 'x') end";
        assert_eq!(
            Command::new("redis-cli")
                .args(["-p", &self.port.to_string(), "-n", "9", "EVAL", far, "0"])
                .status()
                .unwrap()
                .code(),
            Some(0)
        );
    }

    /// The snapshot as Redis's own tool pulls it.
    pub fn back_up(&self, name: &str) {
        let to = self.path("shelf").join(name);
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string(), "--rdb"]).arg(&to).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn snapshot(&self) -> PathBuf {
        self.path("shelf").join("redis_20260102_030000.rdb")
    }

    /// Takes all but a little of what a small file system under the data has left.
    pub fn fill_disk(&self, leave: u64) -> Ballast {
        Ballast::on(&self.path("srv"), leave)
    }

    /// Ends what works with these words on its command line, as a crash would.
    pub fn crash(&self, words: &str) {
        let here = self.path(".").canonicalize().unwrap();
        let mut ended = 0;
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let of_ours = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&here));
            let pid = entry.file_name().to_string_lossy().parse().ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) =
                pid.filter(|_| line.contains(words) && (of_ours || line.contains(&*here.to_string_lossy())))
            {
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
                ended += 1;
            }
        }
        assert!(ended > 0, "nothing to crash: {words}");
    }

    /// Everything that must not change before the swap: which process, which folder, which keys.
    pub fn production(&self) -> (String, u64, String) {
        (self.info("run_id"), self.live().metadata().unwrap().ino(), self.info("db0"))
    }

    pub fn beside(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("srv")).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> =
            entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("data.")).collect();
        found.sort();
        found
    }

    /// All of the snapshot is there, and outlives a restart with the server's own settings.
    pub fn holds_all(&self) {
        for round in ["after the restore", "after a restart"] {
            assert_eq!(self.cli(&["DBSIZE"]), "500", "{round}");
            assert!(self.info("db0").starts_with("keys=500,expires=100"), "{round}: {}", self.info("db0"));
            assert!(self.info("db9").starts_with("keys=200,"), "{round}: {}", self.info("db9"));
            assert_eq!(self.cli(&["GET", "k77"]), "v77");
            self.run("stop");
            self.run("start");
        }
    }

    pub async fn plan(&self) -> Result<Plan, Vec<String>> {
        self.plan_of("restore-redis", json!({ "asset": "sessions", "backup": "latest" })).await
    }

    pub fn hold(&self, name: &str) {
        std::fs::write(self.sign(name, ".hold"), "").unwrap();
    }

    pub fn reached(&self, name: &str) {
        let reached = self.sign(name, ".reached");
        self.until(name, || reached.exists());
    }

    pub fn let_go(&self, name: &str) {
        std::fs::remove_file(self.sign(name, ".hold")).unwrap();
    }
}

/// No server outlives its test: neither this one, nor one that works beside it.
impl Drop for Cache {
    fn drop(&mut self) {
        crate::runners::end_all(&self.state());
        for name in ["start", "stop", "load"] {
            let _ = std::fs::remove_file(self.sign(name, ".hold"));
        }
        crate::workers::end_all_in(&self.path("."));
    }
}
