//! `pg.inspect`: everything about an asset's server and live database that a plan must know.

use super::connect::{Session, address};
use super::database::{self, DEFAULT_TABLESPACE, Database};
use super::names::NAME_BYTES;
use super::target::{cluster, of_asset, of_drill, standby_refused};
use crate::model::estate::Server;
use crate::model::id::AssetId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use serde::Deserialize;
use serde_json::{Value, json};

pub struct Inspect;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.inspect",
    summary: "Look at the server and the live database of an asset",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of kind postgresql" },
        InputSpec {
            name: "drill",
            kind: InputKind::Flag,
            required: false,
            help: "Look at the asset's drill place instead, which must be free",
        },
        InputSpec {
            name: "read_only",
            kind: InputKind::Flag,
            required: false,
            help: "Nothing will be restored: the rights for that are not asked for, and the database must be there",
        },
    ],
    outputs: &[
        "server",
        "address",
        "title",
        "version",
        "version_number",
        "system_identifier",
        "data_directory",
        "database",
        "stem",
        "exists",
        "oid",
        "size_bytes",
        "size",
        "shape",
        "connections",
        "max_connections",
        "user",
        "superuser",
        "health_url",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    #[serde(default)]
    drill: bool,
    #[serde(default)]
    read_only: bool,
}

#[async_trait::async_trait]
impl Module for Inspect {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(inspect(cx, input).await)
    }
}

async fn inspect(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (server, name) = if input.drill {
        of_drill(cx, &input.asset)?
    } else {
        of_asset(cx, &input.asset).map(|(server, name)| (server, name.to_owned()))?
    };
    let session = Session::open(cx, server, &server.maintenance_db).await?;
    let (system_identifier, standby) = cluster(&session).await?;
    if standby {
        return Err(standby_refused(server).into());
    }
    let live = database::find(&session, &name).await?;
    if input.drill && live.is_some() {
        return Err(Failure::new(format!("database `{}` on {} is there already", escaped(&name), address(server)))
            .means("a drill starts from a free name, so that nothing of anyone's is in its way; nothing was done")
            .next("clear what an earlier drill left (`relight runs` lists it), or name another place for drills")
            .into());
    }
    if input.read_only && live.is_none() {
        return Err(Failure::new(format!("database `{}` is not there on {}", escaped(&name), address(server)))
            .means("there is nothing to back up")
            .next("check `database` and `server` of the asset; if it is lost, restore it")
            .into());
    }
    if !input.read_only {
        check_rights(&session, server, live.as_ref()).await?;
    }
    let about = about_server(&session).await?;
    let (size, connections) = match &live {
        Some(live) => (size_of(&session, live.oid).await?, database::guests(&session, &[live.oid]).await?.len()),
        None => (None, 0),
    };
    let text = |key: &str| about.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    // The application's answer says nothing about a scratch copy.
    let health_url = cx.estate.asset(&input.asset).filter(|_| !input.drill).and_then(|asset| asset.health_url.clone());
    Ok(values(json!({
        "server": server.id,
        "address": address(server),
        "title": format!("PostgreSQL {} at {}", text("version"), address(server)),
        "version": text("version"),
        "version_number": about.get("number"),
        "system_identifier": system_identifier,
        "data_directory": about.get("data_directory"),
        "database": name,
        "stem": stem(&name),
        "exists": live.is_some(),
        "oid": live.as_ref().map(|live| live.oid),
        "size_bytes": size,
        "size": size.map(|size| ByteCount(size).to_string()),
        "shape": live.as_ref().map(|live| &live.shape),
        "connections": connections,
        "max_connections": about.get("max_connections"),
        "user": server.user,
        "superuser": about.get("superuser"),
        "health_url": health_url,
    })))
}

/// The database's name cut so that dated names made from it stay whole.
pub fn stem(name: &str) -> &str {
    let mut end = name.len().min(NAME_BYTES - 24);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

async fn about_server(session: &Session) -> Result<Value, Stop> {
    let row = session
        .row(
            "reading the server's settings",
            "SELECT jsonb_build_object('version', split_part(current_setting('server_version'), ' ', 1), \
             'number', current_setting('server_version_num')::int, \
             'max_connections', current_setting('max_connections')::int, \
             'data_directory', CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END, \
             'superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))",
            &[],
        )
        .await?;
    Ok(row.get(0))
}

/// Size in bytes; `None` where it cannot be read (a damaged database, a missing right).
pub(super) async fn size_of(session: &Session, oid: u32) -> Result<Option<u64>, Stop> {
    match session.row("reading the database's size", "SELECT pg_database_size($1::oid)", &[&oid]).await {
        Ok(row) => Ok(u64::try_from(row.get::<_, i64>(0)).ok()),
        Err(Stop::Failed(_)) => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// What the restore will need to be allowed to do.
async fn check_rights(session: &Session, server: &Server, live: Option<&Database>) -> Result<(), Stop> {
    let owner = live.map(|live| live.shape.owner.as_str());
    let space = live.map(|live| live.shape.tablespace.as_str()).filter(|space| *space != DEFAULT_TABLESPACE);
    let row = session
        .row(
            "reading the rights of our user",
            "SELECT r.rolsuper, r.rolcreatedb, pg_has_role('pg_signal_backend', 'USAGE'), \
             coalesce(pg_has_role($1::text, 'USAGE'), true), coalesce(has_tablespace_privilege($2::text, 'CREATE'), true), \
             r.rolcreaterole OR NOT EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setdatabase = $3 AND s.setrole NOT IN (0, r.oid)) \
             FROM pg_roles r WHERE rolname = current_user",
            &[&owner, &space, &live.map_or(0, |live| live.oid)],
        )
        .await?;
    let (superuser, create, signal, member): (bool, bool, bool, bool) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let (place, settings): (bool, bool) = (row.get(4), row.get(5));
    let lacking: Vec<String> = [
        (create, "CREATEDB, to make the database beside the live one".to_owned()),
        (signal, "inherited membership in pg_signal_backend, to end sessions before the swap".to_owned()),
        (member, format!("inherited membership in `{}`, the owner of the live database", owner.unwrap_or_default())),
        (place, format!("CREATE on tablespace `{}`, where the live database lies", space.unwrap_or_default())),
        (settings, "CREATEROLE, to carry over what ALTER ROLE … IN DATABASE has set for other roles".to_owned()),
    ]
    .into_iter()
    .filter_map(|(has, what)| (!has).then_some(what))
    .collect();
    if superuser || lacking.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(format!("user `{}` may not restore on {}", server.user, address(server)))
        .means("the restore would stop in the middle; nothing was done")
        .next("grant what is missing, or configure a superuser for this server");
    for what in lacking {
        failure = failure.evidence(format!("missing: {what}"));
    }
    Err(failure.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_leave_room_for_the_date() {
        assert_eq!(stem("orders"), "orders");
        let long = "ä".repeat(31);
        assert!(stem(&long).len() + "_restore_20261121_021500".len() <= NAME_BYTES);
    }
}
