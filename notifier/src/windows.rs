//! Gathering signals over windows, and deciding what is told when one closes. Pure: time comes in as a parameter.
//!
//! A signal belongs to the window of its record's own time, so that gathering the same records again gives the same
//! groups. One whose window is closed already joins the oldest that is open. Of one subject and window at most one thing
//! is told.

use std::collections::{BTreeMap, BTreeSet};

use twinlog_control::Standing;
use twinlog_schemas::{EventId, ExampleTold, SiteName};

use crate::group::{Group, id};
use crate::signal::{At, Change, Said, Signal};
use crate::subject::{Ends, Kind, Subject};

/// What came before this much before the start is told together: nobody needs the minutes of last week one by one.
const HISTORY_MS: i64 = 3_600_000;

/// How to gather.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long a window is, in milliseconds.
    pub window_ms: i64,
    /// How long after its end a window waits for records that are still on their way.
    pub settle_ms: i64,
    /// After how long without another, what does not end by word is over.
    pub quiet_ms: i64,
    /// How many dead letters are shown as examples.
    pub examples: usize,
}

/// What a notification says of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// It has begun, or there is more of it.
    Begun,
    /// It is over.
    Over,
}

/// A notification before it is put into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// Its id.
    pub id: EventId,
    /// What it says.
    pub tells: Tells,
    /// For how many events or letters it stands.
    pub count: u64,
    /// How many there were since it began.
    pub total: u64,
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
    /// The words.
    pub said: Said,
    /// Examples.
    pub examples: Vec<ExampleTold>,
}

/// What is to be done about a subject, in this order: tell, put on record what stands, then count the records as done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The subject.
    pub subject: Subject,
    /// What is told, if anything.
    pub telling: Option<Telling>,
    /// What stands from now on; `None`: nothing.
    pub standing: Option<Standing>,
    /// The records that are done with it.
    pub positions: Vec<At>,
}

/// Everything that is being gathered, and everything that stands.
#[derive(Debug)]
pub struct Windows {
    here: SiteName,
    rules: Rules,
    /// By number of the window and subject.
    open: BTreeMap<(i64, Subject), Group>,
    /// Told as begun and not as over.
    standing: BTreeMap<Subject, Standing>,
    /// The oldest window that is open.
    floor: i64,
    /// Records in `open`.
    gathered: usize,
}

impl Windows {
    /// Nothing gathered yet; `standing` is what is on record.
    #[must_use]
    pub fn new(here: SiteName, rules: Rules, standing: BTreeMap<Subject, Standing>, now_ms: i64) -> Self {
        let floor = (now_ms - HISTORY_MS).div_euclid(rules.window_ms);
        Self { here, rules, open: BTreeMap::new(), standing, floor, gathered: 0 }
    }

    /// Takes a signal in. One from the future is one of now: it must not keep its window open.
    pub fn take(&mut self, signal: Signal, at: At, now_ms: i64) {
        let window = |ms: i64| ms.div_euclid(self.rules.window_ms);
        let number = window(signal.at_ms).min(window(now_ms)).max(self.floor);
        let group = self.open.entry((number, signal.subject.clone())).or_default();
        group.add(signal, at, self.rules.examples);
        self.gathered += 1;
    }

    /// How many records are gathered and not told of.
    #[must_use]
    pub fn gathered(&self) -> usize {
        self.gathered
    }

    /// What stands.
    #[must_use]
    pub fn standing(&self) -> &BTreeMap<Subject, Standing> {
        &self.standing
    }

    /// Whether something of this subject is being gathered.
    #[must_use]
    pub fn gathers(&self, subject: &Subject) -> bool {
        self.open.keys().any(|(_, open)| open == subject)
    }

    /// Closes the windows that are over by now, and ends what has been quiet for long enough. To be called once every
    /// record that was there before is taken in.
    pub fn due(&mut self, now_ms: i64) -> Vec<Closed> {
        let over_before = (now_ms - self.rules.settle_ms).div_euclid(self.rules.window_ms);
        let mut closed = Vec::new();
        while self.open.first_key_value().is_some_and(|((number, _), _)| *number < over_before) {
            let Some(((_, subject), group)) = self.open.pop_first() else { break };
            closed.push(self.close(subject, group, now_ms));
        }
        self.floor = self.floor.max(over_before);
        closed.extend(self.quiet(now_ms));
        closed
    }

    fn close(&mut self, subject: Subject, group: Group, now_ms: i64) -> Closed {
        self.gathered -= group.positions.len();
        let before = self.standing.remove(&subject);
        let (telling, standing) = decide(&self.here, &subject, before, &group, now_ms);
        if let Some(standing) = &standing {
            self.standing.insert(subject.clone(), standing.clone());
        }
        Closed { subject, telling, standing, positions: group.positions }
    }

