//! Schemas as a site's control topic carries them, so that an older consumer can read a newer producer.

use std::fmt;

use apache_avro::Schema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::SchemaError;
use super::known::Known;

/// Which of the three records a schema is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// A [`crate::ChangeEvent`].
    ChangeEvent,
    /// A [`crate::Fact`].
    Fact,
    /// A [`crate::Receipt`].
    Receipt,
}

impl RecordKind {
    /// The folder of its schemas' history, and its name in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChangeEvent => "change_event",
            Self::Fact => "fact",
            Self::Receipt => "receipt",
        }
    }

    /// Recognises a schema of Twinlog's by its full name.
    pub(super) fn of(schema: &Schema) -> Result<Self, SchemaError> {
        let Schema::Record(record) = schema else {
            return Err(SchemaError::NotOurs("not a record".into()));
        };
        match (record.name.namespace(), record.name.name()) {
            (Some("io.twinlog"), "ChangeEvent") => Ok(Self::ChangeEvent),
            (Some("io.twinlog"), "Fact") => Ok(Self::Fact),
            (Some("io.twinlog"), "Receipt") => Ok(Self::Receipt),
            (_, name) => Err(SchemaError::NotOurs(format!("a record named {name}"))),
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One released schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// CRC-64-AVRO of the parsing canonical form.
    pub fingerprint: u64,
    /// Which record it is of.
    pub kind: RecordKind,
    /// Its number in `schemas/avsc/<kind>/`.
    pub version: u32,
    /// The file's text.
    pub schema: &'static str,
}

/// The value of a control record that publishes a schema; its key is [`PublishedSchema::key`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PublishedSchema {
    /// Sixteen hexadecimal digits.
    pub fingerprint: String,
    /// Which record it is of.
    pub record: RecordKind,
    /// Its number in the history of the release that published it; for people.
    pub version: u32,
    /// The schema itself, whole.
    pub schema: Box<RawValue>,
}

impl PublishedSchema {
    /// What every key of such a record begins with.
    pub const KEY_PREFIX: &'static str = "schema/";

    /// The record's key in the compacted control topic: one per schema.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}{}", Self::KEY_PREFIX, self.fingerprint)
    }

    /// The record's value.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a record's value.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// Checks that the schema has the fingerprint that the record gives it; returns the text to learn.
    pub fn verified(&self) -> Result<&str, SchemaError> {
        let actual = Known::parse(self.schema.get())?.fingerprint();
        if u64::from_str_radix(&self.fingerprint, 16) == Ok(actual) {
            Ok(self.schema.get())
        } else {
            Err(SchemaError::Mismatch { stated: self.fingerprint.clone(), actual })
        }
    }
}

impl TryFrom<&Published> for PublishedSchema {
    type Error = serde_json::Error;
    fn try_from(published: &Published) -> Result<Self, serde_json::Error> {
        Ok(Self {
            fingerprint: format!("{:016x}", published.fingerprint),
            record: published.kind,
            version: published.version,
            schema: serde_json::from_str(published.schema)?,
        })
    }
}
