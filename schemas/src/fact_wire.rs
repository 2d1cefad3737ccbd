//! A fact as it stands in its Avro record: flat, because a union of records would break old readers at every new kind.

use serde::{Deserialize, Serialize};

use crate::codec::DecodeError;
use crate::event_id::EventId;
use crate::fact::{Answer, Fact, FactBody, NullRegister, Removal};
use crate::name::{BucketName, ObjectKey, SiteName};
use crate::stamp::{Category, Retention, Stamp, Tags};
use crate::version::VersionId;

/// The record; `kind` and `category` say which of the optional fields are there.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename = "Fact")]
pub(crate) struct FactWire {
    event_id: EventId,
    site: SiteName,
    bucket: BucketName,
    key: ObjectKey,
    version_id: VersionId,
    said_at_ns: i64,
    kind: FactKind,
    category: Option<Category>,
    removed: Option<Removal>,
    tags: Option<Stamp<Tags>>,
    retention: Option<Stamp<Option<Retention>>>,
    compliance: Option<Stamp<Option<Retention>>>,
    legal_hold: Option<Stamp<bool>>,
    null_register: Option<NullRegister>,
    answer: Option<Answer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum FactKind {
    Removed,
    Stamp,
    Null,
    Look,
    Answer,
    #[serde(other)]
    Unknown,
}

impl From<&Fact> for FactWire {
    fn from(fact: &Fact) -> Self {
        let mut wire = Self {
            event_id: fact.event_id,
            site: fact.site.clone(),
            bucket: fact.bucket.clone(),
            key: fact.key.clone(),
            version_id: fact.version_id.clone(),
            said_at_ns: fact.said_at_ns,
            kind: FactKind::Look,
            category: fact.category(),
            removed: None,
            tags: None,
            retention: None,
            compliance: None,
            legal_hold: None,
            null_register: fact.of.clone(),
            answer: None,
        };
        wire.put(&fact.body);
        wire
    }
}

impl FactWire {
    fn put(&mut self, body: &FactBody) {
        self.kind = match body {
            FactBody::Removed(removal) => {
                self.removed = Some(removal.clone());
                FactKind::Removed
            }
            FactBody::Tags(stamp) => {
                self.tags = Some(stamp.clone());
                FactKind::Stamp
            }
            FactBody::Retention { latest, compliance } => {
                self.retention = Some(latest.clone());
                self.compliance.clone_from(compliance);
                FactKind::Stamp
            }
            FactBody::LegalHold(stamp) => {
                self.legal_hold = Some(stamp.clone());
                FactKind::Stamp
            }
            FactBody::Null(register) => {
                self.null_register = Some(register.clone());
                FactKind::Null
            }
            FactBody::Look => FactKind::Look,
            FactBody::Answer(answer) => {
                self.answer = Some(answer.clone());
                FactKind::Answer
            }
        };
    }

    fn take(&mut self) -> Result<FactBody, DecodeError> {
        let missing = |what: &str| DecodeError::Malformed(format!("a fact without its {what}"));
        match self.kind {
            FactKind::Removed => self.removed.take().map(FactBody::Removed).ok_or_else(|| missing("removal")),
            FactKind::Stamp => self.take_stamp(),
            FactKind::Null => self.null_register.take().map(FactBody::Null).ok_or_else(|| missing("null register")),
            FactKind::Look => Ok(FactBody::Look),
            FactKind::Answer => self.answer.take().map(FactBody::Answer).ok_or_else(|| missing("answer")),
            FactKind::Unknown => Err(DecodeError::UnknownKind("fact kind")),
        }
    }

    fn take_stamp(&mut self) -> Result<FactBody, DecodeError> {
        let missing = || DecodeError::Malformed("a stamp fact without its stamp".into());
        match self.category {
            Some(Category::Tags) => self.tags.take().map(FactBody::Tags).ok_or_else(missing),
            Some(Category::LegalHold) => self.legal_hold.take().map(FactBody::LegalHold).ok_or_else(missing),
            Some(Category::Retention) => {
                let latest = self.retention.take().ok_or_else(missing)?;
                Ok(FactBody::Retention { latest, compliance: self.compliance.take() })
            }
            Some(Category::Unknown) => Err(DecodeError::UnknownKind("category")),
            None => Err(DecodeError::Malformed("a stamp fact without its category".into())),
        }
    }
}

impl TryFrom<FactWire> for Fact {
    type Error = DecodeError;
    fn try_from(mut wire: FactWire) -> Result<Self, DecodeError> {
        let of = if wire.kind == FactKind::Stamp { wire.null_register.take() } else { None };
        let body = wire.take()?;
        Ok(Self {
            event_id: wire.event_id,
            site: wire.site,
            bucket: wire.bucket,
            key: wire.key,
            version_id: wire.version_id,
            said_at_ns: wire.said_at_ns,
            of,
            body,
        })
    }
}
