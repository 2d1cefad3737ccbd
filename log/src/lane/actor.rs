//! One lane at work: reads its partitions, runs the handler in order per key, commits what is finished.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::ending::Ending;
use super::handler::{Handler, Repeat, Slot};
use super::lease::Lease;
use super::queue::Queues;
use super::room::Room;
use crate::contract::{Committed, PartitionReader, Reader};
use crate::error::LogError;
use crate::ledger::{Ledger, NotPending, Received};
use crate::mark::Mark;
use crate::record::Fetched;
use crate::topic::TopicPartition;

/// How a lane behaves.
#[derive(Debug, Clone)]
pub struct LaneConfig {
    /// Calls of the handler at a time, over all keys of the lane.
    pub concurrency: usize,
    /// Records read but not finished, per partition: the bound of what a crash repeats.
    pub pending_per_partition: usize,
    /// Bytes of such records, per partition: the bound of memory. A larger record counts as all of them, and goes alone.
    pub pending_bytes_per_partition: u32,
    /// How often finished offsets are committed, by all lanes of a group at the same times, so that their commits travel
    /// together; at once where such a time has passed without.
    pub commit_every: Duration,
    /// How long running calls may take to end when the lane is given up.
    pub drain: Duration,
}

impl Default for LaneConfig {
    fn default() -> Self {
        Self {
            concurrency: 32,
            pending_per_partition: 256,
            pending_bytes_per_partition: 256 * 1024,
            commit_every: Duration::from_millis(500),
            drain: Duration::from_secs(15),
        }
    }
}

/// A partition to be read, from where, with what its ledger already knows.
pub(super) struct Assignment {
    pub partition: TopicPartition,
    pub reader: Arc<dyn Reader>,
    pub records: Box<dyn PartitionReader>,
    pub ledger: Ledger,
}

/// What a lane is told.
pub(super) enum Command {
    /// Reads one more partition.
    Assign(Box<Assignment>),
    /// Handles a record once more.
    Repeat(Box<Repeat>),
    /// Reads a partition no further, without a commit; the answer comes when nothing of it is under way to the log.
    Stop(TopicPartition, oneshot::Sender<()>),
    /// What the log has as committed of a partition.
    Stands(TopicPartition, Option<Committed>),
    /// Finishes what runs, commits, and ends; the answer comes when all is committed. What is handed over is signed with the
    /// mark that the lane bears.
    Drain(Option<Mark>, oneshot::Sender<()>),
}

/// Why a partition is read no further.
pub(super) enum Ended {
    /// Its stream ended.
    Failed(TopicPartition, LogError),
    /// The handler gave it back: it begins again when its topic is wanted again.
    GivenBack(TopicPartition),
}

/// A record with what is due when it is done.
struct Pending {
    record: Fetched,
    due: Due,
}

enum Due {
    /// Its partition's ledger is told.
    Ledger {
        /// Its place in the bound of its partition.
        room: OwnedSemaphorePermit,
        /// Which assignment of the partition read it; the acknowledgements of an older one are ignored.
        assignment: u64,
    },
    /// It was repeated: who asked is told.
    Asker(oneshot::Sender<()>),
}

/// A call of the handler that has ended.
struct Call {
    key: Bytes,
    done: Vec<Pending>,
    given_back: bool,
}

