//! The letters of a site that are not closed, remembered by whoever follows both topics: by which version each can be
//! healed, and how many there are of each kind. Pure.
//!
//! Bounded: beyond `bound` letters the newer ones are not remembered. Those do not heal by themselves and are not
//! counted until the process starts again; a person replays or discards them.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use twinlog_log::{Fetched, Topics};
use twinlog_schemas::VersionRef;
use twinlog_schemas::codec::Codec;

use crate::cause::Cause;
use crate::letter::{Content, Letter};
use crate::state::{History, State};
use crate::states;

/// What letters are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The source; empty where nobody knows it.
    pub source: String,
    /// The bucket; likewise.
    pub bucket: String,
    /// The reason's code.
    pub reason: String,
}

/// What is remembered of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which record it is about.
    pub cause: Cause,
    /// A digest of the version's address; `None` where the record cannot be read.
    pub version: Option<u128>,
    /// Whether a fact was refused: facts say nothing of what a version *is*, only of its attributes and its removal.
    pub fact: bool,
    /// What it is counted by.
    pub label: Label,
    /// Partition and offset of the letter itself, once it was read: it goes when the log lets it go.
    pub at: Option<(i32, i64)>,
}

/// The memory.
#[derive(Debug, Default)]
pub struct Open {
    bound: usize,
    letters: HashMap<Cause, Kept>,
    versions: HashMap<u128, Vec<Cause>>,
    /// Whatever was said of letters, those not met yet included.
    states: HashMap<Cause, History>,
    counts: BTreeMap<Label, u64>,
    left_out: u64,
}

impl Kept {
    /// What is remembered of a letter.
    #[must_use]
    pub fn of(letter: &Letter, codec: &Codec) -> Self {
        let content = letter.content(codec);
        Self {
            version: content.version().as_ref().map(digest),
            fact: matches!(content, Content::Fact(_)),
            label: Label {
                source: letter.source.as_ref().map_or_else(String::new, ToString::to_string),
                bucket: letter.bucket.as_ref().map_or_else(String::new, ToString::to_string),
                reason: letter.reason.clone(),
            },
            at: Some((letter.position.partition.partition, letter.position.offset)),
            cause: letter.cause.clone(),
        }
    }

    /// What is remembered of the letter that was just written about a record, before it is read.
    #[must_use]
    pub fn written(record: &Fetched, label: Label, codec: &Codec) -> Self {
        let content = Content::of(codec, record.value.as_deref());
        Self {
            version: content.version().as_ref().map(digest),
            fact: matches!(content, Content::Fact(_)),
            label,
            at: None,
            cause: Cause::of(record),
        }
    }
}

impl Open {
    /// Remembers at most so many letters, and as many states.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { bound, ..Self::default() }
    }

    /// Whether there is nothing that a version could heal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Takes in a letter. One that is known is not counted again, one that is closed not at all.
    pub fn learn_letter(&mut self, letter: Kept) {
        if self.states.get(&letter.cause).is_some_and(History::is_closed) {
            return;
        }
        if let Some(known) = self.letters.get_mut(&letter.cause) {
            known.at = known.at.max(letter.at);
            return;
        }
        if self.letters.len() >= self.bound {
            self.left_out += 1;
            return;
        }
        if let Some(version) = letter.version {
            self.versions.entry(version).or_default().push(letter.cause.clone());
        }
        self.count(&letter, 1);
        self.letters.insert(letter.cause.clone(), letter);
    }

    /// Takes in a record of the state topic.
    pub fn learn_record(&mut self, record: &Fetched) {
        if let Some((place, Some(history))) = states::read(record) {
            let cause = Cause { at: place, recorded_ms: history.recorded_ms };
            self.learn_state(cause, history);
        }
    }

    /// Takes in what was said of a letter: the last word counts.
    pub fn learn_state(&mut self, cause: Cause, history: History) {
        let letter = self.letters.get(&cause).cloned();
        if let Some(letter) = &letter {
            self.count(letter, -1);
        }
        let closed = history.is_closed();
        if letter.is_some() || self.states.contains_key(&cause) || self.states.len() < self.bound {
            self.states.insert(cause, history);
        }
        if let Some(letter) = letter {
            if closed {
                self.forget(&letter);
            } else {
                self.count(&letter, 1);
            }
        }
    }

    /// The letters that are healed if the target holds this version as the index says, with what was said of them so
    /// far. Unless `whole`, only attributes were compared: then those of facts.
    #[must_use]
    pub fn healed_by(&self, version: &VersionRef, whole: bool) -> Vec<(Cause, Option<History>)> {
        if self.is_empty() {
            return Vec::new();
        }
        let causes = self.versions.get(&digest(version)).into_iter().flatten();
        let letters = causes.filter(|cause| whole || self.letters.get(cause).is_some_and(|letter| letter.fact));
        letters.map(|cause| (cause.clone(), self.states.get(cause).cloned())).collect()
    }

    /// Forgets what the log has let go: letters of this partition before `first`.
    pub fn expire(&mut self, partition: i32, first: i64) {
        let gone = |letter: &&Kept| letter.at.is_some_and(|(of, offset)| of == partition && offset < first);
        for letter in self.letters.values().filter(gone).cloned().collect::<Vec<_>>() {
            self.count(&letter, -1);
            self.states.remove(&letter.cause);
            self.forget(&letter);
        }
    }

    /// How many letters are open, and were not asked for again.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<Label, u64> {
        &self.counts
    }

    /// How many letters were not remembered.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    fn forget(&mut self, letter: &Kept) {
        self.letters.remove(&letter.cause);
        if let Some(version) = letter.version
            && let Some(causes) = self.versions.get_mut(&version)
        {
            causes.retain(|cause| *cause != letter.cause);
            if causes.is_empty() {
                self.versions.remove(&version);
            }
        }
    }

    /// Counts a letter in or out, if it is open by what is known now.
    fn count(&mut self, letter: &Kept, change: i64) {
        if self.states.get(&letter.cause).and_then(History::state).is_some_and(|state| state != State::Unknown) {
            return;
        }
        let count = self.counts.entry(letter.label.clone()).or_default();
        *count = count.saturating_add_signed(change);
        if *count == 0 {
            self.counts.remove(&letter.label);
        }
    }
}

