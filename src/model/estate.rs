//! The estate: everything that one configuration file covers, as domain words.

use super::backup::BackupKind;
use super::id::{AssetId, HostId, JobId, ServerId, ServiceId, StoreId};
use super::images::LiveImages;
use super::key::Key;
use super::objective::{Objectives, Retention};
use super::secret::SecretRef;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estate {
    pub name: String,
    /// `production`, `staging`, `demo`…: shown on every screen.
    pub environment: String,
    /// Zone for display; instants are kept in UTC.
    pub time_zone: chrono_tz::Tz,
    pub stores: Vec<StoreConfig>,
    pub assets: Vec<Asset>,
    pub servers: Vec<Server>,
    pub hosts: Vec<Host>,
    /// Units of systemd on these hosts.
    pub services: Vec<Service>,
    /// What makes and removes backups by itself.
    pub jobs: Vec<Job>,
    /// Folders with runbooks besides the built-in ones.
    pub runbook_dirs: Vec<PathBuf>,
    /// Who may approve what the operator does.
    pub approvers: Vec<ApproverKey>,
    /// How many of them must approve a step that leaves this to the estate; 0: nobody.
    pub quorum: u32,
}

/// A second person and their Ed25519 key, base64 of its 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproverKey {
    pub name: String,
    pub public_key: String,
}

impl Estate {
    pub fn asset(&self, id: &AssetId) -> Option<&Asset> {
        self.assets.iter().find(|a| &a.id == id)
    }
    pub fn store(&self, id: &StoreId) -> Option<&StoreConfig> {
        self.stores.iter().find(|s| &s.id == id)
    }
    pub fn server(&self, id: &ServerId) -> Option<&Server> {
        self.servers.iter().find(|s| &s.id == id)
    }
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.iter().find(|s| &s.id == id)
    }
    pub fn host(&self, id: &HostId) -> Option<&Host> {
        self.hosts.iter().find(|h| &h.id == id)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreConfig {
    pub id: StoreId,
    pub place: StorePlace,
    /// Failure domain, for the off-site part of 3-2-1. Defaults to the store's type.
    pub site: String,
    /// Medium, for the second part of 3-2-1: `disk`, `object`, `tape`. Defaults by type.
    pub medium: String,
    /// Zone of time stamps in names that carry none.
    pub time_zone: chrono_tz::Tz,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum StorePlace {
    Local { path: PathBuf },
    S3(Box<S3Place>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Place {
    pub bucket: String,
    /// Everything outside this prefix is invisible. Empty, or ends in `/`.
    pub prefix: String,
    pub region: String,
    /// `http://…` or `https://…`; absent means AWS.
    pub endpoint: Option<String>,
    pub force_path_style: bool,
    pub credentials: S3Credentials,
    /// How new objects are kept.
    #[serde(default)]
    pub keeping: S3Keeping,
}

/// What a bucket is told about each new backup. Absent is what the bucket does by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Keeping {
    /// `STANDARD_IA`, `INTELLIGENT_TIERING`…; never a class that must be thawed before it can be read back.
    pub storage_class: Option<String>,
    pub encryption: Option<S3Encryption>,
}

/// Encryption by the server, with keys that it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum S3Encryption {
    /// A key of the store's own: SSE-S3.
    Aes256,
    /// A key of the key service, or the account's default one: SSE-KMS.
    Kms { key: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum S3Credentials {
    /// The AWS default chain: environment, profile, SSO, instance role.
    Default,
    /// A named profile of the shared AWS configuration.
    Profile { name: String },
    /// Fixed keys; the secret key comes from elsewhere.
    Static { access_key_id: String, secret_access_key: SecretRef, session_token: Option<SecretRef> },
    /// Unsigned requests.
    Anonymous,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssetKind {
    PostgreSql,
    Redis,
    Files,
    Config,
    Models,
    Images,
    Code,
    Other,
}

impl AssetKind {
    pub const ALL: [(&'static str, AssetKind); 8] = [
        ("postgresql", AssetKind::PostgreSql),
        ("redis", AssetKind::Redis),
        ("files", AssetKind::Files),
        ("config", AssetKind::Config),
        ("models", AssetKind::Models),
        ("images", AssetKind::Images),
        ("code", AssetKind::Code),
        ("other", AssetKind::Other),
    ];
}

impl fmt::Display for AssetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, kind)| kind == self).map_or("other", |(name, _)| name);
        f.pad(name)
    }
}

/// How much an outage of the asset hurts; orders equal verdicts on the overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    Critical,
    Important,
    Standard,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    pub id: AssetId,
    pub kind: AssetKind,
    pub tier: Tier,
    pub objectives: Objectives,
    pub sources: Vec<Source>,
    /// The server that holds the live database, for `postgresql` and `redis`.
    pub server: Option<ServerId>,
    /// The live database's name on that server.
    pub database: Option<String>,
    /// The live folder, for files, config and models.
    pub path: Option<PathBuf>,
    /// In place of `path`: the live folders of which each backup is one archive. Each is restored by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<PathBuf>,
    /// The live images in a container engine, for `images`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<LiveImages>,
    /// An HTTP address that answers 2xx when the application is well.
    pub health_url: Option<String>,
    /// Where drills restore it to.
    pub drill: Option<DrillPlace>,
}

/// A scratch place that is not production: drills work there, and clear it afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillPlace {
    /// Defaults to the asset's own server.
    pub server: Option<ServerId>,
    /// A database name that is free there. Defaults to the live name with `_drill` behind it.
    pub database: Option<String>,
    /// A folder that is not there yet; its parent is.
    pub path: Option<PathBuf>,
    /// One half of a pair of servers that is not there yet: drills of a failover make both, and remove them.
    #[serde(default)]
    pub pair: Option<ServerId>,
}

