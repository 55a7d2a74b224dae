//! What belongs to a database but not to its content: settings, grants, limits. It stays with the name
//! when another database takes the name over.

use super::connect::Session;
use super::database::Database;
use super::names::{ident, literal};
use crate::tasks::input::Stop;

/// Settings whose value is a list of quoted names; the server wants their items one by one.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// Statements that give to database `name` what `from` has now.
pub async fn carried(session: &Session, from: &Database, name: &str) -> Result<Vec<String>, Stop> {
    let mut sql = role_settings(session, from.oid, name).await?;
    sql.extend(grants(session, from, name).await?);
    sql.push(format!("ALTER DATABASE {} CONNECTION LIMIT {}", ident(name), from.connection_limit));
    Ok(sql)
}

async fn role_settings(session: &Session, oid: u32, name: &str) -> Result<Vec<String>, Stop> {
    let rows = session
        .rows(
            "reading the settings of the live database",
            "SELECT r.rolname::text, c.entry FROM pg_db_role_setting s \
             CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS c(entry, position) \
             LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = $1 ORDER BY 1 NULLS FIRST, c.position",
            &[&oid],
        )
        .await?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let (role, entry): (Option<String>, String) = (row.get(0), row.get(1));
            let (setting, value) = entry.split_once('=')?;
            let target = match role {
                Some(role) => format!("ALTER ROLE {} IN DATABASE {}", ident(&role), ident(name)),
                None => format!("ALTER DATABASE {}", ident(name)),
            };
            let setting_name = setting.split('.').map(ident).collect::<Vec<_>>().join(".");
            Some(format!("{target} SET {setting_name} TO {}", setting_value(setting, value)))
        })
        .collect())
}

fn setting_value(setting: &str, value: &str) -> String {
    if !LISTS.contains(&setting) {
        return literal(value);
    }
    let items = list_items(value);
    if items.is_empty() {
        "''".to_owned()
    } else {
        items.iter().map(|item| literal(item)).collect::<Vec<_>>().join(", ")
    }
}

/// `"$user", public` as its items without quotes.
fn list_items(value: &str) -> Vec<String> {
    let (mut items, mut item, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                item.push('"');
            }
            '"' => {
                quoted = !quoted;
                any = true;
            }
            ',' if !quoted => items.push(std::mem::take(&mut item)),
            c if c.is_whitespace() && !quoted => {}
            c => {
                item.push(c);
                any = true;
            }
        }
    }
    if any {
        items.push(item);
    }
    items
}

async fn grants(session: &Session, from: &Database, name: &str) -> Result<Vec<String>, Stop> {
    let rows = session
        .rows(
            "reading the grants of the live database",
            "SELECT coalesce(r.rolname::text, ''), a.grantee = 0, a.privilege_type, a.is_grantable \
             FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee \
             WHERE d.oid = $1 ORDER BY 1, 3",
            &[&from.oid],
        )
        .await?;
    let set = session
        .row(
            "reading the grants of the live database",
            "SELECT datacl IS NOT NULL FROM pg_database WHERE oid = $1",
            &[&from.oid],
        )
        .await?;
    if !set.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let mut sql = vec![
        format!("REVOKE ALL ON DATABASE {} FROM PUBLIC", ident(name)),
        format!("REVOKE ALL ON DATABASE {} FROM {}", ident(name), ident(&from.shape.owner)),
    ];
    for row in rows {
        let (role, public, privilege, grantable): (String, bool, String, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        // A grantee that was dropped has no name any more.
        if !["CREATE", "TEMPORARY", "CONNECT"].contains(&privilege.as_str()) || (role.is_empty() && !public) {
            continue;
        }
        let to = if public { "PUBLIC".to_owned() } else { ident(&role) };
        let option = if grantable { " WITH GRANT OPTION" } else { "" };
        sql.push(format!("GRANT {privilege} ON DATABASE {} TO {to}{option}", ident(name)));
    }
    Ok(sql)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_settings_are_taken_apart() {
        assert_eq!(setting_value("search_path", "\"$user\", public"), "'$user', 'public'");
        assert_eq!(setting_value("search_path", "\"a,\"\"b\", c"), "'a,\"b', 'c'");
        assert_eq!(setting_value("search_path", "\"\""), "''");
        assert_eq!(setting_value("work_mem", "64MB"), "'64MB'");
    }
}
