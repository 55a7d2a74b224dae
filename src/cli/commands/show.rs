//! `relight show`: one backup with its copies, chain, sidecars, proofs and contents.

use crate::catalog::Catalog;
use crate::cli::documents::BackupRow;
use crate::cli::scan::{scan, seen};
use crate::cli::{Globals, Output, Tone, choose, words};
use crate::model::backup::{Backup, Sidecar};
use crate::model::id::BackupId;
use crate::model::proof::ProofRecord;
use crate::model::size::ByteCount;
use crate::model::text::escaped;
use crate::report::{Exit, Fault};
use crate::session::Scanned;
use crate::wiring::Setup;
use color_eyre::eyre;
use serde::Serialize;

/// Show one backup: copies, chain, sidecars, proofs, contents
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An id, an unambiguous beginning of one, `latest` or `latest-proven`
    backup: String,
    /// The asset whose latest backup is meant
    #[arg(long, value_name = "NAME")]
    asset: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    backup: BackupRow<'a>,
    /// The backup and what it builds on, down to its full backup.
    chain: Vec<&'a BackupId>,
    sidecars: &'a [Sidecar],
    /// Newest first.
    proofs: Vec<&'a ProofRecord>,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let (setup, scanned) = scan(globals).await?;
    let asset = args.asset.as_deref().map(|name| choose::asset(&setup.estate, name)).transpose()?;
    let chosen = choose::backup(&scanned.catalog, &setup.estate, &args.backup, asset.as_ref());
    let backup = match chosen {
        Err(error) if choose::found_nothing(&error) && seen(&scanned, out)? == Exit::Unknown => {
            out.finish()?;
            let message = format!("no backup `{}` is known, but not every store could be seen", args.backup);
            return Err(Fault::new(Exit::Unknown, message).hint("mend the store and ask again").into());
        }
        chosen => chosen?,
    };
    if out.json {
        let proofs = scanned.proofs.iter().filter(|proof| proof.backup == backup.id).collect();
        let chain = chain(&scanned.catalog, backup);
        let body = Body { backup: BackupRow::new(backup), chain, sidecars: &backup.sidecars, proofs };
        out.document("show", 1, setup.clock.now(), &body)?;
    } else {
        text(&setup, &scanned, backup, out)?;
    }
    Ok(Exit::Fine)
}

/// The backup itself and its bases, as far as they are in the catalog.
fn chain<'c>(catalog: &'c Catalog, backup: &'c Backup) -> Vec<&'c BackupId> {
    let mut links = vec![&backup.id];
    let mut link = backup.chain.as_ref();
    while let Some(base) = link.and_then(|link| link.base.as_ref()) {
        // Metadata is not to be trusted: a chain that bites its tail ends here.
        if links.contains(&base) {
            break;
        }
        links.push(base);
        link = catalog.get(base).and_then(|base| base.chain.as_ref());
    }
    links
}

fn text(setup: &Setup, scanned: &Scanned, backup: &Backup, out: &mut Output) -> eyre::Result<()> {
    let (zone, now) = (setup.estate.time_zone, setup.clock.now());
    let id = out.toned(Tone::Strong, &escaped(backup.id.as_str()));
    out.line(&id)?;
    let mut fact = |name: &str, value: &str| out.line(&format!("  {name:<10} {}", escaped(value)));
    fact("asset", backup.asset.as_str())?;
    fact("kind", &backup.kind.to_string())?;
    let taken = words::instant(backup.taken_at, zone);
    let source = words::time_source(backup.time_source);
    fact("taken", &format!("{taken}, {} ago, by {source}", words::age(backup.taken_at, now)))?;
    if let Some(other) = backup.ambiguous_with {
        fact("or", &format!("{}: its name fits both", words::instant(other, zone)))?;
    }
    fact("size", &format!("{} ({} bytes)", ByteCount(backup.size_bytes), backup.size_bytes))?;
    let unread = "unknown: not looked into yet; each scan reads the beginnings of the newest that it does not know";
    fact("content", &backup.content.as_ref().map_or_else(|| unread.to_owned(), ToString::to_string))?;
    let complete = match backup.complete {
        Some(true) => "yes".to_owned(),
        Some(false) => format!("NO: {}", backup.incomplete_because.join("; ")),
        None => "nothing tells".to_owned(),
    };
    fact("complete", &complete)?;
    fact("encrypted", backup.encrypted.map_or("nothing tells", |sealed| if sealed { "yes" } else { "no" }))?;
    for (label, value) in &backup.labels {
        fact(label, value)?;
    }
    copies(backup, zone, out)?;
    chain_text(&scanned.catalog, backup, out)?;
    for sidecar in &backup.sidecars {
        sidecar_text(sidecar, out)?;
    }
    proofs(scanned.proofs.iter().filter(|proof| proof.backup == backup.id), setup, out)
}

