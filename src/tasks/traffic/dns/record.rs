//! The record: what it says, what it is to say, and the way between.

use super::kept::{self, Kept};
use super::wire::{ask, name, refused};
use crate::model::estate::{Server, TrafficDns};
use crate::model::task::{Failure, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, values};
use crate::tasks::module::Reality;
use hickory_proto::op::{Message, Query, ResponseCode, update_message};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, RecordSet, RecordType};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;
use std::net::IpAddr;

/// Values of one type under one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// `A`, `AAAA` or `CNAME`.
    pub kind: String,
    pub ttl: u32,
    /// Sorted.
    pub values: Vec<String>,
}

impl Said {
    fn same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.values == other.values
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, escaped(&self.values.join(", ")))
    }
}

pub struct Record<'a> {
    cx: &'a TaskContext,
    dns: &'a TrafficDns,
    name: Name,
    zone: Name,
    stamp: String,
}

impl<'a> Record<'a> {
    pub fn of(cx: &'a TaskContext, dns: &'a TrafficDns, stamp: &str) -> Result<Self, Failure> {
        let (name, zone) = (name(&dns.name)?, name(&dns.zone)?);
        if !zone.zone_of(&name) {
            return Err(Failure::new(format!("{} is not in zone {}", escaped(&dns.name), escaped(&dns.zone)))
                .means("nothing was done")
                .next("mend `zone` and `name` of [servers.traffic]"));
        }
        Ok(Self { cx, dns, name, zone, stamp: stamp.to_owned() })
    }

    /// What the record is to say for a server.
    fn wanted(&self, server: &Server) -> Result<Said, Failure> {
        let named = self.dns.addresses.iter().find(|(id, _)| *id == server.id).map(|(_, address)| address.as_str());
        let data = data(named.unwrap_or(&server.host))?;
        Ok(Said { kind: data.record_type().to_string(), ttl: self.dns.ttl, values: vec![shown(&data)] })
    }

