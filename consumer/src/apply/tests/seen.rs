//! An observer that remembers what it was told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use twinlog_dead::open::Label;
use twinlog_schemas::SiteName;

use crate::conflict::Conflict;
use crate::failure::End;
use crate::observe::{Observer, Outcome, Stream};

/// Everything told, in order.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub events: Vec<(Outcome, &'static str)>,
    pub facts: Vec<Outcome>,
    pub writes: Vec<&'static str>,
    pub retries: Vec<String>,
    pub letters: Vec<String>,
    /// Open dead letters by reason.
    pub open: BTreeMap<String, u64>,
    pub holds: Vec<Option<String>>,
    pub breakers: Vec<(End, bool)>,
    pub doubts: usize,
    pub unproved: usize,
    /// Now, and at most.
    pub in_flight: (i64, i64),
    pub conflicts: Vec<Conflict>,
}

/// The observer.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Told>);

impl Seen {
    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }

    /// How the last change event ended.
    pub(super) fn last(&self) -> (Outcome, &'static str) {
        *self.told().events.last().unwrap()
    }

    /// How the last fact ended.
    pub(super) fn last_fact(&self) -> Outcome {
        *self.told().facts.last().unwrap()
    }
}

impl Observer for Seen {
    fn event_done(&self, _: Stream<'_>, outcome: Outcome, rule: &'static str) {
        self.told().events.push((outcome, rule));
    }

    fn fact_done(&self, _: Stream<'_>, outcome: Outcome) {
        self.told().facts.push(outcome);
    }

    fn replicated(&self, _: Stream<'_>, _: f64, _: u64) {}

    fn unproved(&self, _: Stream<'_>) {
        self.told().unproved += 1;
    }

    fn replica_write(&self, _: Stream<'_>, what: &'static str) {
        self.told().writes.push(what);
    }

    fn in_flight(&self, _: Stream<'_>, change: i64) {
        let (now, most) = &mut self.told().in_flight;
        *now += change;
        *most = (*most).max(*now);
    }

    fn retried(&self, _: Stream<'_>, reason: &str) {
        self.told().retries.push(reason.to_owned());
    }

    fn dead_letter(&self, _: Stream<'_>, reason: &str) {
        self.told().letters.push(reason.to_owned());
    }

    fn dead_letters_open(&self, label: &Label, _: &SiteName, open: u64) {
        self.told().open.insert(label.reason.clone(), open);
    }

    fn held(&self, _: Stream<'_>, reason: Option<&str>) {
        self.told().holds.push(reason.map(str::to_owned));
    }

    fn link_held(&self, _: &SiteName, _: &SiteName, reason: Option<&str>) {
        self.told().holds.push(reason.map(str::to_owned));
    }

    fn breaker(&self, _: &SiteName, _: &SiteName, end: End, open: bool) {
        self.told().breakers.push((end, open));
    }

    fn doubted(&self, _: Stream<'_>) {
        self.told().doubts += 1;
    }

    fn conflict_decided(&self, _: Stream<'_>, conflict: &Conflict) {
        self.told().conflicts.push(conflict.clone());
    }

    fn gap(&self, _: &str, _: i64) {}
}
