//! [`MemorySite`]: the in-memory store behind the contract of every store.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::wrappers::UnboundedReceiverStream;
use twinlog_schemas::{BucketName, ObjectKey, Part, Retention, SiteName, Tags, VersionRef};

use crate::bucket::{BucketState, DefaultRetention, Versioning};
use crate::contract::{BodyStream, NoticeStream, Site};
use crate::error::{SiteError, SiteErrorKind};
use crate::notify::{Subscription, SubscriptionChange};
use crate::reading::{BodyWish, ListFrom, ListedVersion, Reading, VersionPage};
use crate::replica::{Body, PartWritten, Precondition, Replica, Upload, Written};

use super::body::{self, BodyFault};
use super::client::MemoryClient;
use super::notice::{Call, Notice};
use super::quirks::{Quirks, Wording};
use super::refusal::Refusal;
use super::store::{BucketSetup, Store};
use super::transit::{Transit, TransitPlan};

/// The store's clock: nanoseconds since the Unix epoch.
pub type SiteClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How a [`MemorySite`] is made.
#[derive(Clone)]
pub struct MemorySiteOptions {
    /// The site's name.
    pub name: SiteName,
    /// The differences from S3.
    pub quirks: Quirks,
    /// The store's clock.
    pub clock: SiteClock,
    /// The seed of version ids, upload ids and request ids.
    pub seed: u64,
    /// How long a signed write stays acceptable.
    pub write_expiry: Duration,
    /// The smallest part of a multipart upload but the last; the stores' is 5 MiB, a simulation likes it small.
    pub min_part_bytes: i64,
    /// The principal of replica writes, as audit records name it.
    pub principal: String,
}

impl MemorySiteOptions {
    /// A write expiry of ten seconds, parts of 5 MiB, the principal `twinlog`.
    pub fn new(name: SiteName, quirks: Quirks, clock: SiteClock, seed: u64) -> Self {
        let principal = "twinlog".to_owned();
        Self { name, quirks, clock, seed, write_expiry: Duration::from_secs(10), min_part_bytes: 5 << 20, principal }
    }
}

struct Shared {
    options: MemorySiteOptions,
    store: Mutex<Store>,
}

/// A store in memory, with the quirks of a real one. Clones are the same store, over the same way.
///
/// Deterministic: no threads, no timers of its own, ids from a seed, time from the injected clock. It waits only where a
/// [`Transit`] says so (with `tokio::time`).
#[derive(Clone)]
pub struct MemorySite {
    shared: Arc<Shared>,
    transit: TransitPlan,
}

impl MemorySite {
    /// An empty store.
    #[must_use]
    pub fn new(options: MemorySiteOptions) -> Self {
        let store = Store::new(options.quirks.clone(), options.seed, options.min_part_bytes);
        Self {
            shared: Arc::new(Shared { options, store: Mutex::new(store) }),
            transit: Arc::new(|_| Transit::default()),
        }
    }

    /// A client with this access key.
    #[must_use]
    pub fn client(&self, access_key: impl Into<String>) -> MemoryClient {
        MemoryClient::new(self.clone(), access_key.into())
    }

    /// The same store over a way of its own: the plan says how long this handle's writes are under way.
    #[must_use]
    pub fn with_transit(&self, plan: TransitPlan) -> Self {
        Self { shared: Arc::clone(&self.shared), transit: plan }
    }

    /// Takes the notices of the webhook and audit doors that wait, oldest first.
    #[must_use]
    pub fn take_notices(&self) -> Vec<Notice> {
        self.store().outbox.take()
    }

    /// A stream of those notices, beginning with the waiting ones; it takes the place of [`MemorySite::take_notices`].
    #[must_use]
    pub fn notice_stream(&self) -> UnboundedReceiver<Notice> {
        self.store().outbox.stream()
    }

    /// Ends all listen streams, as a restart of the store does.
    pub fn disconnect_listeners(&self) {
        self.store().outbox.disconnect_listeners();
    }

