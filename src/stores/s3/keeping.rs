//! How new objects are kept: asked for with each of them, and looked at afterwards.

use super::S3Store;
use super::error::nonsense;
use crate::model::estate::{S3Encryption, S3Keeping};
use crate::stores::error::StoreError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};

impl S3Keeping {
    pub(super) fn class(&self) -> Option<StorageClass> {
        self.storage_class.as_deref().map(StorageClass::from)
    }

    pub(super) fn sse(&self) -> Option<ServerSideEncryption> {
        self.encryption.as_ref().map(|by| match by {
            S3Encryption::Aes256 => ServerSideEncryption::Aes256,
            S3Encryption::Kms { .. } => ServerSideEncryption::AwsKms,
        })
    }

    pub(super) fn kms_key(&self) -> Option<String> {
        match &self.encryption {
            Some(S3Encryption::Kms { key }) => key.clone(),
            _ => None,
        }
    }

    /// Servers that know no classes or no encryption take such a request and leave it out.
    pub(super) fn holds(&self, store: &S3Store, name: &str, answer: &HeadObjectOutput) -> Result<(), StoreError> {
        let otherwise = |what: String| Err(nonsense(&store.id, Some(name), &format!("after writing, {what}")));
        // The head of an object of the plain class says nothing of it.
        let class = answer.storage_class().map_or("STANDARD", StorageClass::as_str);
        if let Some(asked) = self.storage_class.as_deref().filter(|asked| *asked != class) {
            return otherwise(format!("the object has the class {class}, asked for was {asked}"));
        }
        if let Some(asked) = self.sse().filter(|asked| answer.server_side_encryption() != Some(asked)) {
            let how = answer.server_side_encryption().map_or("not encrypted", ServerSideEncryption::as_str);
            return otherwise(format!("the object's encryption is `{how}`, asked for was `{}`", asked.as_str()));
        }
        Ok(())
    }
}
