//! The command lines that encrypt and decrypt with a key, and what they need to live.

use super::held::{GpgHome, Held};
use crate::model::key::{Key, KeyKind};
use crate::model::secret::{SecretRef, SecretSource};
use crate::model::text::escaped;
use crate::tasks::process::find_program;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program that turns its standard input into its standard output. It must be kept until the program has ended.
#[derive(Debug)]
pub struct Ready {
    pub path: PathBuf,
    pub args: Vec<OsString>,
    _held: Vec<Held>,
    _home: Option<GpgHome>,
}

/// AES-256, and a passphrase that costs as much to guess as the format allows.
const STRONG: [&str; 8] =
    ["--cipher-algo", "AES256", "--s2k-mode", "3", "--s2k-digest-algo", "SHA512", "--s2k-count", "65011712"];

/// The command that encrypts. Errors are sentences for people.
pub fn encrypting(key: &Key, secrets: &dyn SecretSource) -> Result<Ready, String> {
    match &key.kind {
        KeyKind::Passphrase { passphrase } => {
            let mut gpg = Gpg::new()?;
            gpg.agentless();
            gpg.passphrase(secrets, passphrase)?;
            Ok(gpg.run(["--symmetric"].into_iter().chain(STRONG).chain(["--compress-algo", "none"])))
        }
        KeyKind::OpenPgp { public_key: Some(public), .. } => {
            if !public.is_file() {
                return Err(format!("the public key of {key}, {}, is not there", escaped(&public.to_string_lossy())));
            }
            let mut gpg = Gpg::new()?;
            gpg.agentless();
            gpg.args.extend(["--trust-model".into(), "always".into(), "--recipient-file".into(), public.into()]);
            Ok(gpg.run(["--encrypt", "--cipher-algo", "AES256", "--compress-algo", "none"]))
        }
        KeyKind::OpenPgp { public_key: None, .. } => Err(format!("{key} has no `public_key` to encrypt for")),
        KeyKind::Age { recipients, .. } if recipients.is_empty() => {
            Err(format!("{key} has no `recipients` to encrypt for"))
        }
        KeyKind::Age { recipients, .. } => {
            let args = recipients.iter().flat_map(|recipient| ["--recipient".into(), recipient.into()]);
            Ok(Ready { path: program("age")?, args: args.collect(), _held: Vec::new(), _home: None })
        }
    }
}

/// The command that decrypts.
pub fn decrypting(key: &Key, secrets: &dyn SecretSource) -> Result<Ready, String> {
    match &key.kind {
        KeyKind::Passphrase { passphrase } => {
            let mut gpg = Gpg::new()?;
            gpg.agentless();
            gpg.passphrase(secrets, passphrase)?;
            Ok(gpg.run(["--decrypt"]))
        }
        KeyKind::OpenPgp { secret_key: Some(secret), passphrase, .. } => {
            let mut gpg = Gpg::new()?;
            if let Some(passphrase) = passphrase {
                gpg.passphrase(secrets, passphrase)?;
            }
            gpg.import(key, secrets, secret)?;
            Ok(gpg.run(["--decrypt"]))
        }
        KeyKind::OpenPgp { secret_key: None, .. } => Err(format!("{key} has no `secret_key` to open it with")),
        KeyKind::Age { identity: Some(identity), .. } => {
            let held = hold(&whole(secrets, identity)?)?;
            let args = vec!["--decrypt".into(), "--identity".into(), held.path().into()];
            Ok(Ready { path: program("age")?, args, _held: vec![held], _home: None })
        }
        KeyKind::Age { identity: None, .. } => Err(format!("{key} has no `identity` to open it with")),
    }
}

fn program(name: &str) -> Result<PathBuf, String> {
    find_program(name, None, &[]).ok_or_else(|| format!("`{name}` is not installed on this machine"))
}

fn whole(secrets: &dyn SecretSource, from: &SecretRef) -> Result<String, String> {
    secrets.read_whole(from).map(|secret| secret.expose().to_owned())
}

fn hold(secret: &str) -> Result<Held, String> {
    Held::new(secret).map_err(|error| format!("a secret could not be handed over: {error}"))
}

/// `gpg` in a folder of its own, never asking anybody.
struct Gpg {
    path: PathBuf,
    args: Vec<OsString>,
    held: Vec<Held>,
    home: GpgHome,
}

impl Gpg {
    fn new() -> Result<Self, String> {
        let home = GpgHome::new().map_err(|error| format!("no folder could be made for gpg: {error}"))?;
        let mut args: Vec<OsString> = vec!["--homedir".into(), home.path().into()];
        args.extend(
            ["--no-options", "--batch", "--no-tty", "--status-fd", "2", "--pinentry-mode", "loopback"]
                .map(OsString::from),
        );
        Ok(Self { path: program("gpg")?, args, held: Vec::new(), home })
    }

    fn agentless(&mut self) {
        self.args.push("--no-autostart".into());
    }

    fn passphrase(&mut self, secrets: &dyn SecretSource, from: &SecretRef) -> Result<(), String> {
        let secret = secrets.read(from)?;
        let held = hold(&format!("{}\n", secret.expose()))?;
        self.args.extend(["--passphrase-file".into(), held.path().into()]);
        self.held.push(held);
        Ok(())
    }

    /// Takes a secret key into the folder, where an agent will use it.
    fn import(&mut self, key: &Key, secrets: &dyn SecretSource, from: &SecretRef) -> Result<(), String> {
        let held = hold(&whole(secrets, from)?)?;
        self.home.agent = true;
        let imported = Command::new(&self.path)
            .args(&self.args)
            .arg("--import")
            .arg(held.path())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("`gpg` could not be started: {error}"))?;
        let said = String::from_utf8_lossy(&imported.stderr);
        if imported.status.success() && said.contains("IMPORT_OK") {
            return Ok(());
        }
        let last = said.lines().rfind(|line| line.starts_with("gpg: ")).unwrap_or("gpg said nothing");
        Err(format!("the secret key of {key} cannot be read: {}", escaped(last)))
    }

    fn run<'a>(mut self, last: impl IntoIterator<Item = &'a str>) -> Ready {
        self.args.extend(last.into_iter().map(OsString::from));
        Ready { path: self.path, args: self.args, _held: self.held, _home: Some(self.home) }
    }
}
