//! The console is cut off from the primary, and from nothing else: the standby follows it as before, and only
//! those who ask from here hear silence. Namespaces of their own, so that a cut is a cut: packets are lost, and
//! nobody says so.

use crate::RELIGHT;
use crate::home::Home;
use crate::line::Line;
use crate::pair::signal;
use crate::postgres::{BIN, account_words};
use crate::roles::arguments;
use crate::sshd::Sshd;
use rustix::process::Signal;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Where each one stands.
const PRIMARY: usize = 0;
const STANDBY: usize = 1;
const CONSOLE: usize = 2;
/// Addresses of the servers as the others see them. The console reaches the primary's by way of the standby's
/// machine.
const ADDRESSES: [&str; 2] = ["10.77.2.1", "10.77.1.2"];
const NAMES: [&str; 2] = ["alpha", "beta"];
const SSH_PORT: u16 = 2222;

/// Three network namespaces. Each lives as long as a process in it.
struct Nets(Vec<Child>);

impl Nets {
    fn new() -> Self {
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let hold = || {
            let held =
                Command::new("unshare").args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
            let mut child = held.expect("`unshare` (util-linux) is needed");
            let inside = format!("/proc/{}/ns/net", child.id());
            let deadline = Instant::now() + Duration::from_secs(20);
            while std::fs::read_link(&inside).ok().is_none_or(|there| there == own) {
                let ended = child.try_wait().unwrap();
                assert!(
                    ended.is_none() && Instant::now() < deadline,
                    "this test needs network namespaces, and this machine gives none: run it as root, where \
                     `unshare --net` is allowed (CAP_SYS_ADMIN)"
                );
            }
            child
        };
        let nets = Self(vec![hold(), hold(), hold()]);
        let [primary, _, console] = [0, 1, 2].map(|which| nets.0[which].id().to_string());
        let ip =
            |at: usize, words: &str| nets.must(at, &["ip"].into_iter().chain(words.split(' ')).collect::<Vec<_>>());
        ip(STANDBY, &format!("link add to-primary type veth peer name eth0 netns {primary}"));
        ip(STANDBY, &format!("link add to-console type veth peer name eth0 netns {console}"));
        ip(STANDBY, "addr add 10.77.2.2/24 dev to-primary");
        ip(STANDBY, "addr add 10.77.1.2/24 dev to-console");
        // A second address as the way to the primary: it can be cut alone.
        ip(STANDBY, "addr add 10.77.1.3/24 dev to-console");
        ip(PRIMARY, "addr add 10.77.2.1/24 dev eth0");
        ip(CONSOLE, "addr add 10.77.1.1/24 dev eth0");
        for (at, link) in
            [(0, "eth0"), (2, "eth0"), (1, "to-primary"), (1, "to-console"), (0, "lo"), (1, "lo"), (2, "lo")]
        {
            ip(at, &format!("link set {link} up"));
        }
        nets.must(STANDBY, &["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
        ip(CONSOLE, "route add 10.77.2.0/24 via 10.77.1.3");
        ip(PRIMARY, "route add 10.77.1.0/24 via 10.77.2.2");
        nets
    }

    /// Words before a command that is to run there.
    fn inside(&self, at: usize) -> Vec<String> {
        ["nsenter", "-t", &self.0[at].id().to_string(), "-n", "--"].map(str::to_owned).into()
    }

    fn run(&self, at: usize, argv: &[&str]) -> Output {
        let inside = self.inside(at);
        Command::new(&inside[0]).args(&inside[1..]).args(argv).current_dir("/").env("LC_ALL", "C").output().unwrap()
    }

    fn must(&self, at: usize, argv: &[&str]) -> String {
        let output = self.run(at, argv);
        assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// From now on the console's packets for the primary go to a machine that is not there.
    fn cut(&self) {
        let words = "ip neigh replace 10.77.1.3 lladdr 02:00:00:00:00:99 dev eth0 nud permanent";
        self.must(CONSOLE, &words.split(' ').collect::<Vec<_>>());
    }
}

impl Drop for Nets {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

struct Apart {
    home: Home,
    account: Vec<String>,
    // In this order: who lives in a namespace goes before it.
    _sshd: Sshd,
    nets: Nets,
    dir: tempfile::TempDir,
}

impl Apart {
    fn start() -> Self {
        let nets = Nets::new();
        let dir = tempfile::Builder::new().prefix("rl-net-").tempdir().unwrap();
        let ssh = dir.path().join("ssh");
        std::fs::create_dir(&ssh).unwrap();
        std::fs::create_dir(dir.path().join("shelf")).unwrap();
        let sshd = Sshd::inside(&ssh, &nets.inside(PRIMARY), ADDRESSES[PRIMARY], SSH_PORT);
        let apart = Self { home: Home::at(dir.path()), account: account_words(), _sshd: sshd, nets, dir };
        if let Some(name) = apart.account.get(2) {
            assert!(Command::new("chown").arg(name).arg(apart.dir.path()).status().unwrap().success());
        }
        apart.pg(
            PRIMARY,
            &["initdb", "--auth=trust", "--username=relight", "--no-sync", "--no-locale", "-D", &apart.data(PRIMARY)],
        );
        let settings = "listen_addresses = '*'\nunix_socket_directories = ''\nwal_log_hints = on\nfsync = off\n";
        apart.append("postgresql.conf", settings);
        apart.append("pg_hba.conf", "host all all 10.77.0.0/16 trust\nhost replication all 10.77.0.0/16 trust\n");
        apart.begin(PRIMARY);
        apart.sql(PRIMARY, "postgres", "CREATE DATABASE app");
        apart.sql(PRIMARY, "app", "CREATE TABLE ledger (n bigint PRIMARY KEY)");
        let source = format!("host={} user=relight", ADDRESSES[PRIMARY]);
        apart.pg(
            STANDBY,
            &["pg_basebackup", "-D", &apart.data(STANDBY), "-d", &source, "-R", "-X", "stream", "-c", "fast"],
        );
        apart.begin(STANDBY);
        std::fs::write(apart.home.config(), apart.configuration()).unwrap();
        apart
    }

    fn data(&self, which: usize) -> String {
        self.dir.path().join(NAMES[which]).to_str().unwrap().to_owned()
    }

    fn append(&self, file: &str, text: &str) {
        let path = PathBuf::from(self.data(PRIMARY)).join(file);
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, before + "\n" + text).unwrap();
    }

    fn configuration(&self) -> String {
        let run_as = serde_json::to_string(&self.account).unwrap();
        let server = |which: usize, host: &str| {
            format!(
                "[[servers]]\nid = \"{0}\"\nhost = \"{1}\"\nuser = \"relight\"\n{2}\
                 [servers.home]\nhost = \"{host}\"\ndata_dir = \"{3}\"\nbin_dir = \"{BIN}\"\n",
                NAMES[which],
                ADDRESSES[which],
                if which == PRIMARY { "standby = \"beta\"\n" } else { "" },
                self.data(which),
            )
        };
        format!(
            "[estate]\nname = \"apart\"\n[[stores]]\nid = \"shelf\"\ntype = \"local\"\npath = \"shelf\"\n\
             [[hosts]]\nid = \"far\"\nvia = \"ssh\"\naddress = \"{}\"\nport = {SSH_PORT}\nkey = \"ssh/key\"\n\
             known_hosts = \"ssh/known_hosts\"\nrun_as = {run_as}\n\
             [[hosts]]\nid = \"near\"\nvia = \"local\"\nrun_as = {run_as}\n{}{}\
             [[assets]]\nid = \"app\"\nkind = \"postgresql\"\nserver = \"alpha\"\ndatabase = \"app\"\n",
            ADDRESSES[PRIMARY],
            server(PRIMARY, "far"),
            server(STANDBY, "near"),
        )
    }

    /// One of PostgreSQL's programs.
    fn pg(&self, at: usize, words: &[&str]) -> String {
        let program = format!("{BIN}/{}", words[0]);
        let argv: Vec<&str> =
            self.account.iter().map(String::as_str).chain([&*program]).chain(words[1..].iter().copied()).collect();
        self.nets.must(at, &argv)
    }

    fn begin(&self, which: usize) {
        let (data, log) = (self.data(which), format!("{}.log", self.data(which)));
        self.pg(which, &["pg_ctl", "start", "-D", &data, "-w", "-t", "60", "-s", "-l", &log]);
    }

    /// Asked from the server's own machine.
    fn sql(&self, which: usize, database: &str, sql: &str) -> String {
        let words = [
            "psql",
            "-X",
            "-qAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            ADDRESSES[which],
            "-U",
            "relight",
            "-d",
            database,
            "-c",
            sql,
        ];
        self.pg(which, &words)
    }

    /// Whether the console gets an answer from a server.
    fn is_heard(&self, which: usize) -> bool {
        let program = format!("{BIN}/pg_isready");
        self.nets.run(CONSOLE, &[&program, "-q", "-t", "3", "-h", ADDRESSES[which]]).status.success()
    }

    fn console(&self, arguments: &[&str]) -> Line {
        let inside = self.nets.inside(CONSOLE);
        let mut command = Command::new(&inside[0]);
        command.args(&inside[1..]).arg(RELIGHT).arg("--config").arg(self.home.config());
        command.arg("--state").arg(self.home.state()).args(arguments);
        Line::of(command)
    }

    /// A write on the primary that reaches the standby: both see each other.
    fn replicates(&self, n: u32) {
        self.sql(PRIMARY, "app", &format!("INSERT INTO ledger VALUES ({n})"));
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.sql(STANDBY, "app", &format!("SELECT count(*) FROM ledger WHERE n = {n}")) != "1" {
            assert!(Instant::now() < deadline, "the standby does not follow");
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        crate::runners::end_all(&self.home.state());
        for which in [STANDBY, PRIMARY] {
            let file =
                std::fs::read_to_string(PathBuf::from(self.data(which)).join("postmaster.pid")).unwrap_or_default();
            let master = file.lines().next().and_then(|line| line.parse::<u32>().ok());
            let cwd = master.and_then(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).ok());
            if let Some(pid) = master.filter(|_| cwd == Some(PathBuf::from(self.data(which)))) {
                // An immediate stop: it ends all its children.
                signal(pid, Signal::QUIT);
                let deadline = Instant::now() + Duration::from_secs(20);
                while PathBuf::from(format!("/proc/{pid}/cwd")).exists() && Instant::now() < deadline {
                    std::thread::yield_now();
                }
            }
        }
    }
}

#[test]
fn a_console_that_is_cut_off_from_the_primary_promotes_nothing() {
    let apart = Apart::start();
    apart.replicates(1);
    assert!(apart.is_heard(PRIMARY) && apart.is_heard(STANDBY), "before the cut");
    apart.nets.cut();
    assert!(!apart.is_heard(PRIMARY) && apart.is_heard(STANDBY), "after the cut");
    apart.replicates(2);

    let mut line = apart.console(&arguments("failover-postgres", &[]));
    line.until("Start this plan?");
    assert!(line.text.contains("gives no answer"), "{}", line.text);
    line.say("yes");
    let asked = line.asked().expect("nobody saw it down");
    assert!(asked.text.contains("was not seen down in 3 of 3 looks"), "{}", asked.text);
    assert!(line.text.contains("from standby beta: up (its line to the primary is `streaming`)"), "{}", line.text);
    for unknown in [
        "whether it is dead, paused, or only cut off from here while others still write to it",
        "whether its process runs: its host gave no answer",
        "why its standby still has a line to it",
    ] {
        assert!(line.text.contains(&format!("not known: {unknown}")), "{unknown}: {}", line.text);
    }
    line.say("skip someone said that it is off");
    let asked = line.go_on_to("(step 4 of").expect("the fence asks");
    line.say(asked.phrase.as_deref().unwrap());
    let asked = line.asked().expect("the fence is unknown");
    assert!(line.text.contains("host `far` cannot be reached"), "{}", line.text);
    assert!(
        line.text.contains("whether it runs, and whether someone else can reach it and write to it"),
        "{}",
        line.text
    );
    assert!(!asked.answers.contains("yes") && !asked.answers.contains("retry"), "{}", asked.answers);
    apart.replicates(3);
    line.say("look");
    let asked = line.asked().expect("looking again sees no more");
    assert!(asked.answers.contains("by-hand"), "{}", asked.text);
    line.say("by-hand someone said that its power was cut");
    let asked = line.go_on_to("is not proven to be fenced").expect("the promotion asks for the receipt");
    assert!(asked.text.contains("fence-receipt"), "{}", asked.text);
    assert!(line.text.contains("the lost primary's log could not be read"), "{}", line.text);
    assert_eq!(asked.phrase.as_deref(), Some("promote beta without a fence and lose what alpha still takes"));
    line.say("promote beta");
    line.until("refused: the phrase does not match");
    // Both are what they were, and it was well that nothing was done.
    apart.replicates(4);
    let roles = [PRIMARY, STANDBY].map(|which| apart.sql(which, "postgres", "SELECT pg_is_in_recovery()"));
    assert_eq!(roles, ["f", "t"]);
}
