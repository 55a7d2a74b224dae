//! A host with a folder of configuration, and keys of every kind.

use crate::home::Home;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const PASSPHRASE: &str = "correct horse battery staple";

/// How an asset's backups are encrypted: name of its key, ending of its files.
pub const KINDS: [(&str, &str); 3] = [("word", "gpg"), ("ops", "gpg"), ("vault", "age")];

pub struct Lab {
    pub home: Home,
    /// Further tables of the configuration.
    pub more: String,
}

impl Lab {
    /// Assets `word`, `ops` and `vault`: the same folder in three places, each with the key of its name.
    pub fn new() -> Self {
        let lab = Self { home: Home::new(), more: String::new() };
        for folder in ["store", "keys"] {
            std::fs::create_dir(lab.home.path(folder)).unwrap();
        }
        for (name, _) in KINDS {
            let live = lab.home.path(&format!("etc/{name}"));
            std::fs::create_dir_all(live.join("tls")).unwrap();
            std::fs::write(live.join("application.yml"), "server:\n  port: 8080\n").unwrap();
            std::fs::write(live.join("tls/key.pem"), noise(300_000)).unwrap();
        }
        lab.secret("word", &format!("{PASSPHRASE}\n"));
        lab.secret("ops-word", "of the secret key\n");
        lab.recipient("ops", "of the secret key");
        let made = Command::new("age-keygen").output().unwrap();
        assert!(made.status.success());
        lab.secret("vault", &String::from_utf8(made.stdout).unwrap());
        lab.configure(|_| true);
        lab
    }

    pub fn key(&self, name: &str) -> PathBuf {
        self.home.path(&format!("keys/{name}"))
    }

    pub fn secret(&self, name: &str, text: &str) {
        std::fs::write(self.key(name), text).unwrap();
        std::fs::set_permissions(self.key(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A key pair as `gpg` makes and exports it: `keys/<name>` and `keys/<name>.asc`.
    pub fn recipient(&self, name: &str, passphrase: &str) {
        let dir = tempfile::Builder::new().prefix("rl-gpg-").tempdir().unwrap();
        let gpg = |arguments: &[&str]| {
            let done = Command::new("gpg")
                .arg("--homedir")
                .arg(dir.path())
                .args(["--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", passphrase])
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8(done.stdout).unwrap()
        };
        gpg(&["--quick-generate-key", "backup@example.org", "future-default", "default", "never"]);
        std::fs::write(self.key(&format!("{name}.asc")), gpg(&["--armor", "--export"])).unwrap();
        self.secret(name, &gpg(&["--armor", "--export-secret-keys"]));
        let _ = Command::new("gpgconf").arg("--homedir").arg(dir.path()).args(["--kill", "gpg-agent"]).status();
    }

    /// Writes the configuration; sources keep their `key` where `with_key` says so.
    pub fn configure(&self, with_key: impl Fn(&str) -> bool) {
        let identity = std::fs::read_to_string(self.key("vault")).unwrap();
        let recipient = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
        let mut text = format!(
            "[estate]\nname = \"sealed\"\n\n[[stores]]\nid = \"host\"\ntype = \"local\"\npath = \"store\"\n\n\
             [[keys]]\nid = \"word\"\ntype = \"passphrase\"\npassphrase = {{ file = \"keys/word\" }}\n\n\
             [[keys]]\nid = \"ops\"\ntype = \"openpgp\"\npublic_key = \"keys/ops.asc\"\nsecret_key = {{ file = \
             \"keys/ops\" }}\npassphrase = {{ file = \"keys/ops-word\" }}\n\n\
             [[keys]]\nid = \"vault\"\ntype = \"age\"\nrecipients = [\"{recipient}\"]\nidentity = {{ file = \
             \"keys/vault\" }}\n"
        );
        for (name, ending) in KINDS {
            let key = if with_key(name) { format!("key = \"{name}\"") } else { "encrypted = true".to_owned() };
            text.push_str(&format!(
                "\n[[assets]]\nid = \"{name}\"\nkind = \"config\"\npath = \"etc/{name}\"\nproof = {{ level = \"L4\", \
                 every = \"7d\" }}\n\n  [[assets.sources]]\n  store = \"host\"\n  match = \
                 \"{name}_{{time:%Y%m%d_%H%M%S}}.tar.gz.{ending}\"\n  kind = \"archive\"\n  {key}\n"
            ));
        }
        text.push_str(&self.more);
        std::fs::write(self.home.config(), text).unwrap();
    }

    /// A backup through the program; its file.
    pub fn backed_up(&self, asset: &str) -> PathBuf {
        let (text, code) = self.home.run(&["backup-files-encrypted", "--set", &format!("asset={asset}")]);
        assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
        self.stored(asset)
    }

    /// The newest file of an asset in the store.
    pub fn stored(&self, asset: &str) -> PathBuf {
        let files = std::fs::read_dir(self.home.path("store")).unwrap().map(|entry| entry.unwrap().path());
        let own = |file: &PathBuf| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(asset) && !name.ends_with(".sha256")
        };
        files.filter(own).max().expect("a file in the store")
    }

    /// What `verify --json` says of an asset's newest backup.
    pub fn verified(&self, asset: &str, level: &str) -> (String, Option<i32>) {
        let done = self.home.relight(&["verify", "latest", "--asset", asset, "--level", level]);
        let text = [done.stdout, done.stderr].concat();
        (String::from_utf8(text).unwrap(), done.status.code())
    }
}

/// Bytes that no compression makes shorter.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Every regular file below, with its bytes.
pub fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(root).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(tree(&entry.path()));
        } else if kind.is_file() {
            found.insert(entry.path(), std::fs::read(entry.path()).unwrap());
        }
    }
    found
}
