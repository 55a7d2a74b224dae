//! A small S3 server on loopback over a folder: each sub-folder is a bucket, each file an object. It serves
//! the sandbox and the tests; what it answers is what S3 answers for the few requests that Relight makes.

use crate::model::secret::Secret;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crc_fast::CrcAlgorithm;
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::auth::SimpleAuth;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumMode, ChecksumType, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput,
    DeleteObjectOutput, ETag, ETagCondition, EncodingType, GetBucketLocationInput, GetBucketLocationOutput,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListBucketsInput, ListBucketsOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
    StreamingBlob, Timestamp, UploadPartInput, UploadPartOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use std::collections::HashMap;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::io::ReaderStream;

/// What S3 leaves as it is when it writes names percent-encoded.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

const CHUNK: usize = 128 * 1024;

#[derive(Debug)]
pub struct S3ServerSettings {
    /// Existing folder; its sub-folders are the buckets.
    pub root: PathBuf,
    /// 0 takes a free port.
    pub port: u16,
    /// Without keys everyone may do everything.
    pub keys: Option<S3Keys>,
    /// Whether it tells the CRC-64/NVME of an object, which S3 itself keeps of all that came since the end of 2024.
    pub sums: bool,
}

#[derive(Clone, Debug)]
pub struct S3Keys {
    pub access_key_id: String,
    pub secret_access_key: Secret,
}

