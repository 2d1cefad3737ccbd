//! Faults in what the index takes in and answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use twinlog_index::{Expired, Index, IndexError, MemoryIndex, Merge, Position, Put, VersionState};
use twinlog_schemas::{Basis, BucketName, FactBody, ObjectKey, SiteName, Stamp, VersionId, VersionRef};
use twinlog_site::{ObjectReading, Reading, Site};

use super::tongue::unsaid;
use super::{Doing, Planted, Scene};
use crate::simulation::world::World;

/// Which part of a process asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulation) enum Part {
    Tail,
    Capture,
    Apply,
}

/// The index as one part of a process has it.
pub(in crate::simulation) struct Knowledge {
    pub inner: Arc<MemoryIndex>,
    pub planted: Planted,
    pub part: Part,
    pub world: Arc<World>,
    /// The place of the process.
    pub at: usize,
    pub scene: Arc<Scene>,
}

impl Index for Knowledge {
    fn merge(&self, records: &[Merge], position: Option<&twinlog_index::Position>) -> Result<(), IndexError> {
        let kept: Vec<Merge> = records.iter().filter(|merge| self.takes(merge)).cloned().collect();
        self.inner.merge(&kept, position)
    }

    fn version(&self, version: &VersionRef) -> Result<VersionState, IndexError> {
        let mut state = self.inner.version(version)?;
        self.distort(version, &mut state);
        Ok(state)
    }

    fn versions_of(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<BTreeMap<VersionId, VersionState>, IndexError> {
        self.inner.versions_of(bucket, key)
    }

    fn positions(&self) -> Result<BTreeMap<twinlog_index::Partition, i64>, IndexError> {
        self.inner.positions()
    }

    fn set_position(&self, position: &Position) -> Result<(), IndexError> {
        self.inner.set_position(position)
    }

    fn expire(&self, before_ns: i64, limit: usize) -> Result<Expired, IndexError> {
        self.inner.expire(before_ns, limit)
    }
}

impl Knowledge {
    fn here(&self) -> &SiteName {
        &self.world.places[self.at].name
    }

    fn takes(&self, merge: &Merge) -> bool {
        match (self.planted, merge) {
            (Planted::FactsIgnored, Merge::Fact(fact)) => {
                fact.site == *self.here() || matches!(fact.body, FactBody::Answer(_))
            }
            (Planted::ReceiptsForgotten, Merge::Receipt(_)) => false,
            // At its source: elsewhere the change event says as much.
            (planted, Merge::Fact(fact)) => !(fact.site == *self.here() && unsaid(planted, fact)),
            _ => true,
        }
    }

    fn distort(&self, version: &VersionRef, state: &mut VersionState) {
        match (self.planted, self.part) {
            (Planted::RemovalForgotten, Part::Apply) if self.scene.doing(version) == Doing::State => {
                state.said.values_mut().for_each(|said| said.removal = None);
            }
            (Planted::TagsUnasked, Part::Apply) => {
                self.explain(version, state, |written, held| {
                    written.tags = Some(Put { at_ns: i64::MAX, value: Some(held.tags.clone()) });
                });
            }
            (Planted::LocksUnasked, Part::Apply) => {
                self.explain(version, state, |written, held| {
                    written.retention = Some(Put { at_ns: i64::MAX, value: Some(held.retention) });
                    written.legal_hold = Some(Put { at_ns: i64::MAX, value: Some(held.legal_hold) });
                });
            }
            (Planted::AuditWithoutBaseline, Part::Capture) if self.scene.doing(version) == Doing::Audit => {
                state.written.clear();
            }
            (Planted::TiesUnbroken, Part::Apply) => self.prefer_here(state),
            (Planted::ComplianceForgotten, _) => {
                state.said.values_mut().filter_map(|said| said.retention.as_mut()).for_each(|r| r.compliance = None);
            }
            _ => {}
        }
    }

    /// Says of what the store holds that it was written there by us.
    fn explain(
        &self,
        version: &VersionRef,
        state: &mut VersionState,
        say: impl FnOnce(&mut twinlog_index::Written, &ObjectReading),
    ) {
        let look = self.world.places[self.at].store.look(version).now_or_never();
        if let Some(Ok(Reading::Object(held))) = look {
            say(state.written.entry(self.here().clone()).or_default(), &held);
        }
    }

    /// Drops other sites' stamps of the moment of this site's own.
    fn prefer_here(&self, state: &mut VersionState) {
        let Some(own) = state.said.get(self.here()).cloned() else { return };
        for (site, said) in &mut state.said {
            if site == self.here() {
                continue;
            }
            if ties(own.tags.as_ref(), said.tags.as_ref()) {
                said.tags = None;
            }
            if ties(own.legal_hold.as_ref(), said.legal_hold.as_ref()) {
                said.legal_hold = None;
            }
            if ties(own.retention.as_ref().map(|r| &r.latest), said.retention.as_ref().map(|r| &r.latest)) {
                said.retention = None;
            }
        }
    }
}

fn ties<T>(own: Option<&Stamp<T>>, other: Option<&Stamp<T>>) -> bool {
    own.zip(other).is_some_and(|(own, other)| {
        own.basis == other.basis && own.basis != Basis::Unknown && own.changed_at_ns == other.changed_at_ns
    })
}
