#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// One step of a partition's life: a record arrives after a gap of so many offsets, or one of those pending finishes.
#[derive(Debug, Clone)]
enum Step {
    Receive(i64),
    Finish(prop::sample::Index),
}

fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![4 => Just(0_i64), 1 => 1..5_i64, 1 => 1000..100_000_i64];
    let step = prop_oneof![gap.prop_map(Step::Receive), any::<prop::sample::Index>().prop_map(Step::Finish)];
    prop::collection::vec(step, 0..length)
}

/// What really happened, kept naively.
#[derive(Debug, Default)]
struct Truth {
    received: BTreeSet<i64>,
    finished: BTreeSet<i64>,
}

impl Truth {
    fn unfinished(&self) -> BTreeSet<i64> {
        self.received.difference(&self.finished).copied().collect()
    }
}

fn live(ledger: &mut Ledger, truth: &mut Truth, next: &mut i64, steps: Vec<Step>) {
    for step in steps {
        match step {
            Step::Receive(gap) => {
                *next += gap;
                assert_eq!(ledger.receive(*next), Received::New);
                truth.received.insert(*next);
                *next += 1;
            }
            Step::Finish(which) => {
                let open: Vec<i64> = truth.unfinished().into_iter().collect();
                if !open.is_empty() {
                    let offset = *which.get(&open);
                    let before = ledger.commit_offset();
                    assert_eq!(ledger.finish(offset).unwrap(), ledger.commit_offset() > before);
                    truth.finished.insert(offset);
                }
            }
        }
        assert!(ledger.holds_together(), "{ledger:?}");
        let lowest = truth.unfinished().first().copied();
        let expected = lowest.unwrap_or_else(|| truth.received.last().map_or(ledger.seen(), |last| last + 1));
        assert_eq!(ledger.commit_offset(), expected, "the commit is the lowest pending, else the highest seen + 1");
    }
}

proptest! {
    #[test]
    fn restore_and_refetch_yield_exactly_the_unfinished(start in 0..1_000_000_i64, first in steps(300), second in steps(100)) {
        let (mut ledger, mut truth, mut next) = (Ledger::at(start), Truth::default(), start);
        live(&mut ledger, &mut truth, &mut next, first);
        let committed = ledger.commit();
        prop_assert!(committed.metadata.len() <= METADATA_LIMIT);

        let mut restored = Ledger::restore(&committed).unwrap();
        prop_assert_eq!(restored.start(), committed.offset);
        prop_assert_eq!(restored.commit(), committed.clone());
        let again: Vec<i64> = truth.received.range(committed.offset..).copied().collect();
        let new: BTreeSet<i64> = again.iter().copied().filter(|o| restored.receive(*o) == Received::New).collect();
        prop_assert_eq!(&new, &truth.unfinished());
        // Life goes on after the restart by the same rules, and ends with everything committed.
        live(&mut restored, &mut truth, &mut next, second);
        for offset in truth.unfinished() {
            restored.finish(offset).unwrap();
        }
        prop_assert_eq!(restored.commit_offset(), restored.seen());
        prop_assert_eq!(restored.commit().metadata, "");
    }

    #[test]
    fn a_crash_before_everything_was_read_again_forgets_nothing(first in steps(200), part: prop::sample::Index) {
        let (mut ledger, mut truth, mut next) = (Ledger::at(0), Truth::default(), 0);
        live(&mut ledger, &mut truth, &mut next, first);
        let mut restored = Ledger::restore(&ledger.commit()).unwrap();
        let again: Vec<i64> = truth.received.range(restored.start()..).copied().collect();
        for offset in again.iter().take(part.index(again.len() + 1)) {
            if restored.receive(*offset) == Received::New {
                restored.finish(*offset).unwrap();
                truth.finished.insert(*offset);
            }
        }
        let mut twice = Ledger::restore(&restored.commit()).unwrap();
        let again: Vec<i64> = truth.received.range(twice.start()..).copied().collect();
        let new: BTreeSet<i64> = again.into_iter().filter(|o| twice.receive(*o) == Received::New).collect();
        prop_assert_eq!(new, truth.unfinished());
    }

    #[test]
    fn records_that_vanish_between_two_reads_do_not_stall_the_commit(first in steps(200), kept: u64) {
        let (mut ledger, mut truth, mut next) = (Ledger::at(0), Truth::default(), 0);
        live(&mut ledger, &mut truth, &mut next, first);
        let mut restored = Ledger::restore(&ledger.commit()).unwrap();
        for (i, offset) in truth.received.range(restored.start()..).enumerate() {
            if kept >> (i % 64) & 1 == 1 && restored.receive(*offset) == Received::New {
                restored.finish(*offset).unwrap();
            }
        }
        prop_assert_eq!(restored.receive(next), Received::New);
        prop_assert_eq!(restored.commit_offset(), next);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn metadata_is_bounded_and_never_says_too_much(finished in prop::collection::btree_set(1..20_000_i64, 0..6_000)) {
        let mut ledger = Ledger::at(0);
        for offset in 0..20_000 {
            ledger.receive(offset);
        }
        for offset in &finished {
            ledger.finish(*offset).unwrap();
        }
        let committed = ledger.commit();
        prop_assert!(committed.metadata.len() <= METADATA_LIMIT);
        let mut restored = Ledger::restore(&committed).unwrap();
        let new = (0..20_000).filter(|o| restored.receive(*o) == Received::New).collect::<BTreeSet<i64>>();
        prop_assert!((0..20_000).filter(|o| !finished.contains(o)).all(|o| new.contains(&o)));
        if ledger.may_dispatch() {
            prop_assert_eq!(new.len(), 20_000 - finished.len());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,60}", offset: i64) {
        let _ = Ledger::restore(&Committed { offset, metadata: text });
    }
}

#[test]
fn dispatch_stops_at_three_quarters_and_goes_on_once_the_lowest_is_done() {
    let mut ledger = Ledger::at(0);
    let (mut next, mut random) = (0, 1_u64);
    // Every other record finishes, by chance, and the first one never does.
    while ledger.may_dispatch() {
        for _ in 0..64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            assert_eq!(ledger.receive(next), Received::New);
            if next > 0 && random >> 63 == 1 {
                ledger.finish(next).unwrap();
            }
            next += 1;
        }
        assert!(next < 100_000, "the limit was never reached");
    }
    let committed = ledger.commit();
    assert!((DISPATCH_LIMIT..METADATA_LIMIT).contains(&committed.metadata.len()), "{}", committed.metadata.len());
    let mut restored = Ledger::restore(&committed).unwrap();
    assert_eq!((0..next).filter(|o| restored.receive(*o) == Received::New).count(), ledger.pending());
    while !ledger.may_dispatch() {
        ledger.finish(ledger.lowest_pending().unwrap()).unwrap();
    }
    assert!(ledger.pending() > 0);
}