/// A running server. Dropping it stops it; [`stop`](Self::stop) also waits until it has.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl S3Server {
    /// Listens on 127.0.0.1. Fails if the folder is missing or the port is taken.
    pub async fn start(settings: S3ServerSettings) -> io::Result<Self> {
        let files = s3s_fs::FileSystem::new(&settings.root).map_err(|e| io::Error::other(format!("{e:?}")))?;
        let sums = settings.sums.then(Mutex::default);
        let mut service =
            S3ServiceBuilder::new(Folder { files, writes: tokio::sync::Mutex::default(), root: settings.root, sums });
        if let Some(keys) = settings.keys {
            service.set_auth(SimpleAuth::from_single(keys.access_key_id, keys.secret_access_key.expose()));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener, service.build()));
        Ok(Self { address, serving })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:<port>`, for an S3 store with path style.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the server and every connection to it.
    pub async fn stop(mut self) {
        self.serving.abort();
        // The answer is the cancellation just asked for.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else { continue };
                let service = service.clone();
                connections.spawn(async move {
                    let served = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                    if let Err(error) = served {
                        tracing::debug!(%error, "a connection to the S3 server broke off");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// `s3s_fs` with what it lacks: entity tags that listings have too and that cost no reading, conditions on
/// reads and on writes that hold for these tags, and names in listings that XML cannot hold.
#[derive(Debug)]
struct Folder {
    files: s3s_fs::FileSystem,
    root: PathBuf,
    /// Held from the look at a condition to the end of the write that it guards.
    writes: tokio::sync::Mutex<()>,
    /// The checksums that were told, by the object's tag: base64.
    sums: Option<Mutex<HashMap<String, String>>>,
}

impl Folder {
    /// The file of an object, what is known of it, and its tag.
    async fn find(&self, bucket: &str, key: &str) -> S3Result<(PathBuf, std::fs::Metadata, ETag)> {
        let folder = self.root.join(bucket);
        if !plain(key) {
            return Err(s3_error!(NoSuchKey));
        }
        if !tokio::fs::try_exists(&folder).await.unwrap_or(false) {
            return Err(s3_error!(NoSuchBucket));
        }
        let file = folder.join(key);
        match tokio::fs::metadata(&file).await {
            Ok(found) if found.is_file() => {
                let tag = tag(&found);
                Ok((file, found, tag))
            }
            _ => Err(s3_error!(NoSuchKey)),
        }
    }

    async fn tag(&self, bucket: &str, key: &str) -> Option<ETag> {
        self.find(bucket, key).await.ok().map(|(_, _, tag)| tag)
    }

    /// The object's CRC-64/NVME, where the server tells any.
    async fn sum(&self, file: PathBuf, tag: &ETag) -> S3Result<Option<String>> {
        let Some(sums) = &self.sums else { return Ok(None) };
        let known = || sums.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sum) = known().get(tag.value()) {
            return Ok(Some(sum.clone()));
        }
        let made = tokio::task::spawn_blocking(move || crc64_nvme(&file)).await;
        let sum = made.map_err(io::Error::other).and_then(|made| made).map_err(broken)?;
        known().insert(tag.value().to_owned(), sum.clone());
        Ok(Some(sum))
    }
}

/// Keys are text to S3, but paths here: `in/../../other` would lead into another bucket.
fn plain(key: &str) -> bool {
    key.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// In the form of a multipart upload's tag, so that nobody takes it for an MD5; another after each write.
fn tag(found: &std::fs::Metadata) -> ETag {
    let nanos = found.mtime().wrapping_mul(1_000_000_000).wrapping_add(found.mtime_nsec());
    // Two writes within one tick of the clock still make two files.
    ETag::Strong(format!("{nanos:016x}{:016x}{:016x}-1", found.ino(), found.len()))
}

fn crc64_nvme(file: &Path) -> io::Result<String> {
    let (mut file, mut sum) = (std::fs::File::open(file)?, crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme));
    let mut piece = vec![0; CHUNK];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(BASE64_STANDARD.encode(sum.finalize().to_be_bytes())),
            n => sum.update(&piece[..n]),
        }
    }
}

fn broken(error: io::Error) -> S3Error {
    S3Error::with_source(S3ErrorCode::InternalError, Box::new(error))
}

#[async_trait::async_trait]
impl S3 for Folder {
    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(request).await
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(request).await
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.files.get_bucket_location(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let (file, found, tag) = self.find(&request.input.bucket, &request.input.key).await?;
        let asked = request.input.checksum_mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
        let sum = if asked { self.sum(file, &tag).await? } else { None };
        Ok(S3Response::new(HeadObjectOutput {
            checksum_type: sum.as_ref().map(|_| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            checksum_crc64nvme: sum,
            content_length: i64::try_from(found.len()).ok(),
            last_modified: found.modified().ok().map(Timestamp::from),
            e_tag: Some(tag),
            ..Default::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let (path, found, tag) = self.find(&input.bucket, &input.key).await?;
        if let Some(ETagCondition::ETag(wanted)) = &input.if_match
            && !tag.strong_cmp(wanted)
        {
            return Err(s3_error!(PreconditionFailed));
        }
        let part = input.range.map(|range| range.check(found.len())).transpose()?;
        let bytes = part.clone().unwrap_or(0..found.len());
        let mut file = tokio::fs::File::open(path).await.map_err(broken)?;
        file.seek(io::SeekFrom::Start(bytes.start)).await.map_err(broken)?;
        let length = bytes.end - bytes.start;
        let body = ReaderStream::with_capacity(file.take(length), CHUNK);
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(body)),
            content_length: i64::try_from(length).ok(),
            content_range: part.map(|part| format!("bytes {}-{}/{}", part.start, part.end - 1, found.len())),
            last_modified: found.modified().ok().map(Timestamp::from),
            e_tag: Some(tag),
            ..Default::default()
        }))
    }

    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        if !plain(&key) {
            return Err(s3_error!(InvalidArgument, "this server cannot hold such a key"));
        }
        let _alone = self.writes.lock().await;
        let now = self.tag(&bucket, &key).await;
        let (new, still) = (request.input.if_none_match.take(), request.input.if_match.take());
        let holds = match (new, still) {
            (Some(_), _) => now.is_none(),
            (None, Some(ETagCondition::Any)) => now.is_some(),
            (None, Some(ETagCondition::ETag(wanted))) => now.is_some_and(|now| now.strong_cmp(&wanted)),
            (None, None) => true,
        };
        if !holds {
            return Err(s3_error!(PreconditionFailed));
        }
        let mut response = self.files.put_object(request).await?;
        response.output.e_tag = self.tag(&bucket, &key).await;
        Ok(response)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        if !plain(&request.input.key) {
            return Err(s3_error!(InvalidArgument, "this server cannot hold such a key"));
        }
        self.files.create_multipart_upload(request).await
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.files.upload_part(request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        if !plain(&key) {
            return Err(s3_error!(InvalidArgument, "this server cannot hold such a key"));
        }
        let _alone = self.writes.lock().await;
        let mut response = self.files.complete_multipart_upload(request).await?;
        response.output.e_tag = self.tag(&bucket, &key).await;
        Ok(response)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.files.abort_multipart_upload(request).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = &request.input;
        let _alone = self.writes.lock().await;
        let found = self.find(&input.bucket, &input.key).await;
        let holds = match (&input.if_match, &found) {
            (None, _) | (Some(ETagCondition::Any), Ok(_)) => true,
            (Some(ETagCondition::ETag(wanted)), Ok((_, _, tag))) => tag.strong_cmp(wanted),
            (Some(_), Err(_)) => return Err(s3_error!(NoSuchKey)),
        };
        if !holds {
            return Err(s3_error!(PreconditionFailed));
        }
        if let Ok((file, ..)) = found {
            tokio::fs::remove_file(file).await.map_err(broken)?;
        }
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        mut request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = &mut request.input;
        let bucket = input.bucket.clone();
        let coded = input.encoding_type.as_ref().is_some_and(|coding| coding.as_str() == EncodingType::URL);
        input.max_keys = Some(input.max_keys.unwrap_or(1000).clamp(0, 1000));
        if let Some(token) = input.continuation_token.take() {
            let name = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            input.continuation_token = Some(name.ok_or_else(|| s3_error!(InvalidArgument, "not a token"))?);
        }
        let mut response = self.files.list_objects_v2(request).await?;
        let output = &mut response.output;
        // The next place is a name and may hold what XML cannot.
        output.next_continuation_token = output.next_continuation_token.take().map(hex::encode);
        output.continuation_token = None;
        output.start_after = None;
        for object in output.contents.iter_mut().flatten() {
            if let Some(key) = &object.key {
                object.e_tag = self.tag(&bucket, key).await;
            }
        }
        if coded {
            let encode = |name: &mut String| *name = utf8_percent_encode(name, &PLAIN).to_string();
            output.contents.iter_mut().flatten().filter_map(|object| object.key.as_mut()).for_each(encode);
            output.common_prefixes.iter_mut().flatten().filter_map(|folder| folder.prefix.as_mut()).for_each(encode);
            output.prefix.iter_mut().for_each(encode);
        }
        Ok(response)
    }
}
