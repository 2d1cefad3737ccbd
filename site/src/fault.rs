//! Faults between Twinlog and a store: a decorator over [`Site`] that fails its calls by a plan.
//!
//! One vocabulary ([`Fault`]) for tests and simulation. A plan is scripted ([`Script`]) or seeded ([`SeededFaults`]);
//! nothing here is random by itself, and waiting is `tokio::time`.

use std::collections::VecDeque;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use md5::{Digest, Md5};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use twinlog_schemas::{BucketName, ObjectKey, Part, Retention, SiteName, Tags, VersionRef};

use crate::bucket::BucketState;
use crate::contract::{BodyStream, NoticeStream, Site};
use crate::error::{SiteError, SiteErrorKind};
use crate::notify::{Subscription, SubscriptionChange};
use crate::reading::{BodyWish, ListFrom, ListedVersion, Reading, VersionPage};
use crate::replica::{Body, PartWritten, Precondition, Replica, Upload, Written};

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call does not reach the store and fails with this kind.
    Reject(SiteErrorKind),
    /// The store acts, but the caller is told [`SiteErrorKind::TimedOut`] with an unknown outcome.
    FailAfterWrite,
    /// The store acts, and the answer is held back so long; then as [`Fault::FailAfterWrite`].
    HoldResponse(Duration),
    /// The call waits so long before it reaches the store, and is then answered as usual.
    RespondSlowly(Duration),
    /// One byte of the body is changed, on the way in or out; a call without a body is not affected.
    Corrupt,
    /// The body ends early, on the way in or out; a call without a body is not affected.
    Cut,
    /// The call panics before it reaches the store, as over a bug of Twinlog's own.
    Panic,
}

/// Decides what happens to each call.
pub trait FaultPlan: Send + Sync + 'static {
    /// The fault for this call, named as the [`Site`] method is; `None` lets it pass.
    fn next(&self, operation: &'static str, subject: &str) -> Option<Fault>;
}

