//! A dump through one `psql`, in one transaction that is committed only after all of it was read.

use super::psql::{self, Psql};
use super::text::Text;
use super::{Input, unfinished};
use crate::model::task::{Progress, Unit};
use crate::tasks::context::TaskContext;
use crate::tasks::decode::Meter;
use crate::tasks::input::Stop;
use crate::tasks::pg::script::{Inventory, Scanner};
use crate::tasks::process::{self, Feed, Output};
use crate::tasks::progress::telling;
use bytes::Bytes;
use futures::StreamExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Shared = Arc<Mutex<Scanner>>;

fn lock(scanner: &Shared) -> MutexGuard<'_, Scanner> {
    scanner.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn load(cx: &TaskContext, input: &Input, text: Text<'_>, psql: Psql) -> Result<Inventory, Stop> {
    let scanner: Shared = Arc::new(Mutex::new(Scanner::without(input.without())));
    let stream = script(text.feed, scanner.clone(), &psql);
    let run = process::run(psql.program, Some(process::Input { stream, whole: true }), Output::Lines, cx);
    let total = input.source.size_bytes;
    let running = telling(cx, || progress(&text.meter, &scanner, total), run);
    let ended = tokio::select! {
        biased;
        ended = running => ended?,
        stop = text.making => return Err(stop),
    };
    // `psql` counts the line before the dump, too.
    let last = lock(&scanner).line_number();
    psql::explain(
        &ended,
        |line| line.saturating_sub(1),
        last,
        "the load was rolled back; the live database was not touched",
    )?;
    Ok(std::mem::take(&mut lock(&scanner).inventory))
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
fn script(text: Feed, scanner: Shared, psql: &Psql) -> Feed {
    let (first, last) = (psql.closed(), format!("{}\nCOMMIT;\n", psql.open()));
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
        if let Some(failure) = unfinished(&scanner) {
            return Err(failure);
        }
        out.extend_from_slice(last.as_bytes());
        Ok(Bytes::from(out))
    });
    let open = futures::stream::once(async move { Ok(Bytes::from(first)) });
    open.chain(body).chain(close).boxed()
}
