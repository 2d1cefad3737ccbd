//! Whether the log takes notices now, judged by what it acknowledges. A store that delivers before it answers its client
//! holds that client for as long as intake does, so what the log will not take is refused at once.
//!
//! The log is taken for away when an append fails transiently, or when one has waited for the patience and nothing was
//! acknowledged meanwhile: a log that is merely slow acknowledges others. While it is away one body at a time is
//! appended as a probe; the first acknowledgement, of whatever append, says that it is back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use twinlog_log::LogError;

/// What becomes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is appended and waited for.
    Open,
    /// It is appended to see whether the log is back.
    Probe,
    /// It is refused.
    Shut,
}

/// The judgement; pure.
#[derive(Debug, Default)]
struct Judge {
    away: bool,
    /// Whether a probe is under way; so at most one is.
    probing: bool,
    /// The last acknowledgement.
    heard: Option<Instant>,
}

impl Judge {
    fn admit(&mut self) -> Admission {
        match (self.away, self.probing) {
            (false, _) => Admission::Open,
            (true, true) => Admission::Shut,
            (true, false) => {
                self.probing = true;
                Admission::Probe
            }
        }
    }

    fn ended(&mut self, admission: Admission, outcome: &Result<(), LogError>, now: Instant) {
        if admission == Admission::Probe {
            self.probing = false;
        }
        match outcome {
            Ok(()) => (self.away, self.heard) = (false, Some(now)),
            // Another error is about the topic or the record: the log is there, and said so.
            Err(error) => self.away |= error.is_transient(),
        }
    }

    /// When an append that began then has waited too long, unless something is acknowledged meanwhile.
    fn patient_until(&self, began: Instant, patience: Duration) -> Instant {
        self.heard.map_or(began, |heard| heard.max(began)) + patience
    }
}

/// The judgement, shared by all bodies under way.
pub(super) struct Gate {
    judge: Mutex<Judge>,
    /// Follows the judgement, for those who wait.
    away: watch::Sender<bool>,
    patience: Duration,
}

impl Gate {
    /// Open, until the log shows otherwise.
    pub(super) fn new(patience: Duration) -> Self {
        Self { judge: Mutex::default(), away: watch::Sender::new(false), patience }
    }

    /// What becomes of a body that has come now. Whatever is admitted has to be told to [`Gate::ended`].
    pub(super) fn admit(&self) -> Admission {
        self.judge().admit()
    }

    /// An admitted body's append has ended.
    pub(super) fn ended(&self, admission: Admission, outcome: &Result<(), LogError>) {
        let mut judge = self.judge();
        judge.ended(admission, outcome, Instant::now());
        self.tell(&judge);
    }

    /// Waits until the log is taken for away, by others' appends or by this one that `began` then.
    pub(super) async fn shut(&self, began: Instant) {
        let mut away = self.away.subscribe();
        loop {
            let until = self.judge().patient_until(began, self.patience);
            tokio::select! {
                biased;
                // The sender is this gate's own, so it does not end.
                _ = away.wait_for(|away| *away) => return,
                () = sleep_until(until) => {}
            }
            let mut judge = self.judge();
            if judge.patient_until(began, self.patience) <= Instant::now() {
                judge.away = true;
                self.tell(&judge);
            }
        }
    }

    fn tell(&self, judge: &Judge) {
        let changed = self.away.send_if_modified(|told| std::mem::replace(told, judge.away) != judge.away);
        match (changed, judge.away) {
            (true, true) => tracing::warn!("the log is away: notices are refused, the store has to send them again"),
            (true, false) => tracing::info!("the log is back: notices are taken"),
            (false, _) => {}
        }
    }

    fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use twinlog_log::LogErrorKind;

    use super::*;

    fn failed(kind: LogErrorKind) -> Result<(), LogError> {
        Err(LogError::new("append to", "t", kind, "no"))
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Come,
        /// One of the appends under way ends so.
        End(usize, Option<LogErrorKind>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let kind = prop_oneof![Just(None), Just(Some(LogErrorKind::Transient)), Just(Some(LogErrorKind::TooLarge)),];
        prop_oneof![Just(Step::Come), (any::<usize>(), kind).prop_map(|(n, kind)| Step::End(n, kind))]
    }

    proptest! {
        /// Whatever comes and ends in whatever order: at most one probe is under way, bodies are refused only while the
        /// log is away and being probed, and one acknowledgement opens the gate.
        #[test]
        fn one_probe_at_a_time_and_one_acknowledgement_opens(steps in prop::collection::vec(step(), 0..60)) {
            let now = Instant::now();
            let mut judge = Judge::default();
            let mut under_way = Vec::new();
            for step in steps {
                match step {
                    Step::Come => {
                        let (away, probing) = (judge.away, under_way.contains(&Admission::Probe));
                        let admission = judge.admit();
                        prop_assert_eq!(admission == Admission::Open, !away);
                        prop_assert_eq!(admission == Admission::Shut, away && probing);
                        under_way.extend((admission != Admission::Shut).then_some(admission));
                    }
                    Step::End(..) if under_way.is_empty() => {}
                    Step::End(n, kind) => {
                        let admission = under_way.swap_remove(n % under_way.len());
                        let before = judge.away;
                        judge.ended(admission, &kind.map_or(Ok(()), failed), now);
                        let expected = match kind {
                            None => false,
                            Some(LogErrorKind::Transient) => true,
                            Some(_) => before,
                        };
                        prop_assert_eq!(judge.away, expected);
                    }
                }
                prop_assert!(under_way.iter().filter(|one| **one == Admission::Probe).count() <= 1);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_acknowledges_others_is_only_slow() {
        let gate = Gate::new(Duration::from_secs(1));
        let began = Instant::now();
        let others = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_millis(900)).await;
                gate.ended(gate.admit(), &Ok(()));
            }
            gate.admit();
            Instant::now()
        };
        let (last, ()) = tokio::join!(others, gate.shut(began));
        assert_eq!(Instant::now(), last + Duration::from_secs(1), "the patience counts from what was heard last");
        assert_eq!((gate.admit(), gate.admit()), (Admission::Probe, Admission::Shut));
    }
}