fn copies(backup: &Backup, zone: chrono_tz::Tz, out: &mut Output) -> eyre::Result<()> {
    out.line("copies")?;
    for copy in &backup.copies {
        let class = copy.class_text().map(|class| format!(", {class}")).unwrap_or_default();
        let objects = if copy.objects == 1 { String::new() } else { format!(", {} objects", copy.objects) };
        let at = copy.modified_at.map(|at| format!(", written {}", words::instant(at, zone))).unwrap_or_default();
        let (store, path) = (escaped(copy.store.as_str()), escaped(&copy.path));
        out.line(&format!("  {store}: {path} ({}{objects}{class}{at})", ByteCount(copy.size_bytes)))?;
    }
    Ok(())
}

fn chain_text(catalog: &Catalog, backup: &Backup, out: &mut Output) -> eyre::Result<()> {
    let Some(link) = &backup.chain else { return Ok(()) };
    out.line("chain")?;
    for id in chain(catalog, backup).into_iter().skip(1) {
        out.line(&format!("  builds on {}", escaped(id.as_str())))?;
    }
    if link.base.is_none() {
        let broken = out.toned(Tone::Critical, "broken");
        out.line(&format!("  {broken}: its base `{}` is not in the catalog", escaped(&link.base_name)))?;
    }
    Ok(())
}

fn sidecar_text(sidecar: &Sidecar, out: &mut Output) -> eyre::Result<()> {
    out.line(&format!("sidecar {} ({}: {})", escaped(&sidecar.name), sidecar.store, escaped(&sidecar.path)))?;
    for disagreement in &sidecar.disagreements {
        let word = out.toned(Tone::Critical, "disagrees");
        out.line(&format!("  {word}: {}", escaped(disagreement)))?;
    }
    for warning in &sidecar.warnings {
        let word = out.toned(Tone::Warning, "warning");
        out.line(&format!("  {word}: {}", escaped(warning)))?;
    }
    for (name, value) in &sidecar.facts {
        out.line(&format!("  {}: {}", escaped(name), escaped(value)))?;
    }
    Ok(())
}

fn proofs<'a>(proofs: impl Iterator<Item = &'a ProofRecord>, setup: &Setup, out: &mut Output) -> eyre::Result<()> {
    let mut proofs = proofs.peekable();
    if proofs.peek().is_none() {
        return Ok(out.line("proofs: none; make one with `relight verify`")?);
    }
    out.line("proofs")?;
    let now = setup.clock.now();
    for proof in proofs {
        let (tone, words) = words::proof(Some(proof), now);
        let words = out.toned(tone, &words);
        let store = escaped(proof.store.as_str());
        let actor = proof.actor.to_string();
        out.line(&format!("  {words}, of the copy in {store}, by {} with {}", escaped(&actor), escaped(&proof.tool)))?;
        out.line(&format!("    {}", escaped(&proof.detail)))?;
        for (name, value) in &proof.facts {
            out.line(&format!("    {}: {}", escaped(name), escaped(value)))?;
        }
    }
    Ok(())
}
