//! The codec: change events, facts and receipts to and from the bytes of a record's value.
//!
//! Avro single-object encoding: two marker bytes, the writer schema's CRC-64-AVRO fingerprint (little endian), the
//! datum. A record is read with the schema that wrote it, looked up by fingerprint among all schemas that this
//! release was built with and those that it learned from a control topic. Nothing here does I/O or keeps time.

mod catalogue;
mod error;
mod frame;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod history;
mod known;
#[cfg(test)]
mod properties;
mod published;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change_event::ChangeEvent;
use crate::fact::Fact;
use crate::fact_wire::FactWire;
use crate::receipt::Receipt;
use crate::version::VersionKind;

use catalogue::Catalogue;
pub use error::{DecodeError, EncodeError, SchemaError};
use known::Known;
pub use published::{Published, PublishedSchema, RecordKind};

/// How many schemas may be learned: far more than releases that can run side by side, and a bound on memory.
pub const MAX_LEARNED: usize = 1024;

/// Encodes with the newest schemas of this release; decodes with every schema it knows or has learned.
///
/// Shared by reference (all methods take `&self`); encoding and decoding are pure but for what was learned before.
pub struct Codec {
    change: GenericDatumWriter<'static>,
    fact: GenericDatumWriter<'static>,
    receipt: GenericDatumWriter<'static>,
    catalogue: &'static Catalogue,
    /// Learned from control topics, by fingerprint; only ever grows.
    learned: RwLock<BTreeMap<u64, Arc<Known>>>,
}

impl std::fmt::Debug for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Codec").finish_non_exhaustive()
    }
}

impl Codec {
    /// A codec that knows every schema ever released. Fails only if the build's own schema files are broken.
    pub fn new() -> Result<Self, SchemaError> {
        let catalogue = catalogue::catalogue()?;
        Ok(Self {
            change: catalogue.writer(RecordKind::ChangeEvent)?,
            fact: catalogue.writer(RecordKind::Fact)?,
            receipt: catalogue.writer(RecordKind::Receipt)?,
            catalogue,
            learned: RwLock::default(),
        })
    }

    /// All schemas of this release, for the control topic: oldest first within each kind.
    pub fn published() -> Result<impl Iterator<Item = &'static Published>, SchemaError> {
        Ok(catalogue::catalogue()?.published())
    }

    /// Learns a schema that a newer release published; returns its fingerprint. Learning one twice changes nothing.
    ///
    /// Refused if it is no schema of Twinlog's, or one that this release's types cannot read: its records then go on
    /// being [`DecodeError::UnknownFingerprint`], which holds the link until this release is upgraded.
    pub fn learn(&self, schema_json: &str) -> Result<u64, SchemaError> {
        let known = Known::parse(schema_json)?;
        let fingerprint = known.fingerprint();
        if self.find(fingerprint).is_some() {
            return Ok(fingerprint);
        }
        self.catalogue.check_readable(&known)?;
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        if learned.len() >= MAX_LEARNED {
            return Err(SchemaError::TooMany(MAX_LEARNED));
        }
        learned.insert(fingerprint, Arc::new(known));
        Ok(fingerprint)
    }

    /// Whether what was written with the schema of this fingerprint can be read.
    #[must_use]
    pub fn knows(&self, fingerprint: u64) -> bool {
        self.find(fingerprint).is_some()
    }

    /// Encodes a change event.
    pub fn encode_change(&self, event: &ChangeEvent) -> Result<Vec<u8>, EncodeError> {
        self.encode(RecordKind::ChangeEvent, &self.change, event)
    }

    /// Encodes a fact.
    pub fn encode_fact(&self, fact: &Fact) -> Result<Vec<u8>, EncodeError> {
        self.encode(RecordKind::Fact, &self.fact, &FactWire::from(fact))
    }

    /// Encodes a receipt.
    pub fn encode_receipt(&self, receipt: &Receipt) -> Result<Vec<u8>, EncodeError> {
        self.encode(RecordKind::Receipt, &self.receipt, receipt)
    }

    /// Decodes a change event. A version kind that only a newer release knows is an error that holds the link.
    pub fn decode_change(&self, bytes: &[u8]) -> Result<ChangeEvent, DecodeError> {
        let event: ChangeEvent = self.decode(RecordKind::ChangeEvent, bytes)?;
        match (event.kind, &event.object) {
            (VersionKind::Unknown, _) => Err(DecodeError::UnknownKind("version kind")),
            (VersionKind::Object, None) => Err(DecodeError::Malformed("an OBJECT without its object part".into())),
            (VersionKind::DeleteMarker | VersionKind::Removed, Some(_)) => {
                Err(DecodeError::Malformed("an object part beside a kind that has none".into()))
            }
            _ => Ok(event),
        }
    }

    /// Decodes a fact. A kind or category that only a newer release knows is an error that holds the link.
    pub fn decode_fact(&self, bytes: &[u8]) -> Result<Fact, DecodeError> {
        Fact::try_from(self.decode::<FactWire>(RecordKind::Fact, bytes)?)
    }

    /// Decodes a receipt.
    pub fn decode_receipt(&self, bytes: &[u8]) -> Result<Receipt, DecodeError> {
        self.decode(RecordKind::Receipt, bytes)
    }

    fn encode<T: Serialize>(
        &self,
        kind: RecordKind,
        writer: &GenericDatumWriter<'_>,
        value: &T,
    ) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = frame::header(self.catalogue.newest(kind).fingerprint()).to_vec();
        writer.write_ser(&mut bytes, value).map_err(|error| EncodeError::refused(kind, &error))?;
        Ok(bytes)
    }

    fn decode<T: DeserializeOwned>(&self, kind: RecordKind, bytes: &[u8]) -> Result<T, DecodeError> {
        let fingerprint = frame::fingerprint(bytes)?;
        let known = self.find(fingerprint).ok_or(DecodeError::UnknownFingerprint(fingerprint))?;
        if known.kind() != kind {
            return Err(DecodeError::WrongRecord { expected: kind, found: known.kind() });
        }
        known.read(bytes, self.catalogue.newest(kind))
    }

    fn find(&self, fingerprint: u64) -> Option<Arc<Known>> {
        if let Some(known) = self.catalogue.find(fingerprint) {
            return Some(Arc::clone(known));
        }
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        learned.get(&fingerprint).map(Arc::clone)
    }
}
