//! What the consumer tells whoever counts. Calls are cheap and never block; labels are links, buckets and reasons,
//! never keys.

use twinlog_dead::open::Label;
use twinlog_schemas::{BucketName, SiteName};

use crate::conflict::Conflict;
use crate::failure::End;

/// How a change event or fact ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Something was written at the target.
    Applied,
    /// The target was as it should be already.
    Unchanged,
    /// The source no longer has it, or something newer decides.
    Superseded,
    /// It gave no leave to create what the target lacks.
    Unborn,
    /// It went to the dead-letter topic.
    Dead,
    /// Planned already with the change event it belongs to.
    Merged,
    /// Its bucket is held: it comes again when that goes on.
    Held,
    /// The plan broke over it: its partition stands there.
    Stuck,
}

impl Outcome {
    /// The label value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Applied => "applied",
            Outcome::Unchanged => "unchanged",
            Outcome::Superseded => "superseded",
            Outcome::Unborn => "unborn",
            Outcome::Dead => "dead",
            Outcome::Merged => "merged",
            Outcome::Held => "held",
            Outcome::Stuck => "stuck",
        }
    }
}

/// A bucket of a link, as a metric label.
#[derive(Debug, Clone, Copy)]
pub struct Stream<'a> {
    /// The source.
    pub source: &'a SiteName,
    /// The target.
    pub target: &'a SiteName,
    /// The bucket.
    pub bucket: &'a BucketName,
}

/// Receives what happens.
pub trait Observer: Send + Sync + 'static {
    /// A change event has ended.
    fn event_done(&self, stream: Stream<'_>, outcome: Outcome, rule: &'static str);
    /// A fact has ended.
    fn fact_done(&self, stream: Stream<'_>, outcome: Outcome);
    /// A version came to be at the target so many seconds after it came to be at the source.
    fn replicated(&self, stream: Stream<'_>, lag_seconds: f64, bytes: u64);
    /// An object was written whose bytes nothing proves to be the source's: its ETag is no digest of them, and it has no
    /// checksum of the whole.
    fn unproved(&self, stream: Stream<'_>);
    /// One request wrote into the target.
    fn replica_write(&self, stream: Stream<'_>, what: &'static str);
    /// Something is tried again.
    fn retried(&self, stream: Stream<'_>, reason: &str);
    /// A dead letter was written.
    fn dead_letter(&self, stream: Stream<'_>, reason: &str);
    /// So many dead letters of this kind are open now; source and bucket are empty where nobody knows them.
    fn dead_letters_open(&self, label: &Label, target: &SiteName, open: u64);
    /// A bucket of a link is held, or (with `None`) goes on.
    fn held(&self, stream: Stream<'_>, reason: Option<&str>);
    /// So many more change events are being worked on (fewer, where it is negative).
    fn in_flight(&self, stream: Stream<'_>, change: i64);
    /// A whole link is held, or (with `None`) goes on.
    fn link_held(&self, source: &SiteName, target: &SiteName, reason: Option<&str>);
    /// The breaker of one end of a link has opened or closed.
    fn breaker(&self, source: &SiteName, target: &SiteName, end: End, open: bool);
    /// A doubt was raised.
    fn doubted(&self, stream: Stream<'_>);
    /// The rules decided a conflict against a client of the target; the stream's source is the winner.
    fn conflict_decided(&self, stream: Stream<'_>, conflict: &Conflict);
    /// Records of a partition were deleted unread.
    fn gap(&self, topic: &str, records: i64);
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event_done(&self, _: Stream<'_>, _: Outcome, _: &'static str) {}
    fn fact_done(&self, _: Stream<'_>, _: Outcome) {}
    fn replicated(&self, _: Stream<'_>, _: f64, _: u64) {}
    fn unproved(&self, _: Stream<'_>) {}
    fn replica_write(&self, _: Stream<'_>, _: &'static str) {}
    fn retried(&self, _: Stream<'_>, _: &str) {}
    fn dead_letter(&self, _: Stream<'_>, _: &str) {}
    fn dead_letters_open(&self, _: &Label, _: &SiteName, _: u64) {}
    fn held(&self, _: Stream<'_>, _: Option<&str>) {}
    fn in_flight(&self, _: Stream<'_>, _: i64) {}
    fn link_held(&self, _: &SiteName, _: &SiteName, _: Option<&str>) {}
    fn breaker(&self, _: &SiteName, _: &SiteName, _: End, _: bool) {}
    fn doubted(&self, _: Stream<'_>) {}
    fn conflict_decided(&self, _: Stream<'_>, _: &Conflict) {}
    fn gap(&self, _: &str, _: i64) {}
}

/// A change event that is being worked on, for as long as this lives: a call may be dropped at any await.
pub(crate) struct InFlight<'a> {
    observer: &'a dyn Observer,
    stream: Stream<'a>,
}

impl<'a> InFlight<'a> {
    pub(crate) fn begun(observer: &'a dyn Observer, stream: Stream<'a>) -> Self {
        observer.in_flight(stream, 1);
        Self { observer, stream }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.observer.in_flight(self.stream, -1);
    }
}
