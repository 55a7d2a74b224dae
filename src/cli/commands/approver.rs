//! `relight approver`: keys of the people who approve, and of those who sign reports.

use crate::cli::Output;
use crate::report::{Exit, Fault};
use crate::runbook::approval::SigningKey;
use color_eyre::eyre;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Longest key file, in bytes.
const LONGEST: u64 = 16 << 10;

/// Make keys for approvals and signed reports
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key, and print the configuration entry for it
    ///
    /// The file is readable by its owner alone, and is never written over.
    New {
        /// Where the private key goes
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Whose it is, as it shall stand in journals
        #[arg(long)]
        name: String,
    },
}

pub fn run(args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let Command::New { key, name } = &args.command;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) || !name.starts_with(char::is_alphanumeric) {
        return Err(Fault::usage("a name has 1 to 64 letters, digits, `.`, `_` or `-`").into());
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| eyre::eyre!("the system gives no random bytes: {error}"))?;
    let text = SigningKey::file(name, &seed);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(key);
    let written = made.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| Fault::usage(format!("{} cannot be made: {error}", key.display())))?;
    let public = SigningKey::read(&text)?.public();
    out.line(&format!("The private key is in {}; it stays with {name}.", key.display()))?;
    out.line("For the configuration:")?;
    out.line("")?;
    out.line("[[approvers]]")?;
    out.line(&format!("name = \"{}\"", public.name))?;
    out.line(&format!("public_key = \"{}\"", public.public_key))?;
    Ok(Exit::Fine)
}

/// A private key of which nobody else can have a copy by its file.
pub fn read_key(path: &Path) -> eyre::Result<SigningKey> {
    let broken = |error: std::io::Error| Fault::usage(format!("{} cannot be read: {error}", path.display()));
    let file = File::open(path).map_err(broken)?;
    let mode = file.metadata().map_err(broken)?.mode();
    if mode & 0o077 != 0 {
        let fault = Fault::usage(format!("{} can be read by others (mode {:o})", path.display(), mode & 0o777));
        return Err(fault.hint(format!("chmod 600 {}, or make a new key", path.display())).into());
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(broken)?;
    Ok(SigningKey::read(&text).map_err(|error| Fault::usage(format!("{}: {error}", path.display())))?)
}
