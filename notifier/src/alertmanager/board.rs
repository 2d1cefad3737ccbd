//! What an Alertmanager is to be told of: what stands, and for a while what stood. Pure.

use std::collections::BTreeMap;

use twinlog_control::Standing;

use crate::subject::Subject;

/// For how long an end is repeated, in milliseconds: an Alertmanager that was away hears of it too.
const REPEAT_MS: i64 = 900_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Board {
    standing: BTreeMap<Subject, Standing>,
    /// With the time of its end, milliseconds since the Unix epoch.
    ended: BTreeMap<Subject, (Standing, i64)>,
}

impl Board {
    /// Takes over what stands now; whether anything has begun or ended.
    pub(super) fn update(&mut self, now: BTreeMap<Subject, Standing>, now_ms: i64) -> bool {
        let before = std::mem::replace(&mut self.standing, now);
        let begun = self.standing.keys().any(|subject| !before.contains_key(subject));
        let gone: Vec<_> = before.into_iter().filter(|(subject, _)| !self.standing.contains_key(subject)).collect();
        let changed = begun || !gone.is_empty();
        self.ended.extend(gone.into_iter().map(|(subject, standing)| (subject, (standing, now_ms))));
        self.ended.retain(|subject, (_, ended)| *ended + REPEAT_MS > now_ms && !self.standing.contains_key(subject));
        changed
    }

    /// Everything to be told, each with its end: `ends_ms` for what stands.
    pub(super) fn all(&self, ends_ms: i64) -> impl Iterator<Item = (&Subject, &Standing, i64)> {
        let standing = self.standing.iter().map(move |(subject, standing)| (subject, standing, ends_ms));
        standing.chain(self.ended.iter().map(|(subject, (standing, ended))| (subject, standing, *ended)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::subject::Kind;

    fn subject(number: u8) -> Subject {
        Subject { kind: Kind::Hold, source: "east".into(), bucket: format!("b{number}"), reason: "r".into() }
    }

    proptest! {
        #[test]
        fn what_began_is_told_until_it_ends_and_its_end_for_a_while(story in proptest::collection::vec((proptest::collection::btree_set(0u8..4, 0..4), 0i64..600_000), 1..30)) {
            let mut board = Board::default();
            let (mut now_ms, mut ends) = (0, BTreeMap::<u8, i64>::new());
            let mut before = std::collections::BTreeSet::new();
            for (stands, later) in story {
                now_ms += later;
                let now = stands.iter().map(|n| (subject(*n), Standing::default())).collect();
                prop_assert_eq!(board.update(now, now_ms), stands != before);
                ends.extend(before.difference(&stands).map(|n| (*n, now_ms)));
                ends.retain(|n, _| !stands.contains(n));
                let told: BTreeMap<Subject, i64> = board.all(i64::MAX).map(|(s, _, ends)| (s.clone(), ends)).collect();
                for n in 0..4 {
                    let expected = if stands.contains(&n) { Some(i64::MAX) } else { ends.get(&n).copied().filter(|end| end + REPEAT_MS > now_ms) };
                    prop_assert_eq!(told.get(&subject(n)).copied(), expected);
                }
                before = stands;
            }
        }
    }
}
