//! Every schema that was ever released, compiled in from `schemas/avsc/`.
//!
//! A released file is never edited; a change is a new file with the next number and a new line here.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use apache_avro::writer::datum::GenericDatumWriter;

use super::error::{SchemaError, brief};
use super::known::Known;
use super::published::{Published, RecordKind};

/// Kind, version and text of each released schema, versions ascending.
pub(super) const RELEASED: [(RecordKind, u32, &str); 7] = [
    (RecordKind::ChangeEvent, 1, include_str!("../../avsc/change_event/1.avsc")),
    (RecordKind::ChangeEvent, 2, include_str!("../../avsc/change_event/2.avsc")),
    (RecordKind::Fact, 1, include_str!("../../avsc/fact/1.avsc")),
    (RecordKind::Fact, 2, include_str!("../../avsc/fact/2.avsc")),
    (RecordKind::Receipt, 1, include_str!("../../avsc/receipt/1.avsc")),
    (RecordKind::Receipt, 2, include_str!("../../avsc/receipt/2.avsc")),
    (RecordKind::Receipt, 3, include_str!("../../avsc/receipt/3.avsc")),
];

/// The largest string, body or collection that a record may claim before a byte of it is read: above Kafka's largest
/// sensible record, below what would hurt.
const MAX_ALLOCATION_BYTES: usize = 64 * 1024 * 1024;

/// The released schemas by fingerprint, and the newest of each kind.
pub(super) struct Catalogue {
    published: Vec<Published>,
    known: BTreeMap<u64, Arc<Known>>,
    change: Arc<Known>,
    fact: Arc<Known>,
    receipt: Arc<Known>,
}

/// The one catalogue of this build; an error only if a schema file is broken, which its tests rule out.
pub(super) fn catalogue() -> Result<&'static Catalogue, SchemaError> {
    static CATALOGUE: LazyLock<Result<Catalogue, SchemaError>> = LazyLock::new(Catalogue::build);
    CATALOGUE.as_ref().map_err(Clone::clone)
}

impl Catalogue {
    fn build() -> Result<Self, SchemaError> {
        // The library's own limit is half a gigabyte and global to the process; nothing else here speaks Avro.
        apache_avro::util::max_allocation_bytes(MAX_ALLOCATION_BYTES);
        let mut published = Vec::new();
        let mut known = BTreeMap::new();
        let mut newest = BTreeMap::new();
        for (kind, version, schema) in RELEASED {
            let parsed = Arc::new(Known::parse(schema)?);
            if parsed.kind() != kind {
                return Err(SchemaError::NotOurs(format!("a {} under the name {kind}", parsed.kind())));
            }
            let fingerprint = parsed.fingerprint();
            published.push(Published { fingerprint, kind, version, schema });
            newest.insert(kind, Arc::clone(&parsed));
            known.insert(fingerprint, parsed);
        }
        let mut last =
            |kind| newest.remove(&kind).ok_or_else(|| SchemaError::NotOurs(format!("no schema of a {kind}")));
        let change = last(RecordKind::ChangeEvent)?;
        let fact = last(RecordKind::Fact)?;
        let receipt = last(RecordKind::Receipt)?;
        Ok(Self { published, known, change, fact, receipt })
    }

    pub(super) fn published(&self) -> impl Iterator<Item = &Published> {
        self.published.iter()
    }

    pub(super) fn find(&self, fingerprint: u64) -> Option<&Arc<Known>> {
        self.known.get(&fingerprint)
    }

    /// The schema that this release writes.
    pub(super) fn newest(&self, kind: RecordKind) -> &Known {
        match kind {
            RecordKind::ChangeEvent => &self.change,
            RecordKind::Fact => &self.fact,
            RecordKind::Receipt => &self.receipt,
        }
    }

    pub(super) fn writer(&'static self, kind: RecordKind) -> Result<GenericDatumWriter<'static>, SchemaError> {
        GenericDatumWriter::builder(self.newest(kind).schema())
            .build()
            .map_err(|error| SchemaError::NotASchema(brief(&error)))
    }

    /// Whether this release's types can read what `foreign` writes.
    pub(super) fn check_readable(&self, foreign: &Known) -> Result<(), SchemaError> {
        foreign.readable_with(self.newest(foreign.kind()))
    }
}
