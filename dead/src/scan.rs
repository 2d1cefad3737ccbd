//! Reading a dead-letter topic from its first record to where it ends when the reading begins, oldest letter first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashSet};
use std::time::Duration;

use tokio::time::timeout;
use twinlog_log::{
    Fetched, Log, LogError, LogErrorKind, PartitionReader, Reader, TopicName, TopicPartition, Topics, Watermarks,
};

use crate::cause::Cause;
use crate::letter::Letter;

/// How long the next record may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// One partition from its first record to where it ended when this began.
pub(crate) struct Stretch {
    /// `None` once the end is reached.
    records: Option<Box<dyn PartitionReader>>,
    /// The offset that the next record will have.
    at: i64,
    end: i64,
}

impl Stretch {
    pub(crate) async fn begin(reader: &dyn Reader, at: TopicPartition, ends: Watermarks) -> Result<Self, LogError> {
        let records = if ends.first < ends.next { Some(reader.assign(&at, ends.first).await?) } else { None };
        Ok(Self { records, at: ends.first, end: ends.next })
    }

    /// The next record; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Fetched>, LogError> {
        let Some(records) = &mut self.records else { return Ok(None) };
        let silent = |at: &TopicPartition| {
            let message = format!("no record came within {} s", PATIENCE.as_secs());
            LogError::new("read", at, LogErrorKind::Transient, message)
        };
        let next = timeout(PATIENCE, records.next()).await;
        let record = next.unwrap_or_else(|_| Err(silent(records.partition())))?;
        self.at = record.position.offset + 1;
        if self.at >= self.end {
            self.records = None;
        }
        Ok(Some(record))
    }

    fn left(&self) -> u64 {
        if self.records.is_some() { u64::try_from(self.end - self.at).unwrap_or(0) } else { 0 }
    }
}

/// The letters of a topic, oldest first, each cause once: of several letters with one cause the first.
///
/// In memory are one letter of each partition, and some eighty bytes of each letter read, by which copies are known.
pub struct Scan {
    topics: Topics,
    stretches: Vec<Stretch>,
    /// The next record of each stretch that has one, by time.
    heads: BinaryHeap<Reverse<(i64, usize)>>,
    waiting: Vec<Option<Fetched>>,
    seen: HashSet<Cause>,
    /// Each name once, however many causes bear it.
    names: BTreeSet<TopicName>,
    strangers: u64,
}

impl Scan {
    /// Begins to read; a topic that does not exist holds nothing.
    ///
    /// # Errors
    /// Where the cluster does not answer.
    pub async fn begin(log: &dyn Log, topics: &Topics, topic: &TopicName) -> Result<Self, LogError> {
        let ends = log.ends_of(topic).await?.unwrap_or_default();
        Self::of(log, topics, topic, ends).await
    }

    /// As [`Scan::begin`], of the one partition that holds the letters with this cause.
    ///
    /// # Errors
    /// Likewise.
    pub async fn around(
        log: &dyn Log,
        topics: &Topics,
        topic: &TopicName,
        cause: &twinlog_log::Position,
    ) -> Result<Self, LogError> {
        let mut ends = log.ends_of(topic).await?.unwrap_or_default();
        let count = i32::try_from(ends.len()).unwrap_or(i32::MAX);
        ends.retain(|at, _| at.partition == crate::cause::partition(cause, count));
        Self::of(log, topics, topic, ends).await
    }

    async fn of(
        log: &dyn Log,
        topics: &Topics,
        topic: &TopicName,
        ends: BTreeMap<TopicPartition, Watermarks>,
    ) -> Result<Self, LogError> {
        let reader = log.reader(&format!("{topic}.read")).await?;
        let mut scan = Self {
            topics: topics.clone(),
            stretches: Vec::new(),
            heads: BinaryHeap::new(),
            waiting: Vec::new(),
            seen: HashSet::new(),
            names: BTreeSet::new(),
            strangers: 0,
        };
        for (partition, ends) in ends {
            scan.stretches.push(Stretch::begin(reader.as_ref(), partition, ends).await?);
            scan.waiting.push(None);
        }
        for number in 0..scan.stretches.len() {
            scan.fill(number).await?;
        }
        Ok(scan)
    }

    async fn fill(&mut self, number: usize) -> Result<(), LogError> {
        if let Some(record) = self.stretches[number].next().await? {
            self.heads.push(Reverse((record.timestamp_ms.unwrap_or_default(), number)));
            self.waiting[number] = Some(record);
        }
        Ok(())
    }

