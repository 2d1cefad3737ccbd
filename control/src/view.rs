//! The view of a site's control topic: everything on record, followed while the process runs, and the one way to write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::{
    Backoff, Fetched, Headers, Log, LogError, LogErrorKind, Record, TopicId, TopicName, TopicPartition, Topics,
};
use twinlog_schemas::{BucketName, SiteName};

use crate::entry::{
    Away, DirtyBucket, Entry, EntryError, Hold, Identity, Late, Pause, Release, Rewind, Skipped, Slice, Standing,
    Stuck, Swept, TopicGone, TopicSeen, Unbroken,
};
use crate::key::{Direction, Key, Scope, StandingKey};
use crate::reason::Reason;
use crate::sweep::Sweep;

/// What is on record at one site.
///
/// - **Own writes** are seen at once; those of other processes when the follower has read them, a moment later.
/// - **Order**: of one key the record with the highest offset counts, in whatever order it became known.
/// - **Durability**: [`Control::put`] and [`Control::remove`] return once the log has it; they keep trying. A topic that is
///   made anew while a process follows it is given what that process knew.
pub struct Control {
    log: Arc<dyn Log>,
    partition: TopicPartition,
    clock: Arc<dyn Clock>,
    ids: Ids,
    records: Mutex<Records>,
    changed: Notify,
    /// Whether the follower has come to the end that the topic had when it began.
    loaded: watch::Sender<bool>,
    /// One write of this process at a time: each is known here before the next one begins.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Records(BTreeMap<Key, Held>);

struct Held {
    /// `None` once it was taken back: kept, because an older record may become known later.
    entry: Option<Entry>,
    /// Of its record; [`OF_ANOTHER`] where the topic that had it is gone.
    offset: i64,
}

/// Below every offset.
const OF_ANOTHER: i64 = -1;

/// How far a follower has come.
#[derive(Default)]
struct Followed {
    /// The next offset to read.
    from: Option<i64>,
    /// Of which topic, where the cluster has ids.
    id: Option<TopicId>,
}

impl Control {
    /// The control topic of `site` on its own cluster; nothing is read yet.
    #[must_use]
    pub fn new(home: Arc<dyn Log>, topics: &Topics, site: &SiteName, clock: Arc<dyn Clock>, ids: Ids) -> Self {
        Self {
            log: home,
            partition: TopicPartition { topic: topics.control(site), partition: 0 },
            clock,
            ids,
            records: Mutex::default(),
            changed: Notify::new(),
            loaded: watch::Sender::new(false),
            writing: tokio::sync::Mutex::default(),
        }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        &self.partition.topic
    }

    // --- reading ---------------------------------------------------------------------------------------------------

    /// Reads the topic for as long as the process runs; `trouble` hears what stands in the way, and `None` once it is
    /// over. A topic that does not exist yet is looked for again.
    pub async fn follow(&self, trouble: impl Fn(Option<&LogError>) + Send + Sync) {
        let mut followed = Followed::default();
        let mut waits = Backoff::PROMPT.delays(self.ids.seed());
        loop {
            let Err(error) = self
                .read_on(&mut followed, &mut || {
                    waits = Backoff::PROMPT.delays(self.ids.seed());
                    trouble(None);
                })
                .await;
            if error.kind == LogErrorKind::OffsetOutOfRange {
                followed.from = None;
            }
            trouble(Some(&error));
            waits.wait().await;
        }
    }

    /// Reads what is on record by now, and no further: for commands.
    ///
    /// # Errors
    /// Where the cluster does not answer. A topic that does not exist, or is deleted meanwhile, holds nothing.
    pub async fn load(&self) -> Result<(), LogError> {
        if self.log.topic(self.topic()).await?.is_none() {
            return Ok(());
        }
        match self.load_existing().await {
            Err(error) if error.kind == LogErrorKind::UnknownTopic && self.log.topic(self.topic()).await?.is_none() => {
                self.records().0.clear();
                Ok(())
            }
            loaded => loaded,
        }
    }

    async fn load_existing(&self) -> Result<(), LogError> {
        let ends = self.log.watermarks(&self.partition).await?;
        if ends.first == ends.next {
            return Ok(());
        }
        let mut records = self.log.reader(&self.group()).await?.assign(&self.partition, ends.first).await?;
        loop {
            let record = records.next().await?;
            let at = record.position.offset;
            self.learn(&record);
            if at + 1 >= ends.next {
                return Ok(());
            }
        }
    }

