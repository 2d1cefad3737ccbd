//! How often a site was asked about values of its null versions of which nothing is stamped.

use std::sync::{Mutex, PoisonError};

use twinlog_index::VersionState;
use twinlog_schemas::{RegisterRef, VersionRef};

use super::newest::Newest;

/// Each answer comes with a fact, which plans the version again: a value that capture has reason not to stamp would be asked
/// about for ever.
const MOST: u32 = 3;

/// The newest askings, bounded; forgetting one costs an asking, never a mistake.
#[derive(Debug)]
pub(super) struct Unstamped(Mutex<Newest<VersionRef, (RegisterRef, u32)>>);

impl Unstamped {
    /// Remembers at most `bound` versions.
    pub(super) fn new(bound: usize) -> Self {
        Self(Mutex::new(Newest::new(bound)))
    }

    /// Whether to ask about the null version that holds by the index, which is remembered.
    pub(super) fn asks(&self, version: &VersionRef, index: &VersionState) -> bool {
        let Some(register) = index.null().map(|register| register.named()) else { return true };
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = asked.get(version).filter(|(of, _)| *of == register).map_or(0, |(_, times)| *times);
        asked.insert(version.clone(), (register, before.saturating_add(1)));
        before < MOST
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use twinlog_schemas::{EventId, Fact, FactBody, NullRegister, NullState};

    use super::*;

    fn index(at_ns: i64) -> VersionState {
        let site: twinlog_schemas::SiteName = "east".parse().unwrap();
        let register = NullRegister { state: NullState::Object, at_ns, site: site.clone(), etag: None, over: None };
        let mut index = VersionState::default();
        index.merge_fact(&Fact {
            event_id: EventId::new(0, [0; 10]),
            site,
            bucket: "bucket".parse().unwrap(),
            key: "a/".parse().unwrap(),
            version_id: "null".parse().unwrap(),
            said_at_ns: at_ns,
            of: None,
            body: FactBody::Null(register),
        });
        index
    }

    #[test]
    fn one_register_is_asked_about_a_few_times_and_the_next_anew() {
        let unstamped = Unstamped::new(2);
        let version = VersionRef {
            bucket: "bucket".parse().unwrap(),
            key: "a/".parse().unwrap(),
            version_id: "null".parse().unwrap(),
        };
        let asks: Vec<_> = (0..5).map(|_| unstamped.asks(&version, &index(1))).collect();
        assert_eq!(asks, [true, true, true, false, false]);
        assert!(unstamped.asks(&version, &index(2)));
    }
}
