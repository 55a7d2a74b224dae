//! Whole ways through the program: the real binary, a real PostgreSQL, real stores, from the plan to the
//! swapped database, with everything that goes wrong on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod console;
mod crashes;
mod drill;
mod files;
mod forms;
mod home;
mod keyboard;
mod lease;
mod leaving;
mod leftovers;
mod line;
mod loading;
mod lost;
mod operator;
mod outages;
mod points;
mod refusals;
mod restores;
mod roles;
mod scene;
mod shop;
mod small_disk;
mod standstills;
mod swaps;
mod terminal;
mod uploads;
mod vanished;

#[path = "../support/disks.rs"]
mod disks;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/pty.rs"]
mod pty;
#[path = "../support/runners.rs"]
mod runners;
#[path = "../support/s3.rs"]
mod s3;

use home::RELIGHT;
