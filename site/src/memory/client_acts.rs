//! What a client's request does when it arrives, and the event it raises.

use bytes::Bytes;
use twinlog_schemas::{BucketName, Encryption, ObjectKey, Retention, Tags, VersionId, VersionRef};

use crate::bucket::Versioning;

use super::admission;
use super::client::{ClientDeleted, ClientPut, ClientWritten};
use super::notice::{Call, Event};
use super::quirks::Wording;
use super::refusal::Refusal;
use super::store::Store;
use super::stored::{Content, Stored, StoredObject};
use super::upload::md5_hex;

/// A multi-delete's events are made after all its markers: their sequencer is that much later.
const MULTI_DELETE_LATE_NS: i64 = 3_000_000;

/// Who calls for which key.
pub(super) struct Caller<'a> {
    pub(super) bucket: &'a BucketName,
    pub(super) key: &'a ObjectKey,
    pub(super) access_key: &'a str,
}

impl Caller<'_> {
    pub(super) fn subject(&self) -> String {
        format!("{}/{}", self.bucket, self.key)
    }

    fn version(&self, id: VersionId) -> VersionRef {
        VersionRef { bucket: self.bucket.clone(), key: self.key.clone(), version_id: id }
    }
}

/// What an event says besides who and where.
struct Told<'a> {
    name: &'static str,
    version_id: Option<&'a VersionId>,
    sequencer_ns: i64,
    with_object: bool,
    /// Of a multi-delete, which on RustFS has no principal.
    multi: bool,
}

impl Store {
    fn versioning(&self, caller: &Caller<'_>) -> Result<Versioning, Refusal> {
        Ok(self.bucket(caller.bucket)?.state.versioning)
    }

    /// The version asked for, the latest where none is named.
    fn resolve(&self, caller: &Caller<'_>, id: Option<&VersionId>) -> Result<VersionRef, Refusal> {
        let latest = self.bucket(caller.bucket)?.keys.get(caller.key).and_then(|versions| versions.latest());
        let id = id.or(latest.map(|latest| &latest.id)).ok_or(Refusal::NO_SUCH_VERSION)?;
        Ok(caller.version(id.clone()))
    }

    fn tell(&mut self, caller: &Caller<'_>, told: &Told<'_>, now_ns: i64) -> Result<(), Refusal> {
        let request_id = self.fresh_id();
        let bucket = self.buckets.get(caller.bucket).ok_or(Refusal::NO_SUCH_BUCKET)?;
        if !bucket.subscribed {
            return Ok(());
        }
        let versioned = bucket.state.versioning != Versioning::Never;
        let stored = told.version_id.filter(|_| told.with_object).and_then(|id| bucket.get(caller.key, id));
        let nameless = told.multi && self.quirks.wording == Wording::RustFs;
        let event = Event {
            name: told.name,
            bucket: caller.bucket,
            key: caller.key,
            version_id: told.version_id.filter(|_| versioned),
            sequencer_ns: told.sequencer_ns,
            at_ns: now_ns,
            principal: if nameless { "" } else { caller.access_key },
            object: stored.and_then(Stored::object),
            request_id: &request_id,
        };
        self.outbox.tell(&event);
        Ok(())
    }

    fn tell_birth(
        &mut self,
        caller: &Caller<'_>,
        name: &'static str,
        id: &VersionId,
        at_ns: i64,
        now_ns: i64,
    ) -> Result<(), Refusal> {
        let told = Told { name, version_id: Some(id), sequencer_ns: at_ns, with_object: true, multi: false };
        self.tell(caller, &told, now_ns)
    }

    fn object_of(
        &self,
        caller: &Caller<'_>,
        put: &ClientPut,
        body: Bytes,
        at_ns: i64,
    ) -> Result<StoredObject, Refusal> {
        let state = &self.bucket(caller.bucket)?.state;
        admission::key(caller.key)?;
        admission::tags(&put.tags, self.quirks.ascii_tags_only)?;
        let now_ms = at_ns.div_euclid(1_000_000);
        if !state.object_lock && (put.retention.is_some() || put.legal_hold) {
            return Err(Refusal::LOCK_ABSENT);
        }
        if put.retention.is_some_and(|retention| !retention.in_force(now_ms)) {
            return Err(Refusal::PAST);
        }
        let by_default = state
            .default_retention
            .map(|default| Retention { mode: default.mode, until_ms: now_ms + i64::from(default.days) * 86_400_000 });
        let mut headers = put.headers.clone();
        headers.content_type.get_or_insert_with(|| match self.quirks.wording {
            Wording::RustFs => "application/octet-stream".to_owned(),
            Wording::MinIo => "binary/octet-stream".to_owned(),
        });
        if self.quirks.drops_website_redirect {
            headers.website_redirect = None;
        }
        Ok(StoredObject {
            etag: md5_hex(&body),
            body,
            headers,
            user_metadata: put.user_metadata.clone(),
            tags: put.tags.clone(),
            retention: put.retention.or(by_default),
            retention_at_ns: at_ns,
            legal_hold: put.legal_hold,
            legal_hold_at_ns: at_ns,
            storage_class: None,
            encryption: Encryption::None,
            checksums: put.checksums.clone(),
            parts: Vec::new(),
            replication_status: None,
        })
    }

