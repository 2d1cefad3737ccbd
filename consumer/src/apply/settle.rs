//! Settling one version: plan, act, and again, until the target is as the index says or the record is a dead letter.

use std::time::Duration;

use tokio::time::Instant;
use twinlog_control::Stuck;
use twinlog_index::VersionState;
use twinlog_log::Fetched;
use twinlog_log::backoff::Delays;
use twinlog_log::lane::Slot;
use twinlog_schemas::{
    ChangeEvent, EventId, ExamineCause, Fact, FactBody, RegisterRef, SiteName, StoreReading, VersionRef,
};
use twinlog_site::Reading;

use super::Apply;
use super::asked::Next;
use super::guards::Gate;
use crate::failure::alone::Alone;
use crate::failure::{End, Verdict, bug, may_be_about_one_key, verdict};
use crate::hold::Direction;
use crate::link::Link;
use crate::observe::{Outcome, Stream};
use crate::plan::{Plan, Question, Rule, Target};
use crate::transfer::Trouble;

/// One record to be settled.
pub(super) struct Job<'a> {
    /// The record, for a dead letter.
    pub record: &'a Fetched,
    /// The link it came by; `None` for a fact of the target's own site.
    pub link: Option<&'a Link>,
    /// The site that wrote the record.
    pub source: &'a SiteName,
    /// The version concerned.
    pub version: VersionRef,
    /// The change event, unless it is a fact.
    pub event: Option<&'a ChangeEvent>,
    /// The event that receipts name as their cause.
    pub id: EventId,
    /// The fact, unless it is a change event.
    pub fact: Option<&'a Fact>,
}

impl Job<'_> {
    pub(super) fn direction(&self) -> Direction {
        (self.source.clone(), self.version.bucket.clone())
    }
}

/// What the target was last read to hold.
pub(super) struct Held {
    pub reading: Reading,
    /// The listed modification time, looked up for null versions.
    pub listed_ms: Option<i64>,
}

impl Held {
    /// Whether both were read of one object or marker, whose attributes may have changed: what has the id "null" may be
    /// another each time.
    fn is_of_the_same_as(&self, other: &Self) -> bool {
        let same = match (&self.reading, &other.reading) {
            (Reading::Object(one), Reading::Object(other)) => one.etag == other.etag,
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        };
        same && self.listed_ms == other.listed_ms
    }
}

/// How a step went on.
enum Step {
    Done(Outcome, Rule),
    Again,
    Dead(Rule, String),
}

/// What a job remembers between tries.
struct Progress {
    backoff: Delays,
    held: Option<Held>,
    /// What this site answered to the last doubt, and what the doubt was about.
    answered: Option<(StoreReading, Held)>,
    /// A write's outcome was never known.
    unsure: bool,
    /// The next step must read, because what a write did is not known.
    must_read: bool,
    /// A plan was executed, but so slowly that another owner may have acted meanwhile: the version is looked at again.
    applied: bool,
    broken: u32,
    replans: u32,
    refusals: u32,
    /// For how long it has failed by itself, on a clock that begins with the job.
    alone: Alone,
    began: Instant,
}

impl Progress {
    /// How the job ended, with what was done before the last look.
    fn ended(&self, outcome: Outcome) -> Outcome {
        if self.applied && outcome == Outcome::Unchanged { Outcome::Applied } else { outcome }
    }
}

/// How often a version that refuses a write is read and planned again before that is a dead letter.
const REFUSALS: u32 = 3;

