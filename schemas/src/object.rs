//! What an object version is, apart from its address: the part of a change event that describes an object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::stamp::{Retention, Stamp, Tags};

/// Everything a replica needs besides the address, the time and (for large objects) the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectState {
    /// Bytes of the body as a client reads it.
    pub size: i64,
    /// The ETag without quotes; `<md5>-<parts>` for multipart objects.
    pub etag: String,
    /// Content headers as stored.
    pub headers: ContentHeaders,
    /// User metadata, names without `x-amz-meta-`, lower case.
    #[serde(default)]
    pub user_metadata: BTreeMap<String, String>,
    /// The tags, where this event speaks of them: always at a birth if there are any, else only when they are what was told.
    pub tags: Option<Stamp<Tags>>,
    /// Likewise the retention; a value of `None` says that there is no retention now.
    pub retention: Option<Stamp<Option<Retention>>>,
    /// Likewise the legal hold; `false` is OFF or never set.
    pub legal_hold: Option<Stamp<bool>>,
    /// The storage class where the store names one.
    pub storage_class: Option<String>,
    /// How it is encrypted at its source.
    pub encryption: Encryption,
    /// Checksums that the source's client sent.
    #[serde(default)]
    pub checksums: Vec<Checksum>,
    /// Part numbers and sizes of a multipart object in order; empty for a single PUT.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// The whole body, when it is small enough to travel along.
    #[serde(default, with = "apache_avro::serde::bytes_opt")]
    pub body: Option<Vec<u8>>,
}

/// The headers that S3 stores verbatim with an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, verbatim: never parsed.
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    pub website_redirect: Option<String>,
}

/// The encryption class of a version; keys never travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Encryption {
    /// Stored in clear.
    None,
    /// With keys of the store.
    SseS3,
    /// With keys of a key service.
    SseKms,
    /// With a key that only the customer has.
    SseC,
    /// A symbol that a newer release wrote.
    #[serde(other)]
    Unknown,
}

/// One checksum of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Checksum {
    /// The algorithm as S3 names it: `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1`, `SHA256`.
    pub algorithm: String,
    /// The base64 value as S3 shows it (`…-2` for a composite one).
    pub value: String,
    /// What the value is of.
    #[serde(rename = "type")]
    pub kind: ChecksumType,
}

/// Whether a checksum is of all bytes or of the parts' checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChecksumType {
    /// Of all bytes.
    FullObject,
    /// Of the parts' checksums.
    Composite,
    /// A symbol that a newer release wrote.
    #[serde(other)]
    Unknown,
}

/// One part of a multipart object; numbers may have gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Part {
    /// 1 to 10,000.
    pub number: i32,
    /// Bytes.
    pub size: i64,
}

/// How exact a version's modification time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TimePrecision {
    /// The store's own nanoseconds.
    Nanoseconds,
    /// The listed millisecond; below it, assigned so that the listing's order is kept.
    Milliseconds,
    /// Only whole seconds were to be had.
    #[serde(other)]
    Seconds,
}
