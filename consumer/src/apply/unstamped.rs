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

    /// Whether to ask about the null version that holds by the index.
    pub(super) fn asks(&self, version: &VersionRef, index: &VersionState) -> bool {
        index.null().is_none_or(|register| self.times(version, &register.named()) < MOST)
    }

    /// Remembers that it was asked about; call it once there is an answer.
    pub(super) fn note(&self, version: &VersionRef, index: &VersionState) {
        let Some(register) = index.null().map(|register| register.named()) else { return };
        let times = self.times(version, &register).saturating_add(1);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(version.clone(), (register, times));
    }

    fn times(&self, version: &VersionRef, register: &RegisterRef) -> u32 {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(version).filter(|(of, _)| of == register).map_or(0, |(_, times)| *times)
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
        let answered = || {
            let asks = unstamped.asks(&version, &index(1));
            unstamped.note(&version, &index(1));
            asks
        };
        assert_eq!([(); 5].map(|()| answered()), [true, true, true, false, false]);
        assert!(unstamped.asks(&version, &index(2)));
    }
}
