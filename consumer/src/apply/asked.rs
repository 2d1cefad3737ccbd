//! How often other sites were asked lately for the object of a null version's register: each time, the next one waits
//! longer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use twinlog_schemas::{RegisterRef, VersionRef};

/// The first wait; it doubles with every further asking.
const FIRST: Duration = Duration::from_secs(1);
/// How often is asked for one register. Each answer comes with facts, which plan the version again: what the target can
/// never take would be asked for, and refused, for ever. Whatever is new later plans it again.
const MOST: u32 = 8;

/// The newest askings, bounded; forgetting one costs an early asking, never a mistake.
#[derive(Debug)]
pub(super) struct Asked {
    bound: usize,
    longest: Duration,
    askings: Mutex<Askings>,
}

#[derive(Debug, Default)]
struct Askings {
    /// For which register, and how often.
    known: BTreeMap<VersionRef, (RegisterRef, u32)>,
    /// The oldest first.
    order: VecDeque<VersionRef>,
}

impl Asked {
    /// Remembers at most `bound` versions; no wait is longer than `longest`.
    pub(super) fn new(bound: usize, longest: Duration) -> Self {
        Self { bound, longest, askings: Mutex::default() }
    }

    /// How long to wait before asking for this register (the first time not at all), and remembers the asking; `None` once it
    /// was asked for often enough. Another register of the same version begins anew.
    pub(super) fn wait(&self, version: &VersionRef, register: &RegisterRef) -> Option<Duration> {
        let mut askings = self.askings.lock().unwrap_or_else(PoisonError::into_inner);
        let Askings { known, order } = &mut *askings;
        let before = known.get(version).filter(|(of, _)| of == register).map_or(0, |(_, times)| *times);
        if known.insert(version.clone(), (register.clone(), before.saturating_add(1))).is_none() {
            order.push_back(version.clone());
        }
        if order.len() > self.bound
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
        match before.checked_sub(1) {
            None => Some(Duration::ZERO),
            Some(_) if before >= MOST => None,
            Some(doublings) => Some(FIRST.saturating_mul(1 << doublings).min(self.longest)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn version(key: &str) -> VersionRef {
        VersionRef { bucket: "bucket".parse().unwrap(), key: key.parse().unwrap(), version_id: "null".parse().unwrap() }
    }

    fn register(at_ns: i64) -> RegisterRef {
        RegisterRef { at_ns, site: "east".parse().unwrap() }
    }

    #[test]
    fn each_asking_waits_longer_up_to_a_bound_and_another_register_begins_anew() {
        let asked = Asked::new(2, Duration::from_secs(8));
        let waits: Vec<_> =
            (0..10).map_while(|_| asked.wait(&version("a"), &register(1))).map(|it| it.as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 8, 8, 8], "then not again");
        let at_once = Some(Duration::ZERO);
        assert_eq!(asked.wait(&version("b"), &register(1)), at_once);
        assert_eq!(asked.wait(&version("a"), &register(2)), at_once);
        asked.wait(&version("c"), &register(1));
        assert_eq!(asked.wait(&version("a"), &register(2)), at_once, "the oldest version was forgotten");
    }
}
