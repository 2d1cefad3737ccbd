//! The headers of replica reads and writes, as pure lists.
//!
//! The stores' own headers go out in both spellings, so that one code serves both families.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlog_schemas::{Checksum, ChecksumType, Encryption, Retention, RetentionMode, VersionRef};

use crate::dialect::Dialect;
use crate::replica::Replica;

/// Header lines in the order in which they are written.
pub(super) type HeaderLines = Vec<(Cow<'static, str>, String)>;

/// One header in the spellings of both families.
type Both = [&'static str; 2];

const PROXY: Both = ["x-rustfs-source-proxy-request", "x-minio-source-proxy-request"];
const REQUEST: Both = ["x-rustfs-source-replication-request", "x-minio-source-replication-request"];
const VERSION: Both = ["x-rustfs-source-version-id", "x-minio-source-version-id"];
const MARKER: Both = ["x-rustfs-source-deletemarker", "x-minio-source-deletemarker"];
const MTIME: Both = ["x-rustfs-source-mtime", "x-minio-source-mtime"];
const ETAG: Both = ["x-rustfs-source-etag", "x-minio-source-etag"];
const TAGS_AT: Both = ["x-rustfs-source-replication-tagging-timestamp", "x-minio-source-replication-tagging-timestamp"];
const RETENTION_AT: Both =
    ["x-rustfs-source-replication-retention-timestamp", "x-minio-source-replication-retention-timestamp"];
const HOLD_AT: Both =
    ["x-rustfs-source-replication-legalhold-timestamp", "x-minio-source-replication-legalhold-timestamp"];

const CLEAR_SIZE: Both = ["x-rustfs-replication-actual-object-size", "x-minio-replication-actual-object-size"];

/// The tags of a PUT.
pub(super) const TAGGING: &str = "x-amz-tagging";

/// What stays as it is in a form-encoded value.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Which request of an object's writing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// A single PUT.
    Put,
    /// The begin of a multipart upload.
    Create,
    /// The end of one.
    Complete,
}

/// Why a replica cannot be written at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritable {
    /// Needs a key that only the customer has.
    #[error("the version is encrypted with a customer's key")]
    CustomerKey,
    /// A symbol of a newer release.
    #[error("the encryption class is not known to this release")]
    UnknownEncryption,
    /// A time beyond what can be written.
    #[error("the time {0} is out of range")]
    Time(i64),
}

/// A read that is not passed on to the store's replication peers.
pub(super) fn local_read() -> HeaderLines {
    let mut lines = HeaderLines::with_capacity(2);
    both(&mut lines, PROXY, "false");
    lines
}

/// A write that causes no notice.
pub(super) fn silent() -> HeaderLines {
    let mut lines = HeaderLines::with_capacity(2);
    both(&mut lines, REQUEST, "true");
    lines
}

/// A delete marker with its source's id and time.
pub(super) fn marker(version: &VersionRef, modified_at_ns: i64) -> Result<HeaderLines, Unwritable> {
    let mut lines = identity(version);
    both(&mut lines, MARKER, "true");
    both(&mut lines, MTIME, &rfc3339(modified_at_ns)?);
    Ok(lines)
}

/// An object's writing.
pub(super) fn object(replica: &Replica, stage: Stage, dialect: &dyn Dialect) -> Result<HeaderLines, Unwritable> {
    let mut lines = identity(&replica.version);
    if stage != Stage::Create || dialect.upload_takes_mtime_on_create() {
        both(&mut lines, MTIME, &rfc3339(replica.modified_at_ns)?);
    }
    if replica.send_etag {
        both(&mut lines, ETAG, &replica.etag);
    }
    // All three are always sent: without them a store sets its bucket's default retention, or takes what it holds for
    // newer and refuses.
    both(&mut lines, TAGS_AT, &rfc3339(replica.tags_at_ns)?);
    both(&mut lines, RETENTION_AT, &rfc3339(replica.retention_at_ns)?);
    both(&mut lines, HOLD_AT, &rfc3339(replica.legal_hold_at_ns)?);
    if stage != Stage::Complete {
        content(&mut lines, replica, dialect);
        lock(&mut lines, replica)?;
        encryption(&mut lines, replica)?;
    }
    checksums(&mut lines, replica, stage);
    Ok(lines)
}

/// What makes a request the write of a replica of this version.
pub(super) fn identity(version: &VersionRef) -> HeaderLines {
    let mut lines = HeaderLines::with_capacity(40);
    one(&mut lines, "x-amz-replication-status", "REPLICA");
    both(&mut lines, REQUEST, "true");
    both(&mut lines, VERSION, version.version_id.as_str());
    lines
}