    /// Makes a bucket; one of this name is replaced, with a new creation time.
    pub fn create_bucket(&self, bucket: &BucketName, setup: BucketSetup) {
        let now_ns = self.now_ns();
        self.store().create_bucket(bucket, setup, now_ns);
    }

    /// Removes a bucket with all that is in it.
    pub fn delete_bucket(&self, bucket: &BucketName) {
        self.store().buckets.remove(bucket);
    }

    /// The versions whose running COMPLIANCE or legal hold a replica write has broken: what never may happen.
    #[must_use]
    pub fn broken_locks(&self) -> Vec<VersionRef> {
        self.store().broken_locks.clone()
    }

    /// Changes a bucket's versioning.
    pub fn set_versioning(&self, bucket: &BucketName, versioning: Versioning) -> Result<(), SiteError> {
        self.act("PutBucketVersioning", bucket.to_string(), |store, _| {
            store.bucket_mut(bucket)?.state.versioning = versioning;
            Ok(())
        })
    }

    /// Changes a bucket's default retention.
    pub fn set_default_retention(
        &self,
        bucket: &BucketName,
        default: Option<DefaultRetention>,
    ) -> Result<(), SiteError> {
        self.act("PutObjectLockConfiguration", bucket.to_string(), |store, _| {
            store.bucket_mut(bucket)?.state.default_retention = default;
            Ok(())
        })
    }

    /// The store's clock, nanoseconds since the Unix epoch.
    #[must_use]
    pub fn now_ns(&self) -> i64 {
        (self.shared.options.clock)()
    }

    /// The versions of a key with their times to the nanosecond, newest first: what no S3 call tells, for comparing.
    pub fn times_of(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<Vec<(twinlog_schemas::VersionId, i64)>, SiteError> {
        self.act("TimesOf", bucket.to_string(), |store, _| {
            let versions = store.bucket(bucket)?.keys.get(key);
            Ok(versions.into_iter().flat_map(|v| v.iter()).map(|v| (v.id.clone(), v.modified_ns)).collect())
        })
    }

    pub(super) fn quirks(&self) -> &Quirks {
        &self.shared.options.quirks
    }

    /// The state, after every late request that has arrived by now has acted.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store_at(self.now_ns())
    }

