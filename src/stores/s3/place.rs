//! A bucket's prefix as a place of entries and registers, by conditional writes. Nothing is looked at before a
//! write: whether the server honours the conditions must show.

use super::S3Store;
use super::bare_tag;
use super::error::{nonsense, of_body, of_request};
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::place::{MAX_ENTRY, MAX_NAMES, MAX_REGISTER, Register, SharedPlace, Tag};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::{ByteStream as SdkStream, SdkBody};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

/// How a write is conditioned.
#[derive(Clone, Copy)]
enum If<'a> {
    New,
    Still(&'a Tag),
}

impl S3Store {
    /// Writes if the condition holds; [`StoreErrorKind::Changed`] if not.
    async fn put_if(&self, name: &str, condition: If<'_>, bytes: Bytes) -> Result<Tag, StoreError> {
        let request = self.client.put_object().bucket(&self.bucket).key(self.key(name)?);
        let request = match condition {
            If::New => request.if_none_match("*"),
            If::Still(tag) => request.if_match(format!("\"{}\"", tag.0)),
        };
        // Buckets may refuse what does not ask to be encrypted.
        let request = request
            .set_server_side_encryption(self.keeping.sse())
            .set_ssekms_key_id(self.keeping.kms_key())
            .content_length(bytes.len() as i64)
            .body(SdkStream::new(SdkBody::from(bytes)));
        match request.send().await {
            Ok(answer) => answer
                .e_tag()
                .map(|tag| Tag(bare_tag(tag)))
                .ok_or_else(|| nonsense(&self.id, Some(name), "it gives no entity tag")),
            Err(failed) => {
                let error = of_request(&self.id, Some(name), "write the object", &failed);
                let gone = matches!(condition, If::Still(_)) && error.kind == StoreErrorKind::NotFound;
                Err(if gone { StoreError::changed(&self.id, name) } else { error })
            }
        }
    }

    async fn get_small(&self, name: &str, most: u64) -> Result<Option<Register>, StoreError> {
        let key = self.key(name)?;
        let mut answer = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(failed) => {
                let error = of_request(&self.id, Some(name), "read the object", &failed);
                let missing = failed.as_service_error().is_some_and(GetObjectError::is_no_such_key);
                return if missing { Ok(None) } else { Err(error) };
            }
        };
        let tag = answer.e_tag().map(|tag| Tag(bare_tag(tag)));
        let tag = tag.ok_or_else(|| nonsense(&self.id, Some(name), "it gives no entity tag"))?;
        let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let mut bytes = BytesMut::new();
        loop {
            let piece = tokio::time::timeout(self.waits.attempt, answer.body.next()).await.map_err(|_| {
                let what = format!("the transfer stood still for {} s", self.waits.attempt.as_secs_f32());
                StoreError::new(StoreErrorKind::Unreachable, &self.id, Some(name), what)
            })?;
            let Some(piece) = piece else { break };
            bytes.extend_from_slice(&piece.map_err(|error| of_body(&self.id, name, &error))?);
            if bytes.len() as u64 > most {
                return Err(nonsense(&self.id, Some(name), "the object is longer than it can be"));
            }
        }
        if length.is_some_and(|length| length != bytes.len() as u64) {
            return Err(nonsense(&self.id, Some(name), "the object has another length than was announced"));
        }
        Ok(Some(Register { bytes: bytes.freeze(), tag }))
    }
}

#[async_trait::async_trait]
impl SharedPlace for S3Store {
    fn location(&self) -> String {
        self.location.clone()
    }

    async fn create(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        match self.put_if(name, If::New, bytes).await {
            Err(error) if error.kind == StoreErrorKind::Changed => Err(StoreError::taken(&self.id, name)),
            other => other.map(|_| ()),
        }
    }

    async fn read(&self, name: &str) -> Result<Bytes, StoreError> {
        self.get_small(name, MAX_ENTRY)
            .await?
            .map(|found| found.bytes)
            .ok_or_else(|| StoreError::new(StoreErrorKind::NotFound, &self.id, Some(name), "there is no such object"))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let (mut names, mut pages) = (Vec::new(), super::listing::list(self, prefix, None));
        while let Some(page) = pages.next().await {
            names.extend(page?.objects.into_iter().map(|object| object.name));
            if names.len() > MAX_NAMES {
                let what = format!("more than {MAX_NAMES} names lie below `{prefix}`");
                return Err(StoreError::new(StoreErrorKind::Other, &self.id, None, what));
            }
        }
        names.sort();
        Ok(names)
    }

    async fn register(&self, name: &str) -> Result<Option<Register>, StoreError> {
        self.get_small(name, MAX_REGISTER).await
    }

    async fn swap(&self, name: &str, old: Option<&Tag>, bytes: Bytes) -> Result<Tag, StoreError> {
        self.put_if(name, old.map_or(If::New, If::Still), bytes).await
    }

    async fn registers(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        SharedPlace::list(self, prefix).await
    }
}
