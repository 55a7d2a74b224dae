//! From what the SDK says to the kinds that the program decides by.

use crate::model::id::StoreId;
use crate::model::text::escaped;
use crate::stores::error::{StoreError, StoreErrorKind};
use aws_credential_types::provider::error::{CredentialsError, TokenError};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::primitives::ByteStreamError;
use std::error::Error;

/// Longest piece of a server's own words in a message.
const MAX_WORDS: usize = 200;

/// The error of a request. `doing` completes "could not …".
pub(super) fn of_request<E>(
    store: &StoreId,
    object: Option<&str>,
    doing: &str,
    error: &SdkError<E, HttpResponse>,
) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (kind, why) = match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or_default();
            (kind_of(code, status), spoken(code, status, answer.err().message()))
        }
        SdkError::TimeoutError(_) => (StoreErrorKind::Unreachable, "no answer in time".to_owned()),
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            let kind = if broke_off(error) { StoreErrorKind::Unreachable } else { kind_of_status(status) };
            (kind, format!("the answer (HTTP {status}) cannot be read: {}", causes(error)))
        }
        _ => before_any_answer(error),
    };
    let mut message = format!("could not {doing}: {why}");
    let id = error.raw_response().and_then(|raw| raw.headers().get("x-amz-request-id"));
    if let Some(id) = id.or(error.meta().request_id()) {
        message.push_str(&format!(" (request {})", shortened(id)));
    }
    StoreError::new(kind, store, object, message)
}

/// The error of a body that was being read.
pub(super) fn of_body(store: &StoreId, object: &str, error: &ByteStreamError) -> StoreError {
    let message = format!("the transfer broke off: {}", causes(error));
    StoreError::new(StoreErrorKind::Corrupt, store, Some(object), message)
}

/// An answer that does not say what it must.
pub(super) fn nonsense(store: &StoreId, object: Option<&str>, what: &str) -> StoreError {
    let message = format!("the server's answer makes no sense: {what}");
    StoreError::new(StoreErrorKind::Corrupt, store, object, message)
}

fn kind_of(code: &str, status: u16) -> StoreErrorKind {
    match code {
        "NoSuchKey" | "NoSuchBucket" | "NotFound" | "NoSuchVersion" => StoreErrorKind::NotFound,
        "AccessDenied"
        | "AllAccessDisabled"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "AccountProblem"
        | "InvalidSecurity"
        | "NotSignedUp"
        | "Forbidden" => StoreErrorKind::Denied,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken" => {
            StoreErrorKind::ExpiredCredentials
        }
        "RequestTimeTooSkewed" | "RequestExpired" => StoreErrorKind::ClockSkew,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "ServiceUnavailable"
        | "BandwidthLimitExceeded"
        | "OperationAborted" => StoreErrorKind::Throttled,
        "InternalError" | "RequestTimeout" | "ConditionalRequestConflict" => StoreErrorKind::Unreachable,
        "PreconditionFailed" => StoreErrorKind::Changed,
        "ObjectLocked" | "ObjectUnderActiveHold" | "RetentionPolicyNotMet" => StoreErrorKind::Locked,
        "InvalidObjectState" => StoreErrorKind::Archived,
        "BadDigest" | "IncompleteBody" | "XAmzContentSHA256Mismatch" | "InvalidDigest" => StoreErrorKind::Corrupt,
        "NotImplemented" | "MethodNotAllowed" => StoreErrorKind::Unsupported,
        "KeyTooLongError" | "InvalidURI" | "InvalidObjectName" => StoreErrorKind::BadName,
        _ => kind_of_status(status),
    }
}

fn kind_of_status(status: u16) -> StoreErrorKind {
    match status {
        401 | 403 => StoreErrorKind::Denied,
        404 | 410 => StoreErrorKind::NotFound,
        412 => StoreErrorKind::Changed,
        429 | 503 => StoreErrorKind::Throttled,
        405 | 501 => StoreErrorKind::Unsupported,
        408 | 500..=599 => StoreErrorKind::Unreachable,
        // A success that was no success: something else than S3 has answered.
        200..=299 => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Other,
    }
}

