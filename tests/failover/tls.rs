//! TLS to a real server whose certificate a CA of one's own has signed: it is believed as far as it is proven,
//! and what is not proven is unknown, never down.

use crate::home::Home;
use crate::line::Line;
use crate::postgres::Cluster;
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;

fn openssl(dir: &Path, words: &str) {
    let made = Command::new("openssl").args(words.split(' ')).current_dir(dir).output().expect("openssl is needed");
    assert!(made.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&made.stderr));
}

/// A CA, and a key with a certificate of it for `localhost` alone.
fn certificates(dir: &Path) {
    for ca in ["own", "other"] {
        openssl(
            dir,
            &format!("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={ca} -keyout {ca}.key -out {ca}.crt"),
        );
    }
    openssl(dir, "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr");
    std::fs::write(dir.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        dir,
        "x509 -req -in server.csr -CA own.crt -CAkey own.key -CAcreateserial -days 2 -extfile names -out server.crt",
    );
}

struct Lab {
    dir: tempfile::TempDir,
    cluster: Cluster,
}

impl Lab {
    fn start() -> Self {
        use std::os::unix::fs::{PermissionsExt as _, chown};
        let dir = tempfile::Builder::new().prefix("rl-").tempdir().unwrap();
        certificates(dir.path());
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        for name in ["server.key", "server.crt"] {
            let path = dir.path().join(name);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((uid, gid)) = crate::postgres::account() {
                chown(&path, Some(uid), Some(gid)).unwrap();
            }
        }
        let file = |setting: &str, name: &str| format!("{setting}={}", dir.path().join(name).display());
        let (certificate, key) = (file("ssl_cert_file", "server.crt"), file("ssl_key_file", "server.key"));
        let cluster = Cluster::start_with(&["ssl=on", &certificate, &key]);
        Self { dir, cluster }
    }

    /// What a watch says of the server at its first look.
    fn seen(&self, host: &str, tls: &str, trusted: &str) -> String {
        let text = format!(
            "[estate]\nname = \"x\"\n[[stores]]\nid = \"s\"\ntype = \"local\"\npath = \"{}\"\n\
             [[assets]]\nid = \"app\"\nkind = \"postgresql\"\nserver = \"alpha\"\ndatabase = \"postgres\"\n\
             [[servers]]\nid = \"alpha\"\nhost = \"{host}\"\nport = {}\nuser = \"relight\"\ntls = \"{tls}\"\n",
            self.dir.path().display(),
            self.cluster.port
        );
        let home = Home::at(self.dir.path());
        std::fs::write(home.config(), text).unwrap();
        let trusted = self.dir.path().join(trusted);
        let environment = [("SSL_CERT_FILE", trusted.to_str().unwrap())];
        let mut line = Line::with(&home, &["watch", "failover-postgres", "--set", "asset=app"], &environment);
        line.until("`alpha` is ");
        crate::pair::signal(line.child.id(), Signal::TERM);
        assert_eq!(line.child.wait().unwrap().code(), Some(0));
        line.text.clone()
    }
}

#[test]
fn a_server_is_believed_as_far_as_its_certificate_proves_it() {
    let lab = Lab::start();
    let seen = lab.seen("localhost", "verify", "own.crt");
    assert!(seen.contains("`alpha` is up: from here: up (answers as primary)"), "{seen}");
    for (host, trusted) in [("localhost", "other.crt"), ("127.0.0.1", "own.crt")] {
        let seen = lab.seen(host, "verify", trusted);
        assert!(seen.contains("`alpha` is unknown"), "{host} {trusted}: {seen}");
        assert!(seen.to_lowercase().contains("certificate"), "it says why: {seen}");
    }
    // Without TLS on the server nothing is sent in the clear.
    let plain = Lab { dir: lab.dir, cluster: Cluster::start() };
    let seen = plain.seen("localhost", "verify", "own.crt");
    assert!(seen.contains("`alpha` is unknown") && seen.contains("TLS"), "{seen}");
}
