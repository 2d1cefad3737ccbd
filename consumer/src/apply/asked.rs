//! How often the object of a null version's register was asked for lately: each time, the next asking waits longer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use twinlog_schemas::{RegisterRef, VersionRef};

use super::newest::Newest;

/// The first wait; it doubles with every further asking.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// The wait where nothing is remembered of an asking that was answered: there may be very many.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// When to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// At once: the first time.
    Now,
    /// After so long.
    After(Duration),
    /// It is asked for already, and the answer or the time has not come.
    Waiting,
}

/// The newest askings, bounded; forgetting one costs a late asking, never a mistake.
#[derive(Debug)]
pub(super) struct Asked(Mutex<Newest<VersionRef, Asking>>);

#[derive(Debug)]
struct Asking {
    /// For which register.
    register: RegisterRef,
    /// Whether at once, so that an answer comes.
    at_once: bool,
    /// How long the last wait was.
    waited: Duration,
    /// When the next one begins.
    next: Instant,
}

impl Asked {
    /// Remembers at most `bound` versions.
    pub(super) fn new(bound: usize) -> Self {
        Self(Mutex::new(Newest::new(bound)))
    }

    /// When to ask for this register. `lacking` where a site told that it has nothing, or something older: what is asked for
    /// may still be on its way there; otherwise an answer is still to come. Another register of the same version begins anew.
    pub(super) fn next(&self, version: &VersionRef, register: &RegisterRef, lacking: bool) -> Next {
        let askings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (askings.get(version).filter(|asking| asking.register == *register), lacking) {
            (None, false) => Next::Now,
            (None, true) => Next::After(FORGOTTEN),
            (Some(asking), false) if !asking.at_once => Next::Now,
            (Some(asking), true) if Instant::now() >= asking.next => {
                Next::After((asking.waited * 2).clamp(FIRST, LONGEST))
            }
            (Some(_), _) => Next::Waiting,
        }
    }

    /// Remembers that it was asked for, or will be after `wait`; call it once that stands.
    pub(super) fn note(&self, version: &VersionRef, register: &RegisterRef, wait: Duration) {
        let mut askings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = askings.get(version).is_some_and(|asking| asking.register == *register && asking.at_once);
        let (at_once, next) = (before || wait.is_zero(), Instant::now() + wait);
        let asking = Asking { register: register.clone(), at_once, waited: wait, next };
        askings.insert(version.clone(), asking);
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

    #[tokio::test(start_paused = true)]
    async fn each_asking_waits_longer_up_to_a_bound_and_another_register_begins_anew() {
        let (asked, a, first) = (Asked::new(2), version("a"), register(1));
        assert_eq!(asked.next(&a, &first, false), Next::Now);
        assert_eq!(asked.next(&a, &first, false), Next::Now, "not noted: it may not have come about");
        asked.note(&a, &first, Duration::ZERO);
        for times in 0..20 {
            let wait = Duration::from_secs((1 << times).min(24 * 3_600));
            assert_eq!(asked.next(&a, &first, false), Next::Waiting, "an answer will say more");
            assert_eq!(asked.next(&a, &first, true), Next::After(wait));
            asked.note(&a, &first, wait);
            assert_eq!(asked.next(&a, &first, true), Next::Waiting);
            tokio::time::sleep(wait).await;
        }
        assert_eq!(asked.next(&a, &register(2), false), Next::Now);
        asked.note(&version("b"), &first, Duration::ZERO);
        asked.note(&version("c"), &first, Duration::ZERO);
        assert_eq!(asked.next(&a, &first, true), Next::After(FORGOTTEN), "the oldest version was forgotten");
        asked.note(&a, &first, FORGOTTEN);
        assert_eq!(asked.next(&a, &first, false), Next::Now, "nobody was asked for this one yet");
    }
}
