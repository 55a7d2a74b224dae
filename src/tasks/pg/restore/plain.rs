//! Plain SQL through `psql`: one transaction that is committed only after the whole dump was read.

use super::{Input, Loaded};
use crate::model::estate::Server;
use crate::model::task::{Failure, Progress, Unit};
use crate::tasks::context::TaskContext;
use crate::tasks::decode::{self, Meter};
use crate::tasks::input::Stop;
use crate::tasks::pg::script::{Inventory, Scanner};
use crate::tasks::pg::tools::{self, Version};
use crate::tasks::process::{self, Ended, Feed, Output};
use crate::tasks::progress::telling;
use bytes::Bytes;
use futures::StreamExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Shared = Arc<Mutex<Scanner>>;

fn lock(scanner: &Shared) -> MutexGuard<'_, Scanner> {
    scanner.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn load(cx: &TaskContext, server: &Server, input: &Input) -> Result<Loaded, Stop> {
    let psql = tools::find(server, "psql")?;
    let guarded = can_restrict(tools::version(cx, &psql).await?);
    let (text, meter) = decode::open(cx, &input.source).await?;
    let scanner: Shared = Arc::new(Mutex::new(Scanner::without(input.without())));
    let program = tools::client(cx, server, psql, &input.side)?
        .args(["--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose"])
        .args(["--command=BEGIN", "--file=-"]);
    let stream = script(text, scanner.clone(), guarded)?;
    let run = process::run(program, Some(process::Input { stream, whole: true }), Output::Lines, cx);
    let total = input.source.size_bytes;
    let ended = telling(cx, || progress(&meter, &scanner, total), run).await?;
    explain(&ended, &scanner)?;
    let inventory: Inventory = std::mem::take(&mut lock(&scanner).inventory);
    Ok(Loaded { sha256: meter.sha256(), bytes: meter.bytes(), inventory: Some(inventory), jobs: 1 })
}

fn progress(meter: &Meter, scanner: &Shared, total: u64) -> Progress {
    let scanner = lock(scanner);
    let note = match scanner.current_table() {
        Some(table) => format!("rows of {table}"),
        None => format!("line {}", scanner.line_number()),
    };
    Progress { done: meter.bytes(), total: Some(total), unit: Unit::Bytes, note }
}

/// The dump with a line before it that forbids commands to `psql` (where it knows how), and the commit
/// after it. Without the commit, `psql` that loses its input rolls back.
fn script(text: Feed, scanner: Shared, guarded: bool) -> Result<Feed, Failure> {
    let key = if guarded { key()? } else { String::new() };
    let first = if guarded { format!("\\restrict {key}\n") } else { "\n".to_owned() };
    let last = if guarded { format!("\n\\unrestrict {key}\nCOMMIT;\n") } else { "\nCOMMIT;\n".to_owned() };
    let end = scanner.clone();
    let body = text.map(move |chunk| {
        let mut out = Vec::new();
        lock(&scanner).pass(&chunk?, &mut out)?;
        Ok(Bytes::from(out))
    });
    let close = futures::stream::once(async move {
        let mut out = Vec::new();
        let mut scanner = lock(&end);
        scanner.finish(&mut out)?;
        if scanner.inventory.header && !scanner.inventory.finished {
            return Err(Failure::new(format!(
                "the dump ends at line {} without its end marker",
                scanner.line_number()
            ))
            .means("the dump was cut off when it was made or copied; the load was rolled back")
            .next("choose another copy or an older backup"));
        }
        out.extend_from_slice(last.as_bytes());
        Ok(Bytes::from(out))
    });
    let open = futures::stream::once(async move { Ok(Bytes::from(first)) });
    Ok(open.chain(body).chain(close).boxed())
}

fn key() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("no random bytes from the system: {error}")))?;
    Ok(hex::encode(bytes))
}

/// The first SQL error with its line in the dump (`psql` counts our first line too).
fn explain(ended: &Ended, scanner: &Shared) -> Result<(), Failure> {
    let Err(failure) = ended.success() else {
        return if ended.input_cut {
            let line = lock(scanner).line_number();
            Err(Failure::new(format!("psql stopped reading near line {line} and reported success"))
                .means("the dump told psql to stop early; the load was not committed by us")
                .next("look at the dump by hand"))
        } else {
            Ok(())
        };
    };
    let place = ended.stderr.iter().find_map(|line| {
        let (number, what) = line.strip_prefix("psql:<stdin>:")?.split_once(": ")?;
        Some((number.parse::<u64>().ok()?.saturating_sub(1), what.to_owned()))
    });
    let evidence = failure.evidence;
    let mut told = match place {
        Some((line, what)) => {
            Failure::new(format!("line {line} of the dump failed: {}", crate::model::text::escaped(&what)))
        }
        None => Failure::new(failure.what),
    };
    told.evidence = evidence;
    Err(told
        .means("the load was rolled back; the live database was not touched")
        .next("mend what the error names (missing role, extension, space), then retry; or choose another backup"))
}

/// Whether this `psql` knows `\restrict`.
fn can_restrict(version: Version) -> bool {
    let since = match version.major {
        13 => 22,
        14 => 19,
        15 => 14,
        16 => 10,
        17 => 6,
        other => return other >= 18,
    };
    version.minor >= since
}