    /// The store when everything that has arrived by `now_ns` has acted.
    fn store_at(&self, now_ns: i64) -> MutexGuard<'_, Store> {
        let mut store = self.shared.store.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((arrived_ns, act)) = store.late.arrived(now_ns) {
            act(&mut store, arrived_ns);
        }
        store
    }

    /// Acts at once: reads, and what clients do.
    pub(super) fn act<T>(
        &self,
        operation: &'static str,
        subject: String,
        act: impl FnOnce(&mut Store, i64) -> Result<T, Refusal>,
    ) -> Result<T, SiteError> {
        let now_ns = self.now_ns();
        act(&mut self.store(), now_ns).map_err(|refusal| refusal.at(&self.shared.options.name, operation, subject))
    }

    /// Sends a signed write: it is under way for its transit, is refused when it arrives after its expiry, and still
    /// acts when its sender has given up.
    async fn send<T: Send + 'static>(
        &self,
        operation: &'static str,
        subject: String,
        act: impl FnOnce(&mut Store, i64) -> Result<T, Refusal> + Clone + Send + 'static,
    ) -> Result<T, SiteError> {
        let signed_ns = self.now_ns();
        let Transit { delay, patience, twice } = (self.transit)(operation);
        let arrives_ns = signed_ns.saturating_add(i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX));
        let expired = delay > self.shared.options.write_expiry;
        let answer = Arc::new(Mutex::new(None));
        let answered = Arc::clone(&answer);
        let arrive = move |store: &mut Store, now_ns: i64| {
            let outcome = if expired { Err(Refusal::EXPIRED) } else { act(store, now_ns) };
            *answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        };
        if twice {
            self.store().late.send(arrives_ns, Box::new(arrive.clone()));
        }
        self.store().late.send(arrives_ns, Box::new(arrive));
        let waits = patience.map_or(delay, |patience| patience.min(delay));
        if !waits.is_zero() {
            tokio::time::sleep(waits).await;
        }
        // Whatever has arrived by now acts before the answer is looked at; one that was waited for has arrived, however
        // the store's clock stands to the sender's.
        let arrived_ns = if waits == delay { arrives_ns } else { i64::MIN };
        drop(self.store_at(self.now_ns().max(arrived_ns)));
        let outcome = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match outcome {
            Some(outcome) => outcome.map_err(|refusal| refusal.at(&self.shared.options.name, operation, subject)),
            None => Err(self.timed_out(operation, subject)),
        }
    }

    fn timed_out(&self, operation: &'static str, subject: String) -> SiteError {
        SiteError {
            operation,
            subject,
            site: self.shared.options.name.clone(),
            kind: SiteErrorKind::TimedOut,
            status: None,
            code: None,
            message: "no answer in time".to_owned(),
            outcome_unknown: true,
        }
    }

    async fn take(&self, operation: &'static str, subject: &str, body: Body) -> Result<Bytes, SiteError> {
        body::take(body).await.map_err(|fault| match fault {
            BodyFault::Source(error) => error,
            BodyFault::Refused(refusal) => refusal.at(&self.shared.options.name, operation, subject.to_owned()),
        })
    }

    /// The audit record of a replica write of a lock.
    fn audited<T, F: FnOnce(&mut Store, i64) -> Result<T, Refusal> + Clone>(
        &self,
        trigger: &'static str,
        event: &'static str,
        version: &VersionRef,
        act: F,
    ) -> impl FnOnce(&mut Store, i64) -> Result<T, Refusal> + Clone + use<T, F> {
        let (version, principal) = (version.clone(), self.shared.options.principal.clone());
        move |store, now_ns| {
            let outcome = act(store, now_ns);
            let request_id = store.fresh_id();
            store.outbox.audit(&Call {
                trigger,
                event,
                bucket: &version.bucket,
                key: &version.key,
                at_ns: now_ns,
                principal: &principal,
                request_id: &request_id,
                succeeded: outcome.is_ok(),
                replica_write: true,
            });
            outcome
        }
    }

    fn events(&self) -> Vec<String> {
        let names: &[&str] = match self.quirks().wording {
            Wording::RustFs => {
                &["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:LifecycleExpiration:*"]
            }
            Wording::MinIo => &["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn set_subscribed(&self, bucket: &BucketName, wanted: bool) -> Result<SubscriptionChange, SiteError> {
        self.act("PutBucketNotificationConfiguration", bucket.to_string(), |store, _| {
            let subscribed = &mut store.bucket_mut(bucket)?.subscribed;
            let changed = std::mem::replace(subscribed, wanted) != wanted;
            let said = if wanted { "added: " } else { "taken out: " };
            let changed = changed.then(|| SubscriptionChange::Changed(said.to_owned() + &self.events().join(", ")));
            Ok(changed.unwrap_or(SubscriptionChange::Unchanged))
        })
    }
}

#[async_trait]
impl Site for MemorySite {
    fn name(&self) -> &SiteName {
        &self.shared.options.name
    }

    fn write_expiry(&self) -> Duration {
        self.shared.options.write_expiry
    }

    async fn read(&self, version: &VersionRef, body: BodyWish) -> Result<Reading, SiteError> {
        self.act("GetObject", version.to_string(), |store, _| store.reading(version, true, body))
    }

    async fn look(&self, version: &VersionRef) -> Result<Reading, SiteError> {
        self.act("HeadObject", version.to_string(), |store, _| store.reading(version, false, BodyWish::No))
    }

    async fn open(&self, version: &VersionRef, range: Option<Range<u64>>, etag: &str) -> Result<BodyStream, SiteError> {
        const CHUNK: usize = 64 << 10;
        let whole = self.act("GetObject", version.to_string(), |store, _| store.body_of(version, etag))?;
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole.len());
        let (from, to) = range.map_or((0, whole.len()), |range| (within(range.start), within(range.end)));
        let body = whole.slice(from..to.max(from));
        let chunks: Vec<_> =
            (0..body.len()).step_by(CHUNK).map(|at| Ok(body.slice(at..body.len().min(at + CHUNK)))).collect();
        Ok(stream::iter(chunks).boxed())
    }

    async fn list_versions(&self, bucket: &BucketName, from: &ListFrom) -> Result<VersionPage, SiteError> {
        self.act("ListObjectVersions", bucket.to_string(), |store, _| store.list_page(bucket, from))
    }

    async fn versions_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<ListedVersion>, SiteError> {
        self.act("ListObjectVersions", format!("{bucket}/{key}"), |store, _| store.list(bucket, key))
    }

    async fn put_object(
        &self,
        replica: &Replica,
        body: Body,
        precondition: &Precondition,
    ) -> Result<Written, SiteError> {
        let subject = replica.version.to_string();
        let body = self.take("PutObject", &subject, body).await?;
        let (replica, precondition) = (replica.clone(), precondition.clone());
        self.send("PutObject", subject, move |store, now| store.put_replica(&replica, body, &precondition, now)).await
    }

    async fn create_upload(&self, replica: &Replica) -> Result<Upload, SiteError> {
        let replica = replica.clone();
        let subject = replica.version.to_string();
        self.send("CreateMultipartUpload", subject, move |store, now| store.begin_replica_upload(&replica, now)).await
    }

    async fn put_part(&self, upload: &Upload, part: Part, body: Body) -> Result<PartWritten, SiteError> {
        let subject = upload.version.to_string();
        let bytes = self.take("UploadPart", &subject, body).await?;
        if bytes.len() as i64 != part.size {
            return Err(Refusal::DIGEST.at(self.name(), "UploadPart", subject));
        }
        let sent_md5 = Some(body::md5(&bytes));
        let upload = upload.clone();
        let etag =
            self.send("UploadPart", subject, move |store, _| store.add_part(&upload, part.number, bytes)).await?;
        Ok(PartWritten { part, etag, sent_md5, checksums: Vec::new() })
    }

    async fn complete_upload(
        &self,
        upload: &Upload,
        replica: &Replica,
        parts: &[PartWritten],
    ) -> Result<Written, SiteError> {
        let (upload, replica, parts) = (upload.clone(), replica.clone(), parts.to_vec());
        let subject = upload.version.to_string();
        let act = move |store: &mut Store, now| store.complete_replica(&upload, &replica, &parts, now);
        self.send("CompleteMultipartUpload", subject, act).await
    }

    async fn abort_upload(&self, upload: &Upload) -> Result<(), SiteError> {
        let upload = upload.clone();
        self.send("AbortMultipartUpload", upload.version.to_string(), move |store, _| store.end_upload(&upload)).await
    }

    async fn uploads_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<Upload>, SiteError> {
        self.act("ListMultipartUploads", format!("{bucket}/{key}"), |store, _| {
            let pending = store.bucket(bucket)?.uploads.iter();
            let of_key = pending.filter(|(_, pending)| pending.version.key == *key);
            let mut uploads: Vec<_> = of_key.map(|(id, pending)| pending.upload(id)).collect();
            uploads.sort_by_key(|upload| upload.initiated_ms);
            Ok(uploads)
        })
    }

    async fn parts_of(&self, upload: &Upload) -> Result<Vec<PartWritten>, SiteError> {
        self.act("ListParts", upload.version.to_string(), |store, _| {
            let uploads = &store.bucket(&upload.version.bucket)?.uploads;
            uploads.get(&upload.upload_id).map(|pending| pending.parts()).ok_or(Refusal::NO_SUCH_UPLOAD)
        })
    }

    async fn put_marker(&self, version: &VersionRef, modified_at_ns: i64) -> Result<Written, SiteError> {
        let version = version.clone();
        let subject = version.to_string();
        let act = move |store: &mut Store, now| store.put_replica_marker(&version, modified_at_ns, now);
        self.send("DeleteObject", subject, act).await
    }

    async fn remove_version(
        &self,
        version: &VersionRef,
        bypass_governance: bool,
        if_match: Option<&str>,
    ) -> Result<(), SiteError> {
        let (version, if_match) = (version.clone(), if_match.map(str::to_owned));
        let subject = version.to_string();
        let act = move |store: &mut Store, now| {
            store.remove(&version, bypass_governance, if_match.as_deref(), now).map(|_| ())
        };
        self.send("DeleteObject", subject, act).await
    }

    async fn put_tags(&self, version: &VersionRef, tags: &Tags) -> Result<(), SiteError> {
        let (version, tags) = (version.clone(), tags.clone());
        let subject = version.to_string();
        self.send("PutObjectTagging", subject, move |store, _| store.set_tags(&version, &tags)).await
    }

    async fn put_retention(&self, version: &VersionRef, retention: Option<Retention>) -> Result<(), SiteError> {
        let address = version.clone();
        let act = move |store: &mut Store, now| store.set_retention(&address, retention, true, now);
        let act = self.audited("s3:PutObjectRetention", "s3:ObjectCreated:PutRetention", version, act);
        self.send("PutObjectRetention", version.to_string(), act).await
    }

    async fn put_legal_hold(&self, version: &VersionRef, on: bool) -> Result<(), SiteError> {
        let address = version.clone();
        let act = move |store: &mut Store, now| store.set_legal_hold(&address, on, now);
        let act = self.audited("s3:PutObjectLegalHold", "s3:ObjectCreated:PutLegalHold", version, act);
        self.send("PutObjectLegalHold", version.to_string(), act).await
    }

    async fn bucket_state(&self, bucket: &BucketName) -> Result<BucketState, SiteError> {
        self.act("GetBucketVersioning", bucket.to_string(), |store, _| Ok(store.bucket(bucket)?.state.clone()))
    }

    async fn buckets(&self) -> Result<Vec<BucketName>, SiteError> {
        self.act("ListBuckets", String::new(), |store, _| Ok(store.buckets.keys().cloned().collect()))
    }

    async fn subscription(&self, bucket: &BucketName) -> Result<Subscription, SiteError> {
        self.act("GetBucketNotificationConfiguration", bucket.to_string(), |store, _| {
            let subscribed = store.bucket(bucket)?.subscribed;
            let (present, missing) = if subscribed { (self.events(), Vec::new()) } else { (Vec::new(), self.events()) };
            Ok(Subscription { present, missing })
        })
    }

    async fn subscribe(&self, bucket: &BucketName) -> Result<SubscriptionChange, SiteError> {
        self.set_subscribed(bucket, true)
    }

    async fn unsubscribe(&self, bucket: &BucketName) -> Result<SubscriptionChange, SiteError> {
        self.set_subscribed(bucket, false)
    }

    async fn listen(&self, buckets: &[BucketName]) -> Result<Option<NoticeStream>, SiteError> {
        if self.quirks().wording != Wording::RustFs {
            return Ok(None);
        }
        let lines = self.store().outbox.listen(buckets.iter().cloned().collect());
        Ok(Some(UnboundedReceiverStream::new(lines).map(Ok).boxed()))
    }

    async fn clock_offset_ms(&self) -> Result<i64, SiteError> {
        Ok(0)
    }

    async fn missing_permissions(&self, _bucket: &BucketName) -> Result<Vec<String>, SiteError> {
        Ok(Vec::new())
    }
}
