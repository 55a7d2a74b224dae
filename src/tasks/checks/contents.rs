//! What the beginning of a backup tells while a plan is made: its form, and for a custom dump its table
//! of contents.

use super::reading::{Meter, read_through};
use crate::catalog::sniff;
use crate::model::content::{Content, Form};
use crate::model::proof::ProofRecord;
use crate::proof::Fault;
use crate::proof::inside::row_fact;
use crate::proof::layers::{self, Limits};
use crate::proof::pgdump::{Toc, read_toc};
use crate::proof::source::Unwatched;
use crate::stores::{Pin, Store};
use crate::tasks::context::TaskContext;
use crate::tasks::crypt::keyring::Keyring;
use serde_json::{Value, json};
use std::io::BufReader;

/// Tables that a plan names one by one; all are counted.
const MOST_TABLES: usize = 2_000;

/// Why a copy cannot be looked into.
#[derive(Debug)]
pub enum Trouble {
    /// The copy is bad.
    Bad(String),
    /// It is encrypted or archived and stays closed here; nothing speaks against it.
    Closed(String),
    /// Nobody knows: the store, or the line to it.
    Unseen(String),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Bad { .. } => Trouble::Bad(fault.to_string()),
            Fault::Closed(why) => Trouble::Closed(why),
            other => Trouble::Unseen(other.to_string()),
        }
    }
}

pub struct Look {
    pub content: Content,
    pub toc: Option<Toc>,
}

/// Reads the head of one object under its pin, and the table of contents where there is one; through its encryption,
/// if `keys` open it.
pub async fn look(cx: &TaskContext, store: &dyn Store, path: &str, pin: &Pin, keys: &Keyring) -> Result<Look, Trouble> {
    let unseen = |error: crate::stores::StoreError| Trouble::Unseen(error.to_string());
    if pin.size == 0 {
        return Err(Trouble::Bad("the object is empty".to_owned()));
    }
    let (content, _) = sniff::look(store, path, pin.size, Some(pin)).await.map_err(unseen)?;
    if let Some(why) = content.form.seal().and_then(|seal| keys.refusal(seal)) {
        return Err(Trouble::Closed(why));
    }
    if content.form != Form::PgCustom && content.form.seal().is_none() {
        return Ok(Look { content, toc: None });
    }
    let (meter, stored) = (Meter::new(cx, 0), pin.size);
    let stream = store.read(path, 0, Some(pin)).await.map_err(unseen)?;
    let keys = keys.clone();
    let looked = read_through(cx, stream, &meter, stored, move |inlet| {
        let mut content = Content { wrapped: Vec::new(), form: Form::Unknown };
        let source = Box::new(BufReader::with_capacity(64 * 1024, inlet));
        let opened = layers::open_with(source, stored, Limits::default(), &Unwatched, &mut content, &keys)?;
        if opened.form != Form::PgCustom {
            return Ok(Look { content, toc: None });
        }
        let toc = match read_toc(opened.reader) {
            Ok(toc) => Some(toc),
            // A version or compression that only PostgreSQL's own programs know.
            Err(Fault::Closed(_)) => None,
            Err(fault) => return Err(fault),
        };
        Ok(Look { content, toc })
    });
    looked.await.map_err(|failure| Trouble::Unseen(failure.what))?.map_err(Trouble::from)
}

/// `plain-sql+gzip`: the form, then its compressions from the innermost outwards.
pub fn form_text(content: &Content) -> String {
    let word = |value: Value| value.as_str().unwrap_or("unknown").to_owned();
    let mut text = word(json!(content.form));
    for wrapping in content.wrapped.iter().rev() {
        text.push('+');
        text.push_str(&word(json!(wrapping)));
    }
    text
}

/// What a plan pins of a dump: from its table of contents, and from an earlier proof of the same bytes.
pub fn dump_facts(toc: Option<&Toc>, proof: Option<&ProofRecord>) -> Value {
    let fact = |key: &str| proof.and_then(|p| p.facts.get(key));
    let number = |key: &str| fact(key).and_then(|n| n.parse::<u64>().ok());
    let Some(toc) = toc else {
        return json!({
            "table_count": number("tables"),
            "rows": number("rows"),
            "server_version": fact("server_version"),
            "pg_dump_version": fact("pg_dump_version"),
        });
    };
    let tables: Vec<Value> = toc
        .tables()
        .take(MOST_TABLES)
        .map(|(schema, name)| json!({ "schema": schema, "name": name, "rows": number(&row_fact(schema, name)) }))
        .collect();
    json!({
        "table_count": toc.tables().count(),
        "tables": tables,
        "rows": number("rows"),
        "counts": toc.counts(),
        "database": toc.header.database,
        "server_version": toc.header.server_version,
        "server_major": toc.header.server_major(),
        "pg_dump_version": toc.header.dump_version,
        "created_local_time": toc.header.created.map(|at| at.to_string()),
        "roles": toc.roles(),
        "has_acls": toc.has_acls(),
        "extensions": toc.extensions().collect::<Vec<_>>(),
    })
}
