//! Opening a partition that a lane is to read: where it begins, by what was committed and what the log still has.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::{Semaphore, mpsc};

use super::actor::Assignment;
use super::before::Before;
use super::group::LaneGroup;
use super::watch::{Lost, TopicNow};
use crate::contract::{Committed, Reader, Watermarks};
use crate::error::{LogError, LogErrorKind};
use crate::ledger::Ledger;
use crate::mark::Mark;
use crate::topic::{TopicId, TopicName, TopicPartition};

/// A partition that a lane is about to read.
pub(super) struct Begun {
    /// Which source.
    pub(super) number: usize,
    pub(super) partition: TopicPartition,
    pub(super) committed: Option<Committed>,
}

impl Begun {
    pub(super) fn at(&self) -> (usize, TopicPartition) {
        (self.number, self.partition.clone())
    }

    /// Whether nobody's writes may still be under way: nobody read it before, or it was handed over in the ownership whose
    /// mark was found last. Another's word may have come late, and says nothing of who came after.
    pub(super) fn clean(&self, last: Option<Mark>) -> bool {
        let handed_over = |ledger: Ledger| last.is_some() && ledger.handed_over_by() == last;
        self.committed.as_ref().is_none_or(|committed| Ledger::restore(committed).is_ok_and(handed_over))
    }
}

/// How the beginning of a lane goes on.
pub(super) enum Step {
    /// It may work: nothing of another's acts any more of these partitions.
    Prepared(Vec<(usize, TopicPartition)>),
    /// A partition of it may be read, or not for now.
    Opened((usize, TopicPartition), Result<Box<Assignment>, LogError>),
}

/// Lets lanes begin and opens partitions, any number beside each other.
pub(super) struct Opening<'a> {
    pub(super) spec: &'a LaneGroup,
    /// One for each source.
    pub(super) readers: &'a [Arc<dyn Reader>],
    /// The topics as they were last seen.
    pub(super) topics: &'a BTreeMap<(usize, TopicName), (TopicNow, bool)>,
    /// As many as partitions may be opened at a time.
    pub(super) turns: Semaphore,
}

impl Opening<'_> {
    /// Prepares a lane, if it is to be, and opens its partitions; each step is told.
    pub(super) async fn begin(
        &self,
        lane: i32,
        before: Option<Before>,
        partitions: Vec<Begun>,
        steps: mpsc::UnboundedSender<(i32, Step)>,
    ) {
        // Nobody takes what is given up with this.
        let tell = |step| drop(steps.send((lane, step)));
        if let Some(before) = before {
            self.spec.handler.prepare(lane, before).await;
        }
        tell(Step::Prepared(partitions.iter().map(Begun::at).collect()));
        let opened = partitions.into_iter().map(async |begun| {
            // Never closed.
            let _turn = self.turns.acquire().await;
            let at = begun.at();
            tell(Step::Opened(at, self.open(begun).await.map(Box::new)));
        });
        join_all(opened).await;
    }

    /// A partition, ready to be read.
    async fn open(&self, Begun { number, partition, committed }: Begun) -> Result<Assignment, LogError> {
        self.must_be_ours(&partition)?;
        let ends = self.spec.sources[number].log.watermarks(&partition).await?;
        let (ledger, rewound) = self.from(number, &partition, committed, ends).await?;
        // Before the first record is handled the log must say that this lane is being worked on, or an owner after
        // a crash would not know that writes of ours may still act.
        let reader = Arc::clone(&self.readers[number]);
        self.must_be_ours(&partition)?;
        reader.commit(&partition, &ledger.commit()).await?;
        if let Some(offset) = rewound {
            self.spec.watch.rewound(&partition, offset).await;
        }
        let records = reader.assign(&partition, ledger.start()).await?;
        Ok(Assignment { partition, reader, records, ledger })
    }

    /// Another owner may have said more of a partition, and told what is lost of it, since this process was stopped.
    fn must_be_ours(&self, partition: &TopicPartition) -> Result<(), LogError> {
        let why = "it is not known that the lanes of this process are still its own";
        let error = || LogError::new("open", partition, LogErrorKind::Transient, why);
        self.spec.lease.holds().then_some(()).ok_or_else(error)
    }

    /// Where a partition's reading begins, and whether that was asked for. Records that nobody read and the log no longer
    /// has are told, never skipped silently; a commit of a topic that was deleted says nothing about the one that has its
    /// name now.
    async fn from(
        &self,
        number: usize,
        partition: &TopicPartition,
        committed: Option<Committed>,
        ends: Watermarks,
    ) -> Result<(Ledger, Option<Option<i64>>), LogError> {
        let id = self.id_of(number, &partition.topic);
        let anew = Ledger::at(ends.first).of(id);
        let ledger = committed.as_ref().map_or_else(|| Ledger::at(0), |committed| restored(partition, committed));
        let another = ledger.topic().is_some_and(|of| id.is_some_and(|now| of != now));
        if another {
            tracing::warn!(%partition, "the topic was made anew: it is read from its beginning");
        }
        let ledger = if another { Ledger::at(0) } else { ledger };
        let from = ledger.start();
        if from < ends.first || from > ends.next {
            // Beyond the end: the topic was made anew, and what the old one still had is gone.
            let to = if from < ends.first { ends.first } else { ends.next };
            let records = ledger.undone_below(to);
            self.spec.handler.gap(partition, from, to).await;
            self.spec.watch.lost(&Lost { partition: partition.clone(), from, to, records }).await;
            return Ok((anew, None));
        }
        Ok(match self.spec.watch.rewind(partition) {
            Some(offset) if offset < from => {
                let offset = offset.max(ends.first);
                (Ledger::at(offset).of(id), Some(Some(offset)))
            }
            Some(_) => (ledger.of(id), Some(None)),
            None => (ledger.of(id), None),
        })
    }

    fn id_of(&self, number: usize, topic: &TopicName) -> Option<TopicId> {
        self.topics.get(&(number, topic.clone())).and_then(|(now, _)| now.id)
    }
}

/// The ledger of a commit; where another tool wrote it, what was done above it is not known.
fn restored(partition: &TopicPartition, committed: &Committed) -> Ledger {
    Ledger::restore(committed).unwrap_or_else(|error| {
        tracing::warn!(%partition, %error, "the commit's metadata is not ours: what was done above it is repeated");
        Ledger::at(committed.offset)
    })
}