    /// Gives an object its version id by the bucket's versioning, and tells of its birth.
    fn bear(
        &mut self,
        caller: &Caller<'_>,
        object: StoredObject,
        name: &'static str,
        at_ns: i64,
        now_ns: i64,
    ) -> Result<ClientWritten, Refusal> {
        let with_id = self.versioning(caller)? == Versioning::Enabled && !caller.key.as_str().ends_with('/');
        let id = if with_id { self.fresh_version_id() } else { VersionId::null() };
        let etag = object.etag.clone();
        let content = Content::Object(Box::new(object));
        self.place(&caller.version(id.clone()), Stored { id: id.clone(), modified_ns: at_ns, content })?;
        self.tell_birth(caller, name, &id, at_ns, now_ns)?;
        Ok(ClientWritten { version_id: id, etag })
    }

    pub(super) fn client_put(
        &mut self,
        caller: &Caller<'_>,
        put: &ClientPut,
        now_ns: i64,
    ) -> Result<ClientWritten, Refusal> {
        let at_ns = self.stamp(now_ns);
        let object = self.object_of(caller, put, put.body.clone(), at_ns)?;
        self.bear(caller, object, "s3:ObjectCreated:Put", at_ns, now_ns)
    }

    pub(super) fn client_multipart(
        &mut self,
        caller: &Caller<'_>,
        put: &ClientPut,
        parts: &[(i32, Bytes)],
        now_ns: i64,
    ) -> Result<ClientWritten, Refusal> {
        let at_ns = self.stamp(now_ns);
        let upload = self.begin_upload(&caller.version(VersionId::null()), None, at_ns)?;
        let mut named = Vec::new();
        for (number, bytes) in parts {
            named.push((*number, self.add_part(&upload, *number, bytes.clone())?));
        }
        let assembled = self.assemble(&upload, &named);
        self.end_upload(&upload)?;
        let assembled = assembled?;
        let mut object = self.object_of(caller, put, assembled.body, at_ns)?;
        object.etag = assembled.etag;
        object.parts = assembled.parts;
        self.bear(caller, object, "s3:ObjectCreated:CompleteMultipartUpload", at_ns, now_ns)
    }

    pub(super) fn client_copy(
        &mut self,
        caller: &Caller<'_>,
        from: (&ObjectKey, Option<&VersionId>),
        replace: Option<&ClientPut>,
        now_ns: i64,
    ) -> Result<ClientWritten, Refusal> {
        let source = self.resolve(&Caller { key: from.0, ..*caller }, from.1)?;
        let source = self.get(&source)?.and_then(Stored::object).ok_or(Refusal::NO_SUCH_VERSION)?.clone();
        let kept = ClientPut {
            headers: source.headers,
            user_metadata: source.user_metadata,
            tags: source.tags,
            ..ClientPut::default()
        };
        let at_ns = self.stamp(now_ns);
        let mut object = self.object_of(caller, replace.unwrap_or(&kept), source.body, at_ns)?;
        if replace.is_none() {
            object.replication_status = source.replication_status;
        }
        self.bear(caller, object, "s3:ObjectCreated:Copy", at_ns, now_ns)
    }

    pub(super) fn client_delete(
        &mut self,
        caller: &Caller<'_>,
        id: Option<&VersionId>,
        bypass_governance: bool,
        multi: bool,
        now_ns: i64,
    ) -> Result<ClientDeleted, Refusal> {
        let versioning = self.versioning(caller)?;
        let at_ns = self.stamp(now_ns);
        let makes_marker = id.is_none() && versioning != Versioning::Never && !caller.key.as_str().ends_with('/');
        if !makes_marker {
            let id = id.cloned().unwrap_or_else(VersionId::null);
            return self.client_remove(caller, &id, bypass_governance, multi, at_ns, now_ns);
        }
        let latest = self.bucket(caller.bucket)?.keys.get(caller.key).and_then(|versions| versions.latest()).cloned();
        let told = |name, version_id, sequencer_ns| Told { name, version_id, sequencer_ns, with_object: false, multi };
        const CREATED: &str = "s3:ObjectRemoved:DeleteMarkerCreated";
        if !self.quirks.always_makes_marker && versioning == Versioning::Enabled {
            match latest {
                None => {
                    self.tell(caller, &told("s3:ObjectRemoved:NoOP", None, at_ns), now_ns)?;
                    return Ok(ClientDeleted { version_id: None, marker: false });
                }
                Some(marker) if marker.is_marker() => {
                    self.tell(caller, &told(CREATED, Some(&marker.id), marker.modified_ns), now_ns)?;
                    return Ok(ClientDeleted { version_id: Some(marker.id), marker: true });
                }
                Some(_) => {}
            }
        }
        let id = if versioning == Versioning::Enabled { self.fresh_version_id() } else { VersionId::null() };
        let marker = Stored { id: id.clone(), modified_ns: at_ns, content: Content::Marker };
        self.place(&caller.version(id.clone()), marker)?;
        let shown = (!multi || self.quirks.wording == Wording::MinIo).then_some(&id);
        let sequencer_ns = if multi { at_ns + MULTI_DELETE_LATE_NS } else { at_ns };
        self.tell(caller, &told(CREATED, shown, sequencer_ns), now_ns)?;
        Ok(ClientDeleted { version_id: Some(id), marker: true })
    }

