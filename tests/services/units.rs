//! The modules of services, each against what systemd and the ports say afterwards.

use crate::context::context;
use crate::systemd::Systemd;
use relight::model::task::{Reality, TaskOutcome, Values};
use relight::tasks::context::TaskContext;
use serde_json::json;
use std::net::TcpListener;

const UNIT: &str = "web.service";

struct Bench {
    lab: Systemd,
    cx: TaskContext,
    port: u16,
}

impl Bench {
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let web = format!(
            "[Unit]\nDefaultDependencies=no\n[Service]\nRestart=always\nRestartSec=200ms\n\
             ExecStart=/usr/bin/python3 -m http.server {port} --bind 127.0.0.1 --directory /run\n[Install]\nWantedBy=lab.target\n"
        );
        // Its main process leaves another one behind, which `KillMode=process` lets live.
        let leaver = "[Unit]\nDefaultDependencies=no\n[Service]\nKillMode=process\n\
                      ExecStart=/bin/bash -c 'sleep 1001 & exec sleep 1002'\n";
        let own = "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 1003\n";
        let user = "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nUser=nobody\nDelegate=yes\n\
                    RuntimeDirectory=user/65534\nRuntimeDirectoryMode=0700\nEnvironment=XDG_RUNTIME_DIR=/run/user/65534 \
                    HOME=/home/nobody\n\
                    ExecStart=/lib/systemd/systemd --user --unit=basic.target --log-target=null\n";
        let lab = Systemd::start(&[(UNIT, &web), ("leaver.service", leaver), ("user.service", user)]);
        std::fs::write(lab.path("own.service"), own).unwrap();
        let inside = serde_json::to_string(&lab.inside()).unwrap();
        let mut nobody = lab.inside();
        nobody.extend(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"].map(str::to_owned));
        let nobody = serde_json::to_string(&nobody).unwrap();
        let text = format!(
            "[estate]\nname = \"x\"\n[[stores]]\nid = \"s\"\ntype = \"local\"\npath = \"s\"\n[[assets]]\nid = \"a\"\nkind = \"other\"\n\
             [[hosts]]\nid = \"box\"\nvia = \"local\"\nrun_as = {inside}\n\
             [[hosts]]\nid = \"login\"\nvia = \"local\"\nrun_as = {nobody}\n\
             [[services]]\nid = \"web\"\nhost = \"box\"\nunit = \"{UNIT}\"\naddresses = [\"127.0.0.1:{port}\"]\nvantage = [\"box\"]\n\
             [[services]]\nid = \"leaver\"\nhost = \"box\"\nunit = \"leaver.service\"\n\
             [[services]]\nid = \"own\"\nhost = \"box\"\nunit = \"own.service\"\n\
             [[services]]\nid = \"mine\"\nhost = \"login\"\nunit = \"mine.service\"\nscope = \"user\"\n\
             [[services]]\nid = \"absent\"\nhost = \"box\"\nunit = \"absent.service\"\n"
        );
        let dir = lab.path("");
        let cx = context(&dir, &text);
        Self { lab, cx, port }
    }

    async fn run(&self, module: &str, input: serde_json::Value) -> TaskOutcome {
        relight::tasks::table::all().get(module).unwrap().run(&self.cx, &table(input)).await
    }

    async fn done(&self, module: &str, input: serde_json::Value) -> Values {
        match self.run(module, input).await {
            TaskOutcome::Done { output } => output,
            other => panic!("{module}: {other:?}"),
        }
    }

    async fn reality(&self, module: &str, service: &str) -> Reality {
        let input = table(json!({ "service": service }));
        relight::tasks::table::all().get(module).unwrap().reconcile(&self.cx, &input).await
    }

    fn answers(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }
}

pub fn table(value: serde_json::Value) -> Values {
    let serde_json::Value::Object(values) = value else { panic!("not a table: {value}") };
    values
}

#[test]
fn the_lab_can_write_nothing_of_the_machine() {
    let lab = Systemd::start(&[]);
    for path in ["/etc/relight-lab", "/var/relight-lab", "/usr/relight-lab", "/proc/sys/kernel/core_pattern"] {
        let said = lab.run(&["touch", path]);
        assert!(!said.status.success() && String::from_utf8_lossy(&said.stderr).contains("Read-only"), "{said:?}");
    }
    assert!(!lab.must(&["systemctl", "list-units", "--all", "--plain", "--no-legend"]).contains("tmpfiles"));
}

