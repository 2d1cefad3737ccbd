//! Multipart uploads of the in-memory store.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use twinlog_schemas::{Part, VersionRef};

use crate::replica::{PartWritten, Replica, Upload, UploadChecksum};

use super::refusal::Refusal;
use super::store::Store;

/// An upload that is not complete.
#[derive(Debug, Clone)]
pub(super) struct PendingUpload {
    pub(super) version: VersionRef,
    pub(super) initiated_ms: i64,
    pub(super) checksum: Option<UploadChecksum>,
    parts: BTreeMap<i32, Bytes>,
}

/// The MD5 of bytes, in hex.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

impl PendingUpload {
    pub(super) fn upload(&self, upload_id: &str) -> Upload {
        Upload {
            version: self.version.clone(),
            upload_id: upload_id.to_owned(),
            initiated_ms: Some(self.initiated_ms),
            checksum: self.checksum.clone(),
        }
    }

    pub(super) fn parts(&self) -> Vec<PartWritten> {
        let written = |(number, bytes): (&i32, &Bytes)| PartWritten {
            part: Part { number: *number, size: bytes.len() as i64 },
            etag: md5_hex(bytes),
            sent_md5: None,
            checksums: Vec::new(),
        };
        self.parts.iter().map(written).collect()
    }
}

/// What the parts of a completed upload come to.
pub(super) struct Assembled {
    pub(super) body: Bytes,
    pub(super) etag: String,
    pub(super) parts: Vec<Part>,
}

impl Store {
    pub(super) fn begin_upload(
        &mut self,
        version: &VersionRef,
        checksum: Option<UploadChecksum>,
        now_ns: i64,
    ) -> Result<Upload, Refusal> {
        let upload_id = self.fresh_id();
        let initiated_ms = now_ns.div_euclid(1_000_000);
        let pending = PendingUpload { version: version.clone(), initiated_ms, checksum, parts: BTreeMap::new() };
        let upload = pending.upload(&upload_id);
        self.bucket_mut(&version.bucket)?.uploads.insert(upload_id, pending);
        Ok(upload)
    }

    pub(super) fn begin_replica_upload(&mut self, replica: &Replica, now_ns: i64) -> Result<Upload, Refusal> {
        self.admit(replica, now_ns)?;
        let checksum = replica
            .checksums
            .first()
            .map(|checksum| UploadChecksum { algorithm: checksum.algorithm.clone(), kind: checksum.kind });
        self.begin_upload(&replica.version, checksum, now_ns)
    }

    pub(super) fn add_part(&mut self, upload: &Upload, number: i32, bytes: Bytes) -> Result<String, Refusal> {
        let pending = self
            .bucket_mut(&upload.version.bucket)?
            .uploads
            .get_mut(&upload.upload_id)
            .ok_or(Refusal::NO_SUCH_UPLOAD)?;
        let etag = md5_hex(&bytes);
        pending.parts.insert(number, bytes);
        Ok(etag)
    }

    /// Puts the named parts together. The upload stays until [`Store::end_upload`].
    pub(super) fn assemble(&self, upload: &Upload, parts: &[(i32, String)]) -> Result<Assembled, Refusal> {
        let bucket = self.bucket(&upload.version.bucket)?;
        let pending = bucket.uploads.get(&upload.upload_id).ok_or(Refusal::NO_SUCH_UPLOAD)?;
        let mut body = BytesMut::new();
        let mut digests = Md5::new();
        let mut layout: Vec<Part> = Vec::new();
        for (at, (number, etag)) in parts.iter().enumerate() {
            let bytes =
                pending.parts.get(number).filter(|bytes| md5_hex(bytes) == *etag).ok_or(Refusal::INVALID_PART)?;
            if layout.last().is_some_and(|before| before.number >= *number) {
                return Err(Refusal::INVALID_PART);
            }
            if at + 1 < parts.len() && (bytes.len() as i64) < self.min_part_bytes {
                return Err(Refusal::PART_TOO_SMALL);
            }
            digests.update(Md5::digest(bytes));
            body.extend_from_slice(bytes);
            layout.push(Part { number: *number, size: bytes.len() as i64 });
        }
        if layout.is_empty() {
            return Err(Refusal::INVALID_PART);
        }
        let etag = format!("{}-{}", hex::encode(digests.finalize()), layout.len());
        Ok(Assembled { body: body.freeze(), etag, parts: layout })
    }

    pub(super) fn end_upload(&mut self, upload: &Upload) -> Result<(), Refusal> {
        self.bucket_mut(&upload.version.bucket)?.uploads.remove(&upload.upload_id);
        Ok(())
    }
}