    /// Waits until everything that was on record when following began is known.
    pub async fn loaded(&self) {
        let mut loaded = self.loaded.subscribe();
        // The sender lives in `self`.
        let _ = loaded.wait_for(|loaded| *loaded).await;
    }

    /// Waits for a change after this call was first polled. Look at the records after creating the future, not before.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + '_ {
        self.changed.notified()
    }

    /// A group of its own, under which nothing is ever committed.
    fn group(&self) -> String {
        format!("{}.read.{:x}", self.partition.topic, self.ids.seed())
    }

    async fn read_on(
        &self,
        followed: &mut Followed,
        reads: &mut (dyn FnMut() + Send),
    ) -> Result<std::convert::Infallible, LogError> {
        let id = self.log.identities(std::slice::from_ref(self.topic())).await?.remove(self.topic());
        if followed.id.zip(id).is_some_and(|(before, now)| before != now) {
            tracing::error!(topic = %self.topic(), "the control topic was made anew: what is known goes on record again");
            followed.from = None;
            self.records().0.values_mut().for_each(|held| held.offset = OF_ANOTHER);
        }
        followed.id = id.or(followed.id);
        let ends = self.log.watermarks(&self.partition).await?;
        let start = followed.from.unwrap_or(ends.first);
        let reader = self.log.steady_reader(&self.group()).await?;
        let mut records = reader.assign(&self.partition, start).await?;
        if start >= ends.next {
            self.put_one_again(start).await?;
            self.loaded.send_replace(true);
        }
        reads();
        loop {
            let record = records.next().await?;
            let next = record.position.offset + 1;
            self.learn(&record);
            followed.from = Some(next);
            if next >= ends.next {
                self.put_one_again(next).await?;
                self.loaded.send_replace(true);
            }
        }
    }

    fn learn(&self, record: &Fetched) {
        let Some(key) = record.key.as_deref().map(String::from_utf8_lossy) else { return };
        let offset = record.position.offset;
        match record.value.as_deref() {
            Some(value) => match Entry::read(&key, value) {
                Ok(entry) => self.keep(entry.key(), Some(entry), offset),
                Err(EntryError::Key(_)) => tracing::trace!(%key, "a control record of another kind"),
                Err(error) => tracing::warn!(%error, offset, "a control record is left out"),
            },
            None => {
                if let Ok(key) = key.parse() {
                    self.keep(key, None, offset);
                }
            }
        }
    }

