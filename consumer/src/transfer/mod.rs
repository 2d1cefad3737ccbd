//! Moving bodies: inline, streamed, or part by part, each verified on the way.

mod budget;
mod multipart;
mod single;

pub use budget::Budget;

use md5::{Digest, Md5};
use twinlog_schemas::{ChangeEvent, Encryption, ObjectState};
use twinlog_site::{Precondition, Replica, Site, SiteError, SiteErrorKind, Written};

use crate::failure::End;
use crate::plan::Attributes;

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
}

impl Transfer<'_> {
    /// Moves the body and writes the version. Part by part no precondition is looked at: the caller has read the target.
    pub async fn run(&self, precondition: &Precondition) -> Result<Written, Trouble> {
        if self.object.parts.is_empty() { self.single(precondition).await } else { self.multipart().await }
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
        let checkable = self.object.encryption == Encryption::None && made.len() == self.object.etag.len();
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