    fn quiet(&mut self, now_ms: i64) -> Vec<Closed> {
        let open: BTreeSet<&Subject> = self.open.keys().map(|(_, subject)| subject).collect();
        let quiet = |(subject, standing): (&Subject, &Standing)| {
            let due = subject.kind.ends() == Ends::ByQuiet && standing.told_ms + self.rules.quiet_ms <= now_ms;
            (due && !open.contains(subject)).then(|| subject.clone())
        };
        let quiet: Vec<Subject> = self.standing.iter().filter_map(quiet).collect();
        quiet.into_iter().filter_map(|subject| self.end(subject, Said::default())).collect()
    }

    /// Ends what stands without a record that says so.
    pub fn end(&mut self, subject: Subject, said: Said) -> Option<Closed> {
        let standing = self.standing.remove(&subject)?;
        let id = id(&self.here, &subject, standing.since_us / 1_000, ["over".to_owned(), standing.id.clone()]);
        let telling = over(id, 0, &standing, said, Vec::new());
        Some(Closed { subject, telling: Some(telling), standing: None, positions: Vec::new() })
    }

    /// Begins what is so without a record that says so.
    pub fn begin(&mut self, subject: Subject, said: Said, since_us: i64, now_ms: i64) -> Option<Closed> {
        if self.standing.contains_key(&subject) {
            return None;
        }
        let id = id(&self.here, &subject, since_us / 1_000, ["begun".to_owned(), since_us.to_string()]);
        let telling =
            Telling { id, tells: Tells::Begun, count: 1, total: 1, since_us, said: said.clone(), examples: Vec::new() };
        let standing = stands(&telling, now_ms);
        self.standing.insert(subject.clone(), standing.clone());
        Some(Closed { subject, telling: Some(telling), standing: Some(standing), positions: Vec::new() })
    }
}

/// What a closed group means, given what stands: what is told, and what stands from then on.
fn decide(
    here: &SiteName,
    subject: &Subject,
    before: Option<Standing>,
    group: &Group,
    now_ms: i64,
) -> (Option<Telling>, Option<Standing>) {
    let id = group.id(here, subject);
    if before.as_ref().is_some_and(|standing| standing.id == id.to_string()) {
        // Told and on record before a restart, which came before the offsets were committed.
        return (None, before);
    }
    let since_us = group.said.since_us.unwrap_or(group.first_ms * 1_000);
    let began = |total, since_us| Telling {
        id,
        tells: Tells::Begun,
        count: group.count,
        total,
        since_us,
        said: group.said.clone(),
        examples: group.examples.clone(),
    };
    // Each sweep tells of all that vanished.
    let earlier = before.as_ref().filter(|_| subject.kind != Kind::Vanished);
    let counted = earlier.map_or(0, |standing| standing.count) + group.count;
    let first_us = before.as_ref().map_or(since_us, |standing| standing.since_us);
    match (subject.kind.ends(), group.last) {
        (Ends::AtOnce, _) => (Some(began(group.count, since_us)), None),
        (Ends::ByQuiet, _) => {
            let telling = began(counted, first_us);
            let standing = stands(&telling, now_ms);
            (Some(telling), Some(standing))
        }
        (Ends::ByWord, Some(Change::Over)) => match before {
            Some(standing) => (Some(over(id, group.count, &standing, group.said.clone(), Vec::new())), None),
            // It came and went within the window. An end alone was told before, or its beginning never was.
            None if group.begun > 0 => {
                let brief = Standing { since_us, ..Standing::default() };
                (Some(over(id, group.count, &brief, group.said.clone(), Vec::new())), None)
            }
            None => (None, None),
        },
        (Ends::ByWord, _) => match before {
            // Begun twice in a row: a copy.
            Some(standing) if group.over == 0 => (None, Some(Standing { count: counted, ..standing })),
            _ => {
                let telling = began(counted, since_us);
                let standing = stands(&telling, now_ms);
                (Some(telling), Some(standing))
            }
        },
    }
}

fn stands(telling: &Telling, now_ms: i64) -> Standing {
    Standing {
        id: telling.id.to_string(),
        since_us: telling.since_us,
        told_ms: now_ms,
        count: telling.total,
        message: telling.said.message.clone(),
        remedy: telling.said.remedy.clone(),
    }
}

fn over(id: EventId, count: u64, standing: &Standing, said: Said, examples: Vec<ExampleTold>) -> Telling {
    let (total, since_us) = (standing.count + count, standing.since_us);
    Telling { id, tells: Tells::Over, count, total, since_us, said, examples }
}

impl Subject {
    /// Whether it is on record in the control topic for as long as it is so.
    #[must_use]
    pub(crate) fn is_on_record(&self) -> bool {
        matches!(self.kind, Kind::Hold | Kind::Breaker)
    }
}
