//! A private systemd as the first process of namespaces of its own; everything of it is gone when dropped.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);
const PROGRAMS: &str = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

/// Both hierarchies of control groups that systemd knows, mounted for this shell alone: hosts mount one, the other, both
/// or none.
const GROUPS: &str = r"
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd /sys/fs/cgroup/unified
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
";

/// Its own mounts, processes and control groups; no unit but those in the folder `$2`, and no controllers, which
/// have no roots of their own. Not one of the host's units is in sight (some empty `/tmp`), and nothing but the folder
/// for temporary files `$3` can be written.
const START: &str = r#"
for root in systemd unified; do
  mkdir "/sys/fs/cgroup/$root/$1"
  echo $$ > "/sys/fs/cgroup/$root/$1/cgroup.procs"
done
exec unshare --mount --uts --ipc --pid --fork --kill-child --mount-proc --cgroup bash -c '
set -e
mount --make-rprivate /
printf "\043subsys_name hierarchy num_cgroups enabled\n" > "$0/../cgroups"
mount --bind "$0/../cgroups" /proc/cgroups
mount --bind "$1" "$1"
mount --bind /proc/sys /proc/sys
for folder in / /proc/sys; do mount -o remount,bind,ro "$folder"; done
mount -t tmpfs tmpfs /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd /sys/fs/cgroup/unified
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
mount -t tmpfs tmpfs /home
mount -t tmpfs tmpfs /etc/systemd/system
mount --bind "$0" /usr/lib/systemd/system
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=lab \
  /lib/systemd/systemd --system --unit=lab.target --show-status=no --log-target=null
' "$2" "$3"
"#;

/// Control groups go from the leaves upwards, and only when nobody is left in them.
const REMOVE: &str = r#"
for root in systemd unified; do
  if [ -d "/sys/fs/cgroup/$root/$1" ]; then find "/sys/fs/cgroup/$root/$1" -depth -type d -exec rmdir -- {} \;; fi
  [ ! -e "/sys/fs/cgroup/$root/$1" ]
done
"#;

fn shell(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "bash", "-c", &format!("{GROUPS}{script}"), "lab"]).stdin(Stdio::null());
    command.stdout(Stdio::null());
    command
}

pub struct Systemd {
    outer: Child,
    pid: u32,
    dir: tempfile::TempDir,
}

impl Systemd {
    /// With these units, by file name. None of them gets default dependencies: there is nothing to depend on.
    pub fn start(units: &[(&str, &str)]) -> Self {
        let dir = tempfile::Builder::new().prefix("rl-systemd-").tempdir().unwrap();
        open(dir.path());
        let folder = dir.path().join("units");
        std::fs::create_dir(&folder).unwrap();
        open(&folder);
        std::fs::write(folder.join("lab.target"), "[Unit]\nDefaultDependencies=no\n").unwrap();
        for (name, text) in units {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let mut outer = shell(START).arg(name(&dir)).arg(&folder).arg(std::env::temp_dir()).spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        let pid = loop {
            let children = format!("/proc/{0}/task/{0}/children", outer.id());
            let child = std::fs::read_to_string(children).unwrap_or_default();
            if let Ok(pid) = child.trim().parse::<u32>()
                && std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim() == "systemd"
            {
                break pid;
            }
            assert!(outer.try_wait().unwrap().is_none() && Instant::now() < deadline, "systemd does not start");
            std::thread::sleep(Duration::from_millis(20));
        };
        let lab = Self { outer, pid, dir };
        while lab.run(&["systemctl", "is-active", "lab.target"]).stdout != b"active\n" {
            assert!(Instant::now() < deadline, "systemd does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        lab
    }

    /// Words before a command that runs beside this systemd, with the programs of the distribution alone: a host may have
    /// a `systemctl` of its own making in `/usr/local`.
    pub fn inside(&self) -> Vec<String> {
        ["nsenter", "-t", &self.pid.to_string(), "-m", "-p", "--", "env", PROGRAMS].map(str::to_owned).into()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn run(&self, words: &[&str]) -> Output {
        let inside = self.inside();
        Command::new(&inside[0]).args(&inside[1..]).args(words).stdin(Stdio::null()).output().unwrap()
    }

    pub fn must(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// One property of a unit.
    pub fn says(&self, unit: &str, property: &str) -> String {
        self.must(&["systemctl", "show", "--value", "-p", property, unit])
    }

    pub fn until(&self, unit: &str, property: &str, value: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.says(unit, property) != value {
            assert!(Instant::now() < deadline, "{unit}: {property} is {}", self.says(unit, property));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // Its first process goes with it, and with that every other one.
        let _ = self.outer.kill();
        let _ = self.outer.wait();
        let deadline = Instant::now() + Duration::from_secs(10);
        let removed = || shell(REMOVE).arg(name(&self.dir)).stderr(Stdio::null()).status().is_ok_and(|it| it.success());
        while !removed() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Of its control groups: the folder's.
fn name(dir: &tempfile::TempDir) -> &OsStr {
    dir.path().file_name().unwrap()
}

fn open(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}
