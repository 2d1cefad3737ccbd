//! Replica writes as the stores take them, quirks included. Each function is one request at its arrival.

use bytes::Bytes;
use twinlog_schemas::{Part, Retention, Tags, VersionRef};

use crate::bucket::Versioning;
use crate::replica::{PartWritten, Precondition, Replica, Upload, Written};

use super::admission;
use super::lock;
use super::refusal::Refusal;
use super::store::Store;
use super::stored::{Content, Stored, StoredObject};
use super::upload::md5_hex;

const REPLICA: &str = "REPLICA";

impl Store {
    /// What is refused before the version of the same id is looked at.
    pub(super) fn admit(&self, replica: &Replica, now_ns: i64) -> Result<(), Refusal> {
        let state = &self.bucket(&replica.version.bucket)?.state;
        admission::key(&replica.version.key)?;
        admission::tags(&replica.tags, self.quirks.ascii_tags_only)?;
        let versioned = state.versioning == Versioning::Enabled || replica.version.version_id.is_null();
        if !versioned && !self.quirks.put_into_unversioned {
            return Err(Refusal::UNVERSIONED);
        }
        if !state.object_lock && (replica.retention.is_some() || replica.legal_hold) {
            return Err(Refusal::LOCK_ABSENT);
        }
        let past = replica.retention.is_some_and(|retention| !retention.in_force(now_ns.div_euclid(1_000_000)));
        if past && self.quirks.refuses_past_retention { Err(Refusal::PAST) } else { Ok(()) }
    }

    fn check_present(&self, replica: &Replica, condition: Option<&Precondition>, now_ns: i64) -> Result<(), Refusal> {
        let present = self.get(&replica.version)?;
        let object = present.and_then(Stored::object);
        if let Some(object) = object {
            let retained = object.retention.is_some_and(|retention| retention.in_force(now_ns.div_euclid(1_000_000)));
            let newer = (retained && object.retention_at_ns > replica.retention_at_ns)
                || (object.legal_hold && object.legal_hold_at_ns > replica.legal_hold_at_ns);
            if newer && self.quirks.guards_newer_lock {
                return Err(Refusal::LOCKED);
            }
            if replica.send_etag && self.quirks.refuses_equal_source_etag && object.etag == replica.etag {
                return Err(Refusal::PRECONDITION);
            }
        }
        match condition {
            Some(Precondition::Absent) if object.is_some() => Err(Refusal::PRECONDITION),
            Some(Precondition::Absent) if present.is_some() && !self.quirks.put_replaces_marker => {
                Err(Refusal::MARKER_THERE)
            }
            Some(Precondition::Etag(etag)) if object.is_none_or(|object| object.etag != *etag) => {
                Err(Refusal::PRECONDITION)
            }
            _ => Ok(()),
        }
    }

    fn place_replica(
        &mut self,
        replica: &Replica,
        body: Bytes,
        etag: String,
        parts: Vec<Part>,
    ) -> Result<Written, Refusal> {
        let etag = if replica.send_etag { replica.etag.clone() } else { etag };
        let sent_md5 = parts.is_empty().then(|| super::body::md5(&body));
        let mut headers = replica.headers.clone();
        if self.quirks.drops_website_redirect {
            headers.website_redirect = None;
        }
        let known_class = |class: &String| matches!(class.as_str(), "STANDARD" | "REDUCED_REDUNDANCY");
        let object = StoredObject {
            body,
            etag: etag.clone(),
            headers,
            user_metadata: replica.user_metadata.clone(),
            tags: replica.tags.clone(),
            retention: replica.retention,
            retention_at_ns: replica.retention_at_ns,
            legal_hold: replica.legal_hold,
            legal_hold_at_ns: replica.legal_hold_at_ns,
            storage_class: replica.storage_class.clone().filter(known_class),
            encryption: replica.encryption,
            checksums: replica.checksums.clone(),
            parts,
            replication_status: Some(REPLICA.to_owned()),
        };
        let id = replica.version.version_id.clone();
        let content = Content::Object(Box::new(object));
        self.place(&replica.version, Stored { id: id.clone(), modified_ns: replica.modified_at_ns, content })?;
        let enabled = self.bucket(&replica.version.bucket)?.state.versioning == Versioning::Enabled;
        let named = enabled && (!id.is_null() || self.quirks.answers_null_version);
        Ok(Written { version_id: named.then_some(id), etag: Some(etag), sent_md5 })
    }

    pub(super) fn put_replica(
        &mut self,
        replica: &Replica,
        body: Bytes,
        precondition: &Precondition,
        now_ns: i64,
    ) -> Result<Written, Refusal> {
        self.admit(replica, now_ns)?;
        self.check_present(replica, Some(precondition), now_ns)?;
        let etag = md5_hex(&body);
        self.place_replica(replica, body, etag, Vec::new())
    }

