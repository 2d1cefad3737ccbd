//! The decision. Pure.

use twinlog_log::Retention;

/// From this share of the retention on there is an alarm.
pub const ALARM: f64 = 0.5;
/// It ends below this share: a backlog that drains about as fast as it grows is one alarm and not many.
const OVER: f64 = 0.4;

/// What becomes of the alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It goes out.
    Begun,
    /// It is over.
    Ended,
}

/// The share of its retention that the oldest record of a partition which waits has used up, by age and by what stands
/// from there to the partition's end, whichever is more. 1 and above: the log may delete it now.
#[expect(clippy::cast_precision_loss, reason = "a share: milliseconds and bytes are far below 2^52")]
pub fn used(age_ms: i64, bytes: i64, retention: Retention) -> f64 {
    let share = |of: i64, limit: Option<i64>| {
        let limit = limit.filter(|limit| *limit > 0);
        limit.map_or(0.0, |limit| of.max(0) as f64 / limit as f64)
    };
    share(age_ms, retention.ms).max(share(bytes, retention.bytes))
}

/// A share in whole percent.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bounded share, not negative")]
pub fn percent(used: f64) -> u32 {
    (used * 100.0).clamp(0.0, 1e9).round() as u32
}

/// What becomes of an alarm that stands or does not.
pub fn judge(stands: bool, used: f64) -> Option<Change> {
    match stands {
        false if used >= ALARM => Some(Change::Begun),
        true if used < OVER => Some(Change::Ended),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn age_and_size_count_whichever_is_more() {
        let both = Retention { ms: Some(1_000), bytes: Some(100) };
        for (age_ms, bytes, expected) in [(0, 0, 0.0), (500, 10, 0.5), (100, 90, 0.9), (3_000, 0, 3.0), (-5, 0, 0.0)] {
            assert!((used(age_ms, bytes, both) - expected).abs() < 1e-9, "{age_ms} ms, {bytes} bytes");
        }
        assert!(used(i64::MAX, i64::MAX, Retention::default()).abs() < 1e-9, "what is kept for ever is never deleted");
    }

    proptest! {
        /// Whatever the share does: an alarm begins at half and not before, ends below the lower bound and not before, and
        /// begins and ends in turn.
        #[test]
        fn the_alarm_begins_at_half_and_ends_well_below(shares in prop::collection::vec(0.0..1.5_f64, 0..200)) {
            let mut stands = false;
            for share in shares {
                let change = judge(stands, share);
                match change {
                    Some(Change::Begun) => prop_assert!(!stands && share >= ALARM),
                    Some(Change::Ended) => prop_assert!(stands && share < OVER),
                    None => prop_assert!((stands && share >= OVER) || (!stands && share < ALARM)),
                }
                stands = change.map_or(stands, |change| change == Change::Begun);
            }
        }
    }
}
