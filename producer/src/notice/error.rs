//! Why bytes are not a notice.

use twinlog_schemas::NameError;

/// What is wrong with a notice, and where in it. Never quotes more of it than a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// Nothing but white space.
    #[error("the body is empty; a notice is a JSON document with a member `Records`")]
    Empty,
    /// Not JSON at all, or cut short.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// JSON, but neither an S3 event, nor an audit record, nor one of Twinlog's own.
    #[error("{0}: neither an S3 event (`s3`), nor an audit record (`trigger`), nor a document with `Records`")]
    NotANotice(Place),
    /// A member is missing or of the wrong type.
    #[error("{place}: {why}")]
    Member {
        /// Where.
        place: Place,
        /// Serde's words, which name the member.
        why: String,
    },
    /// A bucket, key or version id that cannot be.
    #[error("{place}: {error}")]
    Name {
        /// Where.
        place: Place,
        /// What is wrong with it.
        error: NameError,
    },
    /// The key is form-urlencoded, and decodes to something that is not UTF-8.
    #[error("{0}: `s3.object.key` does not decode to UTF-8")]
    KeyEncoding(Place),
    /// A time that is not RFC 3339.
    #[error("{place}: `eventTime` {text:?} is not an RFC 3339 time")]
    Time {
        /// Where.
        place: Place,
        /// What stands there.
        text: String,
    },
}

/// Which document of a body, and which record of it; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The document (a body may hold several, one after the other or in an array).
    pub document: usize,
    /// The record in the document's `Records`; 1 for a record that stands bare.
    pub record: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "document {}, record {}", self.document, self.record)
    }
}