/// One place and naming scheme in which backups of an asset appear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub store: StoreId,
    /// Naming pattern below the store's root, for example `full/full_{time:%Y%m%d_%H%M%S}/`.
    pub pattern: String,
    pub kind: BackupKind,
    /// When backups are expected to appear.
    pub schedule: Option<Schedule>,
    pub retention: Option<Retention>,
    /// Smallest believable size in bytes.
    pub min_size: Option<u64>,
    /// The archive must be encrypted; a plaintext beside it is a leak.
    pub encrypted: bool,
    /// What new backups are encrypted with, and all of its backups are opened with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Zone of the time in names, where it is not the store's.
    pub time_zone: Option<chrono_tz::Tz>,
    /// Names of members without which a folder backup is incomplete.
    pub required: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// A fixed distance between two backups.
    Every(#[serde(with = "super::objective::seconds")] Duration),
    /// A cron expression, read in UTC.
    Cron(String),
}

/// A database server that runbooks may look at and work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub id: ServerId,
    pub kind: AssetKind,
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<SecretRef>,
    pub tls: TlsMode,
    /// Database for administration while the live one is renamed.
    pub maintenance_db: String,
    /// Folder with `pg_restore`, `psql`, `pg_dump`; absent means `PATH`, then the usual places.
    pub bin_dir: Option<PathBuf>,
    /// Where it runs, for starting and stopping it.
    #[serde(default)]
    pub home: Option<ServerHome>,
    /// The other half of a pair: the server that follows this one, or that this one follows after a failover.
    #[serde(default)]
    pub standby: Option<ServerId>,
    /// Name patterns of scratch databases that nobody lives in, for example `orders_test_{time}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<String>,
    /// Hosts from which it is looked at too, when it may be lost.
    #[serde(default)]
    pub vantage: Vec<HostId>,
    /// How clients of the pair learn which half to use.
    #[serde(default)]
    pub traffic: Option<Traffic>,
}

/// Where a server runs and how it is started there. Paths are paths on that host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerHome {
    pub host: HostId,
    pub data_dir: String,
    /// Folder with `pg_ctl`, `pg_controldata`, `pg_rewind`; absent means the host's `PATH`.
    pub bin_dir: Option<String>,
    /// Takes what the server says while it starts; absent means a file beside the data folder.
    pub log: Option<String>,
    /// Options of `postgres`, for example `-c config_file=/etc/…`.
    pub start_options: Vec<String>,
    /// Whom a standby logs in as to follow this server; absent means the server's `user`. Its password is the
    /// business of the standby's own host (a password file, a certificate).
    pub replication_user: Option<String>,
    /// Command that starts a Redis server as its host does, for example `systemctl start redis-server`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start: Vec<String>,
    /// Command that stops it, and keeps it from being started again by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// The service under which its host runs it: then it is started, stopped and fenced through systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
}