    /// What the zone's primary says now: only its own, signed answer counts.
    pub async fn now(&self, kind: &str) -> Result<Said, Stop> {
        let kind = record_type(kind)?;
        let mut message = Message::query();
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(self.name.clone(), kind));
        let answer = ask(self.cx, self.dns, message).await.map_err(|stop| match stop {
            // A question changes nothing.
            Stop::Unknown(failure) => Stop::Failed(failure.means("what the record says is not known")),
            stop => stop,
        })?;
        let code = answer.metadata.response_code;
        if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
            return Err(refused(&self.place(), self.dns, code).into());
        }
        if !answer.metadata.authoritative {
            return Err(Failure::new(format!("{} does not speak for zone {}", self.place(), escaped(&self.dns.zone)))
                .means("what it says may be old, and it takes no updates")
                .next("name the zone's primary as `server` of [servers.traffic]")
                .into());
        }
        let found = answer.answers.iter().filter(|record| record.name == self.name && record.record_type() == kind);
        let ttl = found.clone().map(|record| record.ttl).min().unwrap_or_default();
        let mut values: Vec<String> = found.map(|record| shown(&record.data)).collect();
        values.sort();
        Ok(Said { kind: kind.to_string(), ttl, values })
    }

    /// One update: only if the record still says `from`, it says `to`.
    pub async fn change(&self, from: &Said, to: &Said) -> Result<(), Stop> {
        let (current, new) = (self.set(from)?, self.set(to)?);
        let message = update_message::compare_and_swap(current, new, self.zone.clone(), false);
        let answer = ask(self.cx, self.dns, message).await?;
        match answer.metadata.response_code {
            ResponseCode::NoError => Ok(()),
            code => Err(refused(&self.place(), self.dns, code).into()),
        }
    }

    /// The same, and then what the server says, however its answer was lost.
    async fn move_to(&self, from: &Said, to: &Said) -> Result<(), Stop> {
        let changed = self.change(from, to).await;
        if let Err(stop @ (Stop::Failed(_) | Stop::Cancelled(_))) = changed {
            return Err(stop);
        }
        let now = self.now(&to.kind).await.map_err(|stop| match stop {
            Stop::Failed(failure) => {
                Stop::Unknown(failure.means("the update was sent; whether it took effect is not known"))
            }
            stop => stop,
        })?;
        if now.same(to) {
            return Ok(());
        }
        changed?;
        Err(Failure::new(format!("{} accepted the update, and says {now}", self.place()))
            .means("clients are not led where they should be")
            .next("look at the name server's log and at who else changes this record")
            .into())
    }

    pub async fn point(&self, server: &Server) -> Result<Values, Stop> {
        let wanted = self.wanted(server)?;
        let before = self.now(&wanted.kind).await?;
        if before.same(&wanted) {
            let kept = kept::read(self.cx, &self.stamp).await?;
            return Ok(self.told(&wanted, kept.as_ref().map(|kept| &kept.before)));
        }
        if before.values.is_empty() {
            return Err(Failure::new(format!("{} has no {} record at {}", escaped(&self.dns.name), wanted.kind, self.place()))
                .means("there is nothing to replace: clients find the server by other means, or not at all; nothing was changed")
                .next("make the record once by hand, or mend `name` and `addresses` of [servers.traffic]")
                .into());
        }
        let kept = Kept { name: self.name.to_ascii(), before: before.clone(), after: wanted.clone() };
        kept::keep(self.cx, &self.stamp, &kept).await?;
        self.cx.feed.line(format!("{} says {before}; it is to say {wanted}", escaped(&self.dns.name)));
        self.move_to(&before, &wanted).await?;
        self.cx.feed.line(format!("resolvers may remember {before} for up to {} s", before.ttl));
        Ok(self.told(&wanted, Some(&before)))
    }

    pub async fn back(&self) -> Result<Values, Stop> {
        let Some(Kept { before, after, .. }) = kept::read(self.cx, &self.stamp).await? else {
            return Err(Failure::new(format!("{} is not there", kept::path(self.cx, &self.stamp).display()))
                .means("there is no former value to say again: none was replaced by this run, here or where it was taken over from")
                .next("set the record by hand if clients must go elsewhere")
                .into());
        };
        let now = self.now(&before.kind).await?;
        if !now.same(&before) {
            if !now.same(&after) {
                return Err(Failure::new(format!(
                    "{} says {now}, not {after} as this run left it",
                    escaped(&self.dns.name)
                ))
                .means("someone has changed it since; nothing was changed")
                .next("find out who, and set it by hand if clients must go elsewhere")
                .into());
            }
            self.move_to(&after, &before).await?;
        }
        Ok(values(json!({ "traffic": format!("{} says {before} again", escaped(&self.dns.name)) })))
    }

    pub async fn reality(&self, server: &Server) -> Result<Reality, Stop> {
        let wanted = self.wanted(server)?;
        let now = self.now(&wanted.kind).await?;
        let kept = kept::read(self.cx, &self.stamp).await?;
        Ok(if now.same(&wanted) {
            Reality::Done(self.told(&wanted, kept.as_ref().map(|kept| &kept.before)))
        } else {
            Reality::NotDone(format!("it says {now}"))
        })
    }

    fn told(&self, wanted: &Said, before: Option<&Said>) -> Values {
        let traffic = format!("{} says {wanted}", escaped(&self.dns.name));
        values(json!({ "traffic": traffic, "kept": before.map(ToString::to_string) }))
    }

    fn set(&self, said: &Said) -> Result<RecordSet, Failure> {
        let kind = record_type(&said.kind)?;
        let mut set = RecordSet::with_ttl(self.name.clone(), kind, said.ttl);
        for value in &said.values {
            let data = data(value)?;
            if data.record_type() != kind {
                return Err(Failure::new(format!("`{}` is no value of a {kind} record", escaped(value))));
            }
            set.add_rdata(data);
        }
        Ok(set)
    }

    fn place(&self) -> String {
        format!("name server {}:{}", escaped(&self.dns.server), self.dns.port)
    }
}

/// An address, or the name that clients are sent to.
fn data(value: &str) -> Result<RData, Failure> {
    Ok(match value.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => RData::A(A(address)),
        Ok(IpAddr::V6(address)) => RData::AAAA(AAAA(address)),
        Err(_) => RData::CNAME(CNAME(name(value)?)),
    })
}

/// Names are the same in any case.
fn shown(data: &RData) -> String {
    data.to_string().to_ascii_lowercase()
}

fn record_type(kind: &str) -> Result<RecordType, Failure> {
    match kind {
        "A" => Ok(RecordType::A),
        "AAAA" => Ok(RecordType::AAAA),
        "CNAME" => Ok(RecordType::CNAME),
        other => Err(Failure::new(format!("`{}` is no type of record that leads clients", escaped(other)))),
    }
}
