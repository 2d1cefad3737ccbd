//! Many seeds of one profile, over several threads: each seed runs on a thread by itself, so threads change nothing.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Failure, Planted, Profile, run_with};

/// Runs the seeds; returns those that failed, in order. With `only_first`, begins no later seed once one has failed.
#[must_use]
pub fn run_seeds(
    profile: &Profile,
    seeds: Range<u64>,
    planted: Option<Planted>,
    jobs: usize,
    only_first: bool,
) -> Vec<Failure> {
    let next = AtomicU64::new(seeds.start);
    let enough = AtomicBool::new(false);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while !enough.load(Ordering::SeqCst) {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    if let Err(failure) = run_with(profile, seed, planted) {
                        enough.fetch_or(only_first, Ordering::SeqCst);
                        failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|failure| failure.seed);
    failures
}
