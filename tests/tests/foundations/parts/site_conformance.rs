//! Scenario: each real store that is found, alone, with a client of its own and a way that is too slow.
//!
//! Guarantees: `S3Site` keeps the contract of `twinlog_site::Site` on it, but for the deviations that
//! `Quirks::rustfs` and `Quirks::minio` name, which the suite asserts in their turn. Where a store cannot be found, its
//! test says so and passes.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_s3::Client as Sdk;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    BucketVersioningStatus, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier, ObjectLockLegalHold,
    ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode, Tag, Tagging,
};
use bytes::Bytes;
use twinlog_schemas::{BucketName, ObjectKey, Retention, RetentionMode, SiteName, Tags, VersionId, VersionRef};
use twinlog_site::conformance::{self, Bench, Client, ClientError};
use twinlog_site::memory::{BucketSetup, ClientDeleted, ClientPut, ClientWritten, Quirks};
use twinlog_site::{
    DialectName, NotifyTargets, S3Credentials, S3Site, S3SiteConfig, S3Timeouts, SecretKey, Site, Versioning,
};
use twinlog_tests::bucket::{self, Lock};
use twinlog_tests::proxy::Proxy;
use twinlog_tests::server::{Credentials, Intake, Life, Store, StoreKind, StoreOptions, store::REGION};