    fn client_remove(
        &mut self,
        caller: &Caller<'_>,
        id: &VersionId,
        bypass_governance: bool,
        multi: bool,
        at_ns: i64,
        now_ns: i64,
    ) -> Result<ClientDeleted, Refusal> {
        let version = caller.version(id.clone());
        let enabled = self.versioning(caller)? == Versioning::Enabled;
        let null_marker = id.is_null() && enabled && self.get(&version)?.is_some_and(Stored::is_marker);
        let removed = if null_marker && !multi {
            Some(self.restamp(&version, at_ns)?)
        } else {
            self.remove(&version, bypass_governance, None, now_ns)?
        };
        let marker = removed.as_ref().is_some_and(Stored::is_marker);
        let name = match &removed {
            None if !multi => "s3:ObjectRemoved:NoOP",
            Some(_) if marker && !multi && self.quirks.marker_removal_named_creation => {
                "s3:ObjectRemoved:DeleteMarkerCreated"
            }
            _ => "s3:ObjectRemoved:Delete",
        };
        let told = Told { name, version_id: Some(id), sequencer_ns: at_ns, with_object: false, multi };
        self.tell(caller, &told, now_ns)?;
        Ok(ClientDeleted { version_id: removed.map(|removed| removed.id), marker })
    }

    /// What a single DELETE does to a null marker: it stays.
    fn restamp(&mut self, version: &VersionRef, at_ns: i64) -> Result<Stored, Refusal> {
        if !self.quirks.null_marker_restamped {
            return Err(Refusal::CORRUPTED);
        }
        let marker = Stored { id: version.version_id.clone(), modified_ns: at_ns, content: Content::Marker };
        self.place(version, marker.clone())?;
        Ok(marker)
    }

    pub(super) fn client_tag(
        &mut self,
        caller: &Caller<'_>,
        id: Option<&VersionId>,
        tags: &Tags,
        now_ns: i64,
    ) -> Result<(), Refusal> {
        let version = self.resolve(caller, id)?;
        self.set_tags(&version, tags)?;
        let name = match (self.quirks.wording, tags.is_empty()) {
            (Wording::RustFs, false) => "s3:ObjectTagging:Put",
            (Wording::RustFs, true) => "s3:ObjectTagging:Delete",
            (Wording::MinIo, false) => "s3:ObjectCreated:PutTagging",
            (Wording::MinIo, true) => "s3:ObjectCreated:DeleteTagging",
        };
        let born_ns = self.get(&version)?.map_or(now_ns, |stored| stored.modified_ns);
        self.tell_birth(caller, name, &version.version_id, born_ns, now_ns)
    }

    pub(super) fn client_retain(
        &mut self,
        caller: &Caller<'_>,
        id: Option<&VersionId>,
        retention: Option<Retention>,
        bypass_governance: bool,
        now_ns: i64,
    ) -> Result<(), Refusal> {
        let at_ns = self.stamp(now_ns);
        let version = self.resolve(caller, id)?;
        let outcome = self.set_retention(&version, retention, bypass_governance, at_ns);
        self.lock_told(caller, &version, ("s3:PutObjectRetention", "s3:ObjectCreated:PutRetention"), outcome, at_ns)
    }

    pub(super) fn client_legal_hold(
        &mut self,
        caller: &Caller<'_>,
        id: Option<&VersionId>,
        on: bool,
        now_ns: i64,
    ) -> Result<(), Refusal> {
        let at_ns = self.stamp(now_ns);
        let version = self.resolve(caller, id)?;
        let outcome = self.set_legal_hold(&version, on, at_ns);
        self.lock_told(caller, &version, ("s3:PutObjectLegalHold", "s3:ObjectCreated:PutLegalHold"), outcome, at_ns)
    }

    /// RustFS raises no event for lock changes, only an audit record, for refused ones too; MinIO raises an event whose
    /// sequencer is the time of the call.
    fn lock_told(
        &mut self,
        caller: &Caller<'_>,
        version: &VersionRef,
        (trigger, event): (&'static str, &'static str),
        outcome: Result<(), Refusal>,
        at_ns: i64,
    ) -> Result<(), Refusal> {
        let request_id = self.fresh_id();
        self.outbox.audit(&Call {
            trigger,
            event,
            bucket: caller.bucket,
            key: caller.key,
            at_ns,
            principal: caller.access_key,
            request_id: &request_id,
            succeeded: outcome.is_ok(),
            replica_write: false,
        });
        outcome?;
        if self.quirks.wording == Wording::MinIo {
            self.tell_birth(caller, event, &version.version_id, at_ns, at_ns)?;
        }
        Ok(())
    }
}
