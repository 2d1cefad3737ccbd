//! What one site has said of one version.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use twinlog_schemas::{Answer, Category, Fact, FactBody, NullRegister, NullState, Removal, Stamp, StampRef, Tags};

use crate::merge::{self, RetentionRegisters, keep};

const NS_PER_MS: i64 = 1_000_000;

/// The join of all facts of one site about one version, a field per kind and category.
///
/// Of a null version the stamps are those of the register that stands beside them: another register begins without
/// stamps, whatever was said of the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// That it was removed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<Removal>,
    /// The tags' stamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Stamp<Tags>>,
    /// The retention's registers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionRegisters>,
    /// The legal hold's stamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<Stamp<bool>>,
    /// The null version's register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null: Option<NullRegister>,
    /// The newest answer to a doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answered>,
    /// When the newest of these facts was said, nanoseconds since the Unix epoch.
    pub said_at_ns: i64,
}

/// An answer and when it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// When, nanoseconds since the Unix epoch.
    pub said_at_ns: i64,
    /// The answer.
    pub answer: Answer,
}

impl Said {
    /// Joins a fact of this site about this version; whether that changed anything but the time.
    ///
    /// A REMOVED fact of a null version is its register's, since nothing about a null version is terminal.
    pub fn merge(&mut self, fact: &Fact) -> bool {
        self.said_at_ns = self.said_at_ns.max(fact.said_at_ns);
        match &fact.body {
            FactBody::Removed(removal) if fact.version_id.is_null() => self.merge_null(&removed_null(fact, removal)),
            FactBody::Removed(removal) => merge::join_removal(&mut self.removal, removal),
            _ if fact.category().is_some() && !self.stands_for(fact) => false,
            FactBody::Tags(stamp) => keep(&mut self.tags, stamp, merge::compare),
            FactBody::Retention { latest, compliance } => {
                self.merge_retention(RetentionRegisters::new(latest.clone(), compliance.clone()))
            }
            FactBody::LegalHold(stamp) => keep(&mut self.legal_hold, stamp, merge::compare),
            // Only a null version has a register.
            FactBody::Null(_) if !fact.version_id.is_null() => false,
            FactBody::Null(register) => self.merge_null(register),
            FactBody::Look => false,
            FactBody::Answer(answer) => {
                let answered = Answered { said_at_ns: fact.said_at_ns, answer: answer.clone() };
                keep(&mut self.answer, &answered, compare_answers)
            }
        }
    }

    /// Takes a register of a null version; a greater one than before takes the stamps away.
    fn merge_null(&mut self, register: &NullRegister) -> bool {
        let news = keep(&mut self.null, register, merge::compare_null);
        if news {
            (self.tags, self.retention, self.legal_hold) = (None, None, None);
        }
        news
    }

    /// Whether a stamp is of the register that this site has said last, which it may have told of itself.
    fn stands_for(&mut self, fact: &Fact) -> bool {
        if fact.version_id.is_null()
            && let Some(of) = &fact.of
        {
            self.merge_null(of);
        }
        self.null == fact.of || !fact.version_id.is_null()
    }

    fn merge_retention(&mut self, told: RetentionRegisters) -> bool {
        match &mut self.retention {
            Some(held) => held.join(&told),
            None => {
                self.retention = Some(told);
                true
            }
        }
    }

    /// The stamp that this site has said of a category, by name; of the retention the one that holds.
    #[must_use]
    pub fn stamp(&self, category: Category) -> Option<StampRef> {
        match category {
            Category::Tags => self.tags.as_ref().map(Stamp::named),
            Category::Retention => self.retention.as_ref().map(|registers| registers.effective().named()),
            Category::LegalHold => self.legal_hold.as_ref().map(Stamp::named),
            Category::Unknown => None,
        }
    }

    /// The same kind of fact as `body`, holding all that the site has said in that kind and category: what its capture
    /// writes, so that compaction keeps the truth. A null version's REMOVED becomes its NULL register; LOOK and ANSWER
    /// hold nothing and come back as they are.
    #[must_use]
    pub fn joined(&self, body: &FactBody) -> FactBody {
        let joined = match body {
            FactBody::Removed(_) => {
                let register = || self.null.clone().map(FactBody::Null);
                self.removal.clone().map(FactBody::Removed).or_else(register)
            }
            FactBody::Tags(_) => self.tags.clone().map(FactBody::Tags),
            FactBody::Retention { .. } => self
                .retention
                .clone()
                .map(|RetentionRegisters { latest, compliance }| FactBody::Retention { latest, compliance }),
            FactBody::LegalHold(_) => self.legal_hold.clone().map(FactBody::LegalHold),
            FactBody::Null(_) => self.null.clone().map(FactBody::Null),
            FactBody::Look | FactBody::Answer(_) => None,
        };
        joined.unwrap_or_else(|| body.clone())
    }
}

fn compare_answers(one: &Answered, other: &Answered) -> Ordering {
    let weigh = |one: &Answered, other: &Answered| {
        let (one, other) = (&one.answer.reading, &other.answer.reading);
        (one.present, &one.tags, one.retention, one.legal_hold).cmp(&(
            other.present,
            &other.tags,
            other.retention,
            other.legal_hold,
        ))
    };
    one.said_at_ns
        .cmp(&other.said_at_ns)
        .then_with(|| one.answer.doubt_id.cmp(&other.answer.doubt_id))
        .then_with(|| weigh(one, other))
}

/// The register of a removed null version: it holds to the end of the removal's millisecond.
fn removed_null(fact: &Fact, removal: &Removal) -> NullRegister {
    let millisecond = removal.removed_at_ns.div_euclid(NS_PER_MS);
    let at_ns = millisecond.saturating_mul(NS_PER_MS).saturating_add(NS_PER_MS - 1);
    NullRegister { state: NullState::Removed, at_ns, site: fact.site.clone(), etag: None, over: None }
}