/// Slow enough that the headers of a signed write take longer than [`EXPIRY`].
const SLOW_BYTES_PER_SECOND: u64 = 600;
const EXPIRY: Duration = Duration::from_secs(1);
/// Long enough for the headers of a write on a busy machine; the body takes longer whatever it is.
const BRIEF_EXPIRY: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn rustfs_conforms() {
    conforms(StoreKind::RustFs, DialectName::RustFs, Quirks::rustfs(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn minio_conforms() {
    conforms(StoreKind::MinIo, DialectName::MinIo, Quirks::minio(), Some("TWINLOGFAST".to_owned())).await;
}

async fn conforms(kind: StoreKind, dialect: DialectName, quirks: Quirks, fast: Option<String>) {
    if let Err(missing) = kind.found() {
        eprintln!("skipped: {missing}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = Credentials::new("conformance", "conformance-secret");
    let options = StoreOptions {
        site: "east".to_owned(),
        folder: folder.path().to_owned(),
        root: root.clone(),
        intake: Some(deaf_intake().await),
        life: Life::Bound,
    };
    let mut store = Store::start(kind, options).await.unwrap();
    let slow_way = Proxy::start(store.endpoint().trim_start_matches("http://")).await.unwrap();
    slow_way.bandwidth(SLOW_BYTES_PER_SECOND);
    let site = |endpoint: String, write_expiry: Duration| -> Arc<dyn Site> {
        let config = S3SiteConfig {
            name: SiteName::new("east").unwrap(),
            endpoint,
            region: REGION.to_owned(),
            dialect,
            credentials: S3Credentials {
                access_key: root.access_key.clone(),
                secret_key: SecretKey::new(root.secret_key.clone()),
            },
            ca_file: None,
            write_expiry,
            timeouts: S3Timeouts { answer: Duration::from_secs(60), ..S3Timeouts::default() },
            notify: NotifyTargets { sure: "TWINLOG".to_owned(), fast: fast.clone() },
        };
        Arc::new(S3Site::new(config, Arc::new(SystemTime::now)).unwrap())
    };
    let client = SdkClient(store.root_client());
    let direct = site(store.endpoint(), S3SiteConfig::DEFAULT_WRITE_EXPIRY);
    let mut bench = Bench::new(direct, Arc::new(client), quirks, Arc::new(now_ms), "conformance");
    bench.late_site = Some(site(slow_way.origin(), EXPIRY));
    bench.brief_site = Some(site(store.endpoint(), BRIEF_EXPIRY));
    let failures = conformance::run(&bench).await;
    store.stop().await.unwrap();
    let said: Vec<_> = failures.iter().map(|(check, failure)| format!("{check}: {failure}")).collect();
    assert!(said.is_empty(), "{kind} does not conform:\n{}", said.join("\n"));
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// Takes every notice and does nothing with it: RustFS opens its listen stream only where a webhook is set up.
async fn deaf_intake() -> Intake {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(|| async {});
    tokio::spawn(async move { axum::serve(listener, router).await });
    Intake { origin, notices_token: "notices-token".to_owned(), audit_token: "audit-token".to_owned() }
}

/// The suite's client over the SDK.
struct SdkClient(Sdk);

fn told<E: std::error::Error + 'static>(error: E) -> ClientError {
    ClientError(aws_sdk_s3::error::DisplayErrorContext(error).to_string())
}

fn version_id(id: Option<&str>) -> VersionId {
    VersionId::normal(id).unwrap()
}

fn written(id: Option<&str>, etag: Option<&str>) -> ClientWritten {
    ClientWritten { version_id: version_id(id), etag: etag.unwrap_or_default().trim_matches('"').to_owned() }
}

fn tagging(tags: &Tags) -> Tagging {
    let tag = |(name, value): (&String, &String)| Tag::builder().key(name).value(value).build().unwrap();
    Tagging::builder().set_tag_set(Some(tags.iter().map(tag).collect())).build().unwrap()
}

/// Tags as the header of a PUT has them.
fn tagging_header(tags: &Tags) -> Option<String> {
    let encoded = |text: &String| -> String {
        text.bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") },
            )
            .collect()
    };
    let pairs: Vec<_> = tags.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

fn until(retention: Retention) -> DateTime {
    DateTime::from_millis(retention.until_ms)
}

#[async_trait]
impl Client for SdkClient {
    async fn create_bucket(&self, bucket: &BucketName, setup: BucketSetup) -> Result<(), ClientError> {
        let lock = match (setup.object_lock, setup.versioning) {
            (true, _) => Lock::On,
            (false, Versioning::Never) => Lock::Unversioned,
            (false, _) => Lock::Off,
        };
        bucket::make(&self.0, bucket.as_str(), lock).await.map_err(|refused| ClientError(format!("{refused}")))
    }

    async fn set_versioning(&self, bucket: &BucketName, versioning: Versioning) -> Result<(), ClientError> {
        let enabled = versioning == Versioning::Enabled;
        let status = if enabled { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
        let set = bucket::versioning(&self.0, bucket.as_str(), status).await;
        set.map_err(|refused| ClientError(format!("{refused}")))
    }

    async fn put(&self, bucket: &BucketName, key: &ObjectKey, put: &ClientPut) -> Result<ClientWritten, ClientError> {
        let headers = &put.headers;
        let mode = put.retention.map(|retention| match retention.mode {
            RetentionMode::Governance => ObjectLockMode::Governance,
            RetentionMode::Compliance => ObjectLockMode::Compliance,
        });
        let expires = headers.expires.clone();
        let sent = self
            .0
            .put_object()
            .bucket(bucket.as_str())
            .key(key.as_str())
            .body(ByteStream::from(put.body.clone()))
            .set_content_type(headers.content_type.clone())
            .set_cache_control(headers.cache_control.clone())
            .set_content_disposition(headers.content_disposition.clone())
            .set_content_encoding(headers.content_encoding.clone())
            .set_content_language(headers.content_language.clone())
            .set_metadata(Some(put.user_metadata.clone().into_iter().collect()))
            .set_tagging(tagging_header(&put.tags))
            .set_object_lock_mode(mode)
            .set_object_lock_retain_until_date(put.retention.map(until))
            .set_object_lock_legal_hold_status(put.legal_hold.then_some(ObjectLockLegalHoldStatus::On))
            .customize()
            .mutate_request(move |request| {
                // The SDK would parse the date; a client's may be any text.
                if let Some(expires) = expires.clone() {
                    request.headers_mut().insert("expires", expires);
                }
            })
            .send()
            .await
            .map_err(told)?;
        Ok(written(sent.version_id(), sent.e_tag()))
    }

    async fn multipart(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        _put: &ClientPut,
        parts: &[(i32, Bytes)],
    ) -> Result<ClientWritten, ClientError> {
        let (bucket, key) = (bucket.as_str(), key.as_str());
        let created = self.0.create_multipart_upload().bucket(bucket).key(key).send().await.map_err(told)?;
        let id = created.upload_id().unwrap_or_default();
        let mut completed = CompletedMultipartUpload::builder();
        for (number, bytes) in parts {
            let part = self.0.upload_part().bucket(bucket).key(key).upload_id(id).part_number(*number);
            let sent = part.body(ByteStream::from(bytes.clone())).send().await.map_err(told)?;
            completed = completed.parts(CompletedPart::builder().part_number(*number).set_e_tag(sent.e_tag).build());
        }
        let complete = self.0.complete_multipart_upload().bucket(bucket).key(key).upload_id(id);
        let done = complete.multipart_upload(completed.build()).send().await.map_err(told)?;
        Ok(written(done.version_id(), done.e_tag()))
    }

    async fn copy(&self, bucket: &BucketName, from: &ObjectKey, key: &ObjectKey) -> Result<ClientWritten, ClientError> {
        let copy = self.0.copy_object().bucket(bucket.as_str()).key(key.as_str());
        let done = copy.copy_source(format!("{bucket}/{from}")).send().await.map_err(told)?;
        Ok(written(done.version_id(), done.copy_object_result().and_then(|result| result.e_tag())))
    }

    async fn delete(&self, bucket: &BucketName, key: &ObjectKey) -> Result<ClientDeleted, ClientError> {
        let done = self.0.delete_object().bucket(bucket.as_str()).key(key.as_str()).send().await.map_err(told)?;
        let marker = done.delete_marker().unwrap_or(false);
        Ok(ClientDeleted { version_id: done.version_id().map(|id| version_id(Some(id))), marker })
    }

    async fn delete_version(&self, version: &VersionRef, bypass: bool) -> Result<ClientDeleted, ClientError> {
        let delete = self.0.delete_object().bucket(version.bucket.as_str()).key(version.key.as_str());
        let delete = delete.version_id(version.version_id.as_str()).bypass_governance_retention(bypass);
        let done = delete.send().await.map_err(told)?;
        let marker = done.delete_marker().unwrap_or(false);
        Ok(ClientDeleted { version_id: done.version_id().map(|id| version_id(Some(id))), marker })
    }

    async fn delete_many(
        &self,
        bucket: &BucketName,
        objects: &[(ObjectKey, Option<VersionId>)],
    ) -> Result<Vec<ClientDeleted>, ClientError> {
        let named = |(key, id): &(ObjectKey, Option<VersionId>)| {
            let id = id.as_ref().map(ToString::to_string);
            ObjectIdentifier::builder().key(key.as_str()).set_version_id(id).build().unwrap()
        };
        let delete = Delete::builder().set_objects(Some(objects.iter().map(named).collect())).build().unwrap();
        let done = self.0.delete_objects().bucket(bucket.as_str()).delete(delete).send().await.map_err(told)?;
        if let Some(error) = done.errors().first() {
            return Err(ClientError(format!("{error:?}")));
        }
        let outcome = |deleted: &aws_sdk_s3::types::DeletedObject| ClientDeleted {
            version_id: deleted.delete_marker_version_id().or(deleted.version_id()).map(|id| version_id(Some(id))),
            marker: deleted.delete_marker().unwrap_or(false),
        };
        Ok(done.deleted().iter().map(outcome).collect())
    }

    async fn tag(&self, version: &VersionRef, tags: &Tags) -> Result<(), ClientError> {
        let (bucket, key, id) = (version.bucket.as_str(), version.key.as_str(), version.version_id.as_str());
        if tags.is_empty() {
            let delete = self.0.delete_object_tagging().bucket(bucket).key(key).version_id(id);
            return delete.send().await.map(drop).map_err(told);
        }
        let put = self.0.put_object_tagging().bucket(bucket).key(key).version_id(id).tagging(tagging(tags));
        put.send().await.map(drop).map_err(told)
    }

    async fn retain(
        &self,
        version: &VersionRef,
        retention: Option<Retention>,
        bypass_governance: bool,
    ) -> Result<(), ClientError> {
        let mode = retention.map(|retention| match retention.mode {
            RetentionMode::Governance => ObjectLockRetentionMode::Governance,
            RetentionMode::Compliance => ObjectLockRetentionMode::Compliance,
        });
        let lock = ObjectLockRetention::builder().set_mode(mode).set_retain_until_date(retention.map(until)).build();
        let put = self.0.put_object_retention().bucket(version.bucket.as_str()).key(version.key.as_str());
        let put = put.version_id(version.version_id.as_str()).retention(lock);
        put.bypass_governance_retention(bypass_governance).send().await.map(drop).map_err(told)
    }

    async fn legal_hold(&self, version: &VersionRef, on: bool) -> Result<(), ClientError> {
        let status = if on { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
        let put = self.0.put_object_legal_hold().bucket(version.bucket.as_str()).key(version.key.as_str());
        let put = put.version_id(version.version_id.as_str());
        let hold = ObjectLockLegalHold::builder().status(status).build();
        put.legal_hold(hold).send().await.map(drop).map_err(told)
    }
}
