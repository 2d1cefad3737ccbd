//! The site's dead letters, followed: a later record that leaves its version right at the target heals those before it.
//!
//! Every process follows both topics whole, since letters are few; which version is whose to heal is decided by who
//! owns its lane. The owner of lane 0 shows how many are open.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use twinlog_dead::open::{Kept, Label, kept};
use twinlog_dead::{Cause, Change, History, Open, State};
use twinlog_log::lane::Slot;
use twinlog_log::{Fetched, LogError, LogErrorKind, PartitionReader, TopicName, TopicPartition, Watermarks};
use twinlog_schemas::{BucketName, SiteName};

use super::Apply;
use super::settle::Job;
use crate::plan::Rule;

/// How many letters are remembered: some twenty megabytes. Later ones do not heal by themselves.
const REMEMBERED: usize = 65_536;
/// How long a new lane waits for the letters to be read. What is done before heals none of them.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often letters that the log has let go are forgotten.
const EXPIRE: Duration = Duration::from_secs(60);

/// What this process knows of the letters.
pub(super) struct Letters {
    open: Mutex<Open>,
    /// Whether the topics are there and somebody follows them.
    followed: AtomicBool,
    /// Whether all that was there when following began is known.
    loaded: watch::Sender<bool>,
}

impl Default for Letters {
    fn default() -> Self {
        let open = Mutex::new(Open::new(REMEMBERED));
        Self { open, followed: AtomicBool::new(false), loaded: watch::Sender::new(false) }
    }
}

impl Letters {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn loaded(&self) -> bool {
        *self.loaded.borrow()
    }

    fn learn(&self, letter: Kept) {
        let mut open = self.open();
        let before = open.left_out();
        open.learn_letter(letter);
        if before == 0 && open.left_out() > 0 {
            tracing::warn!(
                remembered = REMEMBERED,
                "too many dead letters to remember: later ones do not heal by themselves"
            );
        }
    }
}

/// The next record of a partition, with the stream it came from.
type Next = BoxFuture<'static, (Result<Fetched, LogError>, Box<dyn PartitionReader>)>;

fn next(mut records: Box<dyn PartitionReader>) -> Next {
    Box::pin(async move { (records.next().await, records) })
}

/// What outlives a reading that failed.
struct Following {
    /// The next offset of each partition.
    read_to: BTreeMap<TopicPartition, i64>,
    /// The counts that are shown.
    shown: BTreeMap<Label, u64>,
    owned: watch::Receiver<BTreeSet<i32>>,
}

impl Apply {
    /// Follows the site's dead letters and their states for as long as the process runs. `owned` are the lanes of apply
    /// that are ours: who owns lane 0 shows how many are open.
    pub async fn letters(&self, owned: watch::Receiver<BTreeSet<i32>>) {
        self.letters.followed.store(true, Ordering::SeqCst);
        let mut following = Following { read_to: BTreeMap::new(), shown: BTreeMap::new(), owned };
        let mut waits = self.parts.config.backoff.delays(self.parts.ids.seed());
        loop {
            let Err(error) = self.follow_letters(&mut following).await;
            if error.kind == LogErrorKind::UnknownTopic {
                // There is nothing to wait for.
                self.letters.followed.store(false, Ordering::SeqCst);
                tracing::debug!(%error, "no dead letters are followed yet");
            } else {
                tracing::warn!(%error, "dead letters are not followed for now; trying again");
            }
            waits.wait().await;
        }
    }

    async fn follow_letters(&self, following: &mut Following) -> Result<Infallible, LogError> {
        let (here, topics) = (self.parts.here.name(), &self.parts.topics);
        let (dead, said) = (topics.dead(here), topics.dead_state(here));
        let [said, dead_ends] = [self.ends(&said).await?, self.ends(&dead).await?];
        let reader = self.parts.home.reader(&topics.group(here, "letters")).await?;
        let mut coming = FuturesUnordered::new();
        // The states first: of a letter that is closed nothing has to be remembered.
        for ends in [said, dead_ends] {
            let (mut wanted, mut unread) = (Vec::new(), BTreeMap::new());
            for (partition, ends) in ends {
                let known = following.read_to.get(&partition).copied();
                let from = known.filter(|at| (ends.first..=ends.next).contains(at)).unwrap_or(ends.first);
                if from < ends.next {
                    unread.insert(partition.clone(), ends.next);
                }
                wanted.push((partition, from));
            }
            coming.extend(reader.assign_all(&wanted).await?.into_iter().map(next));
            while !unread.is_empty() {
                // Of every partition that is not read to its end, a record will come.
                let Some((record, records)) = coming.next().await else { break };
                let at = self.learn_of(record?, following);
                if unread.get(records.partition()).is_some_and(|end| *end <= at) {
                    unread.remove(records.partition());
                }
                coming.push(next(records));
            }
        }
        self.letters.loaded.send_replace(true);
        let mut expire = interval(EXPIRE);
        expire.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = true;
        loop {
            self.show_letters(following);
            tokio::select! {
                biased;
                _ = expire.tick() => self.expire_letters(&dead).await?,
                Some((record, records)) = coming.next() => {
                    self.learn_of(record?, following);
                    coming.push(next(records));
                }
                // Nobody tells any more which lanes are ours: what is known of them stays so.
                changed = following.owned.changed(), if told => told = changed.is_ok(),
            }
        }
    }

