//! A private name server on loopback with one zone; stopped and removed when dropped.

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::UdpSocket;

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Named {
    pub port: u16,
    /// Of the key `relight`, base64.
    pub secret: String,
    server: Child,
    /// Its journal of updates goes with it.
    _dir: TempDir,
}

impl Named {
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("rl-named-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IDEyMzQ=".to_owned();
        let at = dir.path().display();
        let config = format!(
            "options {{ directory \"{at}\"; pid-file \"{at}/pid\"; session-keyfile \"{at}/session\"; recursion no;\n\
             listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; dnssec-validation no; }};\n\
             controls {{ }};\nkey relight {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n\
             zone \"example.test\" {{ type primary; file \"{at}/zone\"; allow-update {{ key relight; }}; }};\n"
        );
        std::fs::write(dir.path().join("conf"), config).unwrap();
        let zone = "$TTL 600\n@ SOA ns.example.test. me.example.test. 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n\
                    db A 192.0.2.1\ndb A 192.0.2.9\n";
        std::fs::write(dir.path().join("zone"), zone).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut server = Command::new("/usr/sbin/named")
            .args(["-g", "-n", "1", "-c"])
            .arg(dir.path().join("conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("bind9 is installed");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
            if log.contains("running") && log.contains("zone example.test/IN: loaded") {
                break;
            }
            assert!(server.try_wait().unwrap().is_none() && Instant::now() < deadline, "{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { port, secret, server, _dir: dir }
    }

    /// Address and time to live of every A record, as any client reads it.
    pub async fn says(&self, name: &str) -> Vec<(String, u32)> {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(format!("{name}.")).unwrap(), RecordType::A));
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(&message.to_vec().unwrap(), ("127.0.0.1", self.port)).await.unwrap();
        let mut answer = [0; 4096];
        let length = tokio::time::timeout(PATIENCE, socket.recv(&mut answer)).await.unwrap().unwrap();
        let answer = Message::from_vec(&answer[..length]).unwrap();
        let mut found: Vec<(String, u32)> =
            answer.answers.iter().map(|record| (record.data.to_string(), record.ttl)).collect();
        found.sort();
        found
    }

    pub fn stop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.stop();
    }
}
