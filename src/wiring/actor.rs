//! Who sits at this process.

use crate::model::actor::Actor;
use crate::model::text::escaped;

/// The user as the system's user list names the process's user id; journals hold it, so the environment,
/// which anyone can set, is asked only where the list does not know the id.
pub fn actor() -> Actor {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let claimed = || std::env::var("LOGNAME").or_else(|_| std::env::var("USER")).ok();
    let name = named.or_else(|| claimed().map(|name| format!("{name} (uid {uid})")));
    let name = name.unwrap_or_else(|| format!("uid {uid}"));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Actor { name: escaped(&name).into_owned(), host: escaped(&host).into_owned(), pid: std::process::id() }
}