/// Why a lane stopped by itself: a bug. Nothing more of it is committed.
#[derive(Debug, thiserror::Error)]
pub enum LaneFault {
    /// A call of the handler panicked.
    #[error("a call panicked: {0}")]
    Panic(#[from] JoinError),
    /// The ledger's invariant broke.
    #[error(transparent)]
    Ledger(#[from] NotPending),
}

enum Arrival {
    Record { record: Fetched, room: OwnedSemaphorePermit, assignment: u64 },
    Ended(TopicPartition, LogError),
}

/// How often the commit of a partition is repeated in which nothing happens: Kafka forgets the commits of a group without
/// members some time (`offsets.retention.minutes`, seven days by default) after they were made.
const KEEP: Duration = Duration::from_secs(12 * 3_600);

/// How often it is looked for such partitions.
const LOOK: Duration = Duration::from_secs(3_600);

/// A partition of the lane; lives until its stream ends or the lane does.
struct Partition {
    reader: Arc<dyn Reader>,
    ledger: Ledger,
    /// Set by a finished record, taken by the next commit.
    dirty: bool,
    /// What was committed last.
    said: Committed,
    /// When it was last committed.
    committed: Instant,
    /// Room kept back while the ledger has too many finished offsets above an unfinished one.
    withheld: Vec<OwnedSemaphorePermit>,
    reading: AbortHandle,
    assignment: u64,
}

/// The state of one lane; owned by its task.
pub(super) struct Lane {
    number: i32,
    config: LaneConfig,
    /// When its group did: what the times of commits are counted from.
    began: Instant,
    handler: Arc<dyn Handler>,
    slots: Arc<Semaphore>,
    ending: Ending,
    /// Says whether the lane is known to be this process's own.
    lease: Lease,
    partitions: BTreeMap<TopicPartition, Partition>,
    queues: Queues<Pending>,
    arrivals: mpsc::Receiver<Arrival>,
    arrive: mpsc::Sender<Arrival>,
    readers: JoinSet<()>,
    calls: JoinSet<Call>,
    commits: JoinSet<()>,
    /// Whether any partition is dirty.
    dirty: bool,
    /// When it was last looked for what is to be committed.
    looked: Instant,
    /// Partitions that are read no further, for the group to look at again.
    ended: mpsc::UnboundedSender<Ended>,
    /// Counts assignments.
    assignments: u64,
}

impl Lane {
    pub(super) fn new(
        number: i32,
        config: LaneConfig,
        began: Instant,
        handler: Arc<dyn Handler>,
        lease: Lease,
        ended: mpsc::UnboundedSender<Ended>,
    ) -> Self {
        let (arrive, arrivals) = mpsc::channel(config.concurrency.max(16));
        Self {
            number,
            slots: Arc::new(Semaphore::new(config.concurrency.max(1))),
            ending: Ending::new(),
            lease,
            config,
            began,
            handler,
            partitions: BTreeMap::new(),
            queues: Queues::new(),
            arrivals,
            arrive,
            readers: JoinSet::new(),
            calls: JoinSet::new(),
            commits: JoinSet::new(),
            dirty: false,
            looked: Instant::now(),
            ended,
            assignments: 0,
        }
    }

    /// Runs until drained, or until a bug shows: a panic of the handler, a broken ledger.
    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) -> Result<(), LaneFault> {
        loop {
            let commit_at = self.commit_at();
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Assign(assignment)) => self.assign(*assignment),
                    Some(Command::Repeat(repeat)) => self.repeat(*repeat),
                    Some(Command::Stop(partition, done)) => {
                        self.stop_at_once(&partition).await;
                        let _ = done.send(());
                    }
                    Some(Command::Stands(partition, committed)) => self.stands(&partition, committed.as_ref()),
                    Some(Command::Drain(mark, done)) => {
                        self.drain(mark).await?;
                        let _ = done.send(());
                        return Ok(());
                    }
                    // The group is gone without a word: it was aborted, and so are we.
                    None => return Ok(()),
                },
                Some(call) = self.calls.join_next() => self.finish(call?)?,
                Some(arrival) = self.arrivals.recv() => self.arrived(arrival),
                Some(_) = self.commits.join_next() => {}
                Some(_) = self.readers.join_next() => {}
                () = sleep_until(commit_at) => self.commit(None),
            }
        }
    }

    fn assign(&mut self, assignment: Assignment) {
        let Assignment { partition, reader, records, ledger } = assignment;
        tracing::debug!(lane = self.number, %partition, "reading partition");
        let room = Room::new(self.config.pending_per_partition, self.config.pending_bytes_per_partition);
        self.assignments += 1;
        let assignment = self.assignments;
        let reading = self.readers.spawn(read(records, room, assignment, self.arrive.clone()));
        let committed = Instant::now();
        let said = ledger.commit();
        let state =
            Partition { reader, ledger, dirty: false, said, committed, withheld: Vec::new(), reading, assignment };
        if let Some(before) = self.partitions.insert(partition, state) {
            before.reading.abort();
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Record { record, room, assignment } => {
                let Some(partition) = self.partitions.get_mut(&record.position.partition) else { return };
                if partition.assignment != assignment
                    || partition.ledger.receive(record.position.offset) != Received::New
                {
                    return;
                }
                self.enqueue(Pending { record, due: Due::Ledger { room, assignment } });
            }
            Arrival::Ended(partition, error) => {
                let ended = self.stop_reading(&partition);
                self.commit_last(&partition, ended);
                // The receiver lives in the group that owns this lane; if it is gone, so is the lane's purpose.
                let _ = self.ended.send(Ended::Failed(partition, error));
            }
        }
    }

    fn repeat(&mut self, Repeat { record, done }: Repeat) {
        self.enqueue(Pending { record, due: Due::Asker(done) });
    }

    fn enqueue(&mut self, pending: Pending) {
        let key = self.handler.order_key(&pending.record);
        self.queues.push(key.clone(), pending);
        self.begin(key);
    }

    /// Forgets a partition with everything of it that waits; what runs is finished and not acknowledged.
    fn stop_reading(&mut self, name: &TopicPartition) -> Option<Partition> {
        let partition = self.partitions.remove(name)?;
        partition.reading.abort();
        self.queues
            .retain(|pending| pending.record.position.partition != *name || matches!(pending.due, Due::Asker(_)));
        Some(partition)
    }

    fn give_back(&mut self, name: &TopicPartition, assignment: u64) {
        if self.partitions.get(name).is_none_or(|partition| partition.assignment != assignment) {
            return;
        }
        let given_back = self.stop_reading(name);
        tracing::debug!(lane = self.number, partition = %name, "partition given back");
        self.commit_last(name, given_back);
        let _ = self.ended.send(Ended::GivenBack(name.clone()));
    }

    /// What is done of a partition that is read no further is committed.
    fn commit_last(&mut self, name: &TopicPartition, stopped: Option<Partition>) {
        if let Some(partition) = stopped.filter(|partition| partition.dirty && self.lease.holds()) {
            let (reader, commit) = (Arc::clone(&partition.reader), partition.ledger.commit());
            self.send_commit(name.clone(), reader, commit);
        }
    }

    /// Stops reading a partition and waits until its reader is gone and no commit of it is under way. Calls that run go
    /// on; what is read of their keys afterwards waits for them.
    async fn stop_at_once(&mut self, name: &TopicPartition) {
        let stopped = self.stop_reading(name);
        while stopped.as_ref().is_some_and(|partition| !partition.reading.is_finished()) {
            if self.readers.join_next().await.is_none() {
                break;
            }
        }
        while self.commits.join_next().await.is_some() {}
    }

    fn begin(&mut self, key: Bytes) {
        let batch = self.queues.begin(&key, self.handler.batch());
        if batch.is_empty() {
            return;
        }
        let (handler, slots, ending) = (Arc::clone(&self.handler), Arc::clone(&self.slots), self.ending.clone());
        self.calls.spawn(async move {
            let mut slot = Slot::acquire(slots, ending).await;
            let (records, due): (Vec<_>, Vec<_>) = batch.into_iter().map(|p| (p.record, p.due)).unzip();
            handler.handle(&mut slot, &records).await;
            let done = records.into_iter().zip(due).map(|(record, due)| Pending { record, due }).collect();
            Call { key, done, given_back: slot.given_back() }
        });
    }

    fn finish(&mut self, Call { key, done, given_back }: Call) -> Result<(), LaneFault> {
        for Pending { record, due } in done {
            let name = record.position.partition;
            match due {
                Due::Asker(asker) => {
                    if !given_back {
                        // Who asked may be gone.
                        let _ = asker.send(());
                    }
                }
                Due::Ledger { assignment, .. } if given_back => self.give_back(&name, assignment),
                Due::Ledger { room, assignment } => {
                    let partition = self.partitions.get_mut(&name);
                    let Some(partition) = partition.filter(|p| p.assignment == assignment) else { continue };
                    partition.ledger.finish(record.position.offset)?;
                    partition.dirty = true;
                    self.dirty = true;
                    partition.withheld.push(room);
                    if partition.ledger.may_dispatch() {
                        partition.withheld.clear();
                    }
                }
            }
        }
        self.queues.end(&key);
        self.begin(key);
        Ok(())
    }

    /// When it is next looked for what is to be committed; what is finished is from the first shared time on after the last
    /// look.
    fn commit_at(&self) -> Instant {
        if !self.dirty {
            return self.looked + LOOK;
        }
        let every = self.config.commit_every;
        let past = self.looked.duration_since(self.began).as_nanos() % every.as_nanos().max(1);
        self.looked + every.saturating_sub(Duration::from_nanos(u64::try_from(past).unwrap_or(0)))
    }

    /// Commits again where something else stands than was committed last: one that owned the lane before may have said late
    /// what it knew, since the log takes commits from anybody.
    fn stands(&mut self, name: &TopicPartition, committed: Option<&Committed>) {
        let Some(partition) = self.partitions.get_mut(name) else { return };
        if !partition.dirty && self.commits.is_empty() && committed != Some(&partition.said) {
            tracing::debug!(lane = self.number, partition = %name, "committed again: something else stood there");
            partition.dirty = true;
            self.dirty = true;
        }
    }

    /// Sends the commits of what has finished since the last, or of all that is handed over; they run beside the lane. One
    /// that fails is repeated by the next, since it only ever says where to begin again. Nothing is said while the lane may
    /// be another's, which knows more.
    fn commit(&mut self, handed_over_by: Option<Mark>) {
        let clean = handed_over_by.is_some();
        self.looked = Instant::now();
        if !self.lease.holds() || (!clean && !self.commits.is_empty()) {
            return;
        }
        self.dirty = false;
        let mut due = Vec::new();
        for (name, partition) in &mut self.partitions {
            let old = partition.committed.elapsed() >= KEEP;
            if !(std::mem::take(&mut partition.dirty) || clean || old) {
                continue;
            }
            partition.committed = Instant::now();
            let ledger = &partition.ledger;
            let commit = handed_over_by.map_or_else(|| ledger.commit(), |mark| ledger.commit_handed_over(mark));
            partition.said = commit.clone();
            due.push((name.clone(), Arc::clone(&partition.reader), commit));
        }
        due.into_iter().for_each(|(name, reader, commit)| self.send_commit(name, reader, commit));
    }

    fn send_commit(&mut self, name: TopicPartition, reader: Arc<dyn Reader>, commit: Committed) {
        self.commits.spawn(async move {
            if let Err(error) = reader.commit(&name, &commit).await {
                tracing::warn!(partition = %name, %error, "commit failed; the next one covers it");
            }
        });
    }

    async fn drain(&mut self, mark: Option<Mark>) -> Result<(), LaneFault> {
        let deadline = Instant::now() + self.config.drain;
        self.readers.abort_all();
        self.queues.retain(|_| false);
        self.ending.begin();
        let ended = match timeout_at(deadline, self.all_ended()).await {
            Ok(ended) => ended.map(|()| true)?,
            Err(_) => {
                let calls = self.calls.len();
                tracing::warn!(lane = self.number, calls, "gave up on running calls at the deadline");
                false
            }
        };
        self.calls.abort_all();
        while timeout_at(deadline, self.commits.join_next()).await.is_ok_and(|ended| ended.is_some()) {}
        let nothing_acts = self.ending.acts_until().is_none_or(|until| until <= Instant::now());
        self.commit(mark.filter(|_| ended && nothing_acts));
        let last = Instant::now() + Duration::from_secs(5);
        while timeout_at(last, self.commits.join_next()).await.is_ok_and(|ended| ended.is_some()) {}
        Ok(())
    }

    /// Returns when all calls have ended but those that rest.
    async fn all_ended(&mut self) -> Result<(), LaneFault> {
        let ending = self.ending.clone();
        loop {
            let calls = self.calls.len();
            tokio::select! {
                biased;
                () = ending.all_rest(calls) => return Ok(()),
                Some(call) = self.calls.join_next() => self.finish(call?)?,
            }
        }
    }
}

/// Reads one partition into the lane, no further than there is room.
async fn read(mut records: Box<dyn PartitionReader>, room: Room, assignment: u64, arrive: mpsc::Sender<Arrival>) {
    loop {
        let Some(mut place) = room.for_one().await else { return };
        let arrival = match records.next().await {
            Ok(record) => {
                let Some(()) = room.enlarge(&mut place, &record).await else { return };
                Arrival::Record { record, room: place, assignment }
            }
            Err(error) => {
                let _ = arrive.send(Arrival::Ended(records.partition().clone(), error)).await;
                return;
            }
        };
        if arrive.send(arrival).await.is_err() {
            return;
        }
    }
}
