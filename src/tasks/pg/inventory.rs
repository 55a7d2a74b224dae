//! What a dump carries, read from the dump itself: from the text, or from the text that `pg_restore`
//! makes of a custom dump. Kept in the work folder between restore and validation.

use super::script::{Inventory, Scanner};
use super::tools;
use crate::catalog::decompress;
use crate::model::content::{Form, Wrapping};
use crate::model::estate::Server;
use crate::model::task::{Failure, Progress, Unit};
use crate::tasks::context::TaskContext;
use crate::tasks::decode;
use crate::tasks::input::Stop;
use crate::tasks::process::{self, Input, Output, Program};
use crate::tasks::progress::telling;
use crate::tasks::source::Source;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Keeps an inventory for later steps of the run.
pub fn keep(cx: &TaskContext, source: &Source, inventory: &Inventory) -> Result<(), Failure> {
    let path = place(cx, source);
    let failed = |error: String| Failure::new(format!("the dump's inventory could not be kept: {error}"));
    let text = serde_json::to_vec(inventory).map_err(|error| failed(error.to_string()))?;
    std::fs::write(&path, text).map_err(|error| failed(error.to_string()))
}

/// The inventory of a source: the kept one, or read again from the store under the pin.
pub async fn of_source(cx: &TaskContext, server: &Server, source: &Source) -> Result<Inventory, Stop> {
    if let Some(kept) = std::fs::read(place(cx, source)).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
        return Ok(kept);
    }
    let (stream, meter) = decode::open(cx, source).await?;
    let total = source.size_bytes;
    let look =
        || Progress { done: meter.bytes(), total: Some(total), unit: Unit::Bytes, note: "reading the dump".to_owned() };
    match source.content.form {
        Form::PlainSql => {
            let mut stream = stream;
            let mut scanner = Scanner::default();
            let reading = async {
                while let Some(chunk) = stream.next().await {
                    scanner.read(&chunk?);
                }
                scanner.read(b"\n");
                Ok::<_, Failure>(())
            };
            tokio::select! {
                done = telling(cx, look, reading) => done?,
                reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
            }
            Ok(scanner.inventory)
        }
        Form::PgCustom => {
            let program = Program::new(tools::find(server, "pg_restore")?).args(["--format=custom", "--file=-"]);
            telling(cx, look, scanned(cx, program, Some(Input { stream, whole: true }))).await
        }
        other => Err(Failure::new(format!("the backup is {other}, not a PostgreSQL dump")).into()),
    }
}

/// Only what the beginning of a dump tells (all of it for custom dumps, whose table of contents comes
/// first): roles, extensions, versions. At most `limit` bytes of text are read, and no rows where the end cannot be
/// within reach. The flag says whether that was everything.
pub async fn head(cx: &TaskContext, server: &Server, source: &Source, limit: u64) -> Result<(Inventory, bool), Stop> {
    let (mut stream, _) = decode::open(cx, source).await?;
    if source.content.form == Form::PgCustom {
        let program =
            Program::new(tools::find(server, "pg_restore")?).args(["--format=custom", "--schema-only", "--file=-"]);
        return Ok((scanned(cx, program, Some(Input { stream, whole: false })).await?, true));
    }
    let (mut scanner, mut seen) = (Scanner::default(), 0);
    // Rows tell nothing; behind them come the grants.
    let end_is_near = source.size_bytes < limit;
    while seen < limit && (end_is_near || scanner.current_table().is_none()) {
        let chunk = tokio::select! {
            chunk = stream.next() => chunk,
            reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
        };
        let Some(chunk) = chunk else {
            scanner.read(b"\n");
            return Ok((scanner.inventory, true));
        };
        let chunk = chunk?;
        seen += chunk.len() as u64;
        scanner.read(&chunk);
    }
    Ok((scanner.inventory, false))
}

/// The inventory of a custom dump that lies in a file.
pub async fn of_custom_file(cx: &TaskContext, pg_restore: &Path, dump: &Path) -> Result<Inventory, Stop> {
    let program = Program::new(pg_restore).args(["--format=custom", "--file=-"]).arg(dump);
    scanned(cx, program, None).await
}

/// The inventory of a plain dump that lies in a file, gzipped or not.
pub async fn of_plain_file(cx: &TaskContext, dump: &Path, gzipped: bool) -> Result<Inventory, Stop> {
    let (dump, cancel) = (dump.to_owned(), cx.cancel.clone());
    let failed = |error: std::io::Error| {
        Failure::new(format!("the dump cannot be read to its end: {error}"))
            .means("it is damaged")
            .next("make it again")
    };
    let reading = tokio::task::spawn_blocking(move || {
        let file = std::io::BufReader::with_capacity(1 << 18, std::fs::File::open(dump).map_err(failed)?);
        let mut reader: Box<dyn Read> =
            if gzipped { decompress::decoder(Wrapping::Gzip, Box::new(file)).map_err(failed)? } else { Box::new(file) };
        let (mut scanner, mut buffer) = (Scanner::default(), vec![0; 1 << 18]);
        loop {
            if let Some(reason) = cancel.reason() {
                return Err(Stop::Cancelled(reason));
            }
            match reader.read(&mut buffer).map_err(failed)? {
                0 => break,
                count => scanner.read(&buffer[..count]),
            }
        }
        scanner.read(b"\n");
        Ok(scanner.inventory)
    });
    reading.await.map_err(|error| Failure::new(format!("reading the dump broke: {error}")))?
}

async fn scanned(cx: &TaskContext, program: Program, input: Option<Input>) -> Result<Inventory, Stop> {
    let mut scanner = Scanner::default();
    let mut take = |chunk: &[u8]| {
        scanner.read(chunk);
        Ok(())
    };
    let ended = process::run(program, input, Output::Chunks(&mut take), cx).await?;
    ended.success().map_err(|failure| {
        failure.means("the dump cannot be read to its end").next("choose another copy or an older backup")
    })?;
    scanner.read(b"\n");
    Ok(scanner.inventory)
}

fn place(cx: &TaskContext, source: &Source) -> PathBuf {
    let pin = source.pin.as_ref().map(crate::stores::Pin::mark).unwrap_or_default();
    let key = Sha256::digest(format!("{}\n{}\n{}\n{pin}", source.store, source.path, source.size_bytes));
    cx.work_dir.join(format!("inventory-{}.json", &hex::encode(key)[..16]))
}
