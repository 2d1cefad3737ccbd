//! What waits about one key, put together by what it is about. Pure.
//!
//! Notices of one version that wait together are captured by one read: state is read, so the last of them is told by
//! the same reading as the first.

use std::collections::BTreeMap;

use twinlog_schemas::{Category, ExamineCause, VersionId};

use crate::notice::{Examination, Hint, Notice};

/// A notice with when intake had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The notice.
    pub notice: Notice,
    /// Microseconds since the Unix epoch.
    pub noticed_at_us: i64,
}

impl Waiting {
    /// When it happened, nanoseconds since the Unix epoch: as the notice says, else when it was received.
    #[must_use]
    pub fn time_ns(&self) -> i64 {
        self.notice.time_ns.unwrap_or_else(|| self.noticed_at_us.saturating_mul(1_000))
    }
}

/// What notices are about, within one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One version.
    Version(VersionId),
    /// Markers that were made, of which nobody says the id.
    Markers,
    /// Locks of whichever version.
    Locks,
    /// Every version of the key.
    AllVersions,
    /// Nothing.
    Nothing,
}

impl Subject {
    fn of(notice: &Notice) -> Self {
        match &notice.hint {
            Hint::Born(id) | Hint::Removed(id) | Hint::Changed(id, _) | Hint::Marker(Some(id)) => {
                Self::Version(id.clone())
            }
            Hint::Examine(Examination { version_id: Some(id), .. }) => Self::Version(id.clone()),
            Hint::Examine(_) => Self::AllVersions,
            Hint::Marker(None) => Self::Markers,
            Hint::ChangedSomewhere(_) => Self::Locks,
            Hint::Nothing => Self::Nothing,
        }
    }
}

/// The notices about one subject, oldest first; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What they are about.
    pub subject: Subject,
    /// The notices.
    pub waiting: Vec<Waiting>,
}

/// Puts notices of one key together by subject, subjects in the order of their first notice.
#[must_use]
pub fn merge(waiting: Vec<Waiting>) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for one in waiting {
        let subject = Subject::of(&one.notice);
        match jobs.iter_mut().find(|job| job.subject == subject) {
            Some(job) => job.waiting.push(one),
            None => jobs.push(Job { subject, waiting: vec![one] }),
        }
    }
    jobs
}

/// What all notices about one version tell together.
#[derive(Debug, Clone, Default)]
pub struct Telling<'a> {
    /// It was born; the first to say so.
    pub born: Option<&'a Waiting>,
    /// It is a marker that was made, or removed.
    pub marker: Option<&'a Waiting>,
    /// It was removed; the earliest.
    pub removed: Option<&'a Waiting>,
    /// Categories that changed; the latest of each.
    pub changed: BTreeMap<Category, &'a Waiting>,
    /// Who asks for an examination.
    pub examined: Vec<(&'a Waiting, &'a Examination)>,
}

impl<'a> Telling<'a> {
    /// Puts the notices about one version together.
    #[must_use]
    pub fn of(waiting: &'a [Waiting]) -> Self {
        let mut telling = Self::default();
        for one in waiting {
            match &one.notice.hint {
                Hint::Born(_) => {
                    telling.born.get_or_insert(one);
                }
                Hint::Marker(_) => {
                    telling.marker.get_or_insert(one);
                }
                Hint::Removed(_) => {
                    let earliest = telling.removed.get_or_insert(one);
                    if one.time_ns() < earliest.time_ns() {
                        *earliest = one;
                    }
                }
                Hint::Changed(_, category) | Hint::ChangedSomewhere(category) => {
                    let latest = telling.changed.entry(*category).or_insert(one);
                    if one.time_ns() > latest.time_ns() {
                        *latest = one;
                    }
                }
                Hint::Examine(examination) => telling.examined.push((one, examination)),
                Hint::Nothing => {}
            }
        }
        telling
    }

    /// Whether the version was born plain and nothing else is told of it: what changed since has notices of its own.
    #[must_use]
    pub fn born_plain(&self) -> bool {
        let alone = self.marker.is_none() && self.changed.is_empty() && self.examined.is_empty();
        alone && self.born.is_some_and(|born| born.notice.plain)
    }

    /// The doubts among those who ask.
    pub fn doubts(&self) -> impl Iterator<Item = &'a Examination> + '_ {
        self.examined.iter().map(|(_, asked)| *asked).filter(|asked| asked.cause == ExamineCause::Doubt)
    }

    /// The first who asks for more than an answer: a sweep or a replay, one with leave to create before the others.
    #[must_use]
    pub fn sweep_or_replay(&self) -> Option<(&'a Waiting, &'a Examination)> {
        let mut asking = self.examined.iter().filter(|(_, asked)| asked.cause != ExamineCause::Doubt);
        let first = asking.clone().next();
        asking.find(|(_, asked)| asked.may_create).or(first).copied()
    }

    /// A person's word that the version was removed here, if it is not here.
    #[must_use]
    pub fn said_removed(&self) -> Option<&'a Waiting> {
        let mut asking = self.examined.iter();
        asking.find(|(_, asked)| asked.cause == ExamineCause::Removed).map(|(cause, _)| *cause)
    }

    /// Whether the event that follows may create the version at a target, so that it has to be read whole.
    #[must_use]
    pub fn creates(&self) -> bool {
        self.born.is_some()
            || self.marker.is_some()
            || self.sweep_or_replay().is_some_and(|(_, asked)| asked.may_create)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::capture::samples::{notice, waiting};

    #[test]
    fn notices_of_one_version_wait_together_in_order() {
        let [a, b]: [VersionId; 2] = ["a", "b"].map(|id| id.parse().unwrap());
        let all = vec![
            waiting(notice(Hint::Born(a.clone())), 1),
            waiting(notice(Hint::Born(b.clone())), 2),
            waiting(notice(Hint::Changed(a.clone(), Category::Tags)), 5),
            waiting(notice(Hint::Changed(a.clone(), Category::Tags)), 3),
            waiting(notice(Hint::Marker(None)), 4),
            waiting(notice(Hint::Removed(b.clone())), 9),
            waiting(notice(Hint::Removed(b.clone())), 7),
        ];
        let jobs = merge(all);
        let subjects: Vec<_> = jobs.iter().map(|job| job.subject.clone()).collect();
        assert_eq!(subjects, [Subject::Version(a), Subject::Version(b), Subject::Markers]);
        let telling = Telling::of(&jobs[0].waiting);
        assert_eq!(telling.changed[&Category::Tags].time_ns(), 5, "the latest change");
        assert!(telling.born.is_some() && telling.removed.is_none());
        assert_eq!(Telling::of(&jobs[1].waiting).removed.unwrap().time_ns(), 7, "the earliest removal");
    }
}
