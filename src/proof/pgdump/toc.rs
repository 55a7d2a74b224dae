//! The table of contents: everything that the dump will create, in order, with its owners and needs.

use super::header::Header;
use super::wire::Wire;
use crate::proof::fault::Fault;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    None,
    PreData,
    Data,
    PostData,
}

/// Whether the entry has a data block, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataState {
    /// It has one, but the dump was written to a pipe and its place is not recorded.
    Somewhere,
    /// At this byte of the dump.
    At(u64),
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub id: u32,
    pub table_oid: u32,
    pub oid: u32,
    /// Name of the object: `orders`, `orders orders_pkey`. Untrusted text.
    pub tag: String,
    /// What it is, in pg_dump's words: `TABLE`, `TABLE DATA`, `FK CONSTRAINT`, `ACL`…
    pub kind: String,
    pub section: Section,
    pub schema: Option<String>,
    pub tablespace: Option<String>,
    pub owner: String,
    pub depends: Vec<u32>,
    pub data: DataState,
    /// Its data is COPY text; otherwise INSERT statements or a large object.
    pub copies: bool,
}

/// Header and table of contents of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Toc {
    pub header: Header,
    pub entries: Vec<Entry>,
    /// Roles that the dump grants to or revokes from, besides the owners.
    pub granted_roles: BTreeSet<String>,
    /// Bytes of the dump before its first data block.
    pub length: u64,
}

impl Toc {
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Entry> + 'a {
        self.entries.iter().filter(move |e| e.kind == kind)
    }

    /// Schema and name of every table, in order of the dump.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.of_kind("TABLE").map(|e| (e.schema.as_deref().unwrap_or_default(), e.tag.as_str()))
    }

    /// Number of entries of each kind.
    pub fn counts(&self) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for entry in &self.entries {
            *counts.entry(entry.kind.as_str()).or_insert(0) += 1;
        }
        counts
    }

    /// Every role that must exist before everything of the dump can be restored as it was.
    pub fn roles(&self) -> BTreeSet<&str> {
        let owners = self.entries.iter().map(|e| e.owner.as_str()).filter(|o| !o.is_empty());
        owners.chain(self.granted_roles.iter().map(String::as_str)).collect()
    }

    pub fn has_acls(&self) -> bool {
        self.entries.iter().any(|e| matches!(e.kind.as_str(), "ACL" | "DEFAULT ACL"))
    }

    pub fn extensions(&self) -> impl Iterator<Item = &str> + '_ {
        self.of_kind("EXTENSION").map(|e| e.tag.as_str())
    }
}

/// Entries that one dump may have; each takes some 200 bytes of memory.
const MOST_ENTRIES: u32 = 2_000_000;

pub fn read<R: Read>(wire: &mut Wire<R>, header: Header) -> Result<Toc, Fault> {
    let doing = "the table of contents";
    let start = wire.at;
    let count = wire.small(doing)?;
    if count > MOST_ENTRIES {
        return Err(Fault::bad_at(format!("{doing}: {count} entries are more than any dump has"), start));
    }
    let mut toc = Toc { header, entries: Vec::new(), granted_roles: BTreeSet::new(), length: 0 };
    let mut seen = BTreeSet::new();
    for number in 1..=count {
        let start = wire.at;
        let entry = entry(wire, &toc.header, &mut toc.granted_roles)
            .map_err(|fault| fault.within(&format!("entry {number} of {count} of the table of contents")))?;
        if !seen.insert(entry.id) {
            return Err(Fault::bad_at(format!("{doing}: two entries have number {}", entry.id), start));
        }
        toc.entries.push(entry);
    }
    toc.length = wire.at;
    Ok(toc)
}