/// What runs on one host until it is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub id: ServiceId,
    pub host: HostId,
    #[serde(flatten)]
    pub manager: Manager,
    /// Where it takes connections, `host:port`.
    pub addresses: Vec<String>,
    /// Hosts from which these are looked at too.
    pub vantage: Vec<HostId>,
}

/// Who starts a service, and is asked how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Manager {
    Systemd(SystemdUnit),
    Compose(ComposeService),
}

/// A unit of systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemdUnit {
    /// Its full name, `postgresql@15-main.service`.
    pub unit: String,
    pub scope: UnitScope,
}

/// The containers of one service of a compose file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeService {
    /// Absolute path of the file on its host.
    pub compose: String,
    /// Its name in that file.
    pub compose_service: String,
    /// Project name, where it is not that of the file's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Words that speak with the engine, such as `docker`.
    pub engine: Vec<String>,
    /// Words that begin a command of compose, such as `docker compose` or `docker-compose`.
    pub program: Vec<String>,
}

/// A job that its host runs by itself, at set times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    pub host: HostId,
    /// Whose backups it makes or removes.
    pub assets: Vec<AssetId>,
    pub place: JobPlace,
    /// In which the host's cron reads its times, where that is not the host's own.
    pub time_zone: Option<chrono_tz::Tz>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobPlace {
    Crontab(Crontab),
    /// A timer of systemd.
    Timer(Service),
}

/// One line of a crontab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crontab {
    /// Whose crontab; absent with `file`, or for the account as whom commands on the host run.
    pub user: Option<String>,
    /// A file whose lines name a user, such as `/etc/cron.d/backup`.
    pub file: Option<String>,
    /// Words of the line's command, by which it is found.
    pub line: String,
}

/// Whose manager runs a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitScope {
    #[default]
    System,
    /// Of the user as whom commands on the host run.
    User,
}

/// How clients learn which half of a pair is writable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Traffic {
    File(TrafficFile),
    Dns(TrafficDns),
    PgBouncer(TrafficPooler),
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Traffic::File(file) => write!(f, "the file {} on {}", file.path, file.host),
            Traffic::PgBouncer(pooler) => {
                write!(f, "PgBouncer at {}:{}", pooler.console.host, pooler.console.port)
            }
            Traffic::Dns(dns) => write!(f, "the DNS record {} at {}", dns.name, dns.server),
        }
    }
}

/// PgBouncer: its file of databases, and the console at which it is paused, reloaded and asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficPooler {
    pub file: TrafficFile,
    pub console: Console,
    /// The pooler's name of the database, where it is not the asset's.
    pub database: Option<String>,
}

/// PgBouncer's admin console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    pub host: String,
    pub port: u16,
    /// One of its `admin_users`.
    pub user: String,
    pub password: Option<SecretRef>,
    pub tls: TlsMode,
}

/// A record of one zone, changed by dynamic update (RFC 2136).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficDns {
    /// The zone's primary name server.
    pub server: String,
    pub port: u16,
    pub zone: String,
    /// What clients look up; in the zone.
    pub name: String,
    /// Seconds that the new value may be remembered.
    pub ttl: u32,
    /// Name of the key that signs updates.
    pub key: String,
    pub algorithm: KeyAlgorithm,
    /// The key, base64.
    pub secret: SecretRef,
    /// What the record says for a server, where that is not the server's `host`: an address, or a name.
    pub addresses: Vec<(ServerId, String)>,
}

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// A file that tells clients, or the pooler between, where the writable server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficFile {
    pub host: HostId,
    pub path: String,
    /// Its whole content; `{host}`, `{port}` and `{server}` stand for the chosen server.
    pub content: String,
    /// Run on the host after the file was replaced; empty: nothing is run.
    pub reload: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// No TLS: loopback, Unix sockets, trusted networks.
    #[default]
    Off,
    /// TLS with a verified certificate.
    Verify,
}

/// A machine on which commands run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub id: HostId,
    pub via: Via,
    /// Words before every command, such as `runuser -u postgres --`.
    #[serde(default)]
    pub run_as: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    Local,
    Ssh(Ssh),
}

/// What is absent here is as the user's own ssh settings have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssh {
    pub address: String,
    pub user: Option<String>,
    pub port: Option<u16>,
    pub key: Option<PathBuf>,
    pub known_hosts: Option<PathBuf>,
}
