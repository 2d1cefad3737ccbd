//! A version's modification time to the nanosecond, as well as it can be known. Pure.
//!
//! Stores keep nanoseconds and show them nowhere but in some sequencers: a read shows seconds, a listing
//! milliseconds. Sites must agree on the order of versions, so what is carried has to keep the listing's order.

use std::collections::BTreeMap;

use twinlog_schemas::{TimePrecision, VersionId};
use twinlog_site::ListedVersion;

const NS_PER_MS: i64 = 1_000_000;
const MS_PER_S: i64 = 1_000;

/// A modification time, nanoseconds since the Unix epoch, and how exact it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modified {
    /// Nanoseconds since the Unix epoch.
    pub ns: i64,
    /// How exact.
    pub precision: TimePrecision,
}

impl Modified {
    /// The store's own nanoseconds.
    #[must_use]
    pub fn exact(ns: i64) -> Self {
        Self { ns, precision: TimePrecision::Nanoseconds }
    }

    /// The millisecond, as a listing shows it.
    #[must_use]
    pub fn ms(self) -> i64 {
        self.ns.div_euclid(NS_PER_MS)
    }

    /// A time inside the listed millisecond that keeps the listing's order.
    #[must_use]
    pub fn assigned(ns: i64) -> Self {
        Self { ns, precision: TimePrecision::Milliseconds }
    }

    /// What a read shows: whole seconds, in milliseconds.
    #[must_use]
    pub fn of_second(second_ms: i64) -> Self {
        Self { ns: second_ms.saturating_mul(NS_PER_MS), precision: TimePrecision::Seconds }
    }
}

/// The time of an object's birth, if the notice's sequencer truncates to the second that the read shows. A birth's
/// sequencer is its version's time on all stores, so this much agreement is enough; `None` asks for a listing.
#[must_use]
pub fn of_birth(sequencer_ns: Option<i64>, read_second_ms: i64) -> Option<Modified> {
    let ns = sequencer_ns?;
    let agrees = ns.div_euclid(NS_PER_MS * MS_PER_S) == read_second_ms.div_euclid(MS_PER_S);
    agrees.then(|| Modified::exact(ns))
}

/// The time of a version by its key's listing (newest first). `known` holds times of versions of the key that may be
/// exact (sequencers) or were assigned before; each counts only if it truncates to the listed millisecond. A time
/// that is not known is assigned inside the listed millisecond, between its neighbours' known ones, so that the
/// listing's order is kept; so is one that is exact, but learnt after a neighbour was told with a time on its wrong side.
/// `None` if the version is not listed.
#[must_use]
pub fn by_listing(
    listing: &[ListedVersion],
    version: &VersionId,
    exact: Option<i64>,
    known: &BTreeMap<VersionId, i64>,
) -> Option<Modified> {
    let entry = listing.iter().find(|listed| listed.version_id == *version)?;
    let start = entry.modified_ms.saturating_mul(NS_PER_MS);
    let within = |ns: &i64| ns.div_euclid(NS_PER_MS) == entry.modified_ms;
    let exact = exact.filter(within);
    if let Some(ns) = known.get(version).copied().filter(within) {
        // Told before: replicas have it.
        return Some(if exact == Some(ns) { Modified::exact(ns) } else { Modified::assigned(ns) });
    }
    let same: Vec<&ListedVersion> = listing.iter().filter(|listed| listed.modified_ms == entry.modified_ms).collect();
    let at = same.iter().position(|listed| listed.version_id == *version)?;
    let time_of = |listed: &&&ListedVersion| known.get(&listed.version_id).copied().filter(within);
    let newer: Vec<_> = same[..at].iter().rev().take_while(|listed| time_of(listed).is_none()).collect();
    let older: Vec<_> = same[at + 1..].iter().take_while(|listed| time_of(listed).is_none()).collect();
    let above = same[..at].iter().rev().find_map(|listed| time_of(&listed)).unwrap_or(start + NS_PER_MS);
    let below = same[at + 1..].iter().find_map(|listed| time_of(&listed)).unwrap_or(start - 1);
    if let Some(ns) = exact.filter(|ns| (below + 1..above).contains(ns)) {
        return Some(Modified::exact(ns));
    }
    let ns = between(below, above, older.len(), newer.len()).clamp(start, start + NS_PER_MS - 1);
    Some(Modified::assigned(ns))
}

/// A time between two others that leaves room for `under` and `over` more.
fn between(below: i64, above: i64, under: usize, over: usize) -> i64 {
    let (under, over) = (i64::try_from(under).unwrap_or(0), i64::try_from(over).unwrap_or(0));
    let step = (above - below) / (under + over + 2);
    if step > 0 { below + step * (under + 1) } else { below.saturating_add(1).min(above) }
}

/// The markers that a multi-delete's notice may mean: those listed within the time that its request can have taken,
/// since the notice says no id, and its time is the request's end. Newest first.
pub fn markers_within(
    listing: &[ListedVersion],
    notice_ns: i64,
    longest_request_ms: i64,
) -> impl Iterator<Item = &ListedVersion> {
    let end = notice_ns.div_euclid(NS_PER_MS);
    let span = end.saturating_sub(longest_request_ms)..=end;
    listing.iter().filter(move |listed| {
        listed.kind == twinlog_schemas::VersionKind::DeleteMarker && span.contains(&listed.modified_ms)
    })
}

