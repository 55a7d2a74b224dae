//! Objects in archive classes: how they stand, and asking for their bytes. What the archive gives out is a second copy
//! for some days; the object and its tag stay.

use super::S3Store;
use super::error::of_request;
use crate::model::backup::ARCHIVE_CLASSES;
use crate::model::time::Timestamp;
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::port::{Pin, Thaw, ThawRequest, ThawTier};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{GlacierJobParameters, RestoreRequest, Tier};
use chrono::DateTime;

pub(super) async fn state(store: &S3Store, name: &str, pin: &Pin) -> Result<Thaw, StoreError> {
    Ok(state_of(&look(store, name, pin).await?))
}

async fn look(store: &S3Store, name: &str, pin: &Pin) -> Result<HeadObjectOutput, StoreError> {
    let answer = store.answer_to_head(name).await?;
    if pin.holds(&store.described(name, &answer)?) { Ok(answer) } else { Err(StoreError::changed(&store.id, name)) }
}

fn state_of(answer: &HeadObjectOutput) -> Thaw {
    let tier = answer.archive_status().map(|tier| tier.as_str().to_owned());
    let class = answer.storage_class().map(|class| class.as_str().to_owned());
    let Some(archive) = tier.or_else(|| class.filter(|class| ARCHIVE_CLASSES.contains(&class.as_str()))) else {
        return Thaw::Readable;
    };
    match answer.restore() {
        Some(told) if told.contains("ongoing-request=\"true\"") => Thaw::Thawing { archive },
        Some(told) if told.contains("ongoing-request=\"false\"") => Thaw::Thawed { until: expiry(told) },
        _ => Thaw::Archived { archive },
    }
}

/// From `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`.
fn expiry(told: &str) -> Option<Timestamp> {
    let (_, rest) = told.split_once("expiry-date=\"")?;
    let (date, _) = rest.split_once('"')?;
    DateTime::parse_from_rfc2822(date).ok().map(|at| at.to_utc())
}

pub(super) async fn ask(store: &S3Store, name: &str, pin: &Pin, ask: ThawRequest) -> Result<(), StoreError> {
    let answer = look(store, name, pin).await?;
    let tier = match ask.tier {
        ThawTier::Expedited => Tier::Expedited,
        ThawTier::Standard => Tier::Standard,
        ThawTier::Bulk => Tier::Bulk,
    };
    let parameters = GlacierJobParameters::builder().tier(tier).build().map_err(|error| {
        StoreError::new(StoreErrorKind::Other, &store.id, Some(name), format!("could not ask the archive: {error}"))
    })?;
    // What moves between tiers by itself comes back for good, and takes no number of days.
    let days = answer.archive_status().is_none().then_some(i32::from(ask.days));
    let wanted = RestoreRequest::builder().set_days(days).glacier_job_parameters(parameters).build();
    let request = store.client.restore_object().bucket(&store.bucket).key(store.key(name)?).restore_request(wanted);
    match request.send().await {
        Ok(_) => Ok(()),
        Err(failed) if failed.code() == Some("RestoreAlreadyInProgress") => Ok(()),
        Err(failed) => Err(of_request(&store.id, Some(name), "ask the archive for the object", &failed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{ArchiveStatus, StorageClass};

    fn of(class: Option<&str>, told: Option<&str>) -> Thaw {
        let head = HeadObjectOutput::builder().set_storage_class(class.map(StorageClass::from));
        state_of(&head.set_restore(told.map(str::to_owned)).build())
    }

    #[test]
    fn an_object_is_readable_unless_an_archive_has_it() {
        assert_eq!(of(None, None), Thaw::Readable);
        assert_eq!(of(Some("STANDARD_IA"), None), Thaw::Readable);
        assert_eq!(of(Some("GLACIER_IR"), None), Thaw::Readable);
        let archive = || "DEEP_ARCHIVE".to_owned();
        assert_eq!(of(Some("DEEP_ARCHIVE"), None), Thaw::Archived { archive: archive() });
        let told = |text| of(Some("DEEP_ARCHIVE"), Some(text));
        assert_eq!(told("ongoing-request=\"true\""), Thaw::Thawing { archive: archive() });
        let until = "2012-12-21T00:00:00Z".parse().ok();
        let over = "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"";
        assert_eq!(told(over), Thaw::Thawed { until });
        assert_eq!(told("ongoing-request=\"false\", expiry-date=\"soon"), Thaw::Thawed { until: None });
        assert_eq!(told("\x1b[2J"), Thaw::Archived { archive: archive() });
        let moving = HeadObjectOutput::builder().storage_class(StorageClass::IntelligentTiering);
        assert_eq!(state_of(&moving.clone().build()), Thaw::Readable);
        let archive = "ARCHIVE_ACCESS".to_owned();
        assert_eq!(state_of(&moving.archive_status(ArchiveStatus::ArchiveAccess).build()), Thaw::Archived { archive });
    }
}
