//! The first step: gathers what the log says and appends what is to be told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use twinlog_control::{Control, Entry, Key};
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::{Backoff, Fetched, Log, LogError, LogErrorKind, Tell, Topics};
use twinlog_schemas::{CloudEvent, SiteName};

use crate::message::Wording;
use crate::observe::Observer;
use crate::reading::{Reading, Wanted};
use crate::reconcile::{Doubted, Stands};
use crate::signal::{At, Signal};
use crate::subject::Subject;
use crate::windows::{Closed, Rules, Windows};
use crate::{examine, letter};

/// Records gathered at a time, in all; beyond it reading waits for a window to close.
const GATHERED: usize = 100_000;
/// How often windows are looked at, at least.
const LOOK: Duration = Duration::from_millis(500);
/// How often offsets are committed although nothing has changed: Kafka forgets them after a week.
const COMMIT_ANEW: Duration = Duration::from_secs(3_600);

/// What the notifier is made of.
pub struct Parts {
    /// The site.
    pub here: SiteName,
    /// The site's own cluster.
    pub home: Arc<dyn Log>,
    /// The topics' names.
    pub topics: Topics,
    /// The sites whose changes are applied here.
    pub sources: Vec<SiteName>,
    /// What is on record at the site.
    pub control: Arc<Control>,
    /// Where notifications go: the events topic.
    pub tell: Arc<dyn Tell>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub ids: Ids,
    /// Counts.
    pub observer: Arc<dyn Observer>,
    /// How to gather.
    pub rules: Rules,
    /// Whether object keys and error messages go out.
    pub keys: bool,
    /// Where the runbook is.
    pub runbook: String,
}

/// From one beginning to the next error of the log.
struct Round {
    reading: Reading,
    windows: Windows,
    doubted: Doubted,
    /// When offsets are committed anew.
    anew: Instant,
}

/// Groups events and dead letters. Runs in one process beside a site at a time.
pub struct Notifier {
    parts: Parts,
    wording: Wording,
}

impl Notifier {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let wording = Wording { keys: parts.keys, runbook: parts.runbook.clone() };
        Self { parts, wording }
    }

    /// Runs until it is dropped, which may happen at any await: what was not committed is gathered again.
    pub async fn run(&self) {
        let mut waits = Backoff::PROMPT.delays(self.parts.ids.seed());
        loop {
            let began = Instant::now();
            let Err(error) = self.round().await;
            if began.elapsed() > Duration::from_secs(60) {
                waits = Backoff::PROMPT.delays(self.parts.ids.seed());
            }
            if error.kind == LogErrorKind::UnknownTopic {
                tracing::debug!(%error, "the notifier waits for its topics");
            } else {
                tracing::warn!(%error, "the notifier begins again");
            }
            waits.wait().await;
        }
    }

    async fn round(&self) -> Result<std::convert::Infallible, LogError> {
        let mut round = self.begin().await?;
        let settle = Duration::from_millis(self.parts.rules.settle_ms.unsigned_abs().max(10));
        let mut look = interval(LOOK.min(settle));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = look.tick() => self.look(&mut round).await?,
                next = round.reading.next(), if round.windows.gathered() < GATHERED => {
                    let (at, record) = next?;
                    match self.signal(at, &record) {
                        Some(signal) => round.windows.take(signal, at, self.parts.clock.now_ms()),
                        None => round.reading.done(at),
                    }
                }
            }
        }
    }

    async fn begin(&self) -> Result<Round, LogError> {
        let Parts { here, home, topics, control, clock, observer, rules, .. } = &self.parts;
        let group = topics.group(here, "notify");
        let (events, dead) = (topics.events(here), topics.dead(here));
        let wanted = Wanted { log: home, group: &group, events: &events, dead: &dead, observer: observer.as_ref() };
        let reading = Reading::open(wanted).await?;
        control.loaded().await;
        let standing: BTreeMap<Subject, _> =
            control.standing().into_iter().filter_map(|(key, stands)| Some((Subject::of(key)?, stands))).collect();
        let windows = Windows::new(here.clone(), *rules, standing, clock.now_ms());
        Ok(Round { reading, windows, doubted: Doubted::default(), anew: Instant::now() + COMMIT_ANEW })
    }

    /// Tells what is due, once everything was read that there was at the beginning, and commits what is done.
    async fn look(&self, round: &mut Round) -> Result<(), LogError> {
        let Parts { control, clock, rules, .. } = &self.parts;
        let Round { reading, windows, doubted, anew } = round;
        if !reading.caught_up() && windows.gathered() < GATHERED {
            return Ok(());
        }
        let now_ms = clock.now_ms();
        let mut closed = windows.due(now_ms);
        let stands = Stands { control, here: &self.parts.here };
        closed.extend(doubted.due(windows, &stands, now_ms, 2 * rules.window_ms));
        for closed in closed {
            self.close(reading, closed).await;
        }
        let again = *anew <= Instant::now();
        reading.commit(again).await?;
        if again {
            *anew = Instant::now() + COMMIT_ANEW;
        }
        Ok(())
    }

    /// What a record says; nothing if it is a notification of ours.
    fn signal(&self, at: At, record: &Fetched) -> Option<Signal> {
        let Parts { here, topics, sources, .. } = &self.parts;
        if at.dead {
            return Some(letter::signal(record, here, topics, sources));
        }
        match CloudEvent::from_json(record.value.as_deref().unwrap_or_default()) {
            Ok(event) if event.is_by_notifier(here) => None,
            Ok(event) => Some(examine::signal(&event, record.timestamp_ms.unwrap_or(0))),
            Err(error) => {
                tracing::warn!(partition = %record.position.partition, offset = at.offset, %error,
                    "a record of the events topic is no CloudEvent: nobody is told of it");
                None
            }
        }
    }

    /// Tells, then puts on record what stands, then counts the records as done: each may happen again after a crash.
    async fn close(&self, reading: &mut Reading, closed: Closed) {
        let Parts { here, control, tell, clock, observer, .. } = &self.parts;
        let Closed { subject, telling, standing, positions } = closed;
        if let Some(telling) = telling {
            match self.wording.event(here, &subject, &telling, clock.now_ns()) {
                Ok(event) => {
                    tracing::info!(
                        kind = event.kind,
                        about = event.subject,
                        count = telling.count,
                        id = event.id,
                        "told"
                    );
                    tell.tell(event).await;
                    observer.told(subject.kind.word());
                }
                Err(error) => tracing::error!(%error, "a notification could not be encoded: nobody is told"),
            }
        }
        let key = subject.standing_key();
        match standing {
            Some(standing) => control.put(Entry::Standing(key, standing)).await,
            None if control.standing().contains_key(&key) => control.remove(Key::Standing(key)).await,
            None => {}
        }
        positions.into_iter().for_each(|at| reading.done(at));
    }
}
