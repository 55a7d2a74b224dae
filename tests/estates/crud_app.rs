//! The CRUD application: its database, its configuration, and three nights of backups as its own scripts make
//! them, on the host and in the bucket.

use crate::home::{Home, must, stamp, walk};
use crate::postgres::Cluster;
use crate::s3::{BUCKET, KEY, S3Fixture};
use chrono::{DateTime, Duration, Utc};
use relight::model::time::Clock as _;
use relight::wiring::SystemClock;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

pub const DATABASE: &str = "crud_test_db";
pub const USERS: u32 = 3000;
const SCHEMA: &str = "CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, \
      created_at timestamptz NOT NULL DEFAULT now());\n\
    CREATE TABLE audit_logs (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, action text NOT NULL, \
      at timestamptz NOT NULL);\n\
    CREATE INDEX audit_by_user ON audit_logs (user_id);\n\
    INSERT INTO users (email, name, created_at) SELECT md5(n::text) || '@example.org', 'User ' || n, \
      timestamptz '2026-01-01' + n * interval '1 minute' FROM generate_series(1, 3000) n;\n\
    INSERT INTO audit_logs (user_id, action, at) SELECT 1 + n % 3000, (ARRAY['create','update','delete'])[1 + n % 3], \
      timestamptz '2026-02-01' + n * interval '1 second' FROM generate_series(1, 6000) n;";

pub struct CrudApp {
    pub cluster: Cluster,
    pub s3: S3Fixture,
    /// Instants of the nightly backups, oldest first.
    pub nights: Vec<DateTime<Utc>>,
    home: Home,
}

impl Deref for CrudApp {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl CrudApp {
    /// The system, its live configuration and its nightly backups.
    pub async fn build() -> Self {
        let mut lab = Self::bare().await;
        let now = SystemClock.now();
        let today = now.date_naive().and_hms_opt(2, 0, 0).unwrap().and_utc();
        let last = if today > now { today - Duration::days(1) } else { today };
        lab.nights = (0..3).rev().map(|days| last - Duration::days(days)).collect();
        for night in lab.nights.clone() {
            lab.nightly_dump(night);
            lab.nightly_config(night);
        }
        lab
    }

    /// The system without any backup.
    pub async fn bare() -> Self {
        let (cluster, s3, home) = (Cluster::start(), S3Fixture::start().await, Home::new());
        cluster.sql("postgres", "CREATE ROLE postgres SUPERUSER LOGIN");
        cluster.sql("postgres", &format!("CREATE DATABASE {DATABASE} OWNER postgres"));
        cluster.sql(DATABASE, SCHEMA);
        for folder in ["var/backups/postgres", "var/backups/config", "etc/crud-app/tls"] {
            std::fs::create_dir_all(home.path(folder)).unwrap();
        }
        let etc = home.path("etc/crud-app");
        std::fs::write(etc.join("application.yml"), "server:\n  port: 8080\n").unwrap();
        std::fs::write(etc.join("tls/keystore.p12"), (0..=255).cycle().take(9000).collect::<Vec<u8>>()).unwrap();
        std::fs::set_permissions(etc.join("tls/keystore.p12"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink("application.yml", etc.join("current.yml")).unwrap();
        let lab = Self { cluster, s3, nights: Vec::new(), home };
        lab.home.configure("crud-app", &lab.places());
        lab
    }

    fn places(&self) -> Vec<(&'static str, &'static str)> {
        let text = |text: String| -> &'static str { text.leak() };
        let endpoint = self.s3.server.endpoint();
        vec![
            ("path = \"/var/backups\"", text(format!("path = \"{}\"", self.path("var/backups").display()))),
            ("path = \"/etc/crud-app\"", text(format!("path = \"{}\"", self.path("etc/crud-app").display()))),
            (
                "bucket = \"my-app-backups\"\nregion = \"us-east-1\"",
                text(format!(
                    "bucket = \"{BUCKET}\"\nendpoint = \"{endpoint}\"\naccess_key_id = \"{KEY}\"\n\
                     secret_access_key = {{ env = \"LAB_S3_SECRET\" }}"
                )),
            ),
            (
                "host = \"localhost\"\nport = 5432",
                text(format!(
                    "host = \"127.0.0.1\"\nport = {}\nbin_dir = \"{}\"",
                    self.cluster.port,
                    crate::postgres::BIN
                )),
            ),
            // No application runs in the lab; its answer is not part of what is tested.
            ("health_url = \"http://localhost:8080/actuator/health\"\n", ""),
        ]
    }

    /// As the system's own script dumps: custom format, gzip on top, integrity check, moving names, upload.
    fn nightly_dump(&self, night: DateTime<Utc>) {
        let folder = self.path("var/backups/postgres");
        let name = format!("{DATABASE}_{}.sql.gz", stamp(night));
        let mut dump = self.cluster.program("pg_dump");
        dump.args(["-F", "c", "-U", "postgres", DATABASE]);
        pipe_through_gzip(dump, &folder.join(&name));
        must(Command::new("gzip").arg("-t").arg(folder.join(&name)));
        let latest = folder.join(format!("{DATABASE}_latest.sql.gz"));
        if latest.exists() {
            std::fs::copy(&latest, folder.join(format!("{DATABASE}_previous.sql.gz"))).unwrap();
        }
        std::fs::copy(folder.join(&name), &latest).unwrap();
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        self.s3.put(&format!("backups/{name}"), &bytes);
        self.s3.put(&format!("backups/{DATABASE}_latest.sql.gz"), &bytes);
    }

    fn nightly_config(&self, night: DateTime<Utc>) {
        let name = format!("config_{}.tar.gz", stamp(night));
        let file = self.path("var/backups/config").join(&name);
        must(Command::new("tar").arg("-czf").arg(&file).arg("-C").arg(self.path("etc/crud-app")).arg("."));
        self.s3.put(&format!("backups/config/{name}"), &std::fs::read(&file).unwrap());
    }

    /// Every row of both tables in primary order, as checksums.
    pub fn content(&self, database: &str) -> String {
        self.cluster.sql(
            database,
            "SELECT 'users ' || md5(string_agg(u::text, E'\\n' ORDER BY u.id)) || ' ' || count(*) FROM users u; \
             SELECT 'audit ' || md5(string_agg(a::text, E'\\n' ORDER BY a.id)) || ' ' || count(*) FROM audit_logs a; \
             SELECT last_value FROM users_id_seq",
        )
    }

    /// Every backup file of the system by an own walk: `host` and `bucket`, moving names and notes left out.
    pub fn listed(&self) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for (store, root) in [("host", self.path("var/backups")), ("bucket", self.s3.file(""))] {
            for file in walk(&root) {
                let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                let moving = name.contains("_latest.") || name.contains("_previous.");
                if (name.ends_with(".sql.gz") || name.ends_with(".tar.gz")) && !moving {
                    found.insert((store.to_owned(), name));
                }
            }
        }
        found
    }
}

/// A pipe without a shell, with the exit status of both ends looked at.
fn pipe_through_gzip(mut first: Command, to: &Path) {
    let mut dump = first.stdout(Stdio::piped()).spawn().unwrap();
    let gzip = Command::new("gzip")
        .stdin(dump.stdout.take().unwrap())
        .stdout(std::fs::File::create(to).unwrap())
        .status()
        .unwrap();
    assert!(dump.wait().unwrap().success() && gzip.success());
}
