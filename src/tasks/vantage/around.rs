//! The places from which a server is looked at, all at the same time, each with a limit.

use super::view::{Look, State, View};
use crate::model::estate::Server;
use crate::model::id::{HostId, ServerId};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::checks::http_health;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command};
use crate::tasks::input::Stop;
use crate::tasks::pg::connect;
use crate::tasks::pg::pair::home::{Home, listed};
use crate::tasks::pg::pair::look::{Seen, look};
use futures::future::join_all;
use std::time::Duration;

/// A place that has said nothing by then could not look.
const LIMIT: Duration = Duration::from_secs(20);
/// How long the probe on a host waits for the connection, and again for the answer.
const PROBE: &str = "4";

/// PostgreSQL answers the question for TLS with one letter before it asks for anything: whoever answers it
/// is alive, and nobody has to log in. Its words, and nothing else, are printed.
const KNOCK: &str = r#"
if ! exec 3<>"/dev/tcp/$1/$2"; then echo no-connection; exit 0; fi
printf '\000\000\000\010\004\322\026\057' >&3
if IFS= read -r -t "$3" -N 1 answer <&3; then echo "answer $answer"; else echo silent; fi
"#;

/// Whose fate is looked at, and by whom.
#[derive(Clone, Debug)]
pub struct Watched<'a> {
    pub primary: &'a Server,
    pub standby: Option<&'a Server>,
    /// The application's health address.
    pub url: Option<&'a str>,
}

impl<'a> Watched<'a> {
    pub fn of(
        cx: &'a TaskContext,
        primary: &ServerId,
        standby: Option<&ServerId>,
        url: Option<&'a str>,
    ) -> Result<Self, Failure> {
        let standby = standby.map(|id| connect::server(cx, id)).transpose()?;
        Ok(Self { primary: connect::server(cx, primary)?, standby, url })
    }

