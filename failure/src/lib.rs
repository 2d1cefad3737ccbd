//! What every error of the stores, the network and Kafka means: one table, in one file, for capture at the source and
//! for the consumer at both ends of its links.
//!
//! Nothing else looks at the kind of an error to choose what happens next. Which answer of a store or a broker is of
//! which kind, `site` and `log` say (`site/src/s3/error.rs`, `log/src/kafka/error.rs`); what it leads to, this. The table
//! in ARCHITECTURE.md is checked against it, and `tests/tests/foundations/parts/failures` provokes every row at the wire.

pub mod alone;
pub mod bug;

use std::fmt;

use twinlog_control::Reason;
use twinlog_log::LogErrorKind;
use twinlog_site::{SiteError, SiteErrorKind};

/// Which end of a link a store error came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Reading the source.
    Source,
    /// Reading or writing the target.
    Target,
}

/// What the consumer does after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Wait with backoff and do it again; nothing is wrong with the record. A key that fails for too long while others
    /// succeed is a dead letter all the same, where [`may_be_about_one_key`].
    Retry,
    /// Likewise, but only a few times: the wire may have been at fault. Then a dead letter with this reason.
    AFewTimes(&'static str),
    /// The answer is at odds with what was known: read the target and plan again.
    Replan,
    /// The source no longer has the version: its removal has a record of its own.
    Superseded,
    /// The bucket, or for some reasons the link, is held in this direction.
    HoldBucket(Reason),
    /// Access is refused: to the bucket, if a trial of the permissions says so, which is then held; else to this key,
    /// which is a dead letter if it is refused again after a look at the target.
    Denied,
    /// This record cannot be applied: a dead letter with this reason.
    Dead(&'static str),
    /// Likewise, but only if it is refused again after a look at the target: what refuses may have come in between, or
    /// be the version itself, already there.
    DeadOnceRead(&'static str),
}

/// What capture does after an error, in the same words. Its dead letters are notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtCapture {
    /// As [`Verdict::Retry`].
    Retry,
    /// As [`Verdict::AFewTimes`].
    AFewTimes(&'static str),
    /// The bucket cannot be captured: its notices are acknowledged, it is marked dirty, and a sweep has to follow.
    Dirty,
    /// As [`Verdict::Denied`]; a bucket that is closed is dirty.
    Denied,
    /// As [`Verdict::Dead`].
    Dead(&'static str),
}

/// What an error of a store leads to, by who met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Capture, which reads its own store.
    pub capture: AtCapture,
    /// The consumer that reads a source.
    pub source: Verdict,
    /// The consumer that reads or writes its target.
    pub target: Verdict,
}

/// The table of the stores' errors.
#[must_use]
pub const fn of_store(kind: SiteErrorKind) -> Row {
    use AtCapture as C;
    use SiteErrorKind as K;
    use Verdict as V;
    match kind {
        K::Unreachable | K::Untrusted | K::TimedOut | K::Throttled | K::Server | K::StorageFull => {
            row(C::Retry, V::Retry, V::Retry)
        }
        K::NoSuchBucket => held(C::Dirty, Reason::NoSuchBucket),
        // Absence is an answer to capture's reads; it is an error only of what cannot be absent.
        K::NoSuchVersion => row(C::AFewTimes("no-such-version"), V::Superseded, V::Replan),
        K::NoSuchUpload => row(C::AFewTimes("refused"), V::Dead("refused"), V::Replan),
        K::AccessDenied => row(C::Denied, V::Denied, V::Denied),
        // Everywhere, not in this bucket: a person mends it, and capture loses nothing meanwhile.
        K::Credentials => held(C::Retry, Reason::Credentials),
        K::ClockSkew => held(C::Retry, Reason::ClockSkew),
        K::Expired => row(C::AFewTimes("expired"), V::Retry, V::Retry),
        K::Precondition => row(C::AFewTimes("precondition"), V::Superseded, V::Replan),
        K::Locked => row(C::AFewTimes("refused"), V::Dead("refused"), V::DeadOnceRead("locked-at-target")),
        K::LockAbsent => row(C::AFewTimes("refused"), V::Dead("refused"), V::HoldBucket(Reason::ObjectLockMissing)),
        K::Digest => row(C::AFewTimes("digest"), V::AFewTimes("digest"), V::AFewTimes("digest")),
        K::NameRefused => row(C::AFewTimes("name-refused"), V::Dead("name-refused"), V::Dead("name-refused")),
        K::TooLarge => row(C::AFewTimes("too-large"), V::Dead("too-large"), V::Dead("too-large")),
        K::BucketState => held(C::Dirty, Reason::BucketState),
        K::CustomerKey => row(C::AFewTimes("customer-key"), V::Dead("customer-key"), V::Dead("customer-key")),
        K::Refused => row(C::AFewTimes("refused"), V::Dead("refused"), V::Dead("refused")),
        K::Malformed => row(C::Retry, V::Retry, V::Retry),
    }
}

/// The table of Kafka's errors, for who writes change events and facts. All else that is written waits until it stands,
/// whatever the kind: intake answers 503 meanwhile, and the consumer's record is not done. A reader that is told
/// [`LogErrorKind::OffsetOutOfRange`] has found a gap, which the lanes tell and never jump in silence.
#[must_use]
pub const fn of_log(kind: LogErrorKind) -> AtCapture {
    use LogErrorKind as K;
    match kind {
        // A person mends the last two, and nothing is lost meanwhile: the notices stand in the log.
        K::Transient | K::Refused | K::Fatal => AtCapture::Retry,
        // The bucket's own topic: a site's topics are all there, or nothing of the site is captured.
        K::UnknownTopic => AtCapture::Dirty,
        // An event is written without its body before it is given up so.
        K::TooLarge => AtCapture::Dead("too-large"),
        K::TopicExists | K::OffsetOutOfRange => AtCapture::AFewTimes("refused"),
    }
}

const fn row(capture: AtCapture, source: Verdict, target: Verdict) -> Row {
    Row { capture, source, target }
}

const fn held(capture: AtCapture, reason: Reason) -> Row {
    row(capture, Verdict::HoldBucket(reason), Verdict::HoldBucket(reason))
}

/// Whether an error can be about one key: a full disk and too many requests are the store's, however long one key meets
/// them and others, by luck or because they only remove, do not.
#[must_use]
pub const fn may_be_about_one_key(kind: SiteErrorKind) -> bool {
    !matches!(kind, SiteErrorKind::StorageFull | SiteErrorKind::Throttled)
}

/// What an error at one end of a link means to the consumer.
#[must_use]
pub const fn verdict(end: End, error: &SiteError) -> Verdict {
    let row = of_store(error.kind);
    match end {
        End::Source => row.source,
        End::Target => row.target,
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry => write!(f, "again"),
            Self::AFewTimes(reason) => write!(f, "a few times, then dead: `{reason}`"),
            Self::Replan => write!(f, "read, and planned again"),
            Self::Superseded => write!(f, "superseded"),
            Self::HoldBucket(reason) => write!(f, "held: `{reason}`"),
            Self::Denied => write!(f, "tried out"),
            Self::Dead(reason) => write!(f, "dead: `{reason}`"),
            Self::DeadOnceRead(reason) => write!(f, "read again, then dead: `{reason}`"),
        }
    }
}

impl fmt::Display for AtCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Retry => Verdict::Retry.fmt(f),
            Self::AFewTimes(reason) => Verdict::AFewTimes(reason).fmt(f),
            Self::Dirty => write!(f, "bucket dirty"),
            Self::Denied => Verdict::Denied.fmt(f),
            Self::Dead(reason) => Verdict::Dead(reason).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../ARCHITECTURE.md");

    /// What stands in the columns of a table of the page that begin with a name, but for the second, which is prose.
    fn shown(heading: &str) -> Vec<Vec<String>> {
        let table = PAGE.split_once(heading).map_or("", |(_, rest)| rest);
        let table = table.split("\n\n").next().unwrap_or_default();
        let rows = table.lines().filter(|line| line.starts_with("| `"));
        let columns = |line: &str| line.trim_matches('|').split('|').map(|column| column.trim().to_owned()).collect();
        let verdicts = |mut columns: Vec<String>| {
            columns.remove(1);
            columns
        };
        rows.map(columns).map(verdicts).collect()
    }

    /// Every reason that makes a dead letter is explained in the runbook.
    #[test]
    fn the_runbook_explains_every_reason() {
        let page = include_str!("../../docs/runbook.md");
        let section = page.split_once("### dead-letters").and_then(|(_, rest)| rest.split("\n### ").next());
        let section = section.unwrap_or_default();
        let stores = SiteErrorKind::ALL.into_iter().map(of_store);
        let verdicts = stores.flat_map(|row| [row.capture.to_string(), row.source.to_string(), row.target.to_string()]);
        let log = LogErrorKind::ALL.into_iter().map(|kind| of_log(kind).to_string());
        for verdict in verdicts.chain(log) {
            if let Some((_, reason)) = verdict.split_once("dead: ") {
                assert!(section.contains(reason), "docs/runbook.md does not explain {reason}");
            }
        }
    }

    /// The tables in ARCHITECTURE.md say what these say, of every kind, in this order.
    #[test]
    fn the_page_shows_the_table() {
        let stores = SiteErrorKind::ALL.map(|kind| {
            let Row { capture, source, target } = of_store(kind);
            vec![format!("`{}`", kind.as_str()), capture.to_string(), source.to_string(), target.to_string()]
        });
        assert_eq!(shown("| error of a store | e.g. |"), stores);
        let log = LogErrorKind::ALL.map(|kind| vec![format!("`{}`", kind.as_str()), of_log(kind).to_string()]);
        assert_eq!(shown("| error of Kafka | e.g. |"), log);
    }
}