fn entry<R: Read>(wire: &mut Wire<R>, header: &Header, roles: &mut BTreeSet<String>) -> Result<Entry, Fault> {
    let start = wire.at;
    let id = wire.small("its number")?;
    if id == 0 {
        return Err(Fault::bad_at("its number is zero", start));
    }
    let _had_dumper = wire.small("its data mark")?;
    let table_oid = number(wire, "its catalog")?;
    let oid = number(wire, "its object number")?;
    let tag = wire.text("its name")?.unwrap_or_default();
    let kind = wire.text("its kind")?.unwrap_or_default();
    if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_uppercase() || b == b' ') {
        return Err(Fault::bad_at("it has no kind that pg_dump writes", wire.at));
    }
    let section = if header.at_least(11) { section(wire)? } else { section_by_kind(&kind) };
    let mut grants = GrantedRoles::new(matches!(kind.as_str(), "ACL" | "DEFAULT ACL"));
    wire.long_text("its definition", |piece| grants.see(piece))?;
    wire.long_text("its drop statement", |_| ())?;
    let copies = wire.long_text("its COPY statement", |_| ())?;
    let schema = wire.text("its schema")?.filter(|s| !s.is_empty());
    let tablespace = wire.text("its tablespace")?.filter(|s| !s.is_empty());
    if header.at_least(14) {
        wire.text("its access method")?;
    }
    if header.at_least(16) {
        wire.small("its relation kind")?;
    }
    let owner = wire.text("its owner")?.unwrap_or_default();
    wire.text("its WITH OIDS mark")?;
    let depends = depends(wire)?;
    let data = data_state(wire)?;
    grants.finish(roles);
    Ok(Entry { id, table_oid, oid, tag, kind, section, schema, tablespace, owner, depends, data, copies })
}

/// A number written as decimal text.
fn number<R: Read>(wire: &mut Wire<R>, doing: &str) -> Result<u32, Fault> {
    let start = wire.at;
    let text = wire.text(doing)?.unwrap_or_default();
    text.parse().map_err(|_| Fault::bad_at(format!("{doing} is not a number"), start))
}

fn section<R: Read>(wire: &mut Wire<R>) -> Result<Section, Fault> {
    let start = wire.at;
    match wire.small("its section")? {
        1 => Ok(Section::None),
        2 => Ok(Section::PreData),
        3 => Ok(Section::Data),
        4 => Ok(Section::PostData),
        n => Err(Fault::bad_at(format!("section {n} does not exist"), start)),
    }
}

fn section_by_kind(kind: &str) -> Section {
    match kind {
        "COMMENT" | "ACL" | "ACL LANGUAGE" => Section::None,
        "TABLE DATA" | "BLOBS" | "BLOB COMMENTS" => Section::Data,
        "CONSTRAINT" | "CHECK CONSTRAINT" | "FK CONSTRAINT" | "INDEX" | "RULE" | "TRIGGER" => Section::PostData,
        _ => Section::PreData,
    }
}

fn depends<R: Read>(wire: &mut Wire<R>) -> Result<Vec<u32>, Fault> {
    let mut all = Vec::new();
    loop {
        let start = wire.at;
        let Some(text) = wire.text("its dependencies")? else { return Ok(all) };
        all.push(text.parse().map_err(|_| Fault::bad_at("a dependency is not a number", start))?);
    }
}

fn data_state<R: Read>(wire: &mut Wire<R>) -> Result<DataState, Fault> {
    let start = wire.at;
    let state = wire.byte("the place of its data")?;
    let offset = wire.offset("the place of its data")?;
    match state {
        1 => Ok(DataState::Somewhere),
        2 => Ok(DataState::At(offset)),
        3 => Ok(DataState::None),
        n => Err(Fault::bad_at(format!("the place of its data has the unknown mark {n}"), start)),
    }
}

/// Finds role names in GRANT and REVOKE statements as pg_dump writes them, one per line:
/// `GRANT SELECT ON TABLE public.orders TO reader;`.
struct GrantedRoles {
    wanted: bool,
    text: Vec<u8>,
}

impl GrantedRoles {
    const MOST: usize = 256 * 1024;

    fn new(wanted: bool) -> Self {
        Self { wanted, text: Vec::new() }
    }

    fn see(&mut self, piece: &[u8]) {
        if self.wanted && self.text.len() + piece.len() <= Self::MOST {
            self.text.extend_from_slice(piece);
        }
    }

    fn finish(self, roles: &mut BTreeSet<String>) {
        for line in String::from_utf8_lossy(&self.text).lines() {
            let Some(rest) = line.strip_suffix(';') else { continue };
            let rest = rest.strip_suffix(" WITH GRANT OPTION").unwrap_or(rest);
            if let Some(at) = rest.rfind(" TO ").or_else(|| rest.rfind(" FROM ")) {
                let name = rest[at..].trim_start_matches(" TO ").trim_start_matches(" FROM ");
                if name != "PUBLIC" && !name.is_empty() {
                    roles.insert(unquoted(name));
                }
            }
        }
    }
}

fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|n| n.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}
