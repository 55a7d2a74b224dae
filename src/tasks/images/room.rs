//! Room for images beside the live ones: a disk that they fill would take every container with it.

use super::engine::Engine;
use crate::model::size::ByteCount;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::host::free_bytes;
use crate::tasks::input::Stop;
use crate::tasks::source::Source;

/// How much a compressed archive may grow by.
const GROWTH: u64 = 4;
/// An engine has the archive unpacked and the layers applied at the same time.
const TWICE: u64 = 2;
/// Where an engine keeps its images, as Docker and as Podman tell it.
const ROOTS: [&str; 2] = ["{{.DockerRootDir}}", "{{.Store.GraphRoot}}"];

pub async fn for_archive(engine: &Engine<'_>, source: &Source) -> Result<(), Stop> {
    let growth = if source.content.wrapped.is_empty() { 1 } else { GROWTH };
    let need = source.size_bytes.saturating_mul(growth).saturating_mul(TWICE);
    let root = root(engine).await?;
    match free_bytes(engine.cx, engine.host, &root).await? {
        Some(free) if free >= need => Ok(()),
        Some(free) => {
            let what = format!(
                "the disk of {} has {} free, and loading may take {}",
                escaped(&root),
                ByteCount(free),
                ByteCount(need)
            );
            Err(Failure::new(what)
                .means("a full disk stops every container of this engine; nothing was loaded")
                .next("make room there, then retry")
                .into())
        }
        None => Err(Stop::Unknown(
            Failure::new(format!("what the disk of {} has free cannot be told", escaped(&root)))
                .means("a full disk stops every container of this engine; nothing was loaded")
                .next("see what `df` says on that host"),
        )),
    }
}

async fn root(engine: &Engine<'_>) -> Result<String, Stop> {
    let mut refused: Option<Stop> = None;
    for form in ROOTS {
        let stop = match engine.must("asking where the engine keeps images", &["info", "--format", form]).await {
            Ok(text) if text.trim().starts_with('/') => return Ok(text.trim().to_owned()),
            Ok(text) => Stop::Failed(Failure::new(format!("it answered `{}`", escaped(text.trim())))),
            Err(cancelled @ Stop::Cancelled(_)) => return Err(cancelled),
            Err(stop) => stop,
        };
        // An engine that is down says so when it is asked in its own form, and that it does not know the other.
        refused = Some(match refused {
            Some(first) => first.evidence(format!("asked as another engine is: {}", stop.what())),
            None => stop,
        });
    }
    Err(refused.unwrap_or_else(|| Stop::Failed(Failure::new("no engine tells where it keeps images"))))
}
