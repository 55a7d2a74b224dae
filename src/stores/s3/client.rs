//! The SDK client for one bucket: credentials, endpoint, time limits. The SDK's own retries and its guard
//! against stalled streams are off: the wrappers do both and report what they did.

use crate::model::estate::{S3Credentials, S3Place};
use crate::model::id::StoreId;
use crate::model::secret::{SecretRef, SecretSource};
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::wrap::SLOWEST;
use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, ConfigBag, Credentials, Intercept, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    RuntimeComponents, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpClient as _, http_client_fn};
use std::sync::OnceLock;
use std::time::Duration;

/// Largest answer that is read into memory as a whole: a page of 1000 names with all their fields is
/// under 4 MiB even with every name at its longest and percent-encoded.
const MAX_ANSWER: usize = 16 << 20;

/// How long a client waits.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// For a connection.
    pub connect: Duration,
    /// From sending a request to the head of its answer, or to the whole answer where it is small.
    pub attempt: Duration,
}

pub(super) async fn connect(
    place: &S3Place,
    id: &StoreId,
    secrets: &dyn SecretSource,
    waits: Waits,
) -> Result<Client, StoreError> {
    let base = match &place.credentials {
        S3Credentials::Default => Builder::from(&from_environment(place, None).await),
        S3Credentials::Profile { name } => Builder::from(&from_environment(place, Some(name)).await),
        S3Credentials::Static { access_key_id, secret_access_key, session_token } => {
            let read = |from: &SecretRef| {
                secrets.read(from).map_err(|why| StoreError::new(StoreErrorKind::NoCredentials, id, None, why))
            };
            let secret = read(secret_access_key)?;
            let token = session_token.as_ref().map(read).transpose()?.map(|token| token.expose().to_owned());
            let keys = Credentials::new(access_key_id, secret.expose(), token, None, "relight");
            Builder::new().credentials_provider(keys)
        }
        S3Credentials::Anonymous => Builder::new().allow_no_auth(),
    };
    let mut settings = base
        .http_client(http_client(place))
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(place.region.clone()))
        .force_path_style(place.force_path_style)
        .retry_config(RetryConfig::disabled())
        .timeout_config(time_limits(waits))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenSupported)
        .interceptor(AnswerLimit { successes_too: false });
    if let Some(endpoint) = &place.endpoint {
        settings = settings.endpoint_url(endpoint);
    }
    Ok(Client::from_conf(settings.build()))
}

async fn from_environment(place: &S3Place, profile: Option<&str>) -> aws_config::SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(place.region.clone()))
        .http_client(asked_https_client());
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

/// Reading the system's certificates costs time and can fail; a plain endpoint needs none.
fn http_client(place: &S3Place) -> SharedHttpClient {
    if place.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://")) {
        return aws_smithy_http_client::Builder::new().build_http();
    }
    https_client()
}

fn https_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// One that reads the certificates with its first request: most credentials lie in the environment or a file, and none
/// is sent.
fn asked_https_client() -> SharedHttpClient {
    let client = OnceLock::new();
    http_client_fn(move |settings, components| client.get_or_init(https_client).http_connector(settings, components))
}

fn time_limits(waits: Waits) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(waits.connect).operation_attempt_timeout(waits.attempt).build()
}

/// Limits for a request whose body may take long to send.
pub(super) fn upload_time_limits(waits: Waits) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(waits.connect)
        .disable_operation_attempt_timeout()
        .disable_operation_timeout()
        .build()
}

/// Limits for a request that sends so many bytes of its own, on a slow line.
pub(super) fn part_time_limits(waits: Waits, bytes: usize) -> TimeoutConfig {
    let sending = Duration::from_secs(bytes as u64 / SLOWEST);
    time_limits(Waits { attempt: waits.attempt + sending, ..waits })
}

/// Ends an answer that is read as a whole when it is longer than any honest one.
#[derive(Debug)]
pub(super) struct AnswerLimit {
    /// Failures are always read as a whole; bodies of successful reads are streamed and not limited.
    pub successes_too: bool,
}

impl AnswerLimit {
    /// For requests whose answers are small or lists.
    pub const WHOLE: Self = Self { successes_too: true };
}

impl Intercept for AnswerLimit {
    fn name(&self) -> &'static str {
        "AnswerLimit"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        if self.successes_too || !response.status().is_success() {
            let body = std::mem::replace(response.body_mut(), SdkBody::taken());
            *response.body_mut() = SdkBody::from_body_1_x(http_body_util::Limited::new(body, MAX_ANSWER));
        }
        Ok(())
    }
}