/// Of a letter that a topic gives, what is remembered; `None` for what is none.
#[must_use]
pub fn kept(record: Fetched, topics: &Topics, codec: &Codec) -> Option<Kept> {
    Letter::read(record, topics).map(|letter| Kept::of(&letter, codec))
}

/// Two digests of 64 bits side by side: so many that no two versions of a deployment share them.
fn digest(version: &VersionRef) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        version.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::state::Change;

    const VERSIONS: usize = 3;

    fn version(n: usize) -> VersionRef {
        VersionRef {
            bucket: "photos".parse().unwrap(),
            key: format!("{n}").parse().unwrap(),
            version_id: "v".parse().unwrap(),
        }
    }

    fn cause(n: usize) -> Cause {
        Cause { at: Cause::place(&format!("t.facts.east/0/{n}")).unwrap(), recorded_ms: None }
    }

    /// Letter `n` is about version `n` modulo some, and of a fact where `n` is odd.
    fn letter(n: usize) -> Kept {
        let reason = if n < 4 { "refused" } else { "digest" };
        Kept {
            cause: cause(n),
            version: Some(digest(&version(n % VERSIONS))),
            fact: n % 2 == 1,
            label: Label { source: "east".into(), bucket: "photos".into(), reason: reason.into() },
            at: Some((0, i64::try_from(n).unwrap())),
        }
    }

    fn said(n: usize, state: State) -> History {
        History::after(&cause(n), None, Change { state, by: "ann".into(), why: None, at_us: 1 })
    }

    #[derive(Debug, Clone)]
    enum Step {
        Letter(usize),
        Said(usize, State),
    }

    fn step() -> impl Strategy<Value = Step> {
        let state = prop::sample::select(vec![State::Replayed, State::Healed, State::Discarded, State::Unknown]);
        prop_oneof![(0usize..8).prop_map(Step::Letter), (0usize..8, state).prop_map(|(n, state)| Step::Said(n, state))]
    }

    proptest! {
        /// The memory against a model: letters met and not closed, by the last word on each.
        #[test]
        fn it_remembers_what_is_not_closed(steps in prop::collection::vec(step(), 0..40)) {
            let mut open = Open::new(100);
            let (mut met, mut last) = (BTreeSet::new(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Letter(n) => {
                        if !matches!(last.get(&n), Some(State::Healed | State::Discarded)) {
                            met.insert(n);
                        }
                        open.learn_letter(letter(n));
                    }
                    Step::Said(n, state) => {
                        last.insert(n, state);
                        if matches!(state, State::Healed | State::Discarded) {
                            met.remove(&n);
                        }
                        open.learn_state(cause(n), said(n, state));
                    }
                }
                for v in 0..VERSIONS {
                    for whole in [true, false] {
                        let healed: BTreeSet<_> = open.healed_by(&version(v), whole).into_iter().map(|(c, _)| c).collect();
                        let of = |n: &&usize| **n % VERSIONS == v && (whole || **n % 2 == 1);
                        prop_assert_eq!(healed, met.iter().filter(of).map(|n| cause(*n)).collect());
                    }
                }
                let counted = met.iter().filter(|n| matches!(last.get(n), None | Some(State::Unknown)));
                prop_assert_eq!(open.counts().values().sum::<u64>(), counted.count() as u64);
                prop_assert_eq!(open.is_empty(), met.is_empty());
            }
            open.expire(0, 8);
            prop_assert!(open.is_empty() && open.counts().is_empty() && open.versions.is_empty());
        }

        #[test]
        fn it_stays_within_its_bound(letters in prop::collection::vec(0usize..1_000, 0..60)) {
            let mut open = Open::new(10);
            for n in &letters {
                open.learn_letter(letter(*n));
                open.learn_state(cause(n + 5_000), said(n + 5_000, State::Discarded));
            }
            let different = letters.iter().collect::<BTreeSet<_>>().len();
            prop_assert_eq!(open.letters.len(), different.min(10));
            prop_assert!(open.states.len() <= 10);
            prop_assert_eq!(open.left_out() > 0, different > 10);
        }
    }

    #[test]
    fn a_copy_of_a_closed_letter_stays_closed() {
        let mut open = Open::new(10);
        open.learn_letter(letter(1));
        open.learn_state(cause(1), said(1, State::Healed));
        open.learn_letter(letter(1));
        assert!(open.is_empty());
    }

    #[test]
    fn what_the_log_let_go_is_forgotten() {
        let mut open = Open::new(10);
        [1, 2, 3].map(letter).into_iter().for_each(|letter| open.learn_letter(letter));
        open.learn_letter(Kept { at: None, ..letter(5) });
        open.expire(0, 3);
        open.expire(1, 9);
        let left: BTreeSet<_> = open.letters.keys().cloned().collect();
        assert_eq!(left, [cause(3), cause(5)].into(), "what is not read yet stays");
    }
}
