//! What one record of the log says about a subject.

use twinlog_schemas::ExampleTold;

use crate::subject::Subject;

/// Where a record stands: which of the two topics, which partition, which offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// Whether in the dead-letter topic; else in the events topic.
    pub dead: bool,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// What happened to a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It has begun; of what does not end by word, there is one more.
    Begun,
    /// It is over.
    Over,
}

/// What a record says in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// What was seen.
    pub message: String,
    /// What a person can do.
    pub remedy: String,
    /// Since when it is, or was, so: microseconds since the Unix epoch; `None`: since the record.
    pub since_us: Option<i64>,
    /// S3's own name of the reason, where one fits.
    pub failure_reason: Option<&'static str>,
    /// The dead letter.
    pub example: Option<ExampleTold>,
}

/// One record, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// What it is about.
    pub subject: Subject,
    /// What happened.
    pub change: Change,
    /// When, milliseconds since the Unix epoch: the record's own time.
    pub at_ms: i64,
    /// For how many it stands.
    pub count: u64,
    /// What it says.
    pub said: Said,
}