#[tokio::test]
async fn a_service_is_seen_started_and_stopped() {
    let bench = Bench::new();
    let web = json!({ "service": "web", "within": "30s" });
    let seen = bench.done("service.inspect", json!({ "service": "web" })).await;
    assert_eq!((&seen["active"], &seen["masked"], &seen["processes"]), (&json!(false), &json!(false), &json!(0)));
    assert!(matches!(bench.reality("service.start", "web").await, Reality::NotDone(_)));

    let started = bench.done("service.start", web.clone()).await;
    assert!(bench.answers() && started["doors"].to_string().contains("takes connections from host box"), "{started:?}");
    assert!(matches!(bench.reality("service.start", "web").await, Reality::Done(_)));
    let seen = bench.done("service.inspect", json!({ "service": "web" })).await;
    assert_eq!(seen["main_pid"].to_string(), bench.lab.says(UNIT, "MainPID"));
    assert!(seen["active"] == true && seen["processes"] == 1 && seen["since"] != "", "{seen:?}");
    let identity = bench.done("service.identity", json!({ "service": "web" })).await;
    assert!(identity["title"].as_str().unwrap().contains("unit web.service on host box"), "{identity:?}");

    let stopped = bench.done("service.stop", web.clone()).await;
    assert!(stopped["was_active"] == true && !bench.answers(), "{stopped:?}");
    assert!(matches!(bench.reality("service.stop", "web").await, Reality::Done(_)));
    let TaskOutcome::Failed { failure } = bench.run("service.start", json!({ "service": "absent" })).await else {
        panic!("a unit that is not there was started")
    };
    assert!(failure.what.contains("has no unit absent.service"), "{failure:?}");
}

#[tokio::test]
async fn a_fenced_service_comes_back_by_no_way_but_its_own() {
    let bench = Bench::new();
    let web = json!({ "service": "web", "within": "30s" });
    bench.done("service.start", web.clone()).await;
    assert!(matches!(bench.reality("service.fence", "web").await, Reality::NotDone(_)));

    let fenced = bench.done("service.fence", web.clone()).await;
    let receipt = &fenced["proofs"]["fence-receipt"];
    assert!(receipt["masked"].as_str().unwrap().contains("over a restart of the host"), "{receipt}");
    assert!(receipt["doors"][0].as_str().unwrap().contains("refuses connections from here"), "{receipt}");
    assert_eq!(bench.lab.says(UNIT, "UnitFileState"), "masked");
    assert!(!bench.answers() && !bench.lab.run(&["systemctl", "start", UNIT]).status.success());
    assert!(matches!(bench.reality("service.fence", "web").await, Reality::Done(_)));
    let TaskOutcome::Failed { failure } = bench.run("service.start", web.clone()).await else {
        panic!("a fenced service was started")
    };
    assert!(failure.what.contains("is masked"), "{failure:?}");

    // While another runs in its place it stays fenced.
    bench.lab.must(&["systemctl", "start", "leaver.service"]);
    let back = json!({ "service": "web", "instead_of": "leaver", "within": "30s" });
    let TaskOutcome::Failed { failure } = bench.run("service.unfence", back.clone()).await else {
        panic!("two do the same work")
    };
    assert!(failure.what.contains("stays fenced") && !bench.answers(), "{failure:?}");
    // One whose last process outlived its stop still runs.
    bench.lab.must(&["systemctl", "stop", "leaver.service"]);
    let TaskOutcome::Failed { failure } = bench.run("service.unfence", back.clone()).await else {
        panic!("a process was overlooked")
    };
    assert!(failure.what.contains("stays fenced"), "{failure:?}");
    bench.done("service.fence", json!({ "service": "leaver", "within": "20s" })).await;
    bench.done("service.unfence", back).await;
    assert!(bench.answers());
}

#[tokio::test]
async fn what_cannot_be_masked_is_not_stopped_and_a_mask_until_the_next_start_is_no_fence() {
    let bench = Bench::new();
    let file = bench.lab.path("own.service");
    bench.lab.must(&["cp", file.to_str().unwrap(), "/etc/systemd/system/own.service"]);
    bench.lab.must(&["systemctl", "daemon-reload"]);
    bench.lab.must(&["systemctl", "start", "own.service"]);
    let TaskOutcome::Failed { failure } = bench.run("service.fence", json!({ "service": "own" })).await else {
        panic!("fenced without a mask")
    };
    assert!(failure.next.contains("where the mask would have to"));
    assert_eq!(bench.lab.says("own.service", "ActiveState"), "active");

    bench.lab.must(&["systemctl", "mask", "--runtime", UNIT]);
    let reality = bench.reality("service.fence", "web").await;
    assert!(matches!(reality, Reality::Unknown(_)), "it would come back after a restart of the host: {reality:?}");
    bench.done("service.fence", json!({ "service": "web" })).await;
    bench.done("service.unfence", json!({ "service": "web", "within": "30s" })).await;
    assert!(bench.answers(), "both masks are gone");
}

#[tokio::test]
async fn a_user_has_services_too() {
    let bench = Bench::new();
    let folder = "/home/nobody/.local/share/systemd/user";
    bench.lab.must(&["install", "-d", "-o", "nobody", "/home/nobody"]);
    bench.lab.must(&["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "mkdir", "-p", folder]);
    let file = bench.lab.path("own.service");
    bench.lab.must(&["cp", file.to_str().unwrap(), &format!("{folder}/mine.service")]);
    bench.lab.must(&["systemctl", "start", "user.service"]);
    bench.done("service.start", json!({ "service": "mine", "within": "30s" })).await;
    let seen = bench.done("service.inspect", json!({ "service": "mine" })).await;
    assert!(seen["active"] == true && seen["processes"] == 1, "{seen:?}");
    bench.done("service.fence", json!({ "service": "mine", "within": "30s" })).await;
    assert!(matches!(bench.reality("service.fence", "mine").await, Reality::Done(_)));
}
