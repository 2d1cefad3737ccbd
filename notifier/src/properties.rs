//! Stories of letters and holds, read in any order, with crashes between telling, putting on record and committing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use twinlog_control::Standing;
use twinlog_schemas::SiteName;

use crate::signal::{At, Change, Said, Signal};
use crate::subject::{Kind, Subject};
use crate::windows::{Closed, Rules, Telling, Tells, Windows};

const RULES: Rules = Rules { window_ms: 1_000, settle_ms: 100, quiet_ms: 5_000, examples: 3 };
const START_MS: i64 = 50_000_000;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A dead letter of a subject in a partition, its time a little off.
    Letter { subject: u8, partition: u8, late_ms: i64 },
    /// A hold that begins, or ends if it has begun.
    Hold { subject: u8 },
    /// What a partition has is read.
    Read { partition: u8 },
    /// Time passes, and what is due is told.
    Tick { ms: i64 },
    /// As a tick, but the process ends after so many steps of telling, recording and committing.
    Crash { after: u8 },
}

fn step(crashes: bool) -> impl Strategy<Value = Step> {
    let letter = (0u8..3, 0u8..3, -1_500i64..1_500).prop_map(|(subject, partition, late_ms)| Step::Letter {
        subject,
        partition,
        late_ms,
    });
    prop_oneof![
        6 => letter,
        3 => (0u8..3).prop_map(|subject| Step::Hold { subject }),
        3 => (0u8..4).prop_map(|partition| Step::Read { partition }),
        4 => (0i64..2_500).prop_map(|ms| Step::Tick { ms }),
        u32::from(crashes) * 2 => (0u8..6).prop_map(|after| Step::Crash { after }),
    ]
}

/// The log, what came out of it, and a process.
struct World {
    now_ms: i64,
    /// Partitions 0 to 2 hold letters, the last one events.
    log: BTreeMap<At, Signal>,
    /// What is committed.
    done: BTreeSet<At>,
    /// What the process has read.
    read: BTreeSet<At>,
    told: Vec<(Subject, Telling, Vec<At>)>,
    on_record: BTreeMap<Subject, Standing>,
    held: BTreeSet<u8>,
    windows: Windows,
}

fn here() -> SiteName {
    SiteName::new("west").unwrap()
}

fn subject(kind: Kind, number: u8) -> Subject {
    Subject { kind, source: "east".into(), bucket: format!("b{number}"), reason: "r".into() }
}

impl World {
    fn new() -> Self {
        Self {
            now_ms: START_MS,
            log: BTreeMap::new(),
            done: BTreeSet::new(),
            read: BTreeSet::new(),
            told: Vec::new(),
            on_record: BTreeMap::new(),
            held: BTreeSet::new(),
            windows: Windows::new(here(), RULES, BTreeMap::new(), START_MS),
        }
    }

    fn append(&mut self, dead: bool, partition: i32, subject: Subject, change: Change, at_ms: i64) {
        let offset = self.log.keys().filter(|at| at.dead == dead && at.partition == partition).count();
        let at = At { dead, partition, offset: i64::try_from(offset).unwrap() };
        self.log.insert(at, Signal { subject, change, at_ms, count: 1, said: Said::default() });
    }

    fn hold(&mut self, number: u8) {
        let begins = self.held.insert(number) || !self.held.remove(&number);
        let change = if begins { Change::Begun } else { Change::Over };
        self.append(false, 3, subject(Kind::Hold, number), change, self.now_ms);
    }

    fn read(&mut self, partition: i32) {
        let unread = |at: &At| at.partition == partition && !self.read.contains(at) && !self.done.contains(at);
        for at in self.log.keys().copied().filter(unread).collect::<Vec<_>>() {
            self.read.insert(at);
            self.windows.take(self.log[&at].clone(), at, self.now_ms);
        }
    }

    /// Tells what is due; false if the process came to its end over it.
    fn due(&mut self, mut steps: Option<u8>) -> bool {
        let mut goes_on = || steps.as_mut().is_none_or(|left| left.checked_sub(1).map(|now| *left = now).is_some());
        for Closed { subject, telling, standing, positions } in self.windows.due(self.now_ms) {
            if !goes_on() {
                return false;
            }
            self.told.extend(telling.map(|telling| (subject.clone(), telling, positions.clone())));
            if !goes_on() {
                return false;
            }
            match standing {
                Some(standing) => drop(self.on_record.insert(subject, standing)),
                None => drop(self.on_record.remove(&subject)),
            }
            if !goes_on() {
                return false;
            }
            self.done.extend(positions);
        }
        true
    }

    fn restart(&mut self) {
        self.windows = Windows::new(here(), RULES, self.on_record.clone(), self.now_ms);
        self.read.clear();
        // A process that has just begun tells nothing before it has read what was there.
        (0..4).for_each(|partition| self.read(partition));
    }

