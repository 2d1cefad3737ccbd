//! Opening a partition that a lane is to read: where it begins, by what was committed and what the log still has.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::actor::Assignment;
use super::handler::Handler;
use super::source::Source;
use super::watch::{Lost, TopicNow, Watch};
use crate::contract::{Committed, Reader};
use crate::error::LogError;
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
    /// Whether nobody's writes may still be under way: nobody read it before, or it was handed over in the ownership whose
    /// mark was found last. Another's word may have come late, and says nothing of who came after.
    pub(super) fn clean(&self, last: Option<Mark>) -> bool {
        let handed_over = |ledger: Ledger| last.is_some() && ledger.handed_over_by() == last;
        self.committed.as_ref().is_none_or(|committed| Ledger::restore(committed).is_ok_and(handed_over))
    }
}

/// Opens partitions, any number at a time.
pub(super) struct Opening<'a> {
    pub(super) sources: &'a [Source],
    pub(super) handler: &'a Arc<dyn Handler>,
    pub(super) watch: &'a Arc<dyn Watch>,
    /// One for each source.
    pub(super) readers: &'a [Arc<dyn Reader>],
    /// The topics as they were last seen.
    pub(super) topics: &'a BTreeMap<(usize, TopicName), (TopicNow, bool)>,
}

impl Opening<'_> {
    /// A partition, ready to be read.
    pub(super) async fn open(&self, Begun { number, partition, committed }: Begun) -> Result<Assignment, LogError> {
        let (ledger, rewound) = self.begin(number, &partition, committed).await?;
        // Before the first record is handled the log must say that this lane is being worked on, or an owner after
        // a crash would not know that writes of ours may still act.
        let reader = Arc::clone(&self.readers[number]);
        reader.commit(&partition, &ledger.commit()).await?;
        if let Some(offset) = rewound {
            self.watch.rewound(&partition, offset).await;
        }
        let records = reader.assign(&partition, ledger.start()).await?;
        Ok(Assignment { partition, reader, records, ledger })
    }

    /// Where a partition's reading begins, and whether that was asked for. Records that nobody read and the log no longer
    /// has are told, never skipped silently; a commit of a topic that was deleted says nothing about the one that has its
    /// name now.
    async fn begin(
        &self,
        number: usize,
        partition: &TopicPartition,
        committed: Option<Committed>,
    ) -> Result<(Ledger, Option<Option<i64>>), LogError> {
        let ends = self.sources[number].log.watermarks(partition).await?;
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
            self.handler.gap(partition, from, to).await;
            self.watch.lost(&Lost { partition: partition.clone(), from, to, records }).await;
            return Ok((anew, None));
        }
        Ok(match self.watch.rewind(partition) {
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
