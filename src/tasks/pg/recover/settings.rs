//! Settings of a cluster that recovers beside the live one: its own, whatever the copied folder says.

use super::side::Side;
use crate::model::task::Failure;
use crate::tasks::host::{Command, quote};
use crate::tasks::input::Stop;
use crate::tasks::wal::target::Target;

/// Nothing in it reaches anybody, writes into an archive, or waits for anyone.
const CUT_OFF: [(&str, &str); 30] = [
    ("external_pid_file", ""),
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("unix_socket_group", ""),
    ("ssl", "off"),
    ("archive_mode", "off"),
    ("archive_command", ""),
    ("primary_conninfo", ""),
    ("primary_slot_name", ""),
    ("recovery_end_command", ""),
    ("archive_cleanup_command", ""),
    ("synchronous_standby_names", ""),
    ("shared_preload_libraries", ""),
    ("session_preload_libraries", ""),
    ("max_logical_replication_workers", "0"),
    ("hot_standby", "on"),
    ("hot_standby_feedback", "off"),
    ("max_standby_archive_delay", "-1"),
    ("autovacuum", "off"),
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_min_messages", "warning"),
    ("lc_messages", "C"),
    ("cluster_name", "relight_recovery"),
    ("shared_buffers", "256MB"),
    ("huge_pages", "off"),
    ("restart_after_crash", "off"),
    ("recovery_target_inclusive", "on"),
    ("recovery_target_action", "pause"),
    ("recovery_min_apply_delay", "0"),
];
/// Of these at most one may be set, and the last that is mentioned counts.
const TARGETS: [&str; 5] =
    ["recovery_target", "recovery_target_name", "recovery_target_time", "recovery_target_xid", "recovery_target_lsn"];
/// A server that replays must allow at least what the one allowed that wrote the log: names in the control file.
const LIMITS: [(&str, &str); 5] = [
    ("max_connections", "max_connections setting"),
    ("max_worker_processes", "max_worker_processes setting"),
    ("max_wal_senders", "max_wal_senders setting"),
    ("max_prepared_transactions", "max_prepared_xacts setting"),
    ("max_locks_per_transaction", "max_locks_per_xact setting"),
];
/// First version whose recovery is configured by settings, not by recovery.conf.
const BY_SETTINGS: u32 = 12;

/// Writes the files that it starts from, and returns the options of `pg_ctl start`.
pub async fn prepare(side: &Side<'_>, version: u32, target: &Target, timeline: u32) -> Result<String, Stop> {
    let aux = &side.aux;
    side.note("postgresql.conf", "# All of it is said on the command line.\n").await?;
    side.note("pg_ident.conf", "").await?;
    // Whoever reaches the socket is the account itself: the folder is closed to everyone else.
    side.note("pg_hba.conf", "local all all trust\n").await?;
    let home = side.home();
    let said = home.run(home.program("pg_controldata", &["-D", &side.path])).await?;
    let control = said.success("reading the control file", home.host)?.text();
    let mut settings: Vec<(String, String)> = vec![
        ("config_file".to_owned(), format!("{aux}/postgresql.conf")),
        ("hba_file".to_owned(), format!("{aux}/pg_hba.conf")),
        ("ident_file".to_owned(), format!("{aux}/pg_ident.conf")),
        ("unix_socket_directories".to_owned(), aux.clone()),
        ("port".to_owned(), side.server().port.to_string()),
    ];
    for (setting, field) in LIMITS {
        let value = control.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).map(str::trim);
        settings.extend(value.map(|value| (setting.to_owned(), value.to_owned())));
    }
    let recovery = recovery(side, target, timeline);
    if version >= BY_SETTINGS {
        settings.extend(CUT_OFF.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        if version >= 15 {
            settings.push(("archive_library".to_owned(), String::new()));
        }
        settings.extend(TARGETS.iter().map(|name| ((*name).to_owned(), String::new())));
        settings.extend(recovery);
        signal(side).await?;
    } else {
        let own = |name: &str| {
            !name.starts_with("recovery_") && !name.starts_with("primary_") && name != "archive_cleanup_command"
        };
        let fit = CUT_OFF.iter().filter(|(name, _)| own(name));
        settings.extend(fit.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        recovery_conf(side, recovery).await?;
    }
    let words: Vec<String> =
        settings.into_iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]).collect();
    Ok(quote::line(&words)?)
}

fn recovery(side: &Side<'_>, target: &Target, timeline: u32) -> Vec<(String, String)> {
    let (name, value) = target.setting();
    // The path was held to letters, digits and a few signs; `%f` and `%p` are PostgreSQL's own names.
    let restore = format!("cp \"{}/wal/%f\" \"%p\"", side.aux);
    vec![
        ("restore_command".to_owned(), restore),
        ("recovery_target_timeline".to_owned(), timeline.to_string()),
        (name.to_owned(), value),
    ]
}

async fn signal(side: &Side<'_>) -> Result<(), Stop> {
    let standby = format!("{}/standby.signal", side.path);
    side.live.must("taking the mark of a standby away", &["rm", "-f", "--", &standby]).await?;
    let recovery = format!("{}/recovery.signal", side.path);
    side.live.must("marking the folder for recovery", &["touch", "--", &recovery]).await?;
    Ok(())
}

async fn recovery_conf(side: &Side<'_>, settings: Vec<(String, String)>) -> Result<(), Stop> {
    let action = [("recovery_target_action".to_owned(), "pause".to_owned())];
    let mut text = String::new();
    for (name, value) in settings.into_iter().chain(action) {
        text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
    }
    let file = format!("{}/recovery.conf", side.path);
    let write = Command::new(["dd", &format!("of={file}"), "conv=fsync", "status=none"]).stdin(text);
    side.live.run(write).await?.success("writing recovery.conf", side.live.host)?;
    Ok(())
}

/// Major version of the folder.
pub async fn version(side: &Side<'_>) -> Result<u32, Stop> {
    let file = format!("{}/PG_VERSION", side.path);
    let text = side.live.must("reading the folder's version", &["cat", "--", &file]).await?.text();
    let major = text.trim().split('.').next().and_then(|major| major.parse().ok());
    major.ok_or_else(|| Failure::new("the folder's PG_VERSION is no version").into())
}
