//! What the owner of a lane knows of whoever owned it before: whether writes of theirs may still be under way.
//!
//! A write is signed to expire, so one that began before its owner stopped can act no longer than that expiry after the
//! stop. Each owner leaves two traces. Its commits say by their last act that everything had ended (handed over). And
//! before its first write it puts its mark on the lane, where the log takes it from the present owner only; so whoever
//! finds a mark there knows that nobody else has written since that mark was put.

use std::time::Duration;

/// Whoever owned the lane before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nobody, or an owner that handed over: nothing of theirs is under way.
    Clean,
    /// This same process, and nobody in between; it has begun nothing for so long.
    Ourselves(Duration),
    /// Another owner, which ended without a word; when is not known.
    Unclean,
}

impl Before {
    /// The rule. `clean`: every partition of the lane was handed over, or never read. `last` is the mark found on the
    /// lane, `ours` that of this process, `stopped` how long ago this process had stopped all its work on the lane; none
    /// where it did not own it before.
    #[must_use]
    pub fn judge(clean: bool, last: Option<&str>, ours: &str, stopped: Option<Duration>) -> Self {
        match stopped {
            _ if clean => Self::Clean,
            Some(ago) if last == Some(ours) => Self::Ourselves(ago),
            _ => Self::Unclean,
        }
    }

    /// How long to wait until nothing that the owner before had begun can act any more, where that may act for `expiry`.
    #[must_use]
    pub fn wait(self, expiry: Duration) -> Duration {
        match self {
            Self::Clean => Duration::ZERO,
            Self::Ourselves(ago) => expiry.saturating_sub(ago),
            Self::Unclean => expiry,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXPIRY: Duration = Duration::from_secs(11);

    /// An ownership of the lane: by whom (0 is this process), from when to when, in seconds, and whether it was handed
    /// over. A write may begin in its last moment.
    type Ownership = (u8, u64, u64, bool);

    /// Ownerships one after the other; the next one, this process's, begins at the time returned.
    fn history() -> impl Strategy<Value = (Vec<Ownership>, u64)> {
        prop::collection::vec((0u8..3, 0u64..20, 0u64..20, any::<bool>()), 0..6).prop_map(|steps| {
            let mut now = 0;
            let mut owned = Vec::new();
            for (who, before, long, handed_over) in steps {
                owned.push((who, now + before, now + before + long, handed_over));
                now += before + long;
            }
            (owned, now)
        })
    }

    proptest! {
        /// Whoever owned the lane, in whatever order: once the wait is over, no write of any owner that did not wait for
        /// its end can act.
        #[test]
        fn after_the_wait_nothing_acts_any_more((owned, now) in history()) {
            let last = owned.last().map(|(who, ..)| who.to_string());
            let stopped = owned.iter().rev().find(|(who, ..)| *who == 0).map(|(_, _, end, _)| Duration::from_secs(now - end));
            let clean = owned.last().is_none_or(|(.., handed_over)| *handed_over);
            let begin = Duration::from_secs(now) + Before::judge(clean, last.as_deref(), "0", stopped).wait(EXPIRY);
            // An owner before the last one was waited out by its successor, or is the successor itself.
            let acts_until = owned.last().filter(|(.., handed_over)| !handed_over).map(|(_, _, end, _)| Duration::from_secs(*end) + EXPIRY);
            prop_assert!(acts_until.is_none_or(|until| begin >= until), "begins {begin:?}, acts until {acts_until:?}");
        }
    }

    #[test]
    fn only_an_owner_that_stopped_and_finds_its_own_mark_waits_less() {
        let ago = Some(Duration::from_secs(4));
        let wait = |clean, last, stopped| Before::judge(clean, last, "us", stopped).wait(EXPIRY).as_secs();
        assert_eq!(wait(true, Some("them"), None), 0);
        assert_eq!(wait(false, Some("us"), ago), 7);
        assert_eq!(wait(false, Some("us"), Some(Duration::from_secs(60))), 0);
        assert_eq!(wait(false, Some("them"), ago), 11, "another process owned it in between");
        assert_eq!(wait(false, None, ago), 11, "a mark that is lost proves nothing");
        assert_eq!(wait(false, Some("us"), None), 11, "put by an attempt whose end is not known");
    }
}
