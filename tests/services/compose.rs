//! Services of a compose file, on a private engine: each order against what the engine says afterwards.

use crate::context::context;
use crate::docker::Docker;
use crate::units::table;
use relight::model::task::{Reality, TaskOutcome, Values};
use relight::tasks::context::TaskContext;
use serde_json::json;

const FILE: &str = r#"
version: "3.7"
services:
  api:
    image: shop/api:1
    network_mode: none
    restart: always
    stop_signal: SIGKILL
    depends_on: [db]
  db:
    image: shop/db:1
    network_mode: none
    stop_signal: SIGKILL
  sick:
    image: shop/api:1
    network_mode: none
    stop_signal: SIGKILL
    healthcheck:
      test: ["CMD", "/nothing"]
      interval: 1s
      retries: 1
"#;

struct Bench {
    docker: Docker,
    cx: TaskContext,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let docker = Docker::start();
        docker.image("shop/api:1", "api");
        docker.image("shop/db:1", "db");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("shop.yml");
        std::fs::write(&file, FILE).unwrap();
        let [_, host, address] = docker.words();
        let engine = serde_json::to_string(&docker.words()).unwrap();
        let program = json!(["/usr/bin/docker-compose", host, address]);
        let mut text = "[estate]\nname = \"x\"\n[[stores]]\nid = \"s\"\ntype = \"local\"\npath = \"s\"\n[[assets]]\n\
                        id = \"a\"\nkind = \"other\"\n[[hosts]]\nid = \"box\"\nvia = \"local\"\n"
            .to_owned();
        for (id, name) in [("api", "api"), ("db", "db"), ("sick", "sick"), ("absent", "nobody")] {
            text += &format!(
                "[[services]]\nid = \"{id}\"\nhost = \"box\"\ncompose = \"{}\"\ncompose_service = \"{name}\"\n\
                 project = \"shop\"\nengine = {engine}\nprogram = {program}\n",
                file.display()
            );
        }
        let cx = context(dir.path(), &text);
        Self { docker, cx, dir }
    }

    async fn run(&self, module: &str, service: &str, within: &str) -> TaskOutcome {
        let input = table(json!({ "service": service, "within": within }));
        relight::tasks::table::all().get(module).unwrap().run(&self.cx, &input).await
    }

    async fn done(&self, module: &str, service: &str) -> Values {
        match self.run(module, service, "30s").await {
            TaskOutcome::Done { output } => output,
            other => panic!("{module} {service}: {other:?}"),
        }
    }

    async fn reality(&self, module: &str, service: &str) -> Reality {
        let input = table(json!({ "service": service }));
        relight::tasks::table::all().get(module).unwrap().reconcile(&self.cx, &input).await
    }

    /// Services and states of all containers, as the engine has them.
    fn containers(&self) -> Vec<String> {
        let format = "{{.Label \"com.docker.compose.service\"}} {{.State}}";
        let text = self.docker.must(&["ps", "--all", "--format", format]);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_compose_is_seen_started_and_stopped_alone() {
    let bench = Bench::new();
    let seen = bench.done("service.inspect", "api").await;
    assert_eq!((&seen["active"], &seen["state"]), (&json!(false), &json!("inactive (no container)")), "{seen:?}");
    assert!(matches!(bench.reality("service.start", "api").await, Reality::NotDone(_)));
    assert!(matches!(bench.reality("service.stop", "api").await, Reality::Done(_)), "it never ran");

    // Its container is made; what it depends on is another service.
    bench.done("service.start", "api").await;
    assert_eq!(bench.containers(), ["api running"]);
    let id = bench.docker.must(&["ps", "--quiet", "--no-trunc"]);
    bench.done("service.start", "db").await;
    let seen = bench.done("service.inspect", "api").await;
    assert!(seen["active"] == true && seen["processes"] == 1 && seen["enabled"] == "always", "{seen:?}");
    let pid = bench.docker.must(&["inspect", "--format", "{{.State.Pid}}", &id]);
    assert_eq!(seen["main_pid"].to_string(), pid);
    let facts = bench.done("service.identity", "api").await["facts"].to_string();
    let engine = bench.docker.must(&["info", "--format", "{{.ID}}"]);
    assert!(facts.contains("shop.yml") && facts.contains(&engine), "{facts}");

    let stopped = bench.done("service.stop", "api").await;
    assert!(
        stopped["was_active"] == true && stopped["triggered_by"].to_string().contains("restart: always"),
        "{stopped:?}"
    );
    assert_eq!(bench.containers(), ["api exited", "db running"]);
    assert!(matches!(bench.reality("service.stop", "api").await, Reality::Done(_)));
    // What was run for one command has ended, and counts no more; while it runs, the service is not at rest.
    let [_, host, address] = bench.docker.words();
    let mut run = std::process::Command::new("/usr/bin/docker-compose");
    run.args([&host, &address, "--project-name", "shop", "--file"]).arg(bench.dir.path().join("shop.yml"));
    let done = run.args(["run", "--detach", "--no-deps", "api"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let busy = String::from_utf8(done.stdout).unwrap().trim().to_owned();
    let Reality::NotDone(how) = bench.reality("service.stop", "api").await else { panic!("one of it runs") };
    assert!(how.contains("a one-off container of it runs"), "{how}");
    bench.docker.must(&["kill", &busy]);
    assert!(matches!(bench.reality("service.stop", "api").await, Reality::Done(_)));
    // The same container comes back, whatever became of the file meanwhile.
    let file = bench.dir.path().join("shop.yml");
    std::fs::write(&file, FILE.replace("restart: always", "restart: \"no\"")).unwrap();
    bench.done("service.start", "api").await;
    assert_eq!(bench.docker.must(&["ps", "--quiet", "--no-trunc", "--filter", "ancestor=shop/api:1"]), id);
    let pid = bench.docker.must(&["inspect", "--format", "{{.State.Pid}}", &id]);
    let state = &bench.done("service.inspect", "api").await["state"];
    assert_eq!(*state, format!("active (running), main process {pid}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_compose_does_not_know_or_cannot_keep_down_is_said_and_nothing_is_done() {
    let bench = Bench::new();
    bench.done("service.start", "api").await;
    let TaskOutcome::Failed { failure } = bench.run("service.stop", "absent", "10s").await else {
        panic!("a service that is not there was stopped")
    };
    assert!(failure.next.contains("`compose_service`") && failure.meaning.contains("nothing was done"), "{failure:?}");
    let TaskOutcome::Failed { failure } = bench.run("service.fence", "api", "10s").await else {
        panic!("fenced by nothing")
    };
    assert!(failure.what.contains("run by compose") && failure.meaning.contains("cannot be fenced"), "{failure:?}");
    assert_eq!(bench.containers(), ["api running"]);
    // One that is not well is not up, and is not taken for stopped.
    let TaskOutcome::Failed { failure } = bench.run("service.start", "sick", "5s").await else {
        panic!("a sick service was taken for one that works")
    };
    assert!(failure.what.contains("unhealthy") && failure.next.contains("logs sick"), "{failure:?}");
    assert!(matches!(bench.reality("service.stop", "sick").await, Reality::NotDone(_)));
    let api = bench.docker.must(&["ps", "--quiet", "--filter", "label=com.docker.compose.service=api"]);
    bench.docker.must(&["pause", &api]);
    let seen = bench.done("service.inspect", "api").await;
    assert!(
        seen["active"] == false && seen["state"].to_string().contains("paused"),
        "frozen, it does no work: {seen:?}"
    );
    assert!(matches!(bench.reality("service.stop", "api").await, Reality::NotDone(_)));
}
