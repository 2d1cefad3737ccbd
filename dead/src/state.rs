//! What became of a letter: the record of the state topic, keyed by the letter's cause.
//!
//! ```text
//! open ──replayed──▶ asked for again ──healed──▶ the target holds the version as the index says
//!   ├────healed────▶
//!   └───discarded──▶ a person said that it is not to be applied
//! ```
//!
//! The value is JSON, for people and their tools: few are written and they are small. Its `format` is 1; fields are only
//! ever added, and a state that a newer release knows leaves the letter open here.

use serde::{Deserialize, Serialize};

use crate::cause::Cause;

/// The format that this release writes.
pub const FORMAT: u32 = 1;
/// How many changes a record keeps: the newest.
const KEPT: usize = 16;

/// What was said of a letter. One of which nothing was said is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its version was asked for again, and the log has the notice. What fails again has a letter of its own.
    Replayed,
    /// The target was seen to hold the version as the index says.
    Healed,
    /// A person said that it is not to be applied.
    Discarded,
    /// A newer release said something.
    #[serde(other)]
    Unknown,
}

impl State {
    /// The word; what nothing was said of, and what is not understood, is open.
    #[must_use]
    pub const fn word(state: Option<Self>) -> &'static str {
        match state {
            Some(Self::Replayed) => "replayed",
            Some(Self::Healed) => "healed",
            Some(Self::Discarded) => "discarded",
            Some(Self::Unknown) | None => "open",
        }
    }
}

/// One change of a letter's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// To what.
    pub state: State,
    /// Who said so: a person, or `twinlog at <site>`.
    pub by: String,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When, microseconds since the Unix epoch by the clock of who said so.
    pub at_us: i64,
}

/// All that was said of a letter, as far as its last writer knew: the last change counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The form of this record.
    pub format: u32,
    /// The causing record's own time, milliseconds since the Unix epoch: the state is that record's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_ms: Option<i64>,
    /// The changes, oldest first.
    pub changes: Vec<Change>,
}

impl History {
    /// What is on record of a letter once `change` has been said of it, `before` having been on record.
    #[must_use]
    pub fn after(cause: &Cause, before: Option<&Self>, change: Change) -> Self {
        let mut changes = before.map(|history| history.changes.clone()).unwrap_or_default();
        changes.push(change);
        changes.drain(..changes.len().saturating_sub(KEPT));
        Self { format: FORMAT, recorded_ms: cause.recorded_ms, changes }
    }

    /// The last change.
    #[must_use]
    pub fn last(&self) -> Option<&Change> {
        self.changes.last()
    }

    /// The state now; `None` is open.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        self.last().map(|change| change.state)
    }

    /// Whether nobody has to look at the letter any more, and nothing that happens changes its state.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state(), Some(State::Healed | State::Discarded))
    }

    /// The record's value.
    ///
    /// # Errors
    /// A history does not lack a form in JSON; the error is the library's.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a record's value.
    ///
    /// # Errors
    /// What is none.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn cause() -> Cause {
        Cause { at: Cause::place("t.changes.east.photos/3/17").unwrap(), recorded_ms: Some(1_795_393_500_000) }
    }

    fn change() -> impl Strategy<Value = Change> {
        let state = prop::sample::select(vec![State::Replayed, State::Healed, State::Discarded]);
        (state, ".{0,20}", proptest::option::of(".{0,20}"), any::<i64>()).prop_map(|(state, by, why, at_us)| Change {
            state,
            by,
            why,
            at_us,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(changes in prop::collection::vec(change(), 1..40)) {
            let history = changes.iter().fold(None, |before: Option<History>, change| {
                Some(History::after(&cause(), before.as_ref(), change.clone()))
            });
            let history = history.unwrap();
            prop_assert_eq!(&History::from_json(&history.to_json().unwrap()).unwrap(), &history);
            prop_assert_eq!(history.last(), changes.last(), "the last one counts");
            prop_assert!(changes.ends_with(&history.changes) && history.changes.len() == changes.len().min(KEPT));
        }

        #[test]
        fn nothing_makes_it_panic(json in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = History::from_json(&json);
        }
    }

    /// The bytes of format 1, which every later release reads.
    #[test]
    fn the_form_stays() {
        const GOLDEN: &str = r#"{"format":1,"recorded_ms":1795393500000,"changes":[{"state":"replayed","by":"ann","at_us":5},{"state":"discarded","by":"bob","why":"test data","at_us":7}]}"#;
        let said = |state, by: &str, why: Option<&str>, at_us| Change {
            state,
            by: by.to_owned(),
            why: why.map(str::to_owned),
            at_us,
        };
        let first = History::after(&cause(), None, said(State::Replayed, "ann", None, 5));
        let both = History::after(&cause(), Some(&first), said(State::Discarded, "bob", Some("test data"), 7));
        assert_eq!(String::from_utf8(both.to_json().unwrap()).unwrap(), GOLDEN);
        assert_eq!(History::from_json(GOLDEN.as_bytes()).unwrap(), both);
        assert!(!first.is_closed() && both.is_closed());
    }

    #[test]
    fn what_a_newer_release_says_leaves_the_letter_open() {
        let newer = r#"{"format":2,"changes":[{"state":"pardoned","by":"c","at_us":1,"moon":"full"}],"more":[]}"#;
        let history = History::from_json(newer.as_bytes()).unwrap();
        assert_eq!((State::word(history.state()), history.is_closed()), ("open", false));
    }
}
