//! The conformance suite: what the contract of [`crate::Site`] promises, as checks that every store runs, the in-memory
//! one and real ones. It is for tests; it panics nowhere, and a check that fails says what it saw.
//!
//! Each check works on keys of its own. Where a store differs from the contract, the difference is a named field of
//! [`crate::memory::Quirks`], and the check asserts the store's own behaviour instead: never either of the two.

mod attributes;
pub mod bench;
mod bucket;
pub mod client;
mod expiry;
mod listing;
mod marker;
mod multipart;
mod null;
mod reading;
mod removal;
mod silence;
mod writing;

use futures::future::BoxFuture;

pub use bench::{Bench, Failure, Outcome};
pub use client::{Client, ClientError};

/// One check.
#[derive(Clone, Copy)]
pub struct Check {
    /// What it shows, as a name.
    pub name: &'static str,
    /// Runs it.
    pub run: for<'a> fn(&'a Bench) -> BoxFuture<'a, Outcome>,
}

macro_rules! checks {
    ($($module:ident :: $check:ident),+ $(,)?) => {
        &[$(Check { name: concat!(stringify!($module), "::", stringify!($check)), run: |bench| Box::pin($module::$check(bench)) }),+]
    };
}

/// All checks, in the order in which they run.
pub const CHECKS: &[Check] = checks![
    reading::shows_all_of_an_object,
    reading::shows_the_body_only_if_small_enough,
    reading::shows_all_of_a_plain_object_at_once,
    reading::shows_markers_and_absence,
    reading::shows_parts_with_gaps,
    reading::opens_ranges_pinned_to_the_etag,
    listing::keeps_nanosecond_order,
    listing::agrees_with_client_writes,
    listing::lists_odd_keys_verbatim,
    listing::pages_without_loss_or_repeat,
    listing::names_only_the_exact_key,
    listing::keys_below_keys_follow_the_store,
    writing::makes_the_same_version,
    writing::keeps_empty_bodies,
    writing::keeps_checksums_and_adds_none,
    writing::refuses_a_version_that_is_there,
    writing::stands_beside_other_versions,
    writing::refuses_wrong_digests_and_lengths,
    writing::stores_a_given_etag_unchecked,
    writing::meets_a_marker_of_the_same_id,
    writing::refuses_locks_without_object_lock,
    writing::treats_expired_retention,
    writing::meets_unversioned_buckets,
    writing::keeps_ids_of_keys_ending_in_slash,
    writing::refuses_keys_that_are_no_path,
    multipart::makes_the_same_version,
    multipart::lists_and_resumes,
    multipart::aborts_idempotently,
    multipart::keeps_one_part_uploads,
    marker::is_made_with_its_time,
    marker::is_made_on_absent_keys,
    marker::removes_itself_when_sent_twice,
    marker::removes_an_object_of_the_same_id,
    marker::is_removed_by_id,
    removal::is_idempotent,
    removal::respects_governance,
    removal::respects_compliance,
    removal::respects_legal_hold,
    removal::meets_if_match,
    attributes::tags_are_replaced_and_removed,
    attributes::tags_beyond_ascii,
    attributes::retention_is_set_shortened_and_lifted,
    attributes::compliance_is_only_extended,
    attributes::legal_hold_goes_on_and_off,
    attributes::changes_need_a_version,
    null::is_put_guarded,
    null::older_overwrites_newer,
    null::marker_follows_the_store,
    null::native_markers_are_removed,
    null::keys_ending_in_slash_are_null,
    bucket::state_is_told,
    bucket::subscription_is_merged_once,
    bucket::absent_bucket_is_named,
    bucket::permissions_and_clock,
    silence::replica_writes_raise_no_notice,
    expiry::late_writes_do_not_act,
    expiry::slow_bodies_are_taken,
];

/// Makes the buckets and runs all checks; the failures by name, in order.
pub async fn run(bench: &Bench) -> Vec<(&'static str, Failure)> {
    if let Err(failure) = bench.prepare().await {
        return vec![("prepare", failure)];
    }
    let mut failures = Vec::new();
    for check in CHECKS {
        if let Err(failure) = (check.run)(bench).await {
            failures.push((check.name, failure));
        }
    }
    failures
}
