//! A client that writes all the time, to both servers in turn, and remembers what each one acknowledged.

use crate::pair::{ALPHA, BETA, Pair, signal};
use rustix::process::Signal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

/// A server that has not answered by then has not acknowledged.
const ANSWER: Duration = Duration::from_millis(500);

/// Number and server of an acknowledged write, in order: one write ends before the next begins.
type Acks = Vec<(u64, usize)>;

pub struct Writer {
    acks: Arc<Mutex<Acks>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub fn start(ports: [u16; 2]) -> Self {
        let (acks, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (told, ended) = (Arc::clone(&acks), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(write(ports, &told, &ended));
        });
        Self { acks, stop, thread: Some(thread) }
    }

    pub fn acks(&self) -> Acks {
        self.acks.lock().unwrap().clone()
    }

    /// Waits for some more writes to be acknowledged by a server.
    pub fn more(&self, on: usize) {
        let count = || self.acks.lock().unwrap().iter().filter(|(_, server)| *server == on).count();
        let (from, deadline) = (count(), Instant::now() + Duration::from_mins(1));
        while count() < from + 20 {
            assert!(Instant::now() < deadline, "server {on} takes no writes");
            std::thread::yield_now();
        }
    }

    pub fn stop(mut self) -> Acks {
        self.end();
        self.acks()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn write(ports: [u16; 2], told: &Mutex<Acks>, stop: &AtomicBool) {
    let mut lines: [Option<Client>; 2] = [None, None];
    let mut n = 0;
    let mut pace = tokio::time::interval(Duration::from_millis(3));
    while !stop.load(Ordering::Relaxed) {
        for (which, line) in lines.iter_mut().enumerate() {
            pace.tick().await;
            // Every try has a number of its own: what both took in turn would show as two phases.
            n += 1;
            if line.is_none() {
                let opened = timeout(ANSWER, open(ports[which])).await;
                *line = opened.ok().flatten();
            }
            let Some(client) = line else { continue };
            let sql = format!("INSERT INTO ledger (n) VALUES ({n})");
            match timeout(ANSWER, client.batch_execute(&sql)).await {
                Ok(Ok(())) => told.lock().unwrap().push((n, which)),
                // A standby says no, and is asked again; everything else needs a new line.
                Ok(Err(error)) if error.as_db_error().is_some() && !client.is_closed() => {}
                _ => *line = None,
            }
        }
    }
}

async fn open(port: u16) -> Option<Client> {
    let settings = format!("host=127.0.0.1 port={port} user=relight dbname=app");
    let (client, driver) = tokio_postgres::connect(&settings, NoTls).await.ok()?;
    tokio::spawn(async move { drop(driver.await) });
    Some(client)
}

/// Servers in the order in which they took writes; two that took turns would show as many phases.
pub fn phases(acks: &[(u64, usize)]) -> Vec<usize> {
    let mut phases: Vec<usize> = acks.iter().map(|(_, server)| *server).collect();
    phases.dedup();
    phases
}

/// Numbers that a server acknowledged.
pub fn acknowledged(acks: &[(u64, usize)], by: usize) -> Vec<u64> {
    acks.iter().filter(|(_, server)| *server == by).map(|(n, _)| *n).collect()
}

pub fn missing(from: &[u64], wanted: &[u64]) -> Vec<u64> {
    wanted.iter().copied().filter(|n| from.binary_search(n).is_err()).collect()
}

/// The primary is killed after it took writes that its standby never received.
pub fn fall_behind_and_die(pair: &Pair, writer: &Writer) {
    pair.streams(BETA);
    writer.more(ALPHA);
    let receiver: u32 = pair.sql(BETA, "postgres", "SELECT pid FROM pg_stat_wal_receiver").parse().unwrap();
    signal(receiver, Signal::STOP);
    writer.more(ALPHA);
    // More than any socket holds: what comes after it never reaches the standby.
    pair.sql(
        ALPHA,
        "app",
        "CREATE TABLE bulk AS SELECT md5(n::text) || repeat('x', 1000) FROM generate_series(1, 20000) n",
    );
    writer.more(ALPHA);
    signal(pair.postmaster(ALPHA), Signal::KILL);
    pair.until_refused(ALPHA);
    signal(receiver, Signal::CONT);
}
