//! What can be wrong with a record or a schema, and what the caller does about it.

use super::published::RecordKind;

/// Why a record could not be decoded. [`DecodeError::holds_link`] says what happens next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Neither Avro single-object encoding nor Confluent's format: a dead letter.
    #[error("the record is not Avro: it begins neither with c301 (single-object encoding) nor with 00 (Confluent)")]
    NotAvro,
    /// Confluent's wire format, and no schema registry is configured: holds the link.
    #[error("the record is in Confluent's wire format, for which no schema registry is configured")]
    ConfluentWithoutRegistry,
    /// Written with a schema that this release does not know and has not learned: holds the link.
    #[error("the record was written with the unknown schema {0:016x}: a newer release wrote it, upgrade this one")]
    UnknownFingerprint(u64),
    /// The schema is understood, one of its symbols is not: holds the link.
    #[error("the record has a {0} that this release does not know: a newer release wrote it, upgrade this one")]
    UnknownKind(&'static str),
    /// The schema is understood, but not what was written with it (a new symbol where none can be guessed): holds the link.
    #[error("the record says what this release cannot understand: {0}: a newer release wrote it, upgrade this one")]
    NotUnderstood(String),
    /// A record of Twinlog's that belongs into another topic: a dead letter.
    #[error("the record is a {found}, where a {expected} belongs")]
    WrongRecord {
        /// What was asked for.
        expected: RecordKind,
        /// What the schema says it is.
        found: RecordKind,
    },
    /// Bytes are left after the datum: a dead letter.
    #[error("{0} bytes follow the end of the record")]
    TrailingBytes(usize),
    /// Truncated, or against its own schema or the rules of names: a dead letter.
    #[error("the record is malformed: {0}")]
    Malformed(String),
}

impl DecodeError {
    /// Whether the link must be held ("upgrade me"); otherwise the record is a dead letter.
    #[must_use]
    pub fn holds_link(&self) -> bool {
        match self {
            Self::ConfluentWithoutRegistry
            | Self::UnknownFingerprint(_)
            | Self::UnknownKind(_)
            | Self::NotUnderstood(_) => true,
            Self::NotAvro | Self::WrongRecord { .. } | Self::TrailingBytes(_) | Self::Malformed(_) => false,
        }
    }
}

/// A value that its schema cannot say; a bug of the writer, never a matter of the data's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {kind} cannot be encoded: {reason}")]
pub struct EncodeError {
    kind: RecordKind,
    reason: String,
}

impl EncodeError {
    pub(super) fn refused(kind: RecordKind, error: &apache_avro::Error) -> Self {
        Self { kind, reason: brief(error) }
    }
}

/// Why a schema was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Not an Avro schema.
    #[error("not an Avro schema: {0}")]
    NotASchema(String),
    /// An Avro schema, but not of a change event, fact or receipt.
    #[error("no schema of Twinlog's: {0}")]
    NotOurs(String),
    /// This release's types cannot read what it writes.
    #[error("schema {fingerprint:016x} cannot be read by this release: {reason}")]
    Incompatible {
        /// Of the schema refused.
        fingerprint: u64,
        /// What does not fit.
        reason: String,
    },
    /// The record that published it names another fingerprint.
    #[error("schema {actual:016x} was published as {stated:?}")]
    Mismatch {
        /// What the record says.
        stated: String,
        /// What the schema has.
        actual: u64,
    },
    /// The bound on learned schemas is reached.
    #[error("already {0} schemas learned")]
    TooMany(usize),
}

/// An error's text, cut: the library's own may quote a whole schema.
pub(super) fn brief(error: &apache_avro::Error) -> String {
    const LONGEST: usize = 240;
    let mut text = error.to_string();
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}