fn spoken(code: &str, status: u16, message: Option<&str>) -> String {
    let own = message.map(shortened).filter(|m| !m.is_empty()).map(|m| format!(": {m}")).unwrap_or_default();
    match code {
        "" if status < 300 => format!("the answer (HTTP {status}) is not one of S3{own}"),
        "" => format!("the server answered HTTP {status}{own}"),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            format!("{code}{own}; the configured region or endpoint is not the bucket's")
        }
        _ => format!("{}{own}", shortened(code)),
    }
}

/// Whether the connection broke while a whole answer was read.
fn broke_off(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|e| {
        e.downcast_ref::<std::io::Error>().is_some()
            || e.downcast_ref::<hyper::Error>().is_some_and(|h| h.is_incomplete_message() || h.is_body_write_aborted())
    })
}

/// No credentials, no connection, or a request that could not be built.
fn before_any_answer(error: &(dyn Error + 'static)) -> (StoreErrorKind, String) {
    let why = causes(error);
    let lost = || why.to_ascii_lowercase().contains("expired");
    for cause in chain(error) {
        let found = match (cause.downcast_ref::<CredentialsError>(), cause.downcast_ref::<TokenError>()) {
            (Some(CredentialsError::CredentialsNotLoaded(_)), _) => StoreErrorKind::NoCredentials,
            (Some(CredentialsError::ProviderTimedOut(_)), _) => StoreErrorKind::Unreachable,
            (Some(_), _) | (_, Some(_)) if lost() => StoreErrorKind::ExpiredCredentials,
            (Some(_), _) | (_, Some(_)) => StoreErrorKind::NoCredentials,
            _ => continue,
        };
        return (found, why);
    }
    let connector = chain(error).find_map(|e| e.downcast_ref::<aws_sdk_s3::error::ConnectorError>());
    match connector {
        Some(c) if c.is_user() => (StoreErrorKind::Other, why),
        Some(_) => (StoreErrorKind::Unreachable, why),
        None if lost() => (StoreErrorKind::ExpiredCredentials, why),
        None => (StoreErrorKind::Other, why),
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&e| e.source())
}

/// All causes in one line, without repeating what a cause already quotes.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in chain(error) {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    shortened(&parts.join(": "))
}

fn shortened(text: &str) -> String {
    let short: String = text.chars().take(MAX_WORDS).collect();
    let mark = if short.len() < text.len() { "…" } else { "" };
    format!("{}{mark}", escaped(&short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_status() {
        assert_eq!(kind_of("SlowDown", 503), StoreErrorKind::Throttled);
        assert_eq!(kind_of("RequestTimeTooSkewed", 403), StoreErrorKind::ClockSkew);
        assert_eq!(kind_of("ExpiredToken", 400), StoreErrorKind::ExpiredCredentials);
        assert_eq!(kind_of("InvalidObjectState", 403), StoreErrorKind::Archived);
        assert_eq!(kind_of("", 403), StoreErrorKind::Denied);
        assert_eq!(kind_of("", 502), StoreErrorKind::Unreachable);
        assert_eq!(kind_of("SomethingNew", 418), StoreErrorKind::Other);
    }

    #[test]
    fn credentials_that_fail_are_told_apart() {
        use aws_sdk_s3::error::ConnectorError;
        use aws_sdk_s3::operation::head_object::HeadObjectError;
        let kind = |cause: CredentialsError| {
            let error: SdkError<HeadObjectError, HttpResponse> =
                SdkError::dispatch_failure(ConnectorError::other(cause.into(), None));
            of_request(&StoreId::from("s3"), None, "look", &error).kind
        };
        assert_eq!(kind(CredentialsError::not_loaded_no_source()), StoreErrorKind::NoCredentials);
        let expired = CredentialsError::provider_error("the SSO session has expired");
        assert_eq!(kind(expired), StoreErrorKind::ExpiredCredentials);
        let late = CredentialsError::provider_timed_out(std::time::Duration::from_secs(5));
        assert_eq!(kind(late), StoreErrorKind::Unreachable);
    }

    #[test]
    fn a_servers_words_are_escaped_and_cut() {
        let hostile = format!("\x1b[2J{}", "a".repeat(5000));
        let said = spoken("Odd", 400, Some(&hostile));
        assert!(said.starts_with("Odd: \\x1b[2J"), "{said}");
        assert!(said.chars().count() < 260, "{}", said.len());
    }
}
