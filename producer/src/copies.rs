//! Exact copies of notices: one event by two doors, or told twice by a store.

use std::collections::{BTreeSet, VecDeque};

use sha2::{Digest, Sha256};
use twinlog_schemas::VersionId;

use crate::notice::{Hint, Notice};

/// Copies remembered: about 60 bytes each.
const REMEMBERED: usize = 65_536;

/// The digest of what makes two notices copies of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopyId([u8; 16]);

impl CopyId {
    /// Notices are copies if all of event name, bucket, key, version, sequencer, time and request id are the same:
    /// one event by two doors. Twinlog's own notices are never copies, since each wants its answer.
    #[must_use]
    pub fn of(notice: &Notice) -> Option<Self> {
        if matches!(notice.hint, Hint::Examine(_)) {
            return None;
        }
        let time = notice.time_ns?;
        let mut digest = Sha256::new();
        let version = notice.version_id().map_or("", VersionId::as_str);
        let request = notice.request_id.as_deref().unwrap_or_default();
        for text in [&notice.cause, notice.bucket.as_str(), notice.key.as_str(), version, request] {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        digest.update(time.to_be_bytes());
        digest.update(notice.sequencer_ns.unwrap_or(i64::MIN).to_be_bytes());
        let digest: [u8; 32] = digest.finalize().into();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Some(Self(id))
    }
}

/// The newest notices, bounded. Only a saving: forgetting one costs doing it again.
#[derive(Debug, Default)]
pub struct Copies {
    known: BTreeSet<CopyId>,
    oldest: VecDeque<CopyId>,
}

impl Copies {
    /// Whether a copy of this notice is remembered.
    #[must_use]
    pub fn knows(&self, id: CopyId) -> bool {
        self.known.contains(&id)
    }

    /// Remembers a notice.
    pub fn remember(&mut self, id: CopyId) {
        if self.known.insert(id) {
            self.oldest.push_back(id);
        }
        while self.oldest.len() > REMEMBERED {
            if let Some(oldest) = self.oldest.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::capture::samples::notice;

    #[test]
    fn copies_are_exact() {
        let one = notice(Hint::Born("v".parse().unwrap()));
        let id = CopyId::of(&one).unwrap();
        assert_eq!(CopyId::of(&one.clone()), Some(id));
        for other in [
            Notice { cause: "s3:ObjectCreated:Copy".into(), ..one.clone() },
            Notice { hint: Hint::Born("w".parse().unwrap()), ..one.clone() },
            Notice { sequencer_ns: Some(1), ..one.clone() },
            Notice { time_ns: Some(1), ..one.clone() },
            Notice { request_id: Some("r".into()), ..one.clone() },
            Notice { key: "other".parse().unwrap(), ..one.clone() },
        ] {
            assert_ne!(CopyId::of(&other), Some(id), "{other:?}");
        }
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut copies = Copies::default();
        let id = |n: usize| CopyId((n as u128).to_be_bytes());
        (0..REMEMBERED + 10).for_each(|n| copies.remember(id(n)));
        assert!(!copies.knows(id(9)) && copies.knows(id(10)) && copies.knows(id(REMEMBERED + 9)));
    }
}