    fn keep(&self, key: Key, entry: Option<Entry>, offset: i64) {
        let mut records = self.records();
        if records.0.get(&key).is_some_and(|held| held.offset >= offset) {
            return;
        }
        records.0.insert(key, Held { entry, offset });
        drop(records);
        self.changed.notify_waiters();
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- writing ---------------------------------------------------------------------------------------------------

    /// Puts an entry on record and returns once the log has it.
    pub async fn put(&self, entry: Entry) {
        let _alone = self.writing.lock().await;
        self.write(entry.key(), Some(entry)).await;
    }

    /// Takes an entry back and returns once the log has that.
    pub async fn remove(&self, key: Key) {
        let _alone = self.writing.lock().await;
        self.write(key, None).await;
    }

    /// Writes the entry, or that it was taken back.
    async fn write(&self, key: Key, entry: Option<Entry>) {
        match entry.as_ref().map(Entry::to_json).transpose() {
            Ok(value) => {
                let offset = self.append(self.record(&key, value)).await;
                self.keep(key, entry, offset);
            }
            Err(error) => tracing::error!(%error, %key, "a control record cannot be encoded"),
        }
    }

    /// An entry that only a topic had that is gone.
    fn lacks(&self) -> Option<Entry> {
        self.records().0.values().find_map(|held| held.entry.clone().filter(|_| held.offset == OF_ANOTHER))
    }

    /// Puts one such entry on record in the topic that has the name now, once everything there has been read, which was so
    /// far: one at a time, each followed by what came meanwhile, so that none is put over what is newer. Where that fails,
    /// what came meanwhile is read first, and it is put again if it is still not there.
    async fn put_one_again(&self, read: i64) -> Result<(), LogError> {
        let _alone = self.writing.lock().await;
        let Some(entry) = self.lacks() else { return Ok(()) };
        if read < self.log.watermarks(&self.partition).await?.next {
            return Ok(());
        }
        match entry.to_json() {
            Ok(value) => {
                let position = self.log.append(self.record(&entry.key(), Some(value))).await?;
                self.keep(entry.key(), Some(entry), position.offset);
            }
            Err(error) => tracing::error!(%error, key = %entry.key(), "a control record cannot be encoded"),
        }
        Ok(())
    }

    /// A person lets a bucket go on: what it is held for counts as seen, and its two ends as they are now as the right
    /// ones. The hold that was there.
    pub async fn let_go(&self, direction: &Direction, by: &str) -> Option<Hold> {
        let scope = Scope::Bucket(direction.clone());
        let (hold, at_us) = (self.hold(&scope), self.clock.now_us());
        let stormed = hold.as_ref().is_some_and(|hold| hold.reason == Reason::DeleteStorm);
        let removals_to_us =
            if stormed { Some(at_us) } else { self.release(direction).and_then(|before| before.removals_to_us) };
        self.put(Entry::Release(direction.clone(), Release { by: by.to_owned(), at_us, removals_to_us })).await;
        if self.identity(direction).is_some() {
            self.remove(Key::Identity(direction.clone())).await;
        }
        if hold.is_some() {
            self.remove(Key::Hold(scope)).await;
        }
        hold
    }

    fn record(&self, key: &Key, value: Option<Vec<u8>>) -> Record {
        Record {
            topic: self.partition.topic.clone(),
            partition: 0,
            key: Some(key.to_string().into()),
            value: value.map(Into::into),
            headers: Headers::default(),
            timestamp_ms: self.clock.now_ms(),
        }
    }

    async fn append(&self, record: Record) -> i64 {
        let mut waits = Backoff::PROMPT.delays(self.ids.seed());
        loop {
            match self.log.append(record.clone()).await {
                Ok(position) => return position.offset,
                Err(error) => {
                    tracing::warn!(topic = %self.partition.topic, %error, "control not written yet; trying again");
                    waits.wait().await;
                }
            }
        }
    }

    // --- what is on record -----------------------------------------------------------------------------------------

    fn get<T>(&self, key: &Key, pick: impl FnOnce(&Entry) -> Option<T>) -> Option<T> {
        self.records().0.get(key).and_then(|held| held.entry.as_ref()).and_then(pick)
    }

    fn all<T>(&self, pick: impl FnMut(&Entry) -> Option<T>) -> Vec<T> {
        self.records().0.values().filter_map(|held| held.entry.as_ref()).filter_map(pick).collect()
    }

    /// The hold of a scope.
    #[must_use]
    pub fn hold(&self, scope: &Scope) -> Option<Hold> {
        self.get(&Key::Hold(scope.clone()), |entry| match entry {
            Entry::Hold(_, hold) => Some(hold.clone()),
            _ => None,
        })
    }

    /// Every hold, pauses among them.
    #[must_use]
    pub fn holds(&self) -> BTreeMap<Scope, Hold> {
        let mut holds = BTreeMap::new();
        for (scope, hold) in self.all(|entry| match entry {
            Entry::Hold(scope, hold) => Some((scope.clone(), hold.clone())),
            Entry::Pause(direction, pause) => Some((Scope::Bucket(direction.clone()), pause.as_hold())),
            _ => None,
        }) {
            // A pause comes after the holds, and a hold says more.
            holds.entry(scope).or_insert(hold);
        }
        holds
    }

    /// Why nothing of this bucket from this source is to be applied now.
    #[must_use]
    pub fn stopped(&self, direction: &Direction) -> Option<Reason> {
        let stops = |scope| self.hold(&scope).map(|hold| hold.reason).filter(|reason| reason.stops());
        stops(Scope::Bucket(direction.clone()))
            .or_else(|| stops(Scope::Link(direction.0.clone())))
            .or_else(|| self.pause(direction).map(|_| Reason::Paused))
    }

    /// The pause of a bucket.
    #[must_use]
    pub fn pause(&self, direction: &Direction) -> Option<Pause> {
        self.get(&Key::Pause(direction.clone()), |entry| match entry {
            Entry::Pause(_, pause) => Some(pause.clone()),
            _ => None,
        })
    }

    /// The last release of a bucket.
    #[must_use]
    pub fn release(&self, direction: &Direction) -> Option<Release> {
        self.get(&Key::Release(direction.clone()), |entry| match entry {
            Entry::Release(_, release) => Some(release.clone()),
            _ => None,
        })
    }

    /// The ends that do not answer, by source of the link and site.
    #[must_use]
    pub fn away(&self) -> BTreeMap<(SiteName, SiteName), Away> {
        let away = self.all(|entry| match entry {
            Entry::Away(source, site, away) => Some(((source.clone(), site.clone()), away.clone())),
            _ => None,
        });
        away.into_iter().collect()
    }

    /// Which buckets the two ends are known to be.
    #[must_use]
    pub fn identity(&self, direction: &Direction) -> Option<Identity> {
        self.get(&Key::Identity(direction.clone()), |entry| match entry {
            Entry::Identity(_, identity) => Some(*identity),
            _ => None,
        })
    }

    /// What was skipped, and where.
    #[must_use]
    pub fn skipped(&self) -> Vec<(TopicPartition, Direction, Skipped)> {
        self.all(|entry| match entry {
            Entry::Skipped(partition, direction, skipped) => Some((partition.clone(), direction.clone(), *skipped)),
            _ => None,
        })
    }

    /// From where a partition's facts of a bucket were left, by the record's key.
    #[must_use]
    pub fn skipped_from(&self, key: &Key) -> Option<i64> {
        self.get(key, |entry| match entry {
            Entry::Skipped(_, _, skipped) => Some(skipped.from),
            _ => None,
        })
    }

    /// What each partition contributes to the guard of a bucket.
    #[must_use]
    pub fn guard(&self, direction: &Direction) -> BTreeMap<TopicPartition, Slice> {
        let slices = self.all(|entry| match entry {
            Entry::Guard(partition, of, slice) if of == direction => Some((partition.clone(), slice.clone())),
            _ => None,
        });
        slices.into_iter().collect()
    }

    /// The site's dirty buckets.
    #[must_use]
    pub fn dirty(&self) -> Vec<DirtyBucket> {
        self.all(|entry| match entry {
            Entry::Dirty(dirty) => Some(dirty.clone()),
            _ => None,
        })
    }

    /// How far back what the site has told of a bucket is whole, as `bucket enable` and `disable` have it.
    #[must_use]
    pub fn unbroken(&self, bucket: &BucketName) -> Option<Unbroken> {
        self.get(&Key::Unbroken(bucket.clone()), |entry| match entry {
            Entry::Unbroken(_, unbroken) => Some(*unbroken),
            _ => None,
        })
    }

    /// The offset of the last record of how far back each bucket is whole: another one with every `bucket enable`, whether
    /// or not it says anything new.
    #[must_use]
    pub fn enabled_at(&self) -> BTreeMap<BucketName, i64> {
        let records = self.records();
        let said = records.0.iter().filter_map(|(key, held)| match key {
            Key::Unbroken(bucket) => Some((bucket.clone(), held.offset)),
            _ => None,
        });
        said.collect()
    }

    /// The last sweep of a bucket with another site.
    #[must_use]
    pub fn swept(&self, direction: &Direction) -> Option<Swept> {
        self.get(&Key::Swept(direction.clone()), |entry| match entry {
            Entry::Swept(_, swept) => Some(swept.clone()),
            _ => None,
        })
    }

    /// The last sweep of every bucket, by the other site and the bucket.
    #[must_use]
    pub fn last_sweeps(&self) -> BTreeMap<Direction, Swept> {
        let sweeps = self.all(|entry| match entry {
            Entry::Swept(direction, swept) => Some((direction.clone(), swept.clone())),
            _ => None,
        });
        sweeps.into_iter().collect()
    }

    /// What has to be swept, by direction; a direction from the site itself is what its own capture missed.
    #[must_use]
    pub fn sweeps(&self) -> BTreeMap<Direction, Sweep> {
        let sweeps = self.all(|entry| match entry {
            Entry::Sweep(direction, sweep) => Some((direction.clone(), sweep.clone())),
            _ => None,
        });
        sweeps.into_iter().collect()
    }

    /// What a person was told of and is not over yet.
    #[must_use]
    pub fn standing(&self) -> BTreeMap<StandingKey, Standing> {
        let standing = self.all(|entry| match entry {
            Entry::Standing(key, standing) => Some((key.clone(), standing.clone())),
            _ => None,
        });
        standing.into_iter().collect()
    }

    /// The request to sweep a direction.
    #[must_use]
    pub fn sweep(&self, direction: &Direction) -> Option<Sweep> {
        self.get(&Key::Sweep(direction.clone()), |entry| match entry {
            Entry::Sweep(_, sweep) => Some(sweep.clone()),
            _ => None,
        })
    }

    /// Since when a direction is late, if it is.
    #[must_use]
    pub fn late(&self, direction: &Direction) -> Option<Late> {
        self.get(&Key::Late(direction.clone()), |entry| match entry {
            Entry::Late(_, late) => Some(*late),
            _ => None,
        })
    }

    /// A topic as it was first seen.
    #[must_use]
    pub fn topic_seen(&self, topic: &TopicName) -> Option<TopicSeen> {
        self.get(&Key::Topic(topic.clone()), |entry| match entry {
            Entry::Topic(_, seen) => Some(seen.clone()),
            _ => None,
        })
    }

    /// The topics that are read, as they were first seen.
    #[must_use]
    pub fn topics_seen(&self) -> BTreeMap<TopicName, TopicSeen> {
        let seen = self.all(|entry| match entry {
            Entry::Topic(topic, seen) => Some((topic.clone(), seen.clone())),
            _ => None,
        });
        seen.into_iter().collect()
    }

    /// The topics that were read and are gone, other than those that a person has given up.
    #[must_use]
    pub fn topics_gone(&self) -> BTreeMap<TopicName, TopicGone> {
        let gone = self.topics_seen().into_iter().filter(|(_, seen)| !seen.given_up);
        gone.filter_map(|(topic, seen)| Some((topic, seen.gone?))).collect()
    }

    /// The records that speak of offsets of a topic.
    #[must_use]
    pub fn about(&self, topic: &TopicName) -> Vec<Key> {
        let about = |key: &Key| key.partition().is_some_and(|partition| partition.topic == *topic);
        let records = self.records();
        records.0.iter().filter(|(key, held)| held.entry.is_some() && about(key)).map(|(key, _)| key.clone()).collect()
    }

    /// The partitions to be read once more.
    #[must_use]
    pub fn rewinds(&self) -> BTreeMap<TopicPartition, Rewind> {
        let rewinds = self.all(|entry| match entry {
            Entry::Rewind(partition, rewind) => Some((partition.clone(), rewind.clone())),
            _ => None,
        });
        rewinds.into_iter().collect()
    }

    /// Whether and from where a partition is to be read once more.
    #[must_use]
    pub fn rewind(&self, partition: &TopicPartition) -> Option<Rewind> {
        self.get(&Key::Rewind(partition.clone()), |entry| match entry {
            Entry::Rewind(_, rewind) => Some(rewind.clone()),
            _ => None,
        })
    }

    /// The partitions that stand at a record.
    #[must_use]
    pub fn all_stuck(&self) -> BTreeMap<TopicPartition, Stuck> {
        let stuck = self.all(|entry| match entry {
            Entry::Stuck(partition, stuck) => Some((partition.clone(), stuck.clone())),
            _ => None,
        });
        stuck.into_iter().collect()
    }

    /// The record at which a partition stands, if it does.
    #[must_use]
    pub fn stuck(&self, partition: &TopicPartition) -> Option<Stuck> {
        self.get(&Key::Stuck(partition.clone()), |entry| match entry {
            Entry::Stuck(_, stuck) => Some(stuck.clone()),
            _ => None,
        })
    }

    /// The schemas that producers beside the site have published.
    #[must_use]
    pub fn schemas(&self) -> Vec<twinlog_schemas::PublishedSchema> {
        self.all(|entry| match entry {
            Entry::Schema(schema) => Some(schema.clone()),
            _ => None,
        })
    }
}

impl Pause {
    /// As people see it: a hold like others.
    #[must_use]
    pub fn as_hold(&self) -> Hold {
        let message = format!("paused by {}", self.by);
        Hold { reason: Reason::Paused, message, since_us: self.since_us, schema: None }
    }
}
