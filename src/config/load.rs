//! One file → the estate and the console's settings, or every problem of it.

use super::approver::approver;
use super::asset::{Scope, asset, proof};
use super::job::job;
use super::key::key;
use super::names::{Line, Names, Zone, path_below};
use super::server::{Around, host, server};
use super::service::service;
use super::shared::{Shared, shared};
use super::store::store;
use super::ui::{UiSettings, ui};
use super::watch::{Watch, watch};
use crate::located::{self, Fields, Located, Place, Problem, Problems};
use crate::model::estate::{Estate, Manager, Server};
use crate::model::id::ServiceId;
use std::path::{Path, PathBuf};

/// What one configuration file says.
#[derive(Clone, Debug)]
pub struct Config {
    /// Absolute path of the file.
    pub path: PathBuf,
    pub estate: Estate,
    pub ui: UiSettings,
    /// Folders of the estate's own checklists.
    pub checklist_dirs: Vec<PathBuf>,
    /// Where leases and mirrors of journals lie; without it runs keep apart on this machine alone.
    pub shared: Option<Shared>,
    pub watch: Watch,
}

/// Reads the file at `path`. Relative paths in it begin at its folder.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let absolute = std::path::absolute(path)
        .map_err(|error| Problems::unreadable(&path.display().to_string(), error.to_string(), "name a file"))?;
    let base = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    let Read { estate, ui, checklist_dirs, shared, watch } = located::read_file(path, |root| file(root, &base))?;
    Ok(Config { path: absolute, estate, ui, checklist_dirs, shared, watch })
}

/// Reads `text` as if it were the file `name` in the folder `base`.
pub fn parse(name: &str, text: &str, base: &Path) -> Result<Config, Problems> {
    let Read { estate, ui, checklist_dirs, shared, watch } = located::read(name, text, |root| file(root, base))?;
    Ok(Config { path: base.join(name), estate, ui, checklist_dirs, shared, watch })
}

/// All tables of the file.
struct Read {
    estate: Estate,
    ui: UiSettings,
    checklist_dirs: Vec<PathBuf>,
    shared: Option<Shared>,
    watch: Watch,
}

/// `[estate]` without its parts.
struct Head {
    name: String,
    environment: String,
    time_zone: chrono_tz::Tz,
    quorum: u32,
}

fn file(root: &mut Fields<'_>, base: &Path) -> Option<Read> {
    let quorum_at = root.key_place("estate");
    let head = root.need("estate").is_some().then(|| root.table("estate", head)).flatten();
    let mut store_names = Names::new("store");
    let mut server_names = Names::new("server");
    let mut asset_names = Names::new("asset");
    let mut host_names = Names::new("host");

    let stores = root.tables("stores", |fields| store(fields, &mut store_names, base));
    let hosts = root.tables("hosts", |fields| host(fields, &mut host_names, base));
    let mut service_names = Names::new("service");
    let services = root.tables("services", |fields| service(fields, &mut service_names, &host_names));
    let mut standbys = Vec::new();
    let composed = services.iter().filter(|service| matches!(service.manager, Manager::Compose(_)));
    let composed: Vec<ServiceId> = composed.map(|service| service.id.clone()).collect();
    let mut around =
        Around { base, hosts: &host_names, services: &service_names, composed: &composed, standbys: &mut standbys };
    let servers = root.tables("servers", |fields| server(fields, &mut server_names, &mut around));
    halves(root, &server_names, &standbys, &servers);
    let mut key_names = Names::new("key");
    let known_keys = root.tables("keys", |fields| key(fields, &mut key_names, base));
    let default_proof = root.table("proof", proof);
    let scope = Scope {
        base,
        hosts: &host_names,
        stores: &store_names,
        servers: &server_names,
        known_servers: &servers,
        keys: &key_names,
        known_keys: &known_keys,
        proof: default_proof,
    };
    let assets = root.tables("assets", |fields| asset(fields, &mut asset_names, &scope));
    let mut job_names = Names::new("job");
    let jobs = root.tables("jobs", |fields| job(fields, &mut job_names, &host_names, &asset_names));
    let runbook_dirs = root.table("runbooks", |fields| dirs(fields, base)).unwrap_or_default();
    let checklist_dirs = root.table("checklists", |fields| dirs(fields, base)).unwrap_or_default();
    let shared = root.table("shared", |fields| shared(fields, &store_names, base));
    let watch = root.table("watch", watch).unwrap_or_default();
    let mut approver_names = Names::new("approver");
    let approvers = root.tables("approvers", |fields| approver(fields, &mut approver_names));
    let ui = root.table("ui", ui).unwrap_or_default();

    tables_of(root);
    let Head { name, environment, time_zone, quorum } = head?;
    if quorum as usize > approvers.len() {
        root.report(too_few(quorum, approvers.len(), quorum_at));
    }
    let estate = Estate {
        name,
        environment,
        time_zone,
        stores,
        assets,
        servers,
        hosts,
        services,
        jobs,
        runbook_dirs,
        approvers,
        quorum,
    };
    Some(Read { estate, ui, checklist_dirs, shared, watch })
}

/// Without these there is nothing to show.
fn tables_of(root: &mut Fields<'_>) {
    for table in ["stores", "assets"] {
        if root.key_place(table).is_none() {
            let message = format!("the file has no [[{table}]]: there would be nothing to see");
            root.report(Problem::at(&Place::WHOLE, message));
        }
    }
}

/// Each standby that a server names must be there, and be another.
fn halves(root: &mut Fields<'_>, names: &Names, standbys: &[Located<String>], servers: &[Server]) {
    for problem in standbys.iter().filter_map(|standby| names.missing(standby)) {
        root.report(problem);
    }
    if let Some(own) = servers.iter().find(|server| server.standby.as_ref() == Some(&server.id)) {
        root.report(Problem::at(&Place::WHOLE, format!("server `{}` names itself as its standby", own.id)));
    }
}

fn too_few(quorum: u32, known: usize, place: Option<Place>) -> Problem {
    let message = format!("{quorum} must approve, and the file names {known} [[approvers]]");
    Problem::at(&place.unwrap_or(Place::WHOLE), message).help("`relight approver new` makes a key and the entry for it")
}

fn head(fields: &mut Fields<'_>) -> Option<Head> {
    let name = fields.required::<Line>("name");
    // An estate that does not say what it is must be treated as the one that hurts most.
    let environment = fields.optional::<Line>("environment").map_or_else(|| "production".to_owned(), |line| line.0);
    let time_zone = fields.optional::<Zone>("time_zone").map_or(chrono_tz::UTC, |zone| zone.0);
    let quorum = fields.optional::<u32>("quorum").unwrap_or(0);
    Some(Head { name: name?.0, environment, time_zone, quorum })
}

fn dirs(fields: &mut Fields<'_>, base: &Path) -> Option<Vec<PathBuf>> {
    let items = fields.need("dirs")?.list()?;
    Some(items.iter().filter_map(|item| path_below(base, item)).collect())
}
