//! A store as a process reaches it: everything waits while the process is stopped, before it is sent and before its
//! answer is read. Planted faults in how stores are written to are here too.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;
use twinlog_log::lane::Lease;
use twinlog_schemas::{BucketName, ObjectKey, Part, Retention, SiteName, Tags, VersionRef};
use twinlog_site::{
    Body, BodyStream, BodyWish, BucketState, ListFrom, ListedVersion, NoticeStream, PartWritten, Precondition, Reading,
    Replica, Site, SiteError, SiteErrorKind, Subscription, SubscriptionChange, Upload, VersionPage, Written,
};

use super::dice::Dice;
use super::gate::Gate;
use super::planted::{Doing, Planted, Scene};
use super::world::EXPIRY;

/// What a process's calls go through.
pub(super) struct Way {
    pub gate: Gate,
    /// Replica writes are sent while it holds.
    pub lease: Lease,
    pub dice: Dice,
}

/// The way to one store.
pub(super) struct Reach {
    inner: Arc<dyn Site>,
    gate: Gate,
    lease: Lease,
    dice: Mutex<Dice>,
    planted: Option<Planted>,
    scene: Arc<Scene>,
    /// Markers that were sent and are taken for made.
    believed: Mutex<BTreeSet<VersionRef>>,
}

impl Reach {
    pub(super) fn new(inner: Arc<dyn Site>, way: Way, planted: Option<Planted>, scene: Arc<Scene>) -> Self {
        let Way { gate, lease, dice } = way;
        Self { inner, gate, lease, dice: Mutex::new(dice), planted, scene, believed: Mutex::default() }
    }

    /// One call: not while the process is stopped.
    async fn call<T>(&self, call: impl Future<Output = T> + Send) -> T {
        self.gate.pass().await;
        let answer = call.await;
        self.gate.pass().await;
        answer
    }

    /// One write: not sent while the process is stopped, and refused by the store once its signature has expired. It was
    /// signed before the process was stopped, or is after.
    async fn write<T>(
        &self,
        subject: &VersionRef,
        write: impl Future<Output = Result<T, SiteError>> + Send,
    ) -> Result<T, SiteError> {
        let before = self.lease.holds() && self.dice.lock().unwrap_or_else(PoisonError::into_inner).chance(50);
        let signed = self.gate.stopped().filter(|_| before).map(|stopped| Instant::now() - stopped);
        self.gate.pass().await;
        let expired = signed.is_some_and(|signed| signed.elapsed() > EXPIRY);
        if expired && !self.is(Planted::RequestsNeverExpire) || signed.is_none() && !self.lease.holds() {
            return Err(self.expired(subject));
        }
        let answer = write.await;
        self.gate.pass().await;
        answer
    }

    fn expired(&self, subject: &VersionRef) -> SiteError {
        SiteError {
            operation: "write",
            subject: subject.to_string(),
            site: self.inner.name().clone(),
            kind: SiteErrorKind::Expired,
            status: Some(403),
            code: Some("AccessDenied".to_owned()),
            message: "Request has expired".to_owned(),
            outcome_unknown: false,
        }
    }

    /// What was written meanwhile is written over, as soon as that shows.
    async fn overwrite(&self, replica: &Replica, bytes: &Bytes, planned: &Precondition) -> Result<Written, SiteError> {
        let put = |now| self.inner.put_object(replica, Body::Bytes(bytes.clone()), now);
        match self.write(&replica.version, put(planned)).await {
            Err(error) if error.kind == SiteErrorKind::Precondition => {}
            done => return done,
        }
        let now = match self.inner.look(&replica.version).await? {
            Reading::Object(held) => Precondition::Etag(held.etag),
            _ => Precondition::Absent,
        };
        self.write(&replica.version, put(&now)).await
    }

    fn is(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    fn seen(&self, version: &VersionRef, reading: Reading) -> Reading {
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        let sends = self.scene.doing(version) == Doing::State;
        if believed.remove(version) {
            Reading::Marker { modified_s_ms: None }
        } else if self.is(Planted::MarkerBlind) && sends && matches!(reading, Reading::Marker { .. }) {
            Reading::Absent
        } else {
            reading
        }
    }
}

#[async_trait]
impl Site for Reach {
    fn name(&self) -> &SiteName {
        self.inner.name()
    }

    fn write_expiry(&self) -> Duration {
        EXPIRY
    }

    async fn read(&self, version: &VersionRef, body: BodyWish) -> Result<Reading, SiteError> {
        self.call(self.inner.read(version, body)).await
    }

    async fn look(&self, version: &VersionRef) -> Result<Reading, SiteError> {
        self.call(self.inner.look(version)).await.map(|reading| self.seen(version, reading))
    }

    async fn open(&self, version: &VersionRef, range: Option<Range<u64>>, etag: &str) -> Result<BodyStream, SiteError> {
        self.call(self.inner.open(version, range, etag)).await
    }

