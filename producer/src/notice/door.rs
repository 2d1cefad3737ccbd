//! The doors by which notices come in, and the headers in which the notices topic remembers them.

use twinlog_log::Headers;
use twinlog_log::header::{DOOR, RECEIVED_AT_US};

/// A way by which a store's notice reached the notices topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// The webhook with a queue directory: late, but kept by the store until taken.
    Sure,
    /// A webhook without one: at once, or never.
    Fast,
    /// The listen stream: at once, while connected.
    Listen,
    /// The audit webhook.
    Audit,
}

impl Door {
    /// The word in headers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sure => "sure",
            Self::Fast => "fast",
            Self::Listen => "listen",
            Self::Audit => "audit",
        }
    }

    /// Reads the header of a record; none where another program wrote the record (the store's own Kafka target).
    #[must_use]
    pub fn of(headers: &Headers) -> Option<Self> {
        let word = headers.last(DOOR)?;
        [Self::Sure, Self::Fast, Self::Listen, Self::Audit].into_iter().find(|door| door.as_str().as_bytes() == word)
    }

    /// The headers of a record of the notices topic.
    #[must_use]
    pub fn headers(self, received_at_us: i64) -> Headers {
        Headers::default().with(DOOR, self.as_str()).with(RECEIVED_AT_US, received_at_us.to_string())
    }
}

/// When intake had the notice, if the record says so.
#[must_use]
pub fn received_at_us(headers: &Headers) -> Option<i64> {
    std::str::from_utf8(headers.last(RECEIVED_AT_US)?).ok()?.parse().ok()
}
