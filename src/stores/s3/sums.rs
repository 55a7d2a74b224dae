//! The checksums that S3 keeps of an object, where its uploader had it keep one.

use super::error::of_request;
use super::{S3Store, bare_tag};
use crate::stores::error::StoreError;
use crate::stores::port::{ObjectSum, Pin, SumKind};
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use aws_smithy_types::base64;

/// Asked apart from the plain look at an object: keys that may read may yet be refused this, where the
/// object is encrypted with a key of its own.
pub(super) async fn ask(store: &S3Store, name: &str, pin: &Pin) -> Result<Vec<ObjectSum>, StoreError> {
    let key = store.key(name)?;
    let request = store.client.head_object().bucket(&store.bucket).key(key).checksum_mode(ChecksumMode::Enabled);
    let answer = request.send().await;
    let answer = answer.map_err(|failed| of_request(&store.id, Some(name), "ask for the checksums", &failed))?;
    let same = answer.content_length().and_then(|l| u64::try_from(l).ok()) == Some(pin.size)
        && pin.etag.as_ref().is_none_or(|tag| answer.e_tag().map(bare_tag).as_ref() == Some(tag));
    if !same {
        return Err(StoreError::changed(&store.id, name));
    }
    let composite = answer.checksum_type() == Some(&ChecksumType::Composite);
    let told = [
        (SumKind::Sha256, answer.checksum_sha256()),
        (SumKind::Crc64Nvme, answer.checksum_crc64_nvme()),
        (SumKind::Crc32, answer.checksum_crc32()),
        (SumKind::Crc32c, answer.checksum_crc32_c()),
    ];
    Ok(told.into_iter().filter_map(|(kind, text)| sum(kind, text?, composite)).collect())
}

/// `None` for what is no checksum of its kind. The number of parts stands behind a composite one.
fn sum(kind: SumKind, text: &str, composite: bool) -> Option<ObjectSum> {
    let length = match kind {
        SumKind::Sha256 => 32,
        SumKind::Crc64Nvme => 8,
        SumKind::Crc32 | SumKind::Crc32c => 4,
    };
    if composite || text.contains('-') {
        return Some(ObjectSum::Composite { kind });
    }
    let bytes = (text.len() <= 64).then(|| base64::decode(text).ok())??;
    (bytes.len() == length).then(|| ObjectSum::Whole { kind, hex: hex::encode(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_the_whole_are_told_from_sums_of_parts() {
        let whole = |hex: &str| Some(ObjectSum::Whole { kind: SumKind::Crc32, hex: hex.to_owned() });
        assert_eq!(sum(SumKind::Crc32, "y/Q5Jg==", false), whole("cbf43926"));
        let parts = Some(ObjectSum::Composite { kind: SumKind::Crc32 });
        assert_eq!(sum(SumKind::Crc32, "y/Q5Jg==", true), parts);
        assert_eq!(sum(SumKind::Crc32, "y/Q5Jg==-3", false), parts);
        for bad in ["", "y/Q5", "not base64!", &"A".repeat(1000)] {
            assert_eq!(sum(SumKind::Crc32, bad, false), None, "{bad}");
        }
    }
}
