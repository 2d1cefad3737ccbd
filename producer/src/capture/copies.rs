//! A bounded memory of what was captured lately: exact copies of notices, and the times given to versions.
//!
//! Only a saving: forgetting costs a read, or (of a time) some exactness among versions of one millisecond.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sha2::{Digest, Sha256};
use twinlog_schemas::{BucketName, ObjectKey, TimePrecision, VersionId};

use super::time::Modified;
use crate::notice::{Hint, Notice};

/// Exact copies remembered: about 60 bytes each.
const COPIES: usize = 65_536;
/// Times remembered: about 300 bytes each.
const TIMES: usize = 8_192;

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

/// What was captured lately in this process.
#[derive(Debug, Default)]
pub struct Lately {
    copies: BTreeSet<CopyId>,
    oldest_copies: VecDeque<CopyId>,
    times: BTreeMap<(BucketName, ObjectKey), BTreeMap<VersionId, Modified>>,
    oldest_times: VecDeque<(BucketName, ObjectKey, VersionId)>,
}

impl Lately {
    /// Whether a copy of this notice was captured.
    #[must_use]
    pub fn captured(&self, id: CopyId) -> bool {
        self.copies.contains(&id)
    }

    /// Remembers a notice whose events and facts are acknowledged.
    pub fn remember(&mut self, id: CopyId) {
        if self.copies.insert(id) {
            self.oldest_copies.push_back(id);
        }
        while self.oldest_copies.len() > COPIES {
            if let Some(oldest) = self.oldest_copies.pop_front() {
                self.copies.remove(&oldest);
            }
        }
    }

    /// The modification times told of versions of this key, nanoseconds since the Unix epoch.
    #[must_use]
    pub fn times(&self, bucket: &BucketName, key: &ObjectKey) -> BTreeMap<VersionId, i64> {
        let of_key = self.times.get(&(bucket.clone(), key.clone()));
        of_key.into_iter().flatten().map(|(version, modified)| (version.clone(), modified.ns)).collect()
    }

    /// Whether a version of this key was told with a time that had to be assigned inside this millisecond.
    #[must_use]
    pub fn assigned_within(&self, bucket: &BucketName, key: &ObjectKey, ms: i64) -> bool {
        let assigned = |modified: &Modified| {
            modified.precision != TimePrecision::Nanoseconds && modified.ns.div_euclid(1_000_000) == ms
        };
        self.times.get(&(bucket.clone(), key.clone())).is_some_and(|of_key| of_key.values().any(assigned))
    }

    /// Remembers the time that was told of a version.
    pub fn remember_time(&mut self, bucket: &BucketName, key: &ObjectKey, version: &VersionId, modified: Modified) {
        let of_key = self.times.entry((bucket.clone(), key.clone())).or_default();
        if of_key.insert(version.clone(), modified).is_none() {
            self.oldest_times.push_back((bucket.clone(), key.clone(), version.clone()));
        }
        while self.oldest_times.len() > TIMES {
            let Some((bucket, key, version)) = self.oldest_times.pop_front() else { return };
            let address = (bucket, key);
            if let Some(of_key) = self.times.get_mut(&address) {
                of_key.remove(&version);
                if of_key.is_empty() {
                    self.times.remove(&address);
                }
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
        let mut lately = Lately::default();
        let id = |n: usize| CopyId((n as u128).to_be_bytes());
        (0..COPIES + 10).for_each(|n| lately.remember(id(n)));
        assert!(!lately.captured(id(9)) && lately.captured(id(10)) && lately.captured(id(COPIES + 9)));
        let bucket: BucketName = "bucket".parse().unwrap();
        for n in 0..TIMES + 1 {
            lately.remember_time(
                &bucket,
                &format!("k{}", n % 100).parse().unwrap(),
                &n.to_string().parse().unwrap(),
                Modified::exact(7),
            );
        }
        assert_eq!(lately.times.values().map(BTreeMap::len).sum::<usize>(), TIMES);
        assert!(!lately.times(&bucket, &"k0".parse().unwrap()).contains_key(&"0".parse::<VersionId>().unwrap()));
    }
}