#[test]
fn copies_are_told_apart() {
    let mut ledger = Ledger::at(5);
    assert_eq!(ledger.receive(5), Received::New);
    assert_eq!(ledger.receive(5), Received::Pending);
    assert_eq!(ledger.finish(5), Ok(true));
    assert_eq!(ledger.receive(5), Received::Done);
    assert_eq!(ledger.finish(5), Err(NotPending { offset: 5, commit: 6, seen: 6 }));
    assert_eq!(ledger.finish(9), Err(NotPending { offset: 9, commit: 6, seen: 6 }));
}

#[test]
fn a_hand_over_is_remembered_and_said_once() {
    let mut ledger = Ledger::at(3);
    ledger.receive(3);
    let committed = ledger.commit_handed_over(Mark(7));
    let next_owner = Ledger::restore(&committed).unwrap();
    assert_eq!(next_owner.handed_over_by(), Some(Mark(7)));
    assert_eq!(Ledger::restore(&next_owner.commit()).unwrap().handed_over_by(), None);
    assert_eq!(Ledger::at(3).handed_over_by(), None);
}

#[test]
fn foreign_metadata_is_named_and_not_believed() {
    for text in ["consumer-1", "AAAA", "!!", "_w"] {
        let error = Ledger::restore(&Committed { offset: 9, metadata: text.to_owned() }).unwrap_err();
        assert_eq!(error.offset, 9, "{text}");
    }
    assert_eq!(Ledger::restore(&Committed { offset: 9, metadata: String::new() }).unwrap().start(), 9);
}

proptest! {
    /// The topic's id is in every commit, whatever else is, and what is undone below an offset is what was received there
    /// and not finished.
    #[test]
    fn a_commit_says_which_topic_it_is_of(id: u128, by: Option<u64>, first in steps(200), end in 0..100_000_i64) {
        let (mut ledger, mut truth, mut next) = (Ledger::at(0).of(Some(TopicId(id))), Truth::default(), 0);
        live(&mut ledger, &mut truth, &mut next, first);
        let by = by.map(Mark);
        let committed = by.map_or_else(|| ledger.commit(), |by| ledger.commit_handed_over(by));
        let restored = Ledger::restore(&committed).unwrap();
        prop_assert_eq!((restored.topic(), restored.handed_over_by()), (Some(TopicId(id)), by));
        let undone = i64::try_from(truth.unfinished().range(..end).count()).unwrap();
        let unread = (end - restored.start().max(ledger.seen())).max(0);
        prop_assert_eq!(restored.undone_below(end), undone + unread);
    }
}
