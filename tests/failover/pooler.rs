//! A real PgBouncer between a client and two servers: the client's session stays, and is led elsewhere.

use crate::bench::Bench;
use crate::pair::{ALPHA, BETA, Pair};
use crate::postgres::account;
use relight::model::task::{TaskOutcome, Values};
use serde_json::json;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

struct Pooler {
    bench: Bench,
    port: u16,
    process: Child,
}

impl Pooler {
    fn start(pair: &Pair, include: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = tempfile::Builder::new().prefix("rl-pooler-").tempdir().unwrap();
        let at = place.path().display();
        let bench = Bench::in_folder(
            &format!(
                "[[hosts]]\nid = \"box\"\nvia = \"local\"\n\
             [[servers]]\nid = \"alpha\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"relight\"\nstandby = \"beta\"\n\
             [servers.traffic]\ntype = \"pgbouncer\"\nhost = \"box\"\npath = \"{at}/databases.ini\"\n\
             content = \"[databases]\\nclients = host={{host}} port={{port}} dbname=app\\n\"\ndatabase = \"clients\"\n\
             console = {{ host = \"127.0.0.1\", port = {port}, user = \"boss\" }}\n\
             [[servers]]\nid = \"beta\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"relight\"\n",
                pair.ports[ALPHA], pair.ports[BETA],
            ),
            place,
        );
        let write = |name: &str, text: String| std::fs::write(bench.dir.path().join(name), text).unwrap();
        write(
            "databases.ini",
            format!("[databases]\nclients = host=127.0.0.1 port={} dbname=app\n", pair.ports[ALPHA]),
        );
        write("users", "\"relight\" \"\"\n\"boss\" \"\"\n".to_owned());
        let at = bench.dir.path().display();
        write(
            "pgbouncer.ini",
            format!(
                "%include {at}/{include}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = trust\nauth_file = {at}/users\nadmin_users = boss\npool_mode = transaction\n"
            ),
        );
        write("other.ini", format!("[databases]\nclients = host=127.0.0.1 port={} dbname=app\n", pair.ports[ALPHA]));
        let mut command = Command::new("/usr/sbin/pgbouncer");
        if let Some((uid, gid)) = account() {
            std::os::unix::fs::chown(bench.dir.path(), Some(uid), Some(gid)).unwrap();
            command.uid(uid).gid(gid);
        }
        let log = std::fs::File::create(bench.dir.path().join("log")).unwrap();
        command.arg(bench.dir.path().join("pgbouncer.ini"));
        let process = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("pgbouncer is installed");
        let pooler = Self { bench, port, process };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || std::fs::read_to_string(pooler.bench.dir.path().join("log")).unwrap();
            assert!(Instant::now() < deadline, "{}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
        pooler
    }

    async fn client(&self) -> Client {
        let address = format!("host=127.0.0.1 port={} user=relight dbname=clients", self.port);
        let (client, line) = tokio_postgres::connect(&address, NoTls).await.unwrap();
        tokio::spawn(line);
        client
    }

    async fn run(&self, module: &str, server: &str) -> TaskOutcome {
        let input = json!({ "asset": "app", "server": server, "stamp": "20261121_021500" });
        self.bench.run(module, input.as_object().unwrap()).await
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn done(outcome: TaskOutcome) -> Values {
    match outcome {
        TaskOutcome::Done { output } => output,
        other => panic!("{other:?}"),
    }
}

/// Whether the server behind a session is a standby.
async fn follows(client: &Client) -> bool {
    let said = client.simple_query("SELECT pg_is_in_recovery()").await.unwrap();
    let row = said.iter().find_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None });
    row.unwrap().get(0) == Some("t")
}

#[tokio::test]
async fn a_session_is_led_to_the_other_server_and_back() {
    let pair = Pair::start();
    let pooler = Pooler::start(&pair, "databases.ini");
    let client = pooler.client().await;
    assert!(!follows(&client).await);
    let output = done(pooler.run("traffic.point", "beta").await);
    assert_eq!(output["pooler"], format!("leads `clients` to 127.0.0.1:{}", pair.ports[BETA]));
    assert!(output["kept"].as_str().unwrap().ends_with("databases.ini.before_20261121_021500"));
    assert!(follows(&client).await, "the same session, the other server");
    assert_eq!(done(pooler.run("traffic.point", "beta").await), output, "once more changes nothing");
    let output = done(pooler.run("traffic.point-back", "alpha").await);
    assert_eq!(output["traffic"], format!("PgBouncer leads `clients` to 127.0.0.1:{} again", pair.ports[ALPHA]));
    assert!(!follows(&client).await && !follows(&pooler.client().await).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_without_end_holds_nothing_up_and_nothing_stays_paused() {
    let pair = Pair::start();
    let pooler = Pooler::start(&pair, "databases.ini");
    let busy = pooler.client().await;
    let sleeping = tokio::spawn(async move { busy.simple_query("SELECT pg_sleep(300)").await.is_ok() });
    pair.until(ALPHA, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(300)'");
    done(pooler.run("traffic.point", "beta").await);
    assert!(follows(&pooler.client().await).await);
    sleeping.abort();
}

#[tokio::test]
async fn a_file_that_it_does_not_read_is_found_out() {
    let pair = Pair::start();
    let pooler = Pooler::start(&pair, "other.ini");
    let TaskOutcome::Failed { failure } = pooler.run("traffic.point", "beta").await else {
        panic!("it leads elsewhere")
    };
    assert!(failure.what.contains(&format!("leads `clients` to 127.0.0.1:{}", pair.ports[ALPHA])), "{failure:?}");
    assert!(!follows(&pooler.client().await).await, "and nothing stays paused");
}
