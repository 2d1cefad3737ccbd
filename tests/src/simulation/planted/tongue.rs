//! Faults in what a process writes to the log: facts that are never said, commits that say too much.

use std::sync::Arc;

use twinlog_log::{Committed, Record};
use twinlog_schemas::codec::Codec;
use twinlog_schemas::{Basis, Fact, FactBody};

use super::Planted;

/// What is between a process and the log.
#[derive(Clone)]
pub(in crate::simulation) struct Tongue {
    pub planted: Option<Planted>,
    pub codec: Arc<Codec>,
}

impl Tongue {
    /// Whether a record is never written.
    pub(in crate::simulation) fn swallows(&self, record: &Record) -> bool {
        let Some(planted) = self.planted else { return false };
        let fact = || self.codec.decode_fact(record.value.as_deref()?).ok();
        record.topic.as_str().contains(".facts.") && fact().is_some_and(|fact| unsaid(planted, &fact))
    }

    /// What is committed in place of `commit`, where `next` is the offset after the last record that was handed out.
    pub(in crate::simulation) fn commits(&self, commit: &Committed, next: Option<i64>) -> Committed {
        let next = next.unwrap_or(commit.offset);
        let offset = match self.planted {
            Some(Planted::CommitBeforePlan) => commit.offset.max(next),
            Some(Planted::LedgerOffByOne) => commit.offset.max(next.min(commit.offset + 1)),
            _ => return commit.clone(),
        };
        let metadata = if offset == commit.offset { commit.metadata.clone() } else { String::new() };
        Committed { offset, metadata }
    }
}

/// Whether a fault keeps a fact from being said.
pub(super) fn unsaid(planted: Planted, fact: &Fact) -> bool {
    match planted {
        Planted::BirthsUnsaid => basis(fact) == Some(Basis::Birth),
        Planted::UnknownsUnsaid => basis(fact) == Some(Basis::Unknown),
        Planted::NullsUnsaid => matches!(fact.body, FactBody::Null(_)),
        _ => false,
    }
}

fn basis(fact: &Fact) -> Option<Basis> {
    match &fact.body {
        FactBody::Tags(stamp) => Some(stamp.basis),
        FactBody::Retention { latest, .. } => Some(latest.basis),
        FactBody::LegalHold(stamp) => Some(stamp.basis),
        _ => None,
    }
}
