//! Jobs as a real crontab and a real systemd have them: seen, paused, put back.

use crate::home::Home;
use crate::line::Line;
use crate::systemd::Systemd;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

const TIMER: &str = "sweep.timer";
/// Nobody's crontab but the tests'.
const USER: &str = "games";
const LINES: &str =
    "# made by hand\nMAILTO=\"\"\n0 2 * * *\t/bin/true nightly-orders  # 2 am\n@daily /nowhere/sync files\n";

struct Estate {
    dir: tempfile::TempDir,
    lab: Systemd,
    home: Home,
}

impl Estate {
    fn new() -> Self {
        let lab = Systemd::start(&[
            ("sweep.service", "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/true\n"),
            (TIMER, "[Unit]\nDefaultDependencies=no\n[Timer]\nOnCalendar=*-*-* 02:00:00\n"),
        ]);
        lab.must(&["systemctl", "start", TIMER]);
        let dir = tempfile::Builder::new().prefix("rl-jobs-").tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(dir.path().join("runbooks")).unwrap();
        let runbook = r#"
id = "quiet"
title = "Quiet"
summary = "Pauses the jobs of an asset, asks, and lets them run again."
kind = "restore"
[params.asset]
title = "Asset"
type = "asset"
required = true
[[resolve]]
id = "schedules"
title = "See the jobs"
use = "schedule.list"
with = { asset = "{{ param.asset }}" }
[plan]
touches = ["pauses {{ resolve.schedules.names }}"]
[[steps]]
id = "pause"
title = "Pause {{ resolve.schedules.names }}"
use = "schedule.pause"
with = { asset = "{{ param.asset }}" }
confirm = "none"
undo = { use = "schedule.resume", with = { asset = "{{ param.asset }}" } }
[[steps]]
id = "look"
title = "Look"
ask = "Is it quiet?"
answer = "yes-no"
[[steps]]
id = "resume"
title = "Resume {{ resolve.schedules.names }}"
use = "schedule.resume"
with = { asset = "{{ param.asset }}" }
confirm = "none"
"#;
        std::fs::write(dir.path().join("runbooks/quiet.toml"), runbook).unwrap();
        let file = dir.path().join("cron.d");
        std::fs::write(&file, "SHELL=/bin/sh\n30 2 * * * root /bin/true weekly\n").unwrap();
        let inside = serde_json::to_string(&lab.inside()).unwrap();
        let text = format!(
            "[estate]\nname = \"x\"\n[runbooks]\ndirs = [\"runbooks\"]\n[[stores]]\nid = \"s\"\ntype = \"local\"\npath = \"s\"\n\
             [[hosts]]\nid = \"here\"\nvia = \"local\"\n[[hosts]]\nid = \"box\"\nvia = \"local\"\nrun_as = {inside}\n\
             [[assets]]\nid = \"orders\"\nkind = \"other\"\n[[assets]]\nid = \"files\"\nkind = \"other\"\n\
             [[jobs]]\nid = \"nightly\"\nhost = \"here\"\nassets = [\"orders\"]\nuser = \"{USER}\"\nline = \"nightly-orders\"\ntime_zone = \"UTC\"\n\
             [[jobs]]\nid = \"weekly\"\nhost = \"here\"\nassets = [\"orders\"]\nfile = \"{}\"\nline = \"weekly\"\ntime_zone = \"UTC\"\n\
             [[jobs]]\nid = \"sweep\"\nhost = \"box\"\nassets = [\"orders\"]\ntimer = \"{TIMER}\"\n",
            file.display()
        );
        std::fs::create_dir(dir.path().join("s")).unwrap();
        std::fs::write(dir.path().join("relight.toml"), text).unwrap();
        crontab(&["-"], LINES);
        Self { home: Home::at(dir.path()), dir, lab }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn relight(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let output = Command::new(crate::RELIGHT)
            .arg("--config")
            .arg(self.home.config())
            .arg("--state")
            .arg(self.home.state())
            .args(arguments)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (text, output.status.code())
    }

    fn schedules(&self) -> (Value, Option<i32>) {
        let (text, code) = self.relight(&["schedules", "--json"]);
        (serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")), code)
    }

    /// State of each job, in the order of the file.
    fn states(&self) -> Vec<String> {
        let (document, _) = self.schedules();
        jobs(&document).iter().map(|job| job["state"].as_str().unwrap().to_owned()).collect()
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.path("cron.d")).unwrap()
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        crate::runners::end_all(&self.home.state());
        crontab(&["-r"], "");
    }
}

fn jobs(document: &Value) -> &Vec<Value> {
    let body = document.get("jobs").or_else(|| document["body"].get("jobs")).or_else(|| document["data"].get("jobs"));
    body.and_then(Value::as_array).unwrap_or_else(|| panic!("{document}"))
}

fn crontab(words: &[&str], typed: &str) -> String {
    use std::io::Write as _;
    let mut child = Command::new("crontab")
        .args(["-u", USER])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("cron is installed");
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// One test: a user has one crontab.
#[test]
fn jobs_are_seen_paused_by_a_run_and_put_back_byte_for_byte() {
    let estate = Estate::new();
    let file = estate.file();
    let (document, code) = estate.schedules();
    assert_eq!(estate.states(), ["on", "on", "on"], "{document}");
    let all = jobs(&document);
    assert!(all.iter().all(|job| job["next"].as_str().is_some_and(|at| at.contains("T02:"))), "{document}");
    assert!(all[0]["notes"].to_string().contains("begins together with `sweep`"), "{document}");
    assert_eq!(code, Some(1), "two at the same time");

    // While a run keeps them paused they are listed as that.
    let run = ["run", "quiet", "--set", "asset=orders", "--plain", "--arm", "a restore"];
    let mut line = Line::open(&estate.home, &run);
    line.until("Start this plan?");
    line.say("yes");
    assert!(line.asked().unwrap().text.contains("Is it quiet?"));
    assert_eq!(estate.states(), ["paused", "paused", "stopped"], "{}", line.text);
    assert_eq!(estate.schedules().1, Some(1));
    let mine = crontab(&["-l"], "");
    assert!(mine.contains("#relight-paused run=") && mine.contains("| 0 2 * * *\t/bin/true nightly-orders"), "{mine}");
    let (text, _) = estate.relight(&["plan", "quiet", "--set", "asset=orders"]);
    assert!(text.contains("pauses nightly, weekly, sweep"), "{text}");
    assert_eq!(estate.lab.says(TIMER, "ActiveState"), "inactive");

    line.say("yes");
    let (text, code) = line.finish();
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(estate.states(), ["on", "on", "on"], "{text}");
    assert_eq!((crontab(&["-l"], ""), estate.file()), (LINES.to_owned(), file), "{text}");

    // What nothing runs is critical: the line is gone, or its program is.
    crontab(&["-"], "0 2 * * * /nowhere/at/all nightly-orders\n");
    let (document, code) = estate.schedules();
    assert!(code == Some(2) && jobs(&document)[0]["notes"].to_string().contains("it runs nothing"), "{document}");
    crontab(&["-"], "#0 2 * * * /bin/true nightly-orders\n");
    let (document, code) = estate.schedules();
    assert!(code == Some(2) && jobs(&document)[0]["notes"].to_string().contains("no line of"), "{document}");
}