    async fn ends(&self, topic: &TopicName) -> Result<BTreeMap<TopicPartition, Watermarks>, LogError> {
        let ends = self.parts.home.ends_of(topic).await?;
        let missing = || LogError::new("follow", topic, LogErrorKind::UnknownTopic, "there is no such topic");
        ends.ok_or_else(missing)
    }

    /// Takes in one record; the offset after it.
    fn learn_of(&self, record: Fetched, following: &mut Following) -> i64 {
        let (partition, next) = (record.position.partition.clone(), record.position.offset + 1);
        if partition.topic == self.parts.topics.dead_state(self.parts.here.name()) {
            self.letters.open().learn_record(&record);
        } else if let Some(letter) = kept(record, &self.parts.topics, &self.parts.codec) {
            self.letters.learn(letter);
        }
        following.read_to.insert(partition, next);
        next
    }

    async fn expire_letters(&self, dead: &TopicName) -> Result<(), LogError> {
        for (partition, ends) in self.ends(dead).await? {
            self.letters.open().expire(partition.partition, ends.first);
        }
        Ok(())
    }

    fn show_letters(&self, following: &mut Following) {
        let keeper = following.owned.borrow().contains(&0);
        let now = if keeper { self.letters.open().counts().clone() } else { BTreeMap::new() };
        let (here, observer) = (self.parts.here.name(), &self.parts.observer);
        let gone = following.shown.keys().filter(|label| !now.contains_key(*label));
        gone.for_each(|label| observer.dead_letters_open(label, here, 0));
        let new = now.iter().filter(|(label, open)| following.shown.get(*label) != Some(*open));
        new.for_each(|(label, open)| observer.dead_letters_open(label, here, *open));
        following.shown = now;
    }

    /// Waits until the letters are known, for a while: a cluster that is slow does not hold replication up for long.
    pub(super) async fn letters_known(&self) {
        if self.letters.followed.load(Ordering::SeqCst) {
            let mut loaded = self.letters.loaded.subscribe();
            // The sender lives in `self`.
            let _ = timeout(PATIENCE, loaded.wait_for(|loaded| *loaded)).await;
        }
    }

    /// Remembers the letter that was just written about a record.
    pub(super) fn remember_letter(&self, record: &Fetched, reason: &str, of: Option<(&SiteName, &BucketName)>) {
        if !self.letters.loaded() {
            return;
        }
        let by_topic = self.parts.topics.source_of(&record.position.partition.topic);
        let of = of.map(|(source, bucket)| (source.clone(), Some(bucket.clone()))).or(by_topic);
        let (source, bucket) = of.map_or((None, None), |(source, bucket)| (Some(source), bucket));
        let label = Label {
            source: source.map_or_else(String::new, |name| name.to_string()),
            bucket: bucket.map_or_else(String::new, |name| name.to_string()),
            reason: reason.to_owned(),
        };
        self.letters.learn(Kept::written(record, label, &self.parts.codec));
    }

    /// A record has ended by this rule: if the target now holds its version as the index says, the letters about that
    /// version are healed. Where there are none this costs a look into a map.
    pub(super) async fn heal(&self, slot: &mut Slot, job: &Job<'_>, rule: Rule) {
        if !rule.leaves_right() || !self.letters.loaded() {
            return;
        }
        let whole = job.event.is_some() || rule.decides_whole();
        let healed = self.letters.open().healed_by(&job.version, whole);
        for (cause, before) in healed {
            let change = Change {
                state: State::Healed,
                by: format!("twinlog at {}", self.parts.here.name()),
                why: Some(format!("a later record of the version left it right: {}", rule.name())),
                at_us: self.parts.clock.now_us(),
            };
            self.say_of(slot, cause, before.as_ref(), change).await;
        }
    }

    async fn say_of(&self, slot: &mut Slot, cause: Cause, before: Option<&History>, change: Change) {
        let topic = self.parts.topics.dead_state(self.parts.here.name());
        let history = History::after(&cause, before, change);
        let value = match history.to_json() {
            Ok(value) => Bytes::from(value),
            Err(error) => {
                tracing::error!(%error, "a dead letter's state could not be encoded");
                return;
            }
        };
        let now_ms = self.parts.clock.now_ms();
        let make = |partitions| cause.state_record(topic.clone(), partitions, value.clone(), now_ms);
        self.outbox.append(slot, None, make, &topic).await;
        tracing::info!(letter = %cause, "dead letter healed");
        self.letters.open().learn_state(cause, history);
    }
}