impl Apply {
    pub(super) fn stream<'a>(&'a self, job: &'a Job<'_>) -> Stream<'a> {
        Stream { source: job.source, target: self.parts.here.name(), bucket: &job.version.bucket }
    }

    /// Settles a record; returns how it ended and by which rule.
    pub(super) async fn settle(&self, slot: &mut Slot, job: &Job<'_>) -> (Outcome, &'static str) {
        let backoff = self.parts.config.backoff.delays(self.parts.ids.seed());
        let mut progress = Progress {
            backoff,
            held: None,
            answered: None,
            unsure: false,
            must_read: false,
            applied: false,
            broken: 0,
            replans: 0,
            refusals: 0,
            alone: Alone::default(),
            began: Instant::now(),
        };
        loop {
            let Gate::Open { target_encrypts } = self.guarded(slot, job).await else {
                return (Outcome::Held, "held");
            };
            self.target_answers(slot, job).await;
            if !self.parts.lease.holds() {
                tracing::debug!("the group was not heard from for a session's time: waiting until it is");
                slot.rest(self.parts.lease.held()).await;
            }
            let step = match bug::caught(self.step(slot, job, &mut progress, target_encrypts)).await {
                Ok(step) => step,
                Err(broke) => {
                    // What it had sent is not known.
                    slot.may_act(Instant::now() + self.acts_for());
                    self.stuck(job, broke).await;
                    return (Outcome::Stuck, Stuck::REASON);
                }
            };
            let ended = match step {
                Ok(Step::Done(outcome, rule)) => {
                    let outcome = progress.ended(outcome);
                    if outcome == Outcome::Applied {
                        self.answered(job.source, End::Target);
                    }
                    self.heal(slot, job, rule).await;
                    self.count_done(&job.direction());
                    return (outcome, rule.name());
                }
                Ok(Step::Dead(rule, message)) => Some((rule.name(), message)),
                Ok(Step::Again) => None,
                Err(trouble) => match self.trouble(slot, job, &mut progress, trouble).await {
                    Ok(None) => None,
                    Ok(Some(dead)) => Some(dead),
                    Err(outcome) => return (outcome, "source-gone"),
                },
            };
            if let Some((reason, message)) = ended {
                if self.too_many_dead(&job.direction(), reason).await {
                    continue;
                }
                self.bury(slot, job.record, reason, &message, Some((job.source, &job.version.bucket))).await;
                return (Outcome::Dead, reason);
            }
        }
    }

    async fn step(
        &self,
        slot: &mut Slot,
        job: &Job<'_>,
        progress: &mut Progress,
        target_encrypts: bool,
    ) -> Result<Step, Trouble> {
        if progress.must_read {
            let held = self.look(job).await?;
            // What came in its place since, as only a null version can, is in doubt anew.
            progress.answered = progress.answered.take().filter(|(_, doubted)| doubted.is_of_the_same_as(&held));
            progress.held = Some(held);
            progress.must_read = false;
        }
        let index = self.version(slot, &job.version).await;
        let target = progress.held.as_ref().map_or(Target::Unread, |held| Target::Read(&held.reading, held.listed_ms));
        let question = Question {
            event: job.event,
            target,
            index: &index,
            null: job.version.version_id.is_null(),
            here: self.parts.here.name(),
            lifecycle_stays: &self.lifecycle_stays,
            answered: progress.answered.as_ref().map(|(answer, _)| answer),
            unsure: progress.unsure,
            now_ms: self.parts.clock.now_ms(),
        };
        match (self.plan)(question) {
            Plan::Nothing(rule) => {
                if matches!(progress.held.as_ref().map(|held| &held.reading), Some(Reading::Object(_))) {
                    self.found(slot, job, &index).await;
                }
                Ok(Step::Done(nothing(rule), rule))
            }
            Plan::Read(_) => {
                progress.must_read = true;
                Ok(Step::Again)
            }
            Plan::Act(rule, actions) => {
                let acted = self.act(slot, job, actions, &index, target_encrypts).await;
                progress.unsure |= acted.as_ref().is_err_and(|trouble| trouble.error.outcome_unknown);
                if !acted? {
                    return Ok(Step::Done(Outcome::Applied, rule));
                }
                if let Err(error) = slot.rest(self.parts.tail.caught_up(self.parts.config.catch_up)).await {
                    tracing::warn!(%error, "looking at a slow write without the newest facts of a cluster");
                }
                (progress.applied, progress.must_read) = (true, true);
                Ok(Step::Again)
            }
            Plan::Doubt(Rule::UnstampedValue) if !self.unstamped.asks(&job.version, &index) => {
                Ok(Step::Done(Outcome::Unchanged, Rule::UnstampedValue))
            }
            Plan::Doubt(rule) => {
                tracing::info!(rule = rule.name(), bucket = %job.version.bucket, "asking this site about an unexplained value");
                self.parts.observer.doubted(self.stream(job));
                self.ask_here(slot, job).await;
                if rule == Rule::UnstampedValue {
                    self.unstamped.note(&job.version, &index);
                }
                let told = self.version(slot, &job.version).await;
                let answer = told.answer(self.parts.here.name()).map(|told| told.answer.reading.clone());
                progress.answered =
                    answer.zip(progress.held.take()).filter(|(answer, doubted)| is_about(answer, &doubted.reading));
                progress.must_read = true;
                Ok(Step::Again)
            }
            Plan::Ask(rule) => {
                if let Some(register) = index.null().map(|register| register.named()) {
                    self.ask_for(slot, job, &index, &register).await;
                }
                Ok(Step::Done(Outcome::Superseded, rule))
            }
            Plan::RefuseUntil(rule, until_ms) => {
                self.put_off(slot, job, &index, until_ms, ExamineCause::Replay).await;
                Ok(Step::Dead(rule, format!("{}: {}", rule.name(), job.version)))
            }
            Plan::PutOff(rule, until_ms) => {
                self.put_off(slot, job, &index, until_ms, ExamineCause::Replay).await;
                Ok(Step::Done(Outcome::Superseded, rule))
            }
            Plan::Refuse(rule) => Ok(Step::Dead(rule, format!("{}: {}", rule.name(), job.version))),
            Plan::HoldLink(rule) => {
                tracing::error!(rule = rule.name(), "a newer release wrote this record: upgrade this process");
                self.wait_for_upgrade(slot, job.source, rule.name(), None).await;
                Ok(Step::Again)
            }
        }
    }

    /// Asks for the object of the null version's register, at once or, where it was asked for before, later.
    async fn ask_for(&self, slot: &mut Slot, job: &Job<'_>, index: &VersionState, register: &RegisterRef) {
        let lacking = match job.fact.map(|fact| &fact.body) {
            Some(FactBody::Answer(answer)) => !answer.reading.present,
            Some(FactBody::Null(said)) => said.named() != *register,
            _ => false,
        };
        let wait = match self.asked.next(&job.version, register, lacking) {
            Next::Waiting => return,
            Next::Now => {
                self.ask_others(slot, job, index).await;
                Duration::ZERO
            }
            // Nothing waits for it here: the event that brings it may come next.
            Next::After(wait) => {
                let again_ms = self.parts.clock.now_ms().saturating_add(millis(wait));
                self.put_off(slot, job, index, again_ms, ExamineCause::Doubt).await;
                wait
            }
        };
        self.asked.note(&job.version, register, wait);
    }

    /// Decides what a store error means. `Ok(Some(..))` is a dead letter, `Err` an ending that is none.
    async fn trouble(
        &self,
        slot: &mut Slot,
        job: &Job<'_>,
        progress: &mut Progress,
        trouble: Trouble,
    ) -> Result<Option<(&'static str, String)>, Outcome> {
        let Trouble { end, error } = trouble;
        let mut wait = progress.backoff.next_delay();
        if error.outcome_unknown {
            // What was sent may act until it expires; only then does reading tell the truth.
            wait = wait.max(self.parts.here.write_expiry());
            slot.may_act(Instant::now() + self.acts_for());
        }
        progress.must_read |= progress.held.is_some() || error.outcome_unknown;
        match verdict(end, &error) {
            again @ (Verdict::Retry | Verdict::AFewTimes(_)) => {
                if let Verdict::AFewTimes(reason) = again {
                    progress.broken += 1;
                    if progress.broken >= self.parts.config.digest_tries {
                        return Ok(Some((reason, error.to_string())));
                    }
                }
                tracing::debug!(%error, ?wait, "trying again");
                self.parts.observer.retried(self.stream(job), error.kind.as_str());
                if may_be_about_one_key(error.kind) && self.alone(job, end, progress) >= self.parts.config.give_up_after
                {
                    return Ok(Some(("fails-alone", error.to_string())));
                }
                let began = Instant::now();
                if self.unanswered(slot, job, end, &error).await {
                    progress.alone.waited();
                    // What was sent before may act until it expires, whoever answers by now.
                    wait = if error.outcome_unknown {
                        self.parts.here.write_expiry().saturating_sub(began.elapsed())
                    } else {
                        Duration::ZERO
                    };
                }
                slot.rest(tokio::time::sleep(wait)).await;
            }
            Verdict::Replan => {
                progress.must_read = true;
                progress.replans += 1;
                if progress.replans > 1 {
                    slot.rest(tokio::time::sleep(wait)).await;
                }
            }
            Verdict::Superseded => {
                if self.source_is_itself(slot, job).await {
                    return Err(Outcome::Superseded);
                }
                slot.rest(tokio::time::sleep(wait)).await;
            }
            Verdict::HoldBucket(reason) => {
                self.hold(&job.direction(), reason, &error.to_string()).await;
                progress.alone.waited();
            }
            Verdict::Denied => match self.closed(slot, job, end).await {
                Ok(true) => progress.alone.waited(),
                Ok(false) if progress.refusals < REFUSALS => {
                    progress.refusals += 1;
                    progress.must_read = true;
                    slot.rest(tokio::time::sleep(wait)).await;
                }
                Ok(false) => return Ok(Some(("access-denied", error.to_string()))),
                Err(error) => {
                    tracing::debug!(%error, "the permissions could not be tried");
                    slot.rest(tokio::time::sleep(wait)).await;
                }
            },
            // What stands in the way may have come after the target was read, or it was not read at all.
            Verdict::DeadOnceRead(_) if progress.refusals < REFUSALS => {
                progress.refusals += 1;
                progress.must_read = true;
                // What this site answered before may be about a lock that has been set again since.
                progress.answered = None;
            }
            Verdict::Dead(reason) | Verdict::DeadOnceRead(reason) => return Ok(Some((reason, error.to_string()))),
        }
        Ok(None)
    }

    /// A record has failed once more: for how long it has done so while others at the same end succeeded.
    fn alone(&self, job: &Job<'_>, end: End, progress: &mut Progress) -> Duration {
        let successes = self.reach.of(job.source, end).breaker().successes();
        progress.alone.failed(progress.began.elapsed(), successes)
    }

    /// Reads the version at the target; null versions with their listed time.
    pub(super) async fn look(&self, job: &Job<'_>) -> Result<Held, Trouble> {
        let here = &self.parts.here;
        let reading = here.look(&job.version).await.map_err(Trouble::target)?;
        let listed_ms = if job.version.version_id.is_null() && reading != Reading::Absent {
            let versions = here.versions_of(&job.version.bucket, &job.version.key).await.map_err(Trouble::target)?;
            versions.iter().find(|version| version.version_id.is_null()).map(|version| version.modified_ms)
        } else {
            None
        };
        Ok(Held { reading, listed_ms })
    }
}

/// Whether an answer is about what was in doubt. A value that came in its place meanwhile may be a client's whose notice
/// is under way as well: it is in doubt anew.
fn is_about(answer: &StoreReading, doubted: &Reading) -> bool {
    match doubted {
        Reading::Absent => !answer.present,
        Reading::Marker { .. } => answer.present,
        Reading::Object(held) => {
            answer.present
                && (&answer.tags, answer.retention, answer.legal_hold) == (&held.tags, held.retention, held.legal_hold)
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn nothing(rule: Rule) -> Outcome {
    match rule {
        Rule::OnlyBirthsCreate => Outcome::Unborn,
        Rule::RemovedIsTerminal | Rule::NullRegisterLoses => Outcome::Superseded,
        _ => Outcome::Unchanged,
    }
}
