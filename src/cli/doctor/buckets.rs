//! What buckets do by themselves: whether a backup that is deleted or replaced can be had back, and whether their own
//! rules remove what retention keeps.

use super::check::Check;
use super::stores::PATIENCE;
use crate::catalog::pattern::Pattern;
use crate::health::Severity;
use crate::model::estate::{Estate, StoreConfig};
use crate::model::objective::Retention;
use crate::model::text::escaped;
use crate::stores::{Bucket, LifecycleRule, Told};
use crate::wiring::Setup;

pub async fn all(setup: &Setup) -> Vec<Check> {
    let checks = futures::future::join_all(setup.estate.stores.iter().map(|config| one(setup, config))).await;
    checks.into_iter().flatten().collect()
}

async fn one(setup: &Setup, config: &StoreConfig) -> Vec<Check> {
    let Some(store) = setup.stores.get(&config.id) else { return Vec::new() };
    match tokio::time::timeout(PATIENCE, store.bucket()).await {
        Ok(Ok(Some(bucket))) => {
            let mut checks = vec![protection(config, &bucket)];
            checks.extend(bucket.rules.iter().flatten().filter_map(|rule| too_early(&setup.estate, config, rule)));
            checks
        }
        // A store that is away has said so as a store.
        Ok(Ok(None) | Err(_)) | Err(_) => Vec::new(),
    }
}

fn protection(config: &StoreConfig, bucket: &Bucket) -> Check {
    let mut said = Vec::new();
    said.extend(bucket.versioned.map(|kept| if kept { "keeps versions" } else { "keeps no versions" }.to_owned()));
    match &bucket.lock {
        Told::Is(lock) => said.push(format!("object lock: {lock}")),
        Told::Nothing => said.push("no object lock".to_owned()),
        Told::Untold => {}
    }
    match &bucket.encryption {
        Told::Is(by) => said.push(format!("encrypts by {by}")),
        Told::Nothing => said.push("does not encrypt by itself".to_owned()),
        Told::Untold => {}
    }
    said.extend(bucket.copies_to.as_ref().filter(|to| !to.is_empty()).map(|to| format!("copies to {}", to.join(", "))));
    said.extend(bucket.rules.iter().flatten().map(LifecycleRule::text));
    if !bucket.untold.is_empty() {
        said.push(format!("not told: {}", bucket.untold.join(", ")));
    }
    let name = config.id.as_str();
    let detail = said.join("; ");
    let locked = matches!(&bucket.lock, Told::Is(_));
    match bucket.versioned {
        Some(false) if !locked => Check::new("bucket", name, Severity::Warning, detail).next(
            "turn on versions, or better an object lock: whoever gets these keys can erase every backup for good",
        ),
        None if !locked => Check::new("bucket", name, Severity::Unknown, detail)
            .next("allow s3:GetBucketVersioning to these keys, to know whether a deleted backup can be had back"),
        _ => Check::good("bucket", name, detail),
    }
}

/// A rule that removes what the configuration keeps.
fn too_early(estate: &Estate, config: &StoreConfig, rule: &LifecycleRule) -> Option<Check> {
    let removes = rule.removes_after?;
    let kept = estate.assets.iter().flat_map(|asset| asset.sources.iter().map(move |source| (asset, source)));
    let hurt = kept.filter(|(_, source)| source.store == config.id).filter_map(|(asset, source)| {
        let days = days(source.retention.as_ref()?);
        let pattern = Pattern::parse(&source.pattern).ok()?;
        (days > removes && rule.concerns(pattern.prefix())).then_some((asset, days))
    });
    let (asset, days) = hurt.max_by_key(|(_, days)| *days)?;
    let detail = format!(
        "rule `{}` ({}), and the retention of {} goes back {days} days",
        escaped(&rule.name),
        rule.text(),
        escaped(asset.id.as_str())
    );
    Some(
        Check::new("bucket", config.id.as_str(), Severity::Warning, detail)
            .next("the bucket removes by age alone, the last proven backup too: take the rule off, and let `expire-backups` remove"),
    )
}

/// How far back it reaches.
fn days(retention: &Retention) -> u32 {
    let Retention { daily, weekly, monthly, yearly } = *retention;
    [daily, weekly.saturating_mul(7), monthly.saturating_mul(31), yearly.saturating_mul(366)]
        .into_iter()
        .max()
        .unwrap_or(0)
}
