//! What has gathered of one subject in one window.

use twinlog_schemas::{EventId, ExampleTold, SiteName};

use crate::signal::{At, Change, Said, Signal};
use crate::subject::Subject;

/// Signals of one subject and window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// For how many events or letters it stands.
    pub count: u64,
    /// How many times it began.
    pub begun: u64,
    /// How many times it ended.
    pub over: u64,
    /// What came last.
    pub last: Option<Change>,
    /// The earliest signal's time, milliseconds since the Unix epoch.
    pub first_ms: i64,
    /// The words of the last signal that had some.
    pub said: Said,
    /// The first dead letters, as many as wanted.
    pub examples: Vec<ExampleTold>,
    /// Where the signals stand.
    pub positions: Vec<At>,
}

impl Group {
    pub(crate) fn add(&mut self, signal: Signal, at: At, examples: usize) {
        let Signal { change, at_ms, count, mut said, .. } = signal;
        self.first_ms = if self.positions.is_empty() { at_ms } else { self.first_ms.min(at_ms) };
        self.count += count;
        match change {
            Change::Begun => self.begun += 1,
            Change::Over => self.over += 1,
        }
        self.last = Some(change);
        if let Some(example) = said.example.take()
            && self.examples.len() < examples
        {
            self.examples.push(example);
        }
        self.said = said;
        self.positions.push(at);
    }

    /// The id of what is told of this group: by what is in it, so that the same has the same id however often it is
    /// gathered, and what says more has another.
    pub(crate) fn id(&self, here: &SiteName, subject: &Subject) -> EventId {
        let mut positions = self.positions.clone();
        positions.sort_unstable();
        let records = positions.iter().map(|at| format!("{}/{}@{}", u8::from(at.dead), at.partition, at.offset));
        id(here, subject, self.first_ms, records)
    }
}

/// An id from what it is about.
pub(crate) fn id(here: &SiteName, subject: &Subject, at_ms: i64, parts: impl IntoIterator<Item = String>) -> EventId {
    use sha2::{Digest, Sha256};
    let mut digest = Sha256::new();
    let Subject { kind, source, bucket, reason } = subject;
    let head = [here.as_str(), kind.word(), source, bucket, reason].map(str::to_owned);
    for part in head.into_iter().chain(parts) {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let mut random = [0; 10];
    random.copy_from_slice(&digest.finalize()[..10]);
    EventId::new(u64::try_from(at_ms).unwrap_or(0), random)
}