/// How many bytes a client reads of the object that an upload makes. RustFS takes it from here alone: without it, an
/// object that it encrypts reads as empty.
pub(super) fn clear_size(lines: &mut HeaderLines, bytes: u64) {
    both(lines, CLEAR_SIZE, &bytes.to_string());
}

fn content(lines: &mut HeaderLines, replica: &Replica, dialect: &dyn Dialect) {
    let headers = &replica.headers;
    let redirect = headers.website_redirect.as_ref().filter(|_| dialect.keeps_website_redirect());
    let named = [
        ("content-type", &headers.content_type),
        ("cache-control", &headers.cache_control),
        ("content-disposition", &headers.content_disposition),
        ("content-encoding", &headers.content_encoding),
        ("content-language", &headers.content_language),
        ("expires", &headers.expires),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            one(lines, name, value);
        }
    }
    if let Some(redirect) = redirect {
        one(lines, "x-amz-website-redirect-location", redirect);
    }
    for (name, value) in &replica.user_metadata {
        lines.push((Cow::Owned(format!("x-amz-meta-{name}")), value.clone()));
    }
    if !replica.tags.is_empty() {
        one(lines, TAGGING, &form(&replica.tags));
    }
    if let Some(class @ ("STANDARD" | "REDUCED_REDUNDANCY")) = replica.storage_class.as_deref() {
        one(lines, "x-amz-storage-class", class);
    }
}

fn lock(lines: &mut HeaderLines, replica: &Replica) -> Result<(), Unwritable> {
    if let Some(Retention { mode, until_ms }) = replica.retention {
        one(lines, "x-amz-object-lock-mode", mode_name(mode));
        one(lines, "x-amz-object-lock-retain-until-date", &rfc3339(until_ms.saturating_mul(1_000_000))?);
    }
    if replica.legal_hold {
        one(lines, "x-amz-object-lock-legal-hold", "ON");
    }
    Ok(())
}

fn encryption(lines: &mut HeaderLines, replica: &Replica) -> Result<(), Unwritable> {
    match replica.encryption {
        Encryption::None => {}
        Encryption::SseS3 => one(lines, "x-amz-server-side-encryption", "AES256"),
        Encryption::SseKms => one(lines, "x-amz-server-side-encryption", "aws:kms"),
        Encryption::SseC => return Err(Unwritable::CustomerKey),
        Encryption::Unknown => return Err(Unwritable::UnknownEncryption),
    }
    Ok(())
}

fn checksums(lines: &mut HeaderLines, replica: &Replica, stage: Stage) {
    if stage == Stage::Create {
        if let Some(Checksum { algorithm, kind, .. }) = replica.checksums.first() {
            one(lines, "x-amz-checksum-algorithm", algorithm);
            one(lines, "x-amz-checksum-type", type_name(*kind));
        }
        return;
    }
    // A composite value is made of the parts', so the store makes it itself.
    for checksum in replica.checksums.iter().filter(|checksum| checksum.kind == ChecksumType::FullObject) {
        let name = format!("x-amz-checksum-{}", checksum.algorithm.to_ascii_lowercase());
        lines.push((Cow::Owned(name), checksum.value.clone()));
        if stage == Stage::Complete {
            one(lines, "x-amz-checksum-type", type_name(checksum.kind));
        }
    }
}

fn type_name(kind: ChecksumType) -> &'static str {
    if kind == ChecksumType::Composite { "COMPOSITE" } else { "FULL_OBJECT" }
}

/// A retention mode as S3 spells it.
pub(super) fn mode_name(mode: RetentionMode) -> &'static str {
    match mode {
        RetentionMode::Governance => "GOVERNANCE",
        RetentionMode::Compliance => "COMPLIANCE",
    }
}

/// How many bytes these lines have on the wire.
pub(super) fn wire_size(lines: &HeaderLines) -> usize {
    lines.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
}

fn one(lines: &mut HeaderLines, name: &'static str, value: &str) {
    lines.push((Cow::Borrowed(name), value.to_owned()));
}

fn both(lines: &mut HeaderLines, names: Both, value: &str) {
    for name in names {
        one(lines, name, value);
    }
}

fn rfc3339(ns: i64) -> Result<String, Unwritable> {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ns)).map_err(|_| Unwritable::Time(ns))?;
    time.format(&Rfc3339).map_err(|_| Unwritable::Time(ns))
}

/// `k=v&k=v`, percent-encoded, spaces as `%20`.
pub(super) fn form(pairs: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        let joint = if text.is_empty() { "" } else { "&" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{joint}{}={}", utf8_percent_encode(key, FORM), utf8_percent_encode(value, FORM));
    }
    text
}

#[cfg(test)]
#[path = "headers_test.rs"]
mod tests;
