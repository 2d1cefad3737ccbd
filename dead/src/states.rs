//! What is on record of the letters of a site, read once, for commands.

use std::collections::BTreeMap;

use bytes::Bytes;
use twinlog_log::{Fetched, Log, LogError, Position, TopicName};

use crate::cause::Cause;
use crate::scan::Stretch;
use crate::state::History;

/// The states of a site's letters. Of one letter the record with the highest offset counts, in whatever order the
/// records become known. Memory grows by a few hundred bytes with each letter that is not open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct States(BTreeMap<Position, Said>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    /// `None` once it was taken back: kept, because an older record may become known later.
    history: Option<History>,
    offset: i64,
}

impl States {
    /// Reads a state topic from its first record to where it ends now. One that does not exist holds nothing.
    ///
    /// # Errors
    /// Where the cluster does not answer.
    pub async fn load(log: &dyn Log, topic: &TopicName) -> Result<Self, LogError> {
        let mut states = Self::default();
        let reader = log.reader(&format!("{topic}.read")).await?;
        for (partition, ends) in log.ends_of(topic).await?.unwrap_or_default() {
            let mut stretch = Stretch::begin(reader.as_ref(), partition, ends).await?;
            while let Some(record) = stretch.next().await? {
                states.learn(&record);
            }
        }
        Ok(states)
    }

    /// Takes in a record of the topic.
    pub fn learn(&mut self, record: &Fetched) {
        let Some((place, history)) = read(record) else { return };
        let offset = record.position.offset;
        if self.0.get(&place).is_none_or(|known| known.offset < offset) {
            self.0.insert(place, Said { history, offset });
        }
    }

    /// What was said of the letter with this cause.
    #[must_use]
    pub fn of(&self, cause: &Cause) -> Option<&History> {
        let history = self.0.get(&cause.at)?.history.as_ref()?;
        (history.recorded_ms == cause.recorded_ms).then_some(history)
    }
}

/// Reads a record of a state topic: of which letter, and what is on record; `None` there says that nothing is any more.
pub(crate) fn read(record: &Fetched) -> Option<(Position, Option<History>)> {
    let offset = record.position.offset;
    let key = record.key.as_ref().map(Bytes::as_ref).map(String::from_utf8_lossy)?;
    let place = Cause::place(&key).inspect_err(|error| tracing::warn!(offset, %error, "not a letter's state")).ok()?;
    let history = match &record.value {
        None => None,
        Some(value) => {
            let read = History::from_json(value);
            Some(read.inspect_err(|error| tracing::warn!(offset, %error, "a letter's state is left out")).ok()?)
        }
    };
    Some((place, history))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::Arc;

    use proptest::prelude::*;
    use twinlog_log::memory::spec;
    use twinlog_log::{Cleanup, Headers, MemoryLog, TopicPartition, TopicSpec};

    use super::*;
    use crate::state::{Change, State};

    fn cause(n: i64) -> Cause {
        Cause { at: Cause::place(&format!("t.facts.east/{n}/{n}")).unwrap(), recorded_ms: Some(n) }
    }

    fn said(by: &str) -> Change {
        Change { state: State::Discarded, by: by.to_owned(), why: None, at_us: 1 }
    }

    fn record(offset: i64, of: i64, by: Option<&str>) -> Fetched {
        let partition = TopicPartition { topic: TopicName::new("t.dead-state.west").unwrap(), partition: 0 };
        Fetched {
            position: Position { partition, offset },
            key: Some(cause(of).to_string().into()),
            value: by.map(|by| History::after(&cause(of), None, said(by)).to_json().unwrap().into()),
            headers: Headers::default(),
            timestamp_ms: None,
        }
    }

    proptest! {
        /// In whatever order, and however often, records become known: the same is known in the end, and each letter's
        /// newest record says it.
        #[test]
        fn the_newest_record_counts(
            records in prop::collection::vec((0i64..4, proptest::option::of("[a-c]")), 0..12),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let records: Vec<_> = (0..).zip(&records).map(|(at, (of, by))| record(at, *of, by.as_deref())).collect();
            let mut in_order = States::default();
            records.iter().for_each(|record| in_order.learn(record));
            let mut mixed = States::default();
            if !records.is_empty() {
                order.iter().for_each(|index| mixed.learn(&records[index.index(records.len())]));
            }
            records.iter().rev().for_each(|record| mixed.learn(record));
            prop_assert_eq!(&in_order, &mixed);
            for of in 0..4 {
                let newest = records.iter().rfind(|record| record.key == Some(cause(of).to_string().into()));
                let history = newest.and_then(|record| record.value.as_ref()).map(|value| History::from_json(value).unwrap());
                prop_assert_eq!(in_order.of(&cause(of)), history.as_ref());
            }
        }
    }

    /// Guarantee: a state belongs to one record, not to another that stands in its place after the topic was made anew.
    #[test]
    fn another_record_in_the_same_place_has_no_state() {
        let mut states = States::default();
        states.learn(&record(0, 1, Some("ann")));
        assert!(states.of(&cause(1)).is_some());
        assert_eq!(states.of(&Cause { recorded_ms: Some(99), ..cause(1) }), None);
    }

    #[tokio::test(start_paused = true)]
    async fn states_survive_compaction_and_are_read_to_the_end() {
        let log = Arc::new(MemoryLog::new());
        let topic = TopicName::new("t.dead-state.west").unwrap();
        assert_eq!(States::load(log.as_ref(), &topic).await.unwrap(), States::default(), "no topic, no states");
        log.create_topic(&TopicSpec { cleanup: Cleanup::CompactDelete, ..spec(topic.clone(), 4) }).await.unwrap();
        for by in ["ann", "bob"] {
            for n in 0..6 {
                let history = History::after(&cause(n), None, said(by));
                let value = history.to_json().unwrap().into();
                log.append(cause(n).state_record(topic.clone(), 4, value, 0)).await.unwrap();
            }
        }
        log.compact(&topic, true);
        let states = States::load(log.as_ref(), &topic).await.unwrap();
        for n in 0..6 {
            assert_eq!(states.of(&cause(n)).unwrap().last().unwrap().by, "bob");
        }
    }
}
