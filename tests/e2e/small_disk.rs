//! A filesystem with hardly any room beside the live database.

use crate::postgres::Cluster;
use std::path::PathBuf;
use std::process::Command;

/// Room for an empty database beside the live one, in bytes: less than the shop needs.
const ROOM: u64 = 9 << 20;
/// Room beside what is there, in bytes: less than the shop's tables need.
const SPARE: u64 = 300_000;

pub struct SmallDisk {
    place: PathBuf,
    space: String,
}

impl SmallDisk {
    /// Moves the database into a tablespace of its own, in which a second one can be created but not filled.
    pub fn under(cluster: &Cluster, database: &str) -> Self {
        let place = cluster.folder(&format!("disk_{database}"));
        let disk = Self { place, space: format!("small_{database}") };
        disk.mount("size=64m");
        cluster.give(&disk.place);
        cluster.sql("postgres", &format!("CREATE TABLESPACE {} LOCATION '{}'", disk.space, disk.place.display()));
        cluster.sql("postgres", &format!("ALTER DATABASE {database} SET TABLESPACE {}", disk.space));
        disk.leave(cluster, ROOM);
        disk
    }

    /// From now on hardly anything more can be written.
    pub fn fill(&self, cluster: &Cluster) {
        self.leave(cluster, SPARE);
    }

    fn leave(&self, cluster: &Cluster, room: u64) {
        // New databases are sparse files until the server has written its buffers.
        cluster.sql("postgres", "CHECKPOINT");
        let stat = rustix::fs::statvfs(&self.place).unwrap();
        let used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize;
        self.mount(&format!("remount,size={}", used + room));
    }

    fn mount(&self, options: &str) {
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.place).status().unwrap();
        assert!(done.success(), "this test must be allowed to mount a small filesystem");
    }

    /// Moves the database out again.
    pub fn gone(self, cluster: &Cluster, database: &str) {
        cluster.sql("postgres", &format!("ALTER DATABASE {database} SET TABLESPACE pg_default"));
        cluster.sql("postgres", &format!("DROP TABLESPACE {}", self.space));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.place).status();
    }
}
