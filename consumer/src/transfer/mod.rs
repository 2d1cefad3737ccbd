//! Moving bodies: inline, streamed, or part by part, each verified on the way.

mod budget;
mod multipart;
mod single;
mod spool;
mod upload;

pub use budget::Budget;
pub use upload::spent;

use std::ops::Range;
use std::path::Path;

use md5::{Digest, Md5};
use twinlog_schemas::{ChangeEvent, ChecksumType, Encryption, ObjectState};
use twinlog_site::{BodyStream, Replica, Site, SiteError, SiteErrorKind, Written};

use crate::failure::End;
use crate::plan::Attributes;

/// A body or part up to this size is read whole, where it cannot be sent as it comes.
const BUFFERED: u64 = 8 << 20;
/// What one body takes up in memory that is sent as it comes.
const STREAMING: u64 = 256 << 10;

/// A store call that failed, and at which end.
#[derive(Debug)]
pub struct Trouble {
    /// Which end.
    pub end: End,
    /// The error.
    pub error: Box<SiteError>,
}

impl Trouble {
    pub(crate) fn source(error: SiteError) -> Self {
        Self { end: End::Source, error: Box::new(error) }
    }

    pub(crate) fn target(error: SiteError) -> Self {
        Self { end: End::Target, error: Box::new(error) }
    }
}

/// One object on its way.
pub struct Transfer<'a> {
    /// Where the body is read if it did not travel along.
    pub source: &'a dyn Site,
    /// Where it is written.
    pub target: &'a dyn Site,
    /// The bound of what is buffered at a time.
    pub budget: &'a Budget,
    /// What is written.
    pub replica: Replica,
    /// The object as the event describes it.
    pub object: &'a ObjectState,
    /// Whether the target keeps the bytes in clear, so that the ETag of what is sent is its digest.
    pub clear: bool,
    /// The folder for bodies that must be hashed before they are sent and are too large for memory.
    pub spool: &'a Path,
}

impl Transfer<'_> {
    /// Opens the body at the source, or a range of it.
    async fn open(&self, range: Option<Range<u64>>) -> Result<BodyStream, Trouble> {
        self.source.open(&self.replica.version, range, &self.object.etag).await.map_err(Trouble::source)
    }

    /// Whether something proves that the bytes written are the source's: its ETag, or a checksum of the whole, which the
    /// target compares.
    #[must_use]
    pub fn proves(&self, written: &Written) -> bool {
        let digest = if self.object.parts.is_empty() { digest(&self.object.etag) } else { None };
        let by_etag = match digest {
            Some(digest) => self.digest_etag() || written.sent_md5 == Some(digest),
            None => self.digest_etag() && !self.object.parts.is_empty(),
        };
        by_etag || self.object.checksums.iter().any(|checksum| checksum.kind == ChecksumType::FullObject)
    }

    /// Whether the source's ETag, where it has the form of a digest, is one.
    fn digest_etag(&self) -> bool {
        self.object.encryption == Encryption::None
    }

    /// The body that travelled along, if it is still the one that the ETag is the digest of: capture may have read it
    /// over a wire that damaged it. If not, the source is asked.
    fn inline(&self) -> Option<&[u8]> {
        let inline = self.object.body.as_deref()?;
        let made = if self.object.parts.is_empty() {
            hex::encode(Md5::digest(inline))
        } else {
            multipart::etag(&self.object.parts, inline)
        };
        let checkable = self.digest_etag() && made.len() == self.object.etag.len();
        let intact = !checkable || made == self.object.etag;
        if !intact {
            tracing::warn!(version = %self.replica.version, "the event's body is not its ETag's: asking the source");
        }
        intact.then_some(inline)
    }

    /// Bytes that are not what they should be, found before they could do harm.
    fn broken(&self, operation: &'static str, message: String) -> Trouble {
        Trouble::target(SiteError {
            operation,
            subject: self.replica.version.to_string(),
            site: self.target.name().clone(),
            kind: SiteErrorKind::Digest,
            status: None,
            code: None,
            message,
            outcome_unknown: false,
        })
    }
}

/// The replica that an event and the index's attributes make.
#[must_use]
pub fn replica(event: &ChangeEvent, object: &ObjectState, attributes: &Attributes, target_encrypts: bool) -> Replica {
    let at = |stamped: Option<i64>| stamped.unwrap_or(event.modified_at_ns);
    Replica {
        version: event.version(),
        modified_at_ns: event.modified_at_ns,
        etag: object.etag.clone(),
        send_etag: digest(&object.etag).is_none() || object.encryption != Encryption::None || target_encrypts,
        headers: object.headers.clone(),
        user_metadata: object.user_metadata.clone(),
        tags: attributes.tags.clone(),
        retention: attributes.retention,
        legal_hold: attributes.legal_hold,
        tags_at_ns: at(object.tags.as_ref().map(|stamp| stamp.changed_at_ns)),
        retention_at_ns: at(object.retention.as_ref().map(|stamp| stamp.changed_at_ns)),
        legal_hold_at_ns: at(object.legal_hold.as_ref().map(|stamp| stamp.changed_at_ns)),
        storage_class: object.storage_class.clone(),
        encryption: object.encryption,
        checksums: object.checksums.clone(),
    }
}

/// The MD5 that an ETag is, where it has the form of one.
#[must_use]
pub fn digest(etag: &str) -> Option<[u8; 16]> {
    let mut digest = [0; 16];
    (etag.len() == 32).then(|| hex::decode_to_slice(etag, &mut digest).ok().map(|()| digest)).flatten()
}
