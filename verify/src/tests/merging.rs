//! The merge of paged listings tells what a comparison of whole listings tells.

use std::collections::BTreeMap;

use proptest::prelude::*;
use twinlog_site::ListedVersion;

use super::scripted::{Scripted, compared, line};
use crate::side::Depth;

/// Times of versions, by key and number.
type Times = BTreeMap<(u8, u8), i64>;

fn times() -> impl Strategy<Value = Times> {
    prop::collection::btree_map((0..3_u8, 0..12_u8), 0..4_i64, 0..24)
}

/// The lines in a store's order: by key, then newest first.
fn lines(times: &Times) -> Vec<ListedVersion> {
    let mut lines: Vec<_> =
        times.iter().map(|((key, id), ms)| line(&format!("k{key}"), &format!("{key}v{id}"), *ms)).collect();
    lines.sort_by_key(|line| (line.key.clone(), std::cmp::Reverse(line.modified_ms)));
    lines
}

proptest! {
    #[test]
    fn all_and_only_what_differs_is_found(common in times(), left in times(), right in times()) {
        let with = |own: Times| common.clone().into_iter().chain(own).collect::<Times>();
        let (left, right) = (with(left), with(right));
        let ids: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
        let expected = ids.iter().filter(|id| left.get(id) != right.get(id)).count();
        let (east, west) = (Scripted::new("east", lines(&left)), Scripted::new("west", lines(&right)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let report = runtime.block_on(compared(&east, &west, Depth::Listings));
        prop_assert_eq!(report.versions, ids.len() as u64);
        prop_assert_eq!(report.differing, expected as u64);
        prop_assert_eq!(report.ties, 0);
    }
}