    fn play(&mut self, story: &[Step]) {
        for step in story {
            match *step {
                Step::Letter { subject: number, partition, late_ms } => {
                    let at_ms = self.now_ms + late_ms;
                    self.append(true, i32::from(partition), subject(Kind::DeadLetters, number), Change::Begun, at_ms);
                }
                Step::Hold { subject } => self.hold(subject),
                Step::Read { partition } => self.read(i32::from(partition)),
                Step::Tick { ms } => {
                    self.now_ms += ms;
                    self.due(None);
                }
                Step::Crash { after } => {
                    self.due(Some(after));
                    self.restart();
                }
            }
        }
        // Everything comes to its end.
        for number in self.held.clone() {
            self.hold(number);
        }
        (0..4).for_each(|partition| self.read(partition));
        self.now_ms += 10_000;
        self.due(None);
        self.now_ms += 10_000;
        self.due(None);
    }

    fn letters(&self) -> BTreeMap<Subject, BTreeSet<At>> {
        let mut letters: BTreeMap<Subject, BTreeSet<At>> = BTreeMap::new();
        for (at, signal) in self.log.iter().filter(|(at, _)| at.dead) {
            letters.entry(signal.subject.clone()).or_default().insert(*at);
        }
        letters
    }
}

proptest! {
    #[test]
    fn without_a_crash_counts_add_up_and_a_window_tells_once(story in proptest::collection::vec(step(false), 0..60)) {
        let mut world = World::new();
        world.play(&story);
        for (subject, letters) in world.letters() {
            let told = world.told.iter().filter(|(of, telling, _)| *of == subject && telling.tells == Tells::Begun);
            let told: Vec<_> = told.collect();
            let count: u64 = told.iter().map(|(_, telling, _)| telling.count).sum();
            prop_assert_eq!(count, letters.len() as u64);
            // Each letter in one notification, each notification of a window of its own.
            let covered: Vec<At> = told.iter().flat_map(|(.., positions)| positions.clone()).collect();
            prop_assert_eq!(covered.len(), letters.len());
            let passed = (world.now_ms - START_MS + 3_000) / RULES.window_ms + 1;
            prop_assert!(i64::try_from(told.len()).unwrap() <= passed);
        }
        prop_assert_eq!(&world.done, &world.log.keys().copied().collect());
    }

    #[test]
    fn nothing_is_lost_by_a_crash_and_what_begun_is_over(story in proptest::collection::vec(step(true), 0..60)) {
        let mut world = World::new();
        world.play(&story);
        prop_assert_eq!(&world.done, &world.log.keys().copied().collect());
        prop_assert!(world.on_record.is_empty() && world.windows.standing().is_empty());
        for (subject, letters) in world.letters() {
            let told: BTreeSet<At> = world.told.iter().filter(|(of, ..)| *of == subject).flat_map(|(.., at)| at.clone()).collect();
            prop_assert_eq!(told, letters);
        }
        // The same id always stands for the same records.
        let mut by_id: BTreeMap<_, BTreeSet<At>> = BTreeMap::new();
        for (_, telling, positions) in world.told.iter().filter(|(.., positions)| !positions.is_empty()) {
            let positions: BTreeSet<At> = positions.iter().copied().collect();
            let before = by_id.insert(telling.id, positions.clone());
            prop_assert!(before.is_none_or(|before| before == positions));
        }
        let subjects: BTreeSet<_> = world.told.iter().map(|(subject, ..)| subject).collect();
        for subject in subjects {
            let last = world.told.iter().rev().find(|(of, ..)| of == subject).unwrap();
            prop_assert_eq!(last.1.tells, Tells::Over, "{:?}", subject);
        }
    }

    #[test]
    fn a_restart_before_the_commit_tells_the_same_again(letters in 1usize..40, partitions in proptest::collection::vec(0u8..3, 40)) {
        let mut world = World::new();
        for partition in partitions.into_iter().take(letters) {
            world.append(true, i32::from(partition), subject(Kind::DeadLetters, 0), Change::Begun, START_MS + 10);
        }
        (0..4).for_each(|partition| world.read(partition));
        world.now_ms += 1_200;
        // Told, and not on record yet.
        world.due(Some(1));
        let first = world.told.clone();
        world.restart();
        world.now_ms += 1_200;
        world.due(None);
        prop_assert_eq!(first.len(), 1);
        prop_assert_eq!(world.told.len(), 2);
        prop_assert_eq!(&world.told[0].1.id, &world.told[1].1.id);
        prop_assert_eq!(&world.told[0].1.count, &world.told[1].1.count);
        // Told and on record, but not committed: not again.
        world.done.clear();
        world.restart();
        world.due(None);
        prop_assert_eq!(world.told.len(), 2);
    }
}

#[test]
fn ten_thousand_failures_are_one_message_with_examples() {
    let mut windows = Windows::new(here(), RULES, BTreeMap::new(), START_MS);
    for offset in 0..10_000 {
        let example = twinlog_schemas::ExampleTold { at: format!("t/0/{offset}"), key: None, message: None };
        let signal = Signal {
            subject: subject(Kind::DeadLetters, 0),
            change: Change::Begun,
            at_ms: START_MS,
            count: 1,
            said: Said { example: Some(example), ..Said::default() },
        };
        windows.take(signal, At { dead: true, partition: 0, offset }, START_MS);
    }
    assert!(windows.due(START_MS + 1_000).is_empty(), "its window is not over");
    let told = windows.due(START_MS + 1_100);
    assert_eq!(told.len(), 1);
    let telling = told[0].telling.as_ref().unwrap();
    assert_eq!((telling.count, telling.examples.len(), told[0].positions.len()), (10_000, 3, 10_000));
}