    pub(super) fn complete_replica(
        &mut self,
        upload: &Upload,
        replica: &Replica,
        parts: &[PartWritten],
        now_ns: i64,
    ) -> Result<Written, Refusal> {
        let named: Vec<_> = parts.iter().map(|part| (part.part.number, part.etag.clone())).collect();
        let assembled = self.assemble(upload, &named)?;
        self.check_present(replica, None, now_ns)?;
        let written = self.place_replica(replica, assembled.body, assembled.etag, assembled.parts)?;
        self.end_upload(upload)?;
        Ok(written)
    }

    /// A delete marker with REPLICA status. Over a marker or an object of the same id it removes that one instead.
    pub(super) fn put_replica_marker(
        &mut self,
        version: &VersionRef,
        modified_ns: i64,
        now_ns: i64,
    ) -> Result<Written, Refusal> {
        let bucket = self.bucket(&version.bucket)?;
        let null = version.version_id.is_null();
        let answer = Written { version_id: Some(version.version_id.clone()), etag: None, sent_md5: None };
        let present = bucket.get(&version.key, &version.version_id);
        if let Some(object) = present.and_then(Stored::object) {
            if let Err(locked) = lock::may_remove(object, true, now_ns.div_euclid(1_000_000)) {
                if !self.quirks.replica_status_breaks_locks {
                    return Err(locked);
                }
                self.broken_locks.push(version.clone());
            }
            self.bucket_mut(&version.bucket)?.remove(&version.key, &version.version_id);
            return Ok(answer);
        }
        let toggles = present.is_some() && !(null && self.quirks.null_markers);
        if toggles {
            self.bucket_mut(&version.bucket)?.remove(&version.key, &version.version_id);
            return Ok(answer);
        }
        if null && !self.quirks.null_markers {
            return Err(Refusal::CORRUPTED);
        }
        if bucket.state.versioning != Versioning::Enabled {
            return Ok(answer);
        }
        let id = version.version_id.clone();
        self.place(version, Stored { id, modified_ns, content: Content::Marker })?;
        Ok(answer)
    }

    /// A permanent removal without REPLICA status, as clients make it too. What was removed is returned.
    pub(super) fn remove(
        &mut self,
        version: &VersionRef,
        bypass_governance: bool,
        if_match: Option<&str>,
        now_ns: i64,
    ) -> Result<Option<Stored>, Refusal> {
        let Some(present) = self.get(version)? else { return Ok(None) };
        if let Some(object) = present.object() {
            if self.quirks.if_match_on_delete && if_match.is_some_and(|etag| etag != object.etag) {
                return Err(Refusal::PRECONDITION);
            }
            lock::may_remove(object, bypass_governance, now_ns.div_euclid(1_000_000))?;
        }
        Ok(self.bucket_mut(&version.bucket)?.remove(&version.key, &version.version_id))
    }

    pub(super) fn set_tags(&mut self, version: &VersionRef, tags: &Tags) -> Result<(), Refusal> {
        admission::tags(tags, self.quirks.ascii_tags_only)?;
        let object = self.bucket_mut(&version.bucket)?.object_mut(&version.key, &version.version_id)?;
        object.tags.clone_from(tags);
        Ok(())
    }

    pub(super) fn set_retention(
        &mut self,
        version: &VersionRef,
        retention: Option<Retention>,
        bypass_governance: bool,
        now_ns: i64,
    ) -> Result<(), Refusal> {
        let bucket = self.bucket_mut(&version.bucket)?;
        if !bucket.state.object_lock {
            return Err(Refusal::LOCK_ABSENT);
        }
        let object = bucket.object_mut(&version.key, &version.version_id)?;
        lock::may_retain(object.retention, retention, bypass_governance, now_ns.div_euclid(1_000_000))?;
        object.retention = retention;
        object.retention_at_ns = now_ns;
        Ok(())
    }

    pub(super) fn set_legal_hold(&mut self, version: &VersionRef, on: bool, now_ns: i64) -> Result<(), Refusal> {
        let absent_is_server_error = self.quirks.legal_hold_absent_is_server_error;
        let bucket = self.bucket_mut(&version.bucket)?;
        if !bucket.state.object_lock {
            return Err(Refusal::LOCK_ABSENT);
        }
        let object = match bucket.object_mut(&version.key, &version.version_id) {
            Err(_) if absent_is_server_error => return Err(Refusal::CORRUPTED),
            found => found?,
        };
        object.legal_hold = on;
        object.legal_hold_at_ns = now_ns;
        Ok(())
    }
}
