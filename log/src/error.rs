//! What can go wrong with a log, in the few kinds that decide what happens next.

/// An error of the log: what was being done, to what, and of which kind the failure is.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation} {subject}: {message}")]
pub struct LogError {
    /// What was being done, e.g. `append to`, `create topic`.
    pub operation: &'static str,
    /// The topic, partition, group or brokers concerned.
    pub subject: String,
    /// The kind, which decides what the caller does.
    pub kind: LogErrorKind,
    /// The broker's or client's words.
    pub message: String,
}

/// Kinds of log errors, each with the caller's action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogErrorKind {
    /// Broker unreachable, time-outs, not enough replicas: try again with backoff.
    Transient,
    /// The topic or partition does not exist: the bucket is held until it does.
    UnknownTopic,
    /// The topic exists already: verify it instead.
    TopicExists,
    /// The offset asked for is not in the log: unread records were lost, or the topic was made anew; never jump silently.
    OffsetOutOfRange,
    /// The record is larger than the broker or topic allows: a dead letter.
    TooLarge,
    /// Authentication or authorisation refused: the link is held.
    Refused,
    /// Wrong settings or a bug: a person must act.
    Fatal,
}

impl LogError {
    /// Puts an error together.
    #[must_use]
    pub fn new(
        operation: &'static str,
        subject: impl std::fmt::Display,
        kind: LogErrorKind,
        message: impl Into<String>,
    ) -> Self {
        Self { operation, subject: subject.to_string(), kind, message: message.into() }
    }

    /// Whether trying again later may help without anybody's doing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind == LogErrorKind::Transient
    }
}

impl LogErrorKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Transient,
        Self::UnknownTopic,
        Self::TopicExists,
        Self::OffsetOutOfRange,
        Self::TooLarge,
        Self::Refused,
        Self::Fatal,
    ];

    /// The word in the table of ARCHITECTURE.md.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::UnknownTopic => "unknown-topic",
            Self::TopicExists => "topic-exists",
            Self::OffsetOutOfRange => "offset-out-of-range",
            Self::TooLarge => "too-large",
            Self::Refused => "refused",
            Self::Fatal => "fatal",
        }
    }
}
