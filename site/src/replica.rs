//! What is written into a store.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use twinlog_schemas::{
    Checksum, ChecksumType, ContentHeaders, Encryption, Part, Retention, Tags, VersionId, VersionRef,
};

use crate::contract::BodyStream;

/// An object version to be written as it is at its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// The address, with the source's version id.
    pub version: VersionRef,
    /// The source's modification time, nanoseconds since the Unix epoch.
    pub modified_at_ns: i64,
    /// The source's ETag.
    pub etag: String,
    /// Send `source-etag`: only where the ETag is not the digest of the bytes, or the target encrypts by default,
    /// because a store keeps and returns it unchecked.
    pub send_etag: bool,
    /// Content headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub user_metadata: BTreeMap<String, String>,
    /// Tags to be written.
    pub tags: Tags,
    /// Retention to be written; the caller has left out one that is expired.
    pub retention: Option<Retention>,
    /// Legal hold to be written.
    pub legal_hold: bool,
    /// The changed-at of the three categories (nanoseconds), sent as the stores' replication timestamps; where there is
    /// no stamp the version's own time.
    pub tags_at_ns: i64,
    /// See [`Replica::tags_at_ns`].
    pub retention_at_ns: i64,
    /// See [`Replica::tags_at_ns`].
    pub legal_hold_at_ns: i64,
    /// Storage class; anything but STANDARD and REDUCED_REDUNDANCY is left out by the dialect.
    pub storage_class: Option<String>,
    /// The encryption class asked for.
    pub encryption: Encryption,
    /// The source's checksums, for the target to keep.
    pub checksums: Vec<Checksum>,
}

impl Replica {
    /// The multipart upload of this id that will become this replica.
    #[must_use]
    pub fn upload(&self, upload_id: &str) -> Upload {
        let checksum = self
            .checksums
            .first()
            .map(|checksum| UploadChecksum { algorithm: checksum.algorithm.clone(), kind: checksum.kind });
        let version = self.version.clone();
        Upload { version, upload_id: upload_id.to_owned(), initiated_ms: None, checksum }
    }
}

/// Bytes to be written.
pub enum Body {
    /// In memory; Content-MD5 is computed by the site.
    Bytes(Bytes),
    /// Streamed, sent once. The site counts the bytes, hashes them and compares.
    Stream {
        /// The bytes.
        stream: BodyStream,
        /// How many there will be.
        length: u64,
        /// The MD5 of all bytes where it is known beforehand: sent as Content-MD5.
        md5: Option<[u8; 16]>,
    },
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Bytes(bytes) => write!(f, "Body::Bytes({} bytes)", bytes.len()),
            Body::Stream { length, .. } => write!(f, "Body::Stream({length} bytes)"),
        }
    }
}

/// When an object write may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Only if no version of this id is there (`If-None-Match: *`): otherwise [`crate::SiteErrorKind::Precondition`].
    Absent,
    /// Only if the version has this ETag (null versions).
    Etag(String),
}

/// What the store answered to a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The version id that the store says it wrote; `None` where the answer does not say.
    pub version_id: Option<VersionId>,
    /// The ETag that the store says, without quotes.
    pub etag: Option<String>,
    /// MD5 of the bytes as they were sent, where the site saw them all (single PUTs).
    pub sent_md5: Option<[u8; 16]>,
}

/// An unfinished multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The version that it will become. Stores do not list it: of an upload found by [`crate::Site::uploads_of`] the id
    /// is `null`, and whoever resumes it must know from elsewhere which version it belongs to ([`Replica::upload`]).
    pub version: VersionRef,
    /// The store's upload id.
    pub upload_id: String,
    /// When it began, milliseconds since the Unix epoch, as the store says.
    pub initiated_ms: Option<i64>,
    /// The checksum that it was begun with: every part must carry one of this algorithm, computed from the stream.
    pub checksum: Option<UploadChecksum>,
}

/// The checksum of a multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadChecksum {
    /// The algorithm as S3 names it, e.g. `CRC32C`.
    pub algorithm: String,
    /// What the whole object's value will be of.
    pub kind: ChecksumType,
}

/// A part that the store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartWritten {
    /// Number and size.
    pub part: Part,
    /// The part's ETag without quotes: the MD5 of its bytes in hex where the store does not encrypt.
    pub etag: String,
    /// MD5 of the bytes as they were sent; `None` when the part was found by [`crate::Site::parts_of`].
    pub sent_md5: Option<[u8; 16]>,
    /// The part's checksums that the store told.
    pub checksums: Vec<Checksum>,
}
