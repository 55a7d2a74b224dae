//! A private Docker engine in a folder of its own, without network; everything of it is gone when dropped.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);
const CLIENT: &str = "/usr/bin/docker";
const SERVER: &str = "/usr/sbin/dockerd";
/// What every image runs: it says that it is up, and waits for ever.
const PROGRAM: &str = "#include <stdio.h>\n#include <unistd.h>\n\
                       int main(void) { puts(\"up\"); fflush(stdout); for (;;) pause(); }\n";

pub struct Docker {
    server: Child,
    dir: tempfile::TempDir,
}

impl Docker {
    pub fn start() -> Self {
        Self::prepared(|_| ()).0
    }

    /// The same, after something was done to the folder in which it will keep everything.
    pub fn prepared<T>(prepare: impl FnOnce(&Path) -> T) -> (Self, T) {
        let dir = tempfile::Builder::new().prefix("rl-docker-").tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("app.c"), PROGRAM).unwrap();
        let built = Command::new("cc").args(["-static", "-O1", "-o"]).arg(at("app")).arg(at("app.c")).status().unwrap();
        assert!(built.success(), "no C compiler builds a static program");
        std::fs::create_dir(at("data")).unwrap();
        let prepared = prepare(&at("data"));
        std::fs::write(at("none.json"), "{}").unwrap();
        let docker = Self { server: serve(dir.path()), dir };
        docker.answers();
        (docker, prepared)
    }

    /// After it has died, and with it all that a machine forgets.
    pub fn start_again(&mut self) {
        let _ = std::fs::remove_file(self.dir.path().join("pid"));
        let _ = std::fs::remove_dir_all(self.dir.path().join("exec"));
        self.server = serve(self.dir.path());
        self.answers();
    }

    /// Where it keeps everything.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn answers(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.client(&["version"]).output().unwrap().status.success() {
            let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap();
            assert!(Instant::now() < deadline, "the engine does not answer: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Words that speak with it.
    pub fn words(&self) -> [String; 3] {
        [CLIENT.to_owned(), "--host".to_owned(), format!("unix://{}", self.dir.path().join("sock").display())]
    }

    fn client(&self, words: &[&str]) -> Command {
        let [client, option, address] = self.words();
        let mut command = Command::new(client);
        command.arg(option).arg(address).args(words);
        command.stdin(Stdio::null());
        command
    }

    /// What it says, whether yes or no.
    pub fn ask(&self, words: &[&str]) -> String {
        let done = self.client(words).output().unwrap();
        String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).trim().to_owned()
    }

    pub fn must(&self, words: &[&str]) -> String {
        let done = self.client(words).output().unwrap();
        assert!(done.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// Makes an image of the program and a file with `content`, in one layer.
    pub fn image(&self, name: &str, content: &str) {
        let root = tempfile::tempdir_in(self.dir.path()).unwrap();
        std::fs::copy(self.dir.path().join("app"), root.path().join("app")).unwrap();
        std::fs::write(root.path().join("content"), content).unwrap();
        let packed = self.dir.path().join("image.tar");
        let tar = Command::new("tar").arg("-cf").arg(&packed).arg("-C").arg(root.path()).arg(".").status().unwrap();
        assert!(tar.success());
        self.must(&["import", "--change", "CMD [\"/app\"]", packed.to_str().unwrap(), name]);
    }

    /// A second layer on top of an image, under another name or the same.
    pub fn layered(&self, from: &str, name: &str, content: &str) {
        let file = self.dir.path().join("more");
        std::fs::write(&file, content).unwrap();
        let container = self.must(&["create", "--network", "none", from]);
        self.must(&["cp", file.to_str().unwrap(), &format!("{container}:/more")]);
        self.must(&["commit", &container, name]);
        self.must(&["rm", &container]);
    }

    /// The id of an image; empty where none has the name.
    pub fn id(&self, name: &str) -> String {
        let done = self.client(&["image", "inspect", "--format", "{{.Id}}", name]).output().unwrap();
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// Every name of every image.
    pub fn names(&self) -> Vec<String> {
        let text = self.must(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
        let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// A file of an image, as a container of it would see it.
    pub fn content(&self, name: &str, file: &str) -> Vec<u8> {
        let container = self.must(&["create", "--network", "none", name]);
        let done = self.client(&["cp", &format!("{container}:{file}"), "-"]).output().unwrap();
        self.must(&["rm", &container]);
        let mut archive = tar::Archive::new(done.stdout.as_slice());
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut archive.entries().unwrap().next().unwrap().unwrap(), &mut content).unwrap();
        content
    }

    /// Dies as by a power failure of its own.
    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        end(self.dir.path());
    }
}

fn serve(dir: &Path) -> Child {
    let at = |name: &str| dir.join(name);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(at("log")).unwrap();
    let mut server = Command::new("unshare");
    server
        .args(["--net", SERVER, "--bridge=none", "--iptables=false", "--ip-forward=false"])
        .args(["--storage-driver=vfs", "--config-file"])
        .arg(at("none.json"))
        .arg("--data-root")
        .arg(at("data"))
        .arg("--exec-root")
        .arg(at("exec"))
        .arg("--pidfile")
        .arg(at("pid"))
        .arg("--host")
        .arg(format!("unix://{}", at("sock").display()))
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    server.spawn().unwrap()
}

impl Drop for Docker {
    fn drop(&mut self) {
        // What it runs first, then the engine, which ends its own helpers.
        let running = self.ask(&["ps", "--quiet"]);
        for container in running.lines().filter(|line| line.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            self.ask(&["kill", container]);
        }
        let pid = rustix::process::Pid::from_child(&self.server);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::CONT);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        while self.server.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
        end(self.dir.path());
        unmount(self.dir.path());
    }
}

/// Ends the processes whose command names the engine's folder: its containerd, and what that started.
fn end(dir: &Path) {
    let text = dir.to_string_lossy().into_owned();
    let names = |path: PathBuf| std::fs::read(path).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&text));
    for entry in std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| names(entry.path().join("cmdline"))) {
        let id = entry.file_name().to_string_lossy().parse().ok().and_then(rustix::process::Pid::from_raw);
        let _ = id.map(|id| rustix::process::kill_process(id, rustix::process::Signal::KILL));
    }
}

fn unmount(dir: &Path) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let inside =
        mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|path| Path::new(path).starts_with(dir));
    for path in inside.collect::<Vec<_>>().into_iter().rev() {
        let _ = Command::new("umount").args(["--lazy", path]).status();
    }
}