    /// The next letter; `None` at the end.
    ///
    /// # Errors
    /// Where the cluster does not answer.
    pub async fn next(&mut self) -> Result<Option<Letter>, LogError> {
        while let Some(Reverse((_, number))) = self.heads.pop() {
            let record = self.waiting[number].take();
            self.fill(number).await?;
            let Some(letter) = record.and_then(|record| Letter::read(record, &self.topics)) else {
                self.strangers += 1;
                continue;
            };
            if self.is_new(&letter.cause) {
                return Ok(Some(letter));
            }
        }
        Ok(None)
    }

    fn is_new(&mut self, cause: &Cause) -> bool {
        let mut cause = cause.clone();
        match self.names.get(&cause.at.partition.topic) {
            Some(name) => cause.at.partition.topic = name.clone(),
            None => drop(self.names.insert(cause.at.partition.topic.clone())),
        }
        self.seen.insert(cause)
    }

    /// How many records are still to be looked at.
    #[must_use]
    pub fn left(&self) -> u64 {
        let waiting = self.waiting.iter().filter(|record| record.is_some()).count();
        self.stretches.iter().map(Stretch::left).sum::<u64>() + waiting as u64
    }

    /// How many records so far were no letters of Twinlog's.
    #[must_use]
    pub fn strangers(&self) -> u64 {
        self.strangers
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use bytes::Bytes;
    use twinlog_log::memory::spec;
    use twinlog_log::{Headers, MemoryLog, Position, Record};

    use super::*;
    use crate::death::{Death, letter};

    struct World {
        log: MemoryLog,
        topics: Topics,
        dead: TopicName,
    }

    impl World {
        async fn new() -> Self {
            let (log, topics) = (MemoryLog::new(), Topics::new("t").unwrap());
            let dead = topics.dead(&"west".parse().unwrap());
            log.create_topic(&spec(dead.clone(), 4)).await.unwrap();
            Self { log, topics, dead }
        }

        /// A letter written at `at_ms` about the record at this partition and offset.
        async fn letter(&self, partition: i32, offset: i64, at_ms: i64) {
            let topic = self.topics.facts(&"east".parse().unwrap());
            let record = Fetched {
                position: Position { partition: TopicPartition { topic, partition }, offset },
                key: None,
                value: Some(Bytes::from_static(b"v")),
                headers: Headers::default(),
                timestamp_ms: Some(1),
            };
            let death = Death { reason: "refused", message: "", source: None, bucket: None, at_ms };
            self.log.append(letter(self.dead.clone(), 4, &record, &death)).await.unwrap();
        }

        async fn scan(&self) -> Scan {
            Scan::begin(&self.log, &self.topics, &self.dead).await.unwrap()
        }
    }

    async fn rest(scan: &mut Scan) -> Vec<(i64, i64)> {
        let mut letters = Vec::new();
        while let Some(letter) = scan.next().await.unwrap() {
            letters.push((letter.cause.at.offset, letter.at_ms));
        }
        letters
    }

    #[tokio::test(start_paused = true)]
    async fn letters_come_oldest_first_and_each_cause_once() {
        let world = World::new().await;
        for (partition, offset, at_ms) in [(0, 1, 10), (5, 2, 20), (0, 1, 30), (3, 3, 5), (0, 4, 40)] {
            world.letter(partition, offset, at_ms).await;
        }
        let mut scan = world.scan().await;
        assert_eq!(scan.left(), 5);
        assert_eq!(rest(&mut scan).await, [(3, 5), (1, 10), (2, 20), (4, 40)]);
        assert_eq!((scan.left(), scan.strangers()), (0, 0));
        let cause = Position { partition: TopicPartition { topic: world.dead.clone(), partition: 8 }, offset: 0 };
        let mut around = Scan::around(&world.log, &world.topics, &world.dead, &cause).await.unwrap();
        assert_eq!(rest(&mut around).await, [(1, 10), (4, 40)], "one partition");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_later_and_what_is_no_letter_is_left_out() {
        let world = World::new().await;
        world.letter(0, 1, 10).await;
        let strange = Record {
            topic: world.dead.clone(),
            partition: 1,
            key: None,
            value: None,
            headers: Headers::default(),
            timestamp_ms: 0,
        };
        world.log.append(strange).await.unwrap();
        let mut scan = world.scan().await;
        world.letter(0, 2, 11).await;
        assert_eq!(rest(&mut scan).await, [(1, 10)]);
        assert_eq!(scan.strangers(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn no_topic_has_no_letters() {
        let (log, topics) = (MemoryLog::new(), Topics::new("t").unwrap());
        let dead = topics.dead(&"west".parse().unwrap());
        assert_eq!(Scan::begin(&log, &topics, &dead).await.unwrap().next().await.unwrap(), None);
    }
}
