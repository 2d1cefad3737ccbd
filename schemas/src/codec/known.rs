//! One schema that records may have been written with.

use std::io::Read;

use apache_avro::rabin::Rabin;
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::{GenericSingleObjectReader, Schema};
use serde::de::DeserializeOwned;

use super::error::{DecodeError, SchemaError, brief};
use super::published::RecordKind;

/// A parsed schema, its fingerprint and its reader, resolved once.
pub(super) struct Known {
    kind: RecordKind,
    fingerprint: u64,
    schema: Schema,
    reader: GenericSingleObjectReader,
}

impl Known {
    pub(super) fn parse(schema_json: &str) -> Result<Self, SchemaError> {
        let schema = Schema::parse_str(schema_json).map_err(|error| SchemaError::NotASchema(brief(&error)))?;
        let kind = RecordKind::of(&schema)?;
        let reader = GenericSingleObjectReader::builder()
            .schema(schema.clone())
            .build()
            .map_err(|error| SchemaError::NotASchema(brief(&error)))?;
        let fingerprint = fingerprint(&schema)?;
        Ok(Self { kind, fingerprint, schema, reader })
    }

    pub(super) fn kind(&self) -> RecordKind {
        self.kind
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Whether a reader with `own` can read what was written with this.
    pub(super) fn readable_with(&self, own: &Self) -> Result<(), SchemaError> {
        SchemaCompatibility::can_read(&self.schema, &own.schema)
            .map(drop)
            .map_err(|error| SchemaError::Incompatible { fingerprint: self.fingerprint, reason: error.to_string() })
    }

    /// Reads a whole record, header included; `own` is the schema that this release writes for the same kind.
    ///
    /// A record of another schema than `own` goes the long way, by Avro's schema resolution: the direct one cannot
    /// skip enums in fields that this release does not know.
    pub(super) fn read<T: DeserializeOwned>(&self, bytes: &[u8], own: &Self) -> Result<T, DecodeError> {
        let mut source = Source { rest: bytes, starved: false };
        if self.fingerprint == own.fingerprint {
            let value = self.reader.read_deser(&mut source);
            return source.outcome(value);
        }
        let value = self.reader.read_value(&mut source);
        let value = source.outcome(value)?;
        let value = value.resolve(&own.schema).map_err(|error| DecodeError::NotUnderstood(brief(&error)))?;
        apache_avro::from_value(&value).map_err(|error| DecodeError::Malformed(brief(&error)))
    }
}

/// A record's bytes that notice when more are asked for than there are: the library reads some of what is cut off as
/// null.
struct Source<'a> {
    rest: &'a [u8],
    starved: bool,
}

impl Source<'_> {
    fn outcome<T>(&self, value: Result<T, apache_avro::Error>) -> Result<T, DecodeError> {
        match value {
            _ if self.starved => Err(DecodeError::Malformed("it is cut short".into())),
            Err(error) => Err(DecodeError::Malformed(brief(&error))),
            Ok(_) if !self.rest.is_empty() => Err(DecodeError::TrailingBytes(self.rest.len())),
            Ok(value) => Ok(value),
        }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.starved |= buffer.len() > self.rest.len();
        self.rest.read(buffer)
    }
}

fn fingerprint(schema: &Schema) -> Result<u64, SchemaError> {
    let bytes = schema.fingerprint::<Rabin>().bytes;
    let bytes = bytes.try_into().map_err(|_| SchemaError::NotASchema("its fingerprint is not 64 bits".into()))?;
    Ok(u64::from_le_bytes(bytes))
}
