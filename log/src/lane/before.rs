//! What the owner of a lane knows of whoever owned it before: whether writes of theirs may still be under way.
//!
//! A write is signed to expire, so one that began before its owner stopped can act no longer than that expiry after the
//! stop. Each owner leaves two traces. Its commits say by their last act that everything had ended (handed over), and by
//! whom: the log takes commits from anybody, at any time, and so also from one that was stopped while others came. And
//! before its first write it puts its mark on the lane, where the log takes it from the present owner only; so whoever
//! finds a mark there knows that nobody else has written since that mark was put.

use std::time::Duration;

/// Whoever owned the lane before, and for how long nothing of theirs has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nobody, or an owner that handed over: nothing of theirs is under way.
    Clean,
    /// This same process, and nobody in between.
    Ourselves(Duration),
    /// Another owner, which ended without a word. When is not known, but it had by the time at which this process put its
    /// mark on the lane.
    Unclean(Duration),
}

impl Before {
    /// The rule. `clean`: every partition that the lane is to read was handed over in the ownership whose mark was found on
    /// the lane, or never read. `ourselves`: that ownership was this process's last, which knew then when it had stopped
    /// its work there. `ago`: how long ago that was, or else, how long ago this process put its own mark.
    #[must_use]
    pub fn judge(clean: bool, ourselves: bool, ago: Duration) -> Self {
        match (clean, ourselves) {
            (true, _) => Self::Clean,
            (false, true) => Self::Ourselves(ago),
            (false, false) => Self::Unclean(ago),
        }
    }

    /// How long to wait until nothing that the owner before had begun can act any more, where that may act for `expiry`.
    #[must_use]
    pub fn wait(self, expiry: Duration) -> Duration {
        match self {
            Self::Clean => Duration::ZERO,
            Self::Ourselves(ago) | Self::Unclean(ago) => expiry.saturating_sub(ago),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXPIRY: Duration = Duration::from_secs(11);

    /// An ownership of the lane: by whom, how long after the one before and for how long, in seconds, whether the claim is
    /// known to have come about, and whether what was begun in it had ended in the end, with how many ownerships later that
    /// was said.
    type Ownership = (usize, u64, u64, bool, Option<usize>);

    fn history() -> impl Strategy<Value = Vec<Ownership>> {
        let said = prop::option::of(prop_oneof![3 => Just(0usize), 1 => 1usize..4]);
        let claimed = prop::bool::weighted(0.9);
        prop::collection::vec((0usize..3, 0u64..12, 0u64..25, claimed, said), 0..12)
    }

    proptest! {
        /// Whoever owned the lane, in whatever order, and lost it again, also while it waited: once an owner begins, no write
        /// of any other ownership can act. A write may begin in an ownership's last moment, and what is said of its end come
        /// at any time.
        #[test]
        fn after_the_wait_nothing_acts_any_more(history in history()) {
            let (mut now, mut mark, mut acts_until) = (Duration::ZERO, None, Duration::ZERO);
            // What stands committed: nothing, an open lane, or one handed over in some ownership.
            let (mut stands, mut late): (Option<Option<usize>>, Vec<(usize, usize)>) = (None, Vec::new());
            // Of each process, the mark of its last ownership and when it had begun all that it began.
            let mut known: [Option<(usize, Duration)>; 3] = [None; 3];
            for (number, (who, later, long, certain, ended)) in history.into_iter().enumerate() {
                for (_, by) in late.extract_if(.., |(said, _)| *said <= number) {
                    stands = Some(Some(by));
                }
                let claimed = now + Duration::from_secs(later);
                now = claimed + Duration::from_secs(long);
                let before = known[who].take().filter(|(own, _)| mark == Some(*own));
                let clean = stands.is_none_or(|by| by.is_some() && by == mark);
                mark = Some(number);
                if !certain {
                    continue;
                }
                let since = before.map_or(claimed, |(_, since)| since);
                let begins = claimed + Before::judge(clean, before.is_some(), claimed - since).wait(EXPIRY);
                if begins > now {
                    known[who] = Some((number, since));
                    continue;
                }
                prop_assert!(begins >= acts_until, "{who} begins at {begins:?}, something acts until {acts_until:?}");
                (stands, known[who]) = (Some(ended.filter(|after| *after == 0).map(|_| number)), Some((number, now)));
                late.extend(ended.filter(|after| *after > 0).map(|after| (number + after, number)));
                acts_until = if ended.is_some() { Duration::ZERO } else { now + EXPIRY };
            }
        }
    }

    #[test]
    fn what_was_not_handed_over_is_waited_out_from_when_it_had_ended() {
        let wait = |clean, ourselves, seconds| {
            Before::judge(clean, ourselves, Duration::from_secs(seconds)).wait(EXPIRY).as_secs()
        };
        assert_eq!(wait(true, false, 0), 0);
        assert_eq!(wait(false, true, 4), 7);
        assert_eq!(wait(false, true, 60), 0);
        assert_eq!(wait(false, false, 0), 11);
    }
}