    async fn list_versions(&self, bucket: &BucketName, from: &ListFrom) -> Result<VersionPage, SiteError> {
        self.call(self.inner.list_versions(bucket, from)).await
    }

    async fn versions_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<ListedVersion>, SiteError> {
        self.call(self.inner.versions_of(bucket, key)).await
    }

    async fn put_object(
        &self,
        replica: &Replica,
        body: Body,
        precondition: &Precondition,
    ) -> Result<Written, SiteError> {
        let version = &replica.version;
        if let Body::Bytes(bytes) = &body
            && self.is(Planted::NullsBlind)
            && version.version_id.is_null()
        {
            return self.overwrite(replica, bytes, precondition).await;
        }
        self.write(version, self.inner.put_object(replica, body, precondition)).await
    }

    async fn create_upload(&self, replica: &Replica) -> Result<Upload, SiteError> {
        self.write(&replica.version, self.inner.create_upload(replica)).await
    }

    async fn put_part(&self, upload: &Upload, part: Part, body: Body) -> Result<PartWritten, SiteError> {
        self.write(&upload.version, self.inner.put_part(upload, part, body)).await
    }

    async fn complete_upload(
        &self,
        upload: &Upload,
        replica: &Replica,
        parts: &[PartWritten],
    ) -> Result<Written, SiteError> {
        self.write(&replica.version, self.inner.complete_upload(upload, replica, parts)).await
    }

    async fn abort_upload(&self, upload: &Upload) -> Result<(), SiteError> {
        self.write(&upload.version, self.inner.abort_upload(upload)).await
    }

    async fn uploads_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<Upload>, SiteError> {
        self.call(self.inner.uploads_of(bucket, key)).await
    }

    async fn parts_of(&self, upload: &Upload) -> Result<Vec<PartWritten>, SiteError> {
        self.call(self.inner.parts_of(upload)).await
    }

    async fn put_marker(&self, version: &VersionRef, modified_at_ns: i64) -> Result<Written, SiteError> {
        let written = self.write(version, self.inner.put_marker(version, modified_at_ns)).await?;
        if self.is(Planted::MarkerUnseen) || self.is(Planted::MarkerBlind) {
            self.believed.lock().unwrap_or_else(PoisonError::into_inner).insert(version.clone());
        }
        Ok(written)
    }

    async fn remove_version(
        &self,
        version: &VersionRef,
        bypass_governance: bool,
        if_match: Option<&str>,
    ) -> Result<(), SiteError> {
        let null = version.version_id.is_null();
        if self.is(Planted::RemovalsAsReplicas) && !null {
            return match self.inner.look(version).await? {
                Reading::Object(_) => self.write(version, self.inner.put_marker(version, 0)).await.map(|_| ()),
                _ => self.write(version, self.inner.remove_version(version, bypass_governance, None)).await,
            };
        }
        let if_match = if_match.filter(|_| !self.is(Planted::NullsBlind));
        self.write(version, self.inner.remove_version(version, bypass_governance, if_match)).await
    }

    async fn put_tags(&self, version: &VersionRef, tags: &Tags) -> Result<(), SiteError> {
        self.write(version, self.inner.put_tags(version, tags)).await
    }

    async fn put_retention(&self, version: &VersionRef, retention: Option<Retention>) -> Result<(), SiteError> {
        self.write(version, self.inner.put_retention(version, retention)).await
    }

    async fn put_legal_hold(&self, version: &VersionRef, on: bool) -> Result<(), SiteError> {
        self.write(version, self.inner.put_legal_hold(version, on)).await
    }

    async fn bucket_state(&self, bucket: &BucketName) -> Result<BucketState, SiteError> {
        self.call(self.inner.bucket_state(bucket)).await
    }

    async fn buckets(&self) -> Result<Vec<BucketName>, SiteError> {
        self.call(self.inner.buckets()).await
    }

    async fn subscription(&self, bucket: &BucketName) -> Result<Subscription, SiteError> {
        self.call(self.inner.subscription(bucket)).await
    }

    async fn subscribe(&self, bucket: &BucketName) -> Result<SubscriptionChange, SiteError> {
        self.call(self.inner.subscribe(bucket)).await
    }

    async fn unsubscribe(&self, bucket: &BucketName) -> Result<SubscriptionChange, SiteError> {
        self.call(self.inner.unsubscribe(bucket)).await
    }

    async fn listen(&self, buckets: &[BucketName]) -> Result<Option<NoticeStream>, SiteError> {
        self.call(self.inner.listen(buckets)).await
    }

    async fn clock_offset_ms(&self) -> Result<i64, SiteError> {
        self.call(self.inner.clock_offset_ms()).await
    }

    async fn missing_permissions(&self, bucket: &BucketName) -> Result<Vec<String>, SiteError> {
        self.call(self.inner.missing_permissions(bucket)).await
    }
}
