//! Whether the two ends of each link answer: one breaker for each, driven by the calls that fail.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use twinlog_control::{Away, Entry, Key};
use twinlog_log::lane::Slot;
use twinlog_schemas::{BreakerTold, BucketName, CloudEvent, EventType, SiteName};
use twinlog_site::SiteError;

use super::Apply;
use super::settle::Job;
use crate::breaker::{After, Breaker, Change};
use crate::failure::{End, Verdict, verdict};

/// How often what is on record of an end that is away is refreshed, and after how long without that it counts as said by a
/// process that is gone; in microseconds.
const REFRESH_US: i64 = 20_000_000;
const GONE_US: i64 = 60_000_000;
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(10);

/// The breakers of the links into this site, by source and end.
#[derive(Default)]
pub(super) struct Reach {
    ends: Mutex<BTreeMap<(SiteName, End), Arc<Reached>>>,
}

/// One end of a link.
#[derive(Default)]
pub(super) struct Reached {
    breaker: Mutex<Breaker>,
    /// Who has it looks; the others wait for it behind each other, and find the breaker closed.
    turn: tokio::sync::Mutex<()>,
}

impl Reached {
    pub(super) fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reach {
    fn all(&self) -> BTreeMap<(SiteName, End), Arc<Reached>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn of(&self, source: &SiteName, end: End) -> Arc<Reached> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ends.entry((source.clone(), end)).or_default())
    }
}

impl Apply {
    /// Waits while the target is away.
    pub(super) async fn target_answers(&self, slot: &mut Slot, job: &Job<'_>) {
        let reached = self.reach.of(job.source, End::Target);
        if reached.breaker().is_open() {
            self.back(slot, job, (End::Target, &reached)).await;
        }
    }

    /// A call at this end has succeeded.
    pub(super) fn answered(&self, source: &SiteName, end: End) {
        self.reach.of(source, end).breaker().succeeded();
    }

    /// An object was read at this end, or written.
    pub(super) async fn carried(&self, source: &SiteName, end: End) {
        let change = self.reach.of(source, end).breaker().carried(self.parts.clock.now_us());
        self.tell_breaker(source, end, change, "works again").await;
    }

    /// A call at this end has failed in a way that may pass. Where it turns out to be away, returns when it is back:
    /// then it need not be waited for any longer.
    pub(super) async fn unanswered(&self, slot: &mut Slot, job: &Job<'_>, end: End, error: &SiteError) -> bool {
        let reached = self.reach.of(job.source, end);
        let mut record = DefaultHasher::new();
        job.version.hash(&mut record);
        let after = reached.breaker().failed(record.finish(), self.parts.clock.now_us());
        match after {
            After::TryAgain => return false,
            After::Wait => {}
            After::Look => {
                if self.look_once(slot, job, (end, &reached), error).await {
                    return false;
                }
            }
        }
        self.back(slot, job, (end, &reached)).await;
        true
    }

    /// One look; whether the end answers.
    async fn look_once(
        &self,
        slot: &mut Slot,
        job: &Job<'_>,
        (end, reached): (End, &Reached),
        error: &SiteError,
    ) -> bool {
        let look = async {
            let turn = reached.turn.lock().await;
            if reached.breaker().is_open() { None } else { Some((turn, self.answers(job, end).await)) }
        };
        // What follows from it is not given up with a wait.
        let Some((turn, answers)) = slot.rest(look).await else { return false };
        let change = reached.breaker().looked(answers, self.parts.clock.now_us());
        drop(turn);
        let message = match change {
            Some(Change::Failing) => format!("answers, but nothing has worked there for a minute: {error}"),
            _ => format!("does not answer: {error}"),
        };
        self.tell_breaker(job.source, end, change, &message).await;
        answers
    }

    /// Returns when the breaker is closed. One of those who wait looks, the others follow at once.
    async fn back(&self, slot: &mut Slot, job: &Job<'_>, (end, reached): (End, &Reached)) {
        let looks = async {
            let turn = reached.turn.lock().await;
            let mut delays = self.parts.config.probe.delays(self.parts.ids.seed());
            while reached.breaker().is_open() {
                delays.wait().await;
                if self.answers(job, end).await {
                    return Some(turn);
                }
            }
            None
        };
        let Some(turn) = slot.rest(looks).await else { return };
        let change = reached.breaker().looked(true, self.parts.clock.now_us());
        drop(turn);
        self.tell_breaker(job.source, end, change, "answers again").await;
    }

    /// Sees to what is on record of ends that are away: refreshes what this process finds so, ends what is over, and as the
    /// `keeper` takes back what a process said that does not refresh it any more.
    pub(super) async fn keep_away(&self, keeper: bool) {
        let (control, now_us) = (self.parts.holds.control(), self.parts.clock.now_us());
        for ((source, end), reached) in self.reach.all() {
            let change = reached.breaker().passes(now_us);
            self.tell_breaker(&source, end, change, "nothing is tried there any more").await;
        }
        for ((source, site), away) in control.away() {
            let end = if site == *self.parts.here.name() { End::Target } else { End::Source };
            let ours = self.reach.of(&source, end).breaker().away_since_us().is_some();
            let age_us = now_us - away.seen_us;
            if ours && age_us >= REFRESH_US {
                control.put(Entry::Away(source, site, Away { seen_us: now_us, ..away })).await;
            } else if !ours && keeper && age_us >= GONE_US {
                control.remove(Key::Away(source, site)).await;
            }
        }
    }

    /// Whether an end answers at all: a refusal is an answer.
    async fn answers(&self, job: &Job<'_>, end: End) -> bool {
        let bucket: &BucketName = &job.version.bucket;
        let site = match (end, job.link) {
            (End::Source, Some(link)) => &link.source,
            _ => &self.parts.here,
        };
        match timeout(LOOK, site.bucket_state(bucket)).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => verdict(end, &error) != Verdict::Retry,
            Err(_) => false,
        }
    }

    async fn tell_breaker(&self, source: &SiteName, end: End, change: Option<Change>, message: &str) {
        let Some(change) = change else { return };
        let here = self.parts.here.name();
        let away = if end == End::Source { source } else { here };
        let begins = matches!(change, Change::Opened | Change::Failing);
        let kind = if begins {
            tracing::warn!(%source, site = %away, message, "a site is away");
            EventType::BreakerOpened
        } else {
            tracing::info!(%source, site = %away, message, "a site is back");
            EventType::BreakerClosed
        };
        if matches!(change, Change::Opened | Change::Closed) {
            self.parts.observer.breaker(source, here, end, begins);
        }
        let (control, now_us) = (self.parts.holds.control(), self.parts.clock.now_us());
        let since_us = self.reach.of(source, end).breaker().away_since_us().unwrap_or(now_us);
        if begins {
            let on_record = Away { message: message.to_owned(), since_us, seen_us: now_us };
            control.put(Entry::Away(source.clone(), away.clone(), on_record)).await;
        } else {
            control.remove(Key::Away(source.clone(), away.clone())).await;
        }
        let told = BreakerTold {
            source_site: source.to_string(),
            target_site: here.to_string(),
            away: away.to_string(),
            message: message.to_owned(),
            since_us,
        };
        let (id, now_ns) = (self.parts.ids.event_id(), self.parts.clock.now_ns());
        match CloudEvent::new(kind, id, here, format!("{source}>{here}"), now_ns, &told) {
            Ok(event) => self.parts.tell.tell(event).await,
            Err(error) => tracing::error!(%error, "a breaker's change could not be told"),
        }
    }
}
