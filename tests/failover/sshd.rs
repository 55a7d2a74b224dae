//! A private sshd on loopback, with keys of its own.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Sshd {
    pub port: u16,
    dir: PathBuf,
    /// Words before it: where it runs.
    inside: Vec<String>,
    address: String,
    listener: Child,
}

impl Sshd {
    /// `dir` takes its keys; `known_hosts` and `key` in it are for the client.
    pub fn start(dir: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::inside(dir, &[], "127.0.0.1", port)
    }

    /// At an address that is another's.
    pub fn inside(dir: &Path, inside: &[String], address: &str, port: u16) -> Self {
        for name in ["host_key", "key"] {
            keygen(&dir.join(name));
        }
        let config = format!(
            "Port {port}\nListenAddress {address}\nHostKey {0}/host_key\nAuthorizedKeysFile {0}/key.pub\n\
             PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n",
            dir.display()
        );
        std::fs::write(dir.join("sshd_config"), config).unwrap();
        // Where the privilege-separated part of a root's sshd lives.
        let _ = std::fs::create_dir_all("/run/sshd");
        let listener = listen(dir, inside);
        let (inside, address) = (inside.to_owned(), address.to_owned());
        let mut sshd = Self { port, dir: dir.to_owned(), inside, address, listener };
        sshd.know();
        sshd
    }

    /// Writes the present host key down as the known one.
    fn know(&mut self) {
        let key = std::fs::read_to_string(self.dir.join("host_key.pub")).unwrap();
        std::fs::write(self.dir.join("known_hosts"), format!("[{}]:{} {key}", self.address, self.port)).unwrap();
    }

    /// The same address, another host key.
    pub fn reinstall(&mut self) {
        self.stop();
        std::fs::remove_file(self.dir.join("host_key")).unwrap();
        keygen(&self.dir.join("host_key"));
        self.listener = listen(&self.dir, &self.inside);
    }

    /// Kills every connection, not the listener.
    pub fn cut(&self) {
        for pid in children(self.listener.id()) {
            for pid in children(pid).into_iter().chain([pid]) {
                // Only sshd's own processes: what it started for us goes on without the line.
                let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                if name.trim() == "sshd" {
                    kill(pid);
                }
            }
        }
    }

    fn stop(&mut self) {
        self.cut();
        let _ = self.listener.kill();
        let _ = self.listener.wait();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

fn children(of: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn keygen(path: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn listen(dir: &Path, inside: &[String]) -> Child {
    let mut words = inside.iter().map(String::as_str).chain(["/usr/sbin/sshd"]);
    let mut child = Command::new(words.next().unwrap())
        .args(words)
        .args(["-D", "-e", "-f"])
        .arg(dir.join("sshd_config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sshd: install openssh-server");
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut all = String::new();
    while !all.contains("listening on") {
        assert!(Instant::now() < deadline && said.read_line(&mut all).unwrap() > 0, "sshd: {all}");
    }
    // Someone must go on reading, or it would stop at a full pipe.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    child
}
