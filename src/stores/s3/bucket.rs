//! What the bucket does by itself. Each thing is asked apart: keys may be allowed to see one and not another, and
//! servers know some and not others.

use super::S3Store;
use super::bare_tag;
use super::client::AnswerLimit;
use super::error::of_request;
use crate::stores::bucket::{Bucket, LifecycleRule, Told};
use crate::stores::error::{StoreError, StoreErrorKind};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types as aws;
use std::error::Error;

/// Most rules of one bucket, by the rules of S3.
const MAX_RULES: usize = 1000;

/// `None` where the server knows nothing of all this.
pub(super) async fn ask(store: &S3Store) -> Result<Option<Bucket>, StoreError> {
    let mut asked = Asked { store, untold: Vec::new(), known: false };
    let (client, name) = (&store.client, &store.bucket);
    let told = client.get_bucket_versioning().bucket(name).customize().interceptor(AnswerLimit::WHOLE).send().await;
    let versioned = asked.heard("versions", "", told)?;
    let told =
        client.get_object_lock_configuration().bucket(name).customize().interceptor(AnswerLimit::WHOLE).send().await;
    let lock = asked.heard("object lock", "ObjectLockConfigurationNotFoundError", told)?;
    let told = client.get_bucket_encryption().bucket(name).customize().interceptor(AnswerLimit::WHOLE).send().await;
    let encryption = asked.heard("encryption", "ServerSideEncryptionConfigurationNotFoundError", told)?;
    let told = client.get_bucket_replication().bucket(name).customize().interceptor(AnswerLimit::WHOLE).send().await;
    let copies = asked.heard("replication", "ReplicationConfigurationNotFoundError", told)?;
    let told = client
        .get_bucket_lifecycle_configuration()
        .bucket(name)
        .customize()
        .interceptor(AnswerLimit::WHOLE)
        .send()
        .await;
    let rules = asked.heard("lifecycle rules", "NoSuchLifecycleConfiguration", told)?;
    if !asked.known {
        return Ok(None);
    }
    let of_store = |rules: &[aws::LifecycleRule]| {
        rules.iter().take(MAX_RULES).filter_map(|rule| rule_of(rule, &store.prefix)).collect()
    };
    let enabled = aws::BucketVersioningStatus::Enabled;
    Ok(Some(Bucket {
        versioned: versioned.and_then(|it| Some(it.status() == Some(&enabled))).into_option(false),
        lock: lock.and_then(|it| lock_text(it.object_lock_configuration()?)),
        encryption: encryption.and_then(|it| by_default(it.server_side_encryption_configuration()?)),
        copies_to: copies.and_then(|it| Some(targets(it.replication_configuration()?))).into_option(Vec::new()),
        rules: rules.and_then(|it| Some(of_store(it.rules()))).into_option(Vec::new()),
        untold: asked.untold,
    }))
}

struct Asked<'s> {
    store: &'s S3Store,
    untold: Vec<String>,
    /// The server understood at least one of the questions.
    known: bool,
}

impl Asked<'_> {
    /// A line that breaks ends the asking.
    fn heard<T, E>(
        &mut self,
        what: &str,
        none: &str,
        told: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Told<T>, StoreError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let failed = match told {
            Ok(told) => {
                self.known = true;
                return Ok(Told::Is(told));
            }
            Err(failed) if failed.code() == Some(none) => {
                self.known = true;
                return Ok(Told::Nothing);
            }
            Err(failed) => failed,
        };
        let error = of_request(&self.store.id, None, &format!("look at the bucket's {what}"), &failed);
        if error.is_transient() {
            return Err(error);
        }
        self.known |= error.kind != StoreErrorKind::Unsupported;
        self.untold.push(format!("{what} ({})", failed.code().map_or_else(|| error.message.clone(), bare_tag)));
        Ok(Told::Untold)
    }
}

fn lock_text(lock: &aws::ObjectLockConfiguration) -> Option<String> {
    let kept = lock.rule().and_then(aws::ObjectLockRule::default_retention);
    let Some(kept) = kept else { return lock.object_lock_enabled().map(|_| "no default time".to_owned()) };
    let mode = kept.mode().map(|mode| bare_tag(mode.as_str())).unwrap_or_default();
    let span = kept.days().map(|days| format!("{days} days")).or(kept.years().map(|years| format!("{years} years")));
    Some(format!("{mode}, {}", span.unwrap_or_else(|| "no time".to_owned())))
}

fn by_default(encryption: &aws::ServerSideEncryptionConfiguration) -> Option<String> {
    let mut rules = encryption.rules().iter();
    let by = rules.find_map(aws::ServerSideEncryptionRule::apply_server_side_encryption_by_default)?;
    Some(bare_tag(by.sse_algorithm().as_str()))
}

fn targets(replication: &aws::ReplicationConfiguration) -> Vec<String> {
    let on = replication.rules().iter().filter(|rule| *rule.status() == aws::ReplicationRuleStatus::Enabled);
    let mut buckets: Vec<String> = on
        .filter_map(|rule| rule.destination())
        .map(|to| bare_tag(to.bucket().strip_prefix("arn:aws:s3:::").unwrap_or(to.bucket())))
        .collect();
    buckets.sort();
    buckets.dedup();
    buckets
}

/// `None` for a rule that is off, or that concerns nothing below `prefix`.
fn rule_of(rule: &aws::LifecycleRule, prefix: &str) -> Option<LifecycleRule> {
    if *rule.status() != aws::ExpirationStatus::Enabled {
        return None;
    }
    let filter = rule.filter();
    let all_of = filter.and_then(|filter| filter.and());
    // Older rules carry it outside of the filter.
    let old = rule_prefix(rule);
    let below = filter.and_then(|filter| filter.prefix()).or(all_of.and_then(|of| of.prefix())).or(old).unwrap_or("");
    let below = match below.strip_prefix(prefix) {
        Some(inside) => inside,
        None if prefix.starts_with(below) => "",
        None => return None,
    };
    let narrowed = filter.is_some_and(|filter| {
        let sized = filter.object_size_greater_than().is_some() || filter.object_size_less_than().is_some();
        filter.tag().is_some() || sized
    }) || all_of.is_some();
    let days = |days: Option<i32>| days.and_then(|days| u32::try_from(days).ok());
    let moved = |to: &aws::Transition| Some((days(to.days())?, bare_tag(to.storage_class()?.as_str())));
    Some(LifecycleRule {
        name: rule.id().map(bare_tag).unwrap_or_default(),
        below: below.to_owned(),
        narrowed,
        removes_after: rule.expiration().and_then(|it| days(it.days())),
        removes_old_versions_after: rule.noncurrent_version_expiration().and_then(|it| days(it.noncurrent_days())),
        moves: rule.transitions().iter().filter_map(moved).collect(),
        clears_uploads_after: rule.abort_incomplete_multipart_upload().and_then(|it| days(it.days_after_initiation())),
    })
}

#[allow(deprecated, reason = "buckets still have such rules")]
fn rule_prefix(rule: &aws::LifecycleRule) -> Option<&str> {
    rule.prefix()
}
