//! Reads the two topics from where they were committed, and keeps their ledgers.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use twinlog_log::{
    Committed, Fetched, Ledger, Log, LogError, LogErrorKind, PartitionReader, Reader, Received, TopicName,
    TopicPartition,
};

use crate::observe::Observer;
use crate::signal::At;

/// Records read ahead.
const AHEAD: usize = 256;

/// Where to read.
pub(crate) struct Wanted<'a> {
    pub log: &'a Arc<dyn Log>,
    pub group: &'a str,
    pub events: &'a TopicName,
    pub dead: &'a TopicName,
    pub observer: &'a dyn Observer,
}

/// The partitions being read; ends with the value.
pub(crate) struct Reading {
    reader: Box<dyn Reader>,
    arrivals: mpsc::Receiver<(At, Result<Fetched, LogError>)>,
    partitions: BTreeMap<(bool, i32), Partition>,
    _tasks: JoinSet<()>,
}

struct Partition {
    name: TopicPartition,
    ledger: Ledger,
    /// What was last committed.
    committed: Option<Committed>,
    /// What the log had when reading began: windows wait until it was read.
    until: i64,
}

impl Reading {
    /// Begins where the group has committed; a group that has not, at the beginning. What the log has deleted before it
    /// was read is told.
    pub(crate) async fn open(wanted: Wanted<'_>) -> Result<Self, LogError> {
        let (arrive, arrivals) = mpsc::channel(AHEAD);
        let (mut partitions, mut tasks, mut from) = (BTreeMap::new(), JoinSet::new(), Vec::new());
        for (dead, topic) in [(false, wanted.events), (true, wanted.dead)] {
            let names = names(wanted.log.as_ref(), topic).await?;
            let mut committed = wanted.log.committed(wanted.group, &names).await?;
            for (name, ends) in wanted.log.ends(&names).await {
                let (ends, committed) = (ends?, committed.remove(&name));
                let ledger = start(&name, committed.as_ref(), (ends.first, ends.next), wanted.observer);
                from.push((name.clone(), ledger.start()));
                partitions.insert((dead, name.partition), Partition { name, ledger, committed, until: ends.next });
            }
        }
        let reader = wanted.log.reader(wanted.group).await?;
        for records in reader.assign_all(&from).await? {
            let dead = records.partition().topic == *wanted.dead;
            tasks.spawn(read(records, dead, arrive.clone()));
        }
        Ok(Self { reader, arrivals, partitions, _tasks: tasks })
    }

    /// The next record that is not done yet. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<(At, Fetched), LogError> {
        loop {
            let (at, record) = self.arrivals.recv().await.ok_or_else(ended)?;
            let record = record?;
            let partition = self.partitions.get_mut(&(at.dead, at.partition)).ok_or_else(ended)?;
            if partition.ledger.receive(at.offset) == Received::New {
                return Ok((at, record));
            }
        }
    }

    /// A record is done with.
    pub(crate) fn done(&mut self, at: At) {
        let partition = self.partitions.get_mut(&(at.dead, at.partition));
        if let Some(Err(error)) = partition.map(|partition| partition.ledger.finish(at.offset)) {
            tracing::error!(%error, "a notification's record was counted twice: this is a bug");
        }
    }

    /// Whether everything was read that was there when reading began.
    pub(crate) fn caught_up(&self) -> bool {
        self.partitions.values().all(|partition| partition.ledger.seen() >= partition.until)
    }

    /// Commits what is done. `anew` commits what has not changed too, so that the log does not forget it.
    pub(crate) async fn commit(&mut self, anew: bool) -> Result<(), LogError> {
        for partition in self.partitions.values_mut() {
            let commit = partition.ledger.commit();
            if anew || partition.committed.as_ref() != Some(&commit) {
                self.reader.commit(&partition.name, &commit).await?;
                partition.committed = Some(commit);
            }
        }
        Ok(())
    }
}

/// The partitions of a topic that exists.
pub(crate) async fn names(log: &dyn Log, topic: &TopicName) -> Result<Vec<TopicPartition>, LogError> {
    let info = log.topic(topic).await?.ok_or_else(|| {
        LogError::new(
            "read",
            topic,
            LogErrorKind::UnknownTopic,
            "there is no such topic; `twinlog bucket enable` creates it",
        )
    })?;
    Ok((0..info.partitions).map(|partition| TopicPartition { topic: topic.clone(), partition }).collect())
}

fn start(
    name: &TopicPartition,
    committed: Option<&Committed>,
    (first, next): (i64, i64),
    observer: &dyn Observer,
) -> Ledger {
    let Some(committed) = committed else { return Ledger::at(first) };
    if (first..=next).contains(&committed.offset) {
        return Ledger::restore(committed).unwrap_or_else(|error| {
            tracing::warn!(partition = %name, %error, "what was told above the commit is told again");
            Ledger::at(committed.offset)
        });
    }
    let lost = (first - committed.offset).max(0);
    tracing::warn!(partition = %name, lost, "the log no longer has what was not told yet: it goes on with what it has");
    observer.gap(name.topic.as_str(), lost);
    Ledger::at(first)
}

async fn read(
    mut records: Box<dyn PartitionReader>,
    dead: bool,
    arrive: mpsc::Sender<(At, Result<Fetched, LogError>)>,
) {
    let partition = records.partition().partition;
    loop {
        let record = records.next().await;
        let offset = record.as_ref().map_or(0, |record| record.position.offset);
        let failed = record.is_err();
        if arrive.send((At { dead, partition, offset }, record)).await.is_err() || failed {
            return;
        }
    }
}

fn ended() -> LogError {
    LogError::new("read", "the notifier's topics", LogErrorKind::Transient, "reading has ended")
}