    /// Hosts that either half names.
    fn hosts(&self) -> Vec<&'a HostId> {
        let mut hosts: Vec<&HostId> =
            self.primary.vantage.iter().chain(self.standby.iter().flat_map(|half| &half.vantage)).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

/// One look from everywhere.
#[derive(Clone, Debug)]
pub struct Around {
    pub look: Look,
    /// The server as it answered here.
    pub here: Seen,
    pub standby: Option<Seen>,
}

/// Looks once from every place. Only a cancellation stops it: everything else is an observation.
pub async fn look_around(cx: &TaskContext, watched: &Watched<'_>) -> Result<Around, Stop> {
    let here = Box::pin(look(cx, watched.primary));
    let standby = Box::pin(async {
        match watched.standby {
            Some(standby) => look(cx, standby).await.map(Some),
            None => Ok(None),
        }
    });
    let hosts = join_all(watched.hosts().into_iter().map(|id| Box::pin(from_host(cx, watched.primary, id))));
    let (here, standby, home, http, hosts) =
        tokio::join!(here, standby, Box::pin(at_home(cx, watched.primary)), Box::pin(by_http(watched.url)), hosts);
    let (here, standby) = (here?, standby?);
    let mut views = vec![from_here(&here)];
    views.extend(watched.standby.zip(standby.as_ref()).map(|(server, seen)| from_standby(server, seen)));
    views.extend(home?);
    for host in hosts {
        views.push(host?);
    }
    views.extend(http);
    Ok(Around { look: Look { views }, here, standby })
}

fn from_here(seen: &Seen) -> View {
    let view = |state| View::new("here", state, seen.words());
    match seen {
        Seen::Up(live) if live.standby => view(State::Unknown).open("why it answers, and as a standby"),
        Seen::Up(_) => view(State::Up).by_itself(),
        Seen::Refused => view(State::Down),
        Seen::Closed(_) => view(State::Unknown).open("whether it serves others: it listens and lets nobody in here"),
        Seen::Silent(_) => view(State::Unknown)
            .open("whether it is dead, paused, or only cut off from here while others still write to it"),
    }
}

/// The standby's own line to its primary. A line that stands is hearsay: it stays for a while after the other
/// end has gone still.
fn from_standby(server: &Server, seen: &Seen) -> View {
    let from = format!("standby {}", server.id);
    match seen {
        Seen::Up(live) if !live.standby => View::new(from, State::Unknown, "answers as primary itself")
            .open("who is primary: its standby takes writes"),
        Seen::Up(live) => match live.receiver.as_deref() {
            Some(state) => {
                let words = format!("its line to the primary is `{}`", escaped(state));
                let known = if state == "streaming" { State::Up } else { State::Unknown };
                View::new(from, known, words).open("why its standby still has a line to it")
            }
            None => View::new(from, State::Down, "it has no line to the primary"),
        },
        other => View::new(from, State::Unknown, format!("the standby itself {}", other.words())),
    }
}

/// What runs in its data folder, as its own host tells it.
async fn at_home(cx: &TaskContext, server: &Server) -> Result<Option<View>, Stop> {
    let Some(place) = &server.home else { return Ok(None) };
    let from = format!("its host {}", place.host);
    let looking = async { Home::of(cx, server)?.processes().await };
    Ok(Some(match limited(looking).await? {
        Ok(processes) if processes.is_empty() => View::new(from, State::Down, "no process of it runs"),
        Ok(processes) => View::new(from, State::Unknown, format!("it runs: {}", listed(&processes))),
        Err(why) => View::new(from, State::Unknown, format!("no answer: {why}"))
            .open("whether its process runs: its host gave no answer"),
    }))
}

/// Knocks at the server from another host of the estate.
async fn from_host(cx: &TaskContext, server: &Server, id: &HostId) -> Result<View, Stop> {
    let from = format!("host {id}");
    let knocking = async {
        let port = server.port.to_string();
        let argv =
            ["env", "LC_ALL=C", "timeout", "-k", "1", "9", "bash", "-c", KNOCK, "knock", &server.host, &port, PROBE];
        host::run(cx, host::find(cx, id)?, Command::new(argv)).await
    };
    let said = match limited(knocking).await? {
        Ok(said) => said,
        Err(why) => return Ok(View::new(from, State::Unknown, format!("could not look: {why}"))),
    };
    let text = said.text();
    let refused = said.stderr.iter().any(|line| line.contains("Connection refused"));
    Ok(match text.trim() {
        "answer S" | "answer N" => View::new(from, State::Up, "it answers there").by_itself(),
        "no-connection" if refused => View::new(from, State::Down, "refuses connections: nothing listens there"),
        "silent" => View::new(from, State::Unknown, "it takes connections there and says nothing"),
        _ => {
            let why = said.stderr.iter().find(|line| !line.trim().is_empty());
            let why = why.map_or_else(|| format!("status {}", said.status), |line| escaped(line).into_owned());
            View::new(from, State::Unknown, format!("nothing was heard of it there ({why})"))
        }
    })
}

/// What the application says of itself: it speaks for the database only as far as it depends on it.
async fn by_http(url: Option<&str>) -> Option<View> {
    let url = url.filter(|url| !url.is_empty())?;
    let asked = tokio::time::timeout(LIMIT, http_health::once(url)).await;
    let view = |state, words: String| View::new("the application", state, words);
    Some(match asked {
        Ok(Ok(status)) if (200..300).contains(&status) => view(State::Up, format!("answers {status}")),
        Ok(Ok(status)) if (500..600).contains(&status) => view(State::Down, format!("answers {status}")),
        Ok(Ok(status)) => view(State::Unknown, format!("answers {status}, which says nothing")),
        Ok(Err(failure)) => view(State::Unknown, format!("did not answer: {}", failure.what)),
        Err(_) => view(State::Unknown, format!("did not answer within {} s", LIMIT.as_secs())),
    })
}

/// The inner error says why a place could not look; the outer one is a cancellation.
async fn limited<T>(looking: impl Future<Output = Result<T, Stop>>) -> Result<Result<T, String>, Stop> {
    match tokio::time::timeout(LIMIT, looking).await {
        Ok(Ok(seen)) => Ok(Ok(seen)),
        Ok(Err(Stop::Failed(failure) | Stop::Unknown(failure))) => Ok(Err(failure.what)),
        Ok(Err(cancelled @ Stop::Cancelled(_))) => Err(cancelled),
        Err(_) => Ok(Err(format!("nothing within {} s", LIMIT.as_secs()))),
    }
}
