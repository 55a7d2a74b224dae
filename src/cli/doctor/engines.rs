//! Every container engine that has images of the estate.

use super::check::Check;
use crate::catalog::Catalog;
use crate::health::Severity;
use crate::model::estate::Asset;
use crate::tasks::images::Engine;
use crate::tasks::input::Stop;
use crate::tasks::{Cancel, Owner, TaskContext, TaskFeed};
use crate::wiring::Setup;
use std::sync::Arc;

pub async fn all(setup: &Setup) -> Vec<Check> {
    let owner = Owner::new("console", "doctor");
    let cx = setup.parts().task_context(Arc::new(Catalog::default()), owner, TaskFeed::silent(), Cancel::default());
    let with_images = setup.estate.assets.iter().filter(|asset| asset.images.is_some());
    futures::future::join_all(with_images.map(|asset| one(&cx, asset))).await
}

async fn one(cx: &TaskContext, asset: &Asset) -> Check {
    let name = asset.id.as_str();
    match look(cx, asset).await {
        Ok((title, absent)) if absent.is_empty() => Check::good("images", name, format!("{title} has all of them")),
        Ok((title, absent)) => {
            Check::new("images", name, Severity::Warning, format!("{title} has no {}", absent.join(", no ")))
                .next("restore them, or take their names out of [assets.images]; no backup can be made until then")
        }
        Err(stop) => Check::new("images", name, Severity::Unknown, stop.what())
            .next("see whether the engine runs on its host, and whether this account may use it"),
    }
}

/// The engine, and what it lacks.
async fn look(cx: &TaskContext, asset: &Asset) -> Result<(String, Vec<String>), Stop> {
    let engine = Engine::of(cx, &asset.id)?;
    let mut absent = Vec::new();
    for name in &engine.live.names {
        if engine.image(name).await?.is_none() {
            absent.push(name.clone());
        }
    }
    Ok((engine.title(), absent))
}
