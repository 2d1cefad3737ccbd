//! A bounded memory of what was captured lately: exact copies of notices, and the times given to versions.
//!
//! Only a saving: forgetting costs a read, or (of a time) some exactness among versions of one millisecond.

use std::collections::{BTreeMap, VecDeque};

use twinlog_schemas::{BucketName, ObjectKey, TimePrecision, VersionId};

use super::time::Modified;
use crate::copies::{Copies, CopyId};

/// Times remembered: about 300 bytes each.
const TIMES: usize = 8_192;

/// What was captured lately in this process.
#[derive(Debug, Default)]
pub struct Lately {
    copies: Copies,
    times: BTreeMap<(BucketName, ObjectKey), BTreeMap<VersionId, Modified>>,
    oldest_times: VecDeque<(BucketName, ObjectKey, VersionId)>,
}

impl Lately {
    /// Whether a copy of this notice was captured.
    #[must_use]
    pub fn captured(&self, id: CopyId) -> bool {
        self.copies.knows(id)
    }

    /// Remembers a notice whose events and facts are acknowledged.
    pub fn remember(&mut self, id: CopyId) {
        self.copies.remember(id);
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

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut lately = Lately::default();
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
