//! A primary that its host runs as a service: fenced by its unit, brought back through it.

use crate::pair::{ALPHA, BETA, Pair};
use crate::postgres::BIN;
use crate::roles::{carried_out, output};
use crate::systemd::Systemd;

const UNIT: &str = "alpha.service";
const CRON: &str = "# nightly\n0 2 * * * postgres /usr/bin/true  dump-app\n";

/// Both, so that the server and the note of its process go before anyone else looks at that note: it names a process
/// of a namespace that nobody shares.
struct Served {
    lab: Option<Systemd>,
    pair: Pair,
}

impl Served {
    fn start() -> Self {
        let pair = Pair::start();
        pair.streams(BETA);
        pair.end(ALPHA);
        let data = pair.path("alpha");
        let user = pair.account().get(2).map_or_else(String::new, |name| format!("User={name}\n"));
        let unit = format!(
            "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\n{user}KillSignal=SIGINT\nRestart=always\nRestartSec=1h\n\
             ExecStart={BIN}/postgres -D {} -c port={}\n",
            data.display(),
            pair.ports[ALPHA]
        );
        let lab = Systemd::start(&[(UNIT, &unit)]);
        let text = std::fs::read_to_string(pair.home.config()).unwrap();
        let home = format!("host = \"box\"\ndata_dir = \"{}\"", data.display());
        assert!(text.contains(&home), "{text}");
        let inside = lab.inside();
        let there = inside.iter().chain(pair.account());
        let there = serde_json::to_string(&there.collect::<Vec<_>>()).unwrap();
        let inside = serde_json::to_string(&inside).unwrap();
        let services = format!(
            "[[hosts]]\nid = \"cell\"\nvia = \"local\"\nrun_as = {there}\n\
             [[hosts]]\nid = \"cell-root\"\nvia = \"local\"\nrun_as = {inside}\n\
             [[services]]\nid = \"alpha\"\nhost = \"cell-root\"\nunit = \"{UNIT}\"\naddresses = [\"127.0.0.1:{}\"]\n[[assets]]\n",
            pair.ports[ALPHA]
        );
        let text = text
            .replace(&home, &format!("host = \"cell\"\nservice = \"alpha\"\ndata_dir = \"{}\"", data.display()))
            .replace("[[assets]]\n", &services);
        let jobs = format!(
            "[[jobs]]\nid = \"nightly\"\nhost = \"box\"\nassets = [\"app\"]\nfile = \"{}\"\nline = \"dump-app\"\n",
            pair.path("cron").display()
        );
        std::fs::write(pair.path("cron"), CRON).unwrap();
        std::fs::write(pair.home.config(), text + &jobs).unwrap();
        lab.must(&["systemctl", "start", UNIT]);
        pair.streams(BETA);
        Self { lab: Some(lab), pair }
    }

    fn lab(&self) -> &Systemd {
        self.lab.as_ref().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.lab.take();
        let _ = std::fs::remove_file(self.pair.path("alpha/postmaster.pid"));
    }
}

#[test]
fn a_primary_under_systemd_is_masked_by_its_fence_and_comes_back_as_its_unit() {
    let served = Served::start();
    let (lab, pair) = (served.lab(), &served.pair);
    pair.sql(ALPHA, "app", "INSERT INTO ledger SELECT generate_series(1, 500)");
    // Its host waits to start it again: no process, and no fence either.
    lab.must(&["kill", "-9", &lab.says(UNIT, "MainPID")]);
    lab.until(UNIT, "SubState", "auto-restart");

    carried_out(pair, "failover-postgres", &[]);
    let receipt = &output(pair, "fence")["proofs"]["fence-receipt"];
    assert!(receipt["server"] == "alpha" && receipt["service"]["unit"] == UNIT, "{receipt}");
    assert!(receipt["service"]["masked"].as_str().unwrap().contains("over a restart"), "{receipt}");
    assert_eq!((lab.says(UNIT, "UnitFileState"), lab.says(UNIT, "ActiveState")), ("masked".into(), "failed".into()));
    assert!(!lab.run(&["systemctl", "start", UNIT]).status.success(), "whoever starts it by hand is refused");
    assert!(!pair.is_standby(BETA));
    let named = |step: &str, list: &str| output(pair, step)[list][0].as_str().map(str::to_owned);
    assert_eq!(named("pause", "paused").as_deref(), Some("nightly"));
    assert_eq!(named("resume", "resumed").as_deref(), Some("nightly"));
    assert_eq!(std::fs::read_to_string(pair.path("cron")).unwrap(), CRON);

    carried_out(pair, "failback-postgres", &["--set", "method=rewind"]);
    assert!(pair.is_standby(BETA) && !pair.is_standby(ALPHA));
    assert_eq!((lab.says(UNIT, "LoadState"), lab.says(UNIT, "ActiveState")), ("loaded".into(), "active".into()));
    assert_eq!(pair.ledger(ALPHA).len(), 500);
}
