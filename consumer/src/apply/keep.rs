//! Keeping the holds: shows them, probes those that end by themselves, and brings about what was left undone of a
//! bucket when it goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use twinlog_control::{Hold, Reason, Scope};
use twinlog_log::backoff::Delays;
use twinlog_log::{Backoff, LogError};

use super::{Apply, Parts};
use crate::failure::{End, Verdict, verdict};
use crate::hold::Direction;
use crate::observe::Stream;

/// How long one probe may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// A hold that comes back within so long goes on being probed as seldom as before.
const FORGIVEN: Duration = Duration::from_secs(600);
/// How often the guards' counts are put on record.
const SAVE: Duration = Duration::from_secs(10);

/// When a hold is probed next.
struct Probing {
    reason: Reason,
    next: Instant,
    last: Instant,
    delays: Delays,
}

impl Apply {
    /// Runs as long as the process does. `owned` are the lanes of apply that are ours: who owns lane 0 ends holds.
    pub async fn keep(&self, owned: watch::Receiver<BTreeSet<i32>>) {
        tokio::join!(self.keep_holds(owned), self.repeat_left());
    }

    async fn keep_holds(&self, owned: watch::Receiver<BTreeSet<i32>>) {
        let mut shown = BTreeMap::new();
        let mut probing: BTreeMap<Scope, Probing> = BTreeMap::new();
        let mut save = Instant::now() + SAVE;
        loop {
            let changed = self.parts.holds.control().changed();
            let holds = self.parts.holds.all();
            self.show(&mut shown, &holds);
            let keeper = owned.borrow().contains(&0);
            let due = if keeper { self.due(&mut probing, &holds) } else { Vec::new() };
            futures::future::join_all(due.iter().map(|(scope, reason)| self.probe(scope, *reason))).await;
            if save <= Instant::now() {
                self.storms.save(self.parts.holds.control()).await;
                self.keep_away(keeper).await;
                save = Instant::now() + SAVE;
            }
            let probes = probing.iter().filter(|(scope, _)| keeper && holds.contains_key(scope));
            let next = probes.map(|(_, probing)| probing.next).chain([save]).min().unwrap_or(save);
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep_until(next) => {}
            }
        }
    }

    fn show(&self, shown: &mut BTreeMap<Scope, Reason>, holds: &BTreeMap<Scope, Hold>) {
        let now: BTreeMap<Scope, Reason> = holds.iter().map(|(scope, hold)| (scope.clone(), hold.reason)).collect();
        let tell = |scope: &Scope, reason: Option<Reason>| {
            let reason = reason.map(Reason::as_str);
            match scope {
                Scope::Bucket((source, bucket)) => {
                    self.parts.observer.held(Stream { source, target: self.parts.here.name(), bucket }, reason);
                }
                Scope::Link(source) => self.parts.observer.link_held(source, self.parts.here.name(), reason),
            }
        };
        shown.iter().filter(|(scope, _)| !now.contains_key(scope)).for_each(|(scope, _)| tell(scope, None));
        let new = now.iter().filter(|(scope, reason)| shown.get(scope) != Some(reason));
        new.for_each(|(scope, reason)| tell(scope, Some(*reason)));
        *shown = now;
    }

    /// The holds to be probed now; each of them less and less often.
    fn due(&self, probing: &mut BTreeMap<Scope, Probing>, holds: &BTreeMap<Scope, Hold>) -> Vec<(Scope, Reason)> {
        let now = Instant::now();
        probing.retain(|scope, probing| holds.contains_key(scope) || now < probing.last + FORGIVEN);
        let mut due = Vec::new();
        for (scope, hold) in holds {
            if hold.reason.needs_release() || hold.reason == Reason::Paused {
                probing.remove(scope);
                continue;
            }
            let fresh = || {
                let backoff = Backoff { factor: 1.5, ..self.parts.config.probe };
                let mut delays = backoff.delays(self.parts.ids.seed());
                Probing { reason: hold.reason, next: now + delays.next_delay(), last: now, delays }
            };
            let at = probing.entry(scope.clone()).or_insert_with(fresh);
            if at.reason != hold.reason {
                *at = fresh();
            }
            if at.next <= now {
                (at.last, at.next) = (now, now + at.delays.next_delay());
                due.push((scope.clone(), hold.reason));
            }
        }
        due
    }

    async fn probe(&self, scope: &Scope, reason: Reason) {
        match timeout(PATIENCE, self.fault_of(scope, reason)).await {
            Ok(Ok(None)) => self.parts.holds.end(scope).await,
            Ok(Ok(Some((other, message)))) if other != reason => {
                // What was wrong is mended, and something else is not.
                self.parts.holds.begin(scope.clone(), other, &message, None).await;
            }
            Ok(Ok(Some((_, message)))) => tracing::debug!(%reason, message, "still held"),
            Ok(Err(error)) => tracing::debug!(%reason, error, "still held"),
            Err(_) => tracing::debug!(%reason, "still held: no answer"),
        }
    }

    /// What is wrong now with what is held; the error is one that tells nothing.
    async fn fault_of(&self, scope: &Scope, reason: Reason) -> Result<Option<(Reason, String)>, String> {
        let words = |error: twinlog_site::SiteError| error.to_string();
        match scope {
            Scope::Bucket(direction) => {
                let carried = self.link(&direction.0).is_some_and(|link| (link.buckets)(&direction.1));
                if !carried && direction.0 != *self.parts.here.name() {
                    tracing::info!(source = %direction.0, bucket = %direction.1, "no link carries this bucket any more");
                    return Ok(None);
                }
                if let Some(message) = self.unfit(direction).await.map_err(|error| error.to_string())? {
                    return Ok(Some((Reason::PartitionsUnfit, message)));
                }
                let look = match self.inspect(direction).await {
                    Ok(look) => look,
                    Err(error) => {
                        // What is held for one reason may stand still for another by now.
                        return match verdict(End::Target, &error) {
                            Verdict::HoldBucket(other) if !other.of_link() => Ok(Some((other, words(error)))),
                            _ => Err(words(error)),
                        };
                    }
                };
                if look.fault.is_some() || reason != Reason::AccessDenied {
                    return Ok(look.fault);
                }
                let missing = self.denied(direction, None).await.map_err(words)?;
                Ok((!missing.is_empty()).then(|| (reason, format!("missing: {}", missing.join(", ")))))
            }
            Scope::Link(source) => {
                if reason == Reason::UnknownSchema {
                    let hold = self.parts.holds.control().hold(scope);
                    let schema = hold.and_then(|hold| hold.schema).and_then(|hex| u64::from_str_radix(&hex, 16).ok());
                    let unread = self.unread.load(Ordering::SeqCst) > 0;
                    let known = !unread && schema.is_none_or(|schema| self.parts.codec.knows(schema));
                    return Ok((!known).then(|| (reason, "a newer release's record still waits".to_owned())));
                }
                self.parts.here.buckets().await.map_err(words)?;
                if let Some(link) = self.link(source) {
                    link.source.buckets().await.map_err(words)?;
                }
                Ok(None)
            }
        }
    }

    /// Why the topics of a direction cannot be shared among the lanes, where they cannot.
    async fn unfit(&self, direction: &Direction) -> Result<Option<String>, LogError> {
        let (Parts { home, topics, here, .. }, (source, bucket)) = (&self.parts, direction);
        let lanes = home.topic(&topics.lanes(here.name())).await?.map_or(1, |info| info.partitions.max(1));
        let there = self.link(source).map_or(home, |link| &link.log);
        let read =
            [(there, topics.changes(source, bucket)), (there, topics.facts(source)), (home, topics.facts(here.name()))];
        for (log, topic) in read {
            let partitions = log.topic(&topic).await?.map_or(0, |info| info.partitions);
            if partitions % lanes != 0 {
                return Ok(Some(format!(
                    "topic {topic} has {partitions} partitions, which {lanes} lanes cannot share"
                )));
            }
        }
        Ok(None)
    }
}
