//! Filesystems of a test's own: one that is small and can be filled, one that can be brought to a standstill.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn unmount(place: &Path) {
    let _ = Command::new("umount").arg("--lazy").arg(place).output();
}

pub struct Small(PathBuf);

impl Small {
    pub fn at(place: &Path, size: &str) -> Self {
        done(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(place));
        Self(place.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

/// Everything but a little of the space that a small file system has left; free again once this is dropped.
pub struct Ballast(PathBuf);

impl Ballast {
    pub fn on(folder: &Path, leave: u64) -> Self {
        let stat = rustix::fs::statvfs(folder).unwrap();
        let ballast = folder.join("ballast");
        let file = std::fs::File::create(&ballast).unwrap();
        let take = (stat.f_bavail * stat.f_frsize).saturating_sub(leave);
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, take).unwrap();
        Self(ballast)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let removed = std::fs::remove_file(&self.0);
        assert!(removed.is_ok() || std::thread::panicking(), "the ballast stays: {removed:?}");
    }
}

/// On a folder `live`; while it is frozen everything that writes to it waits.
pub struct Freezable(PathBuf);

impl Freezable {
    /// On `live` in a folder, which gets the image, too.
    pub fn at(folder: &Path) -> Self {
        let (image, place) = (folder.join("disk.img"), folder.join("live"));
        std::fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        done(Command::new("mkfs.ext4").arg("-q").arg(&image));
        done(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&place));
        Self(place)
    }

    pub fn freeze(&self) {
        done(Command::new("fsfreeze").arg("--freeze").arg(&self.0));
    }

    pub fn thaw(&self) {
        done(Command::new("fsfreeze").arg("--unfreeze").arg(&self.0));
    }
}

impl Drop for Freezable {
    fn drop(&mut self) {
        // A test that stopped while it was frozen; otherwise there is nothing to thaw.
        let _ = Command::new("fsfreeze").arg("--unfreeze").arg(&self.0).output();
        unmount(&self.0);
    }
}