/// A plan written down: each entry strikes the next call of its operation, once, in order.
#[derive(Debug, Default)]
pub struct Script(Mutex<VecDeque<(&'static str, Fault)>>);

impl Script {
    /// A plan of (method name of [`Site`], fault).
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (&'static str, Fault)>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(entries.into_iter().collect())))
    }

    /// Adds an entry.
    pub fn push(&self, operation: &'static str, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((operation, fault));
    }

    /// Entries that have not struck yet.
    pub fn left(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl FaultPlan for Script {
    fn next(&self, operation: &'static str, _subject: &str) -> Option<Fault> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = entries.iter().position(|(of, _)| *of == operation)?;
        entries.remove(at).map(|(_, fault)| fault)
    }
}

/// A plan from a seed: each call fails with a probability, with a fault drawn from a list.
#[derive(Debug)]
pub struct SeededFaults {
    rng: Mutex<SmallRng>,
    probability: f64,
    faults: Vec<Fault>,
}

impl SeededFaults {
    /// `probability` is clamped to 0..=1; an empty list of faults lets everything pass.
    #[must_use]
    pub fn new(seed: u64, probability: f64, faults: Vec<Fault>) -> Arc<Self> {
        let rng = Mutex::new(SmallRng::seed_from_u64(seed));
        Arc::new(Self { rng, probability: probability.clamp(0.0, 1.0), faults })
    }
}

impl FaultPlan for SeededFaults {
    fn next(&self, _operation: &'static str, _subject: &str) -> Option<Fault> {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        if self.faults.is_empty() || !rng.random_bool(self.probability) {
            return None;
        }
        let at = rng.random_range(0..self.faults.len());
        self.faults.get(at).copied()
    }
}

/// A site whose calls fail by a plan.
pub struct FaultySite {
    inner: Arc<dyn Site>,
    plan: Arc<dyn FaultPlan>,
}

impl FaultySite {
    /// Wraps a site.
    #[must_use]
    pub fn new(inner: Arc<dyn Site>, plan: Arc<dyn FaultPlan>) -> Self {
        Self { inner, plan }
    }

    fn failed(&self, operation: &'static str, subject: String, kind: SiteErrorKind, acted: bool) -> SiteError {
        SiteError {
            operation,
            subject,
            site: self.inner.name().clone(),
            kind,
            status: None,
            code: None,
            message: "injected fault".to_owned(),
            outcome_unknown: acted,
        }
    }

    async fn struck<T: Send>(
        &self,
        operation: &'static str,
        subject: String,
        fault: Option<Fault>,
        call: impl Future<Output = Result<T, SiteError>> + Send,
    ) -> Result<T, SiteError> {
        match fault {
            None | Some(Fault::Corrupt | Fault::Cut) => call.await,
            Some(Fault::Panic) => panic!("injected bug"),
            Some(Fault::Reject(kind)) => Err(self.failed(operation, subject, kind, false)),
            Some(Fault::RespondSlowly(delay)) => {
                tokio::time::sleep(delay).await;
                call.await
            }
            Some(Fault::FailAfterWrite) => {
                drop(call.await);
                Err(self.failed(operation, subject, SiteErrorKind::TimedOut, true))
            }
            Some(Fault::HoldResponse(held)) => {
                drop(call.await);
                tokio::time::sleep(held).await;
                Err(self.failed(operation, subject, SiteErrorKind::TimedOut, true))
            }
        }
    }

    async fn strike<T: Send>(
        &self,
        operation: &'static str,
        subject: String,
        call: impl Future<Output = Result<T, SiteError>> + Send,
    ) -> Result<T, SiteError> {
        let fault = self.plan.next(operation, &subject);
        self.struck(operation, subject, fault, call).await
    }

    fn cut_error(&self) -> SiteError {
        self.failed("open", String::new(), SiteErrorKind::TimedOut, false)
    }

    fn outgoing(&self, fault: Option<Fault>, stream: BodyStream) -> BodyStream {
        match fault {
            Some(Fault::Corrupt) => corrupt(stream),
            Some(Fault::Cut) => cut(stream, Some(self.cut_error())),
            _ => stream,
        }
    }
}

fn flipped(chunk: Bytes) -> Bytes {
    let mut bytes = chunk.to_vec();
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    Bytes::from(bytes)
}

/// Changes the first byte that comes.
fn corrupt(stream: BodyStream) -> BodyStream {
    let mut done = false;
    stream
        .map(move |chunk| match chunk {
            Ok(bytes) if !done && !bytes.is_empty() => {
                done = true;
                Ok(flipped(bytes))
            }
            other => other,
        })
        .boxed()
}

/// Halves the first chunk and ends there, with the error where one is given.
fn cut(stream: BodyStream, error: Option<SiteError>) -> BodyStream {
    let half = stream.take(1).map(|chunk| chunk.map(|bytes| bytes.slice(..bytes.len() / 2)));
    half.chain(stream::iter(error.map(Err))).boxed()
}

/// A body on its way in, damaged after its digest was taken: the receiving end can tell.
fn incoming(fault: Option<Fault>, body: Body) -> Body {
    let damage: fn(BodyStream) -> BodyStream = match fault {
        Some(Fault::Corrupt) => corrupt,
        Some(Fault::Cut) => |stream| cut(stream, None),
        _ => return body,
    };
    match body {
        Body::Bytes(bytes) => {
            let (length, md5) = (bytes.len() as u64, Some(Md5::digest(&bytes).into()));
            Body::Stream { stream: damage(stream::iter([Ok(bytes)]).boxed()), length, md5 }
        }
        Body::Stream { stream, length, md5 } => Body::Stream { stream: damage(stream), length, md5 },
    }
}

#[async_trait]
impl Site for FaultySite {
    fn name(&self) -> &SiteName {
        self.inner.name()
    }

    fn write_expiry(&self) -> Duration {
        self.inner.write_expiry()
    }

    /// A body that comes along is damaged or cut without an error: its reader compares size and digest.
    async fn read(&self, version: &VersionRef, body: BodyWish) -> Result<Reading, SiteError> {
        let fault = self.plan.next("read", &version.to_string());
        let mut reading = self.struck("read", version.to_string(), fault, self.inner.read(version, body)).await?;
        if let Reading::Object(object) = &mut reading {
            object.body = object.body.take().map(|bytes| match fault {
                Some(Fault::Corrupt) => flipped(bytes),
                Some(Fault::Cut) => bytes.slice(..bytes.len() / 2),
                _ => bytes,
            });
        }
        Ok(reading)
    }

    async fn look(&self, version: &VersionRef) -> Result<Reading, SiteError> {
        self.strike("look", version.to_string(), self.inner.look(version)).await
    }

    async fn open(&self, version: &VersionRef, range: Option<Range<u64>>, etag: &str) -> Result<BodyStream, SiteError> {
        let fault = self.plan.next("open", &version.to_string());
        let stream = self.struck("open", version.to_string(), fault, self.inner.open(version, range, etag)).await?;
        Ok(self.outgoing(fault, stream))
    }

    async fn list_versions(&self, bucket: &BucketName, from: &ListFrom) -> Result<VersionPage, SiteError> {
        self.strike("list_versions", bucket.to_string(), self.inner.list_versions(bucket, from)).await
    }

    async fn versions_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<ListedVersion>, SiteError> {
        self.strike("versions_of", format!("{bucket}/{key}"), self.inner.versions_of(bucket, key)).await
    }

    async fn put_object(
        &self,
        replica: &Replica,
        body: Body,
        precondition: &Precondition,
    ) -> Result<Written, SiteError> {
        let subject = replica.version.to_string();
        let fault = self.plan.next("put_object", &subject);
        let call = self.inner.put_object(replica, incoming(fault, body), precondition);
        self.struck("put_object", subject, fault, call).await
    }

    async fn create_upload(&self, replica: &Replica) -> Result<Upload, SiteError> {
        self.strike("create_upload", replica.version.to_string(), self.inner.create_upload(replica)).await
    }

    async fn put_part(&self, upload: &Upload, part: Part, body: Body) -> Result<PartWritten, SiteError> {
        let subject = upload.version.to_string();
        let fault = self.plan.next("put_part", &subject);
        self.struck("put_part", subject, fault, self.inner.put_part(upload, part, incoming(fault, body))).await
    }

    async fn complete_upload(
        &self,
        upload: &Upload,
        replica: &Replica,
        parts: &[PartWritten],
    ) -> Result<Written, SiteError> {
        let call = self.inner.complete_upload(upload, replica, parts);
        self.strike("complete_upload", upload.version.to_string(), call).await
    }

    async fn abort_upload(&self, upload: &Upload) -> Result<(), SiteError> {
        self.strike("abort_upload", upload.version.to_string(), self.inner.abort_upload(upload)).await
    }

    async fn uploads_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<Upload>, SiteError> {
        self.strike("uploads_of", format!("{bucket}/{key}"), self.inner.uploads_of(bucket, key)).await
    }

    async fn parts_of(&self, upload: &Upload) -> Result<Vec<PartWritten>, SiteError> {
        self.strike("parts_of", upload.version.to_string(), self.inner.parts_of(upload)).await
    }

    async fn put_marker(&self, version: &VersionRef, modified_at_ns: i64) -> Result<Written, SiteError> {
        self.strike("put_marker", version.to_string(), self.inner.put_marker(version, modified_at_ns)).await
    }

    async fn remove_version(
        &self,
        version: &VersionRef,
        bypass_governance: bool,
        if_match: Option<&str>,
    ) -> Result<(), SiteError> {
        let call = self.inner.remove_version(version, bypass_governance, if_match);
        self.strike("remove_version", version.to_string(), call).await
    }

    async fn put_tags(&self, version: &VersionRef, tags: &Tags) -> Result<(), SiteError> {
        self.strike("put_tags", version.to_string(), self.inner.put_tags(version, tags)).await
    }

    async fn put_retention(&self, version: &VersionRef, retention: Option<Retention>) -> Result<(), SiteError> {
        self.strike("put_retention", version.to_string(), self.inner.put_retention(version, retention)).await
    }

    async fn put_legal_hold(&self, version: &VersionRef, on: bool) -> Result<(), SiteError> {
        self.strike("put_legal_hold", version.to_string(), self.inner.put_legal_hold(version, on)).await
    }

    async fn bucket_state(&self, bucket: &BucketName) -> Result<BucketState, SiteError> {
        self.strike("bucket_state", bucket.to_string(), self.inner.bucket_state(bucket)).await
    }

    async fn buckets(&self) -> Result<Vec<BucketName>, SiteError> {
        self.strike("buckets", String::new(), self.inner.buckets()).await
    }

    async fn subscription(&self, bucket: &BucketName) -> Result<Subscription, SiteError> {
        self.strike("subscription", bucket.to_string(), self.inner.subscription(bucket)).await
    }

    async fn subscribe(&self, bucket: &BucketName) -> Result<SubscriptionChange, SiteError> {
        self.strike("subscribe", bucket.to_string(), self.inner.subscribe(bucket)).await
    }

    async fn unsubscribe(&self, bucket: &BucketName) -> Result<SubscriptionChange, SiteError> {
        self.strike("unsubscribe", bucket.to_string(), self.inner.unsubscribe(bucket)).await
    }

    async fn listen(&self, buckets: &[BucketName]) -> Result<Option<NoticeStream>, SiteError> {
        self.strike("listen", String::new(), self.inner.listen(buckets)).await
    }

    async fn clock_offset_ms(&self) -> Result<i64, SiteError> {
        self.strike("clock_offset_ms", String::new(), self.inner.clock_offset_ms()).await
    }

    async fn missing_permissions(&self, bucket: &BucketName) -> Result<Vec<String>, SiteError> {
        self.strike("missing_permissions", bucket.to_string(), self.inner.missing_permissions(bucket)).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures::TryStreamExt;
    use twinlog_schemas::VersionId;

    use super::*;
    use crate::memory::{BucketSetup, ClientPut, MemorySite, MemorySiteOptions, Quirks};

    fn lab(entries: impl IntoIterator<Item = (&'static str, Fault)>) -> (FaultySite, MemorySite, VersionRef) {
        let name = SiteName::new("east").unwrap();
        let memory = MemorySite::new(MemorySiteOptions::new(name, Quirks::rustfs(), Arc::new(|| 1_000_000_000), 1));
        let (bucket, key) = (BucketName::new("bucket").unwrap(), ObjectKey::new("key").unwrap());
        memory.create_bucket(&bucket, BucketSetup::REPLICATED);
        let put = ClientPut { body: Bytes::from_static(b"0123456789"), ..ClientPut::default() };
        let version_id = memory.client("client").put(&bucket, &key, &put).unwrap().version_id;
        let faulty = FaultySite::new(Arc::new(memory.clone()), Script::new(entries));
        (faulty, memory, VersionRef { bucket, key, version_id })
    }

    #[tokio::test]
    async fn a_rejected_call_does_not_act_and_strikes_once() {
        let (faulty, memory, version) = lab([("remove_version", Fault::Reject(SiteErrorKind::Throttled))]);
        let error = faulty.remove_version(&version, false, None).await.unwrap_err();
        assert_eq!((error.kind, error.outcome_unknown), (SiteErrorKind::Throttled, false));
        assert!(matches!(memory.look(&version).await.unwrap(), Reading::Object(_)));
        faulty.remove_version(&version, false, None).await.unwrap();
        assert_eq!(memory.look(&version).await.unwrap(), Reading::Absent);
    }

    #[tokio::test]
    async fn a_call_that_fails_after_the_write_has_acted() {
        for fault in [Fault::FailAfterWrite, Fault::HoldResponse(Duration::ZERO)] {
            let (faulty, memory, version) = lab([("put_marker", fault)]);
            let marker = VersionRef { version_id: VersionId::new("7e57").unwrap(), ..version };
            let error = faulty.put_marker(&marker, 5).await.unwrap_err();
            assert_eq!((error.kind, error.outcome_unknown), (SiteErrorKind::TimedOut, true));
            assert!(matches!(memory.look(&marker).await.unwrap(), Reading::Marker { .. }));
        }
    }

    #[tokio::test]
    async fn bodies_are_damaged_on_the_way_out() {
        let (faulty, _, version) = lab([("open", Fault::Corrupt), ("open", Fault::Cut)]);
        let etag = hex::encode(Md5::digest(b"0123456789"));
        let chunks: Vec<Bytes> = faulty.open(&version, None, &etag).await.unwrap().try_collect().await.unwrap();
        assert_eq!(chunks.concat(), b"1123456789");
        let cut: Result<Vec<Bytes>, _> = faulty.open(&version, None, &etag).await.unwrap().try_collect().await;
        assert_eq!(cut.unwrap_err().kind, SiteErrorKind::TimedOut);
        let whole: Vec<Bytes> = faulty.open(&version, None, &etag).await.unwrap().try_collect().await.unwrap();
        assert_eq!(whole.concat(), b"0123456789");
    }

    #[tokio::test]
    async fn bodies_damaged_on_the_way_in_are_refused() {
        let (faulty, memory, version) = lab([("put_part", Fault::Corrupt), ("put_part", Fault::Cut)]);
        let Reading::Object(_) = memory.look(&version).await.unwrap() else { panic!("the sample is gone") };
        let upload = Upload { version, upload_id: "none".to_owned(), initiated_ms: None, checksum: None };
        for _ in 0..2 {
            let body = Body::Bytes(Bytes::from_static(b"abc"));
            let error = faulty.put_part(&upload, Part { number: 1, size: 3 }, body).await.unwrap_err();
            assert_eq!(error.kind, SiteErrorKind::Digest);
        }
    }

    #[test]
    fn seeded_faults_repeat() {
        let draw = |seed| {
            let plan = SeededFaults::new(seed, 0.5, vec![Fault::FailAfterWrite, Fault::Corrupt]);
            (0..50).map(|_| plan.next("look", "x")).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