/// The last nanosecond of a time's millisecond.
#[must_use]
pub fn end_of_millisecond(ns: i64) -> i64 {
    ns.div_euclid(NS_PER_MS).saturating_mul(NS_PER_MS).saturating_add(NS_PER_MS - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;
    use twinlog_schemas::VersionKind;

    fn listed(id: usize, ms: i64) -> ListedVersion {
        ListedVersion {
            key: "k".parse().unwrap(),
            version_id: format!("v{id}").parse().unwrap(),
            kind: VersionKind::Object,
            modified_ms: ms,
            is_latest: false,
            etag: None,
            size: None,
        }
    }

    #[test]
    fn a_births_sequencer_counts_if_the_read_agrees() {
        assert_eq!(of_birth(Some(5_999_999_999), 5_000), Some(Modified::exact(5_999_999_999)));
        assert_eq!(of_birth(Some(6_000_000_000), 5_000), None);
        assert_eq!(of_birth(None, 5_000), None);
    }

    #[test]
    fn a_sequencer_off_by_a_millisecond_is_not_taken() {
        let listing = [listed(1, 10)];
        let id = "v1".parse().unwrap();
        let exact = by_listing(&listing, &id, Some(10_999_999), &BTreeMap::new());
        assert_eq!(exact, Some(Modified::exact(10_999_999)));
        let off = by_listing(&listing, &id, Some(11_000_000), &BTreeMap::new()).unwrap();
        assert_eq!((off.ns / NS_PER_MS, off.precision), (10, TimePrecision::Milliseconds));
        assert_eq!(by_listing(&listing, &"gone".parse().unwrap(), None, &BTreeMap::new()), None);
    }

    proptest! {
        /// Scenario: versions of few milliseconds are captured in any order, some with exact times, each remembering
        /// the others. Guarantees: the times keep the listing's order, inside their milliseconds.
        #[test]
        fn assigned_times_keep_the_listings_order(
            mut true_ns in prop::collection::btree_set(0..3 * NS_PER_MS, 1..8),
            exact in prop::collection::vec(any::<bool>(), 8),
            order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let mut newest_first: Vec<i64> = Vec::new();
            while let Some(ns) = true_ns.pop_last() {
                newest_first.push(ns);
            }
            // Exact neighbours closer than the versions between them leave no room: such a listing has ties anyway.
            let roomy = newest_first.windows(2).all(|pair| pair[0] - pair[1] > 1_000);
            prop_assume!(roomy);
            let listing: Vec<_> =
                newest_first.iter().enumerate().map(|(n, ns)| listed(n, ns.div_euclid(NS_PER_MS))).collect();
            // All exact times are known beforehand: their notices wait together.
            let mut known: BTreeMap<VersionId, i64> = newest_first
                .iter()
                .enumerate()
                .filter(|(n, _)| exact[*n])
                .map(|(n, ns)| (listing[n].version_id.clone(), *ns))
                .collect();
            for n in order.into_iter().filter(|n| *n < listing.len()) {
                let id = &listing[n].version_id;
                let modified = by_listing(&listing, id, exact[n].then(|| newest_first[n]), &known).unwrap();
                prop_assert_eq!(modified.ns.div_euclid(NS_PER_MS), listing[n].modified_ms);
                known.insert(id.clone(), modified.ns);
            }
            let told: Vec<i64> = listing.iter().map(|listed| known[&listed.version_id]).collect();
            prop_assert!(told.windows(2).all(|pair| pair[0] > pair[1]), "{:?}", told);
        }

        /// Scenario: versions of one millisecond are captured in any order, each by its own notice, so that an exact time
        /// is learnt only with its own version, after neighbours had to be given times.
        /// Guarantees: what was told keeps the listing's order, and is told the same again.
        #[test]
        fn an_exact_time_learnt_late_does_not_invert_the_order(
            mut true_ns in prop::collection::btree_set(0..NS_PER_MS, 1..8),
            exact in prop::collection::vec(any::<bool>(), 8),
            order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let newest_first: Vec<i64> = std::iter::from_fn(|| true_ns.pop_last()).collect();
            let listing: Vec<_> = (0..newest_first.len()).map(|n| listed(n, 0)).collect();
            let mut known = BTreeMap::new();
            for n in order.into_iter().filter(|n| *n < listing.len()) {
                let id = &listing[n].version_id;
                let sequencer = exact[n].then(|| newest_first[n]);
                let modified = by_listing(&listing, id, sequencer, &known).unwrap();
                known.insert(id.clone(), modified.ns);
                prop_assert_eq!(by_listing(&listing, id, sequencer, &known).unwrap().ns, modified.ns);
            }
            let told: Vec<i64> = listing.iter().map(|listed| known[&listed.version_id]).collect();
            // Times so close together that nothing fits between them tie, as they may in the store itself.
            prop_assert!(told.windows(2).all(|pair| pair[0] >= pair[1]), "{:?}", told);
        }

        /// Scenario: one version after another appears in the same millisecond, and each is captured before the next.
        #[test]
        fn later_arrivals_come_after(count in 1..15_usize) {
            let mut known = BTreeMap::new();
            let mut last = i64::MIN;
            for newest in 0..count {
                let listing: Vec<_> = (0..=newest).rev().map(|n| listed(n, 7)).collect();
                let modified = by_listing(&listing, &listing[0].version_id, None, &known).unwrap();
                prop_assert!(modified.ns > last);
                last = modified.ns;
                known.insert(listing[0].version_id.clone(), last);
            }
        }
    }
}
