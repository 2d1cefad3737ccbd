//! The dead letters of a deployment, read from their topic.

use rdkafka::{
    Message,
    message::{Headers, OwnedMessage},
};
use twinlog_consumer::dead::header::{MESSAGE, REASON};

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Twinlog's reason code.
    pub reason: String,
    /// The record's key: bucket and object key, and more for facts. As text, as far as it is one.
    pub record: String,
    /// What was wrong, in words.
    pub message: String,
}

impl Letter {
    /// Whether it speaks of this version: a change event's key names bucket and object key, a fact's the version too.
    #[must_use]
    pub fn is_of(&self, bucket: &str, key: &str, version: &str) -> bool {
        self.record == format!("{bucket}/{key}") || self.record.starts_with(&format!("{bucket}\0{key}\0{version}\0"))
    }

    /// Whether it may be about a bucket: a record without a key says nothing of that.
    #[must_use]
    pub fn may_be_of(&self, bucket: &str) -> bool {
        let names = |record: &str| record.strip_prefix(bucket).is_some_and(|rest| rest.starts_with(['/', '\0']));
        self.record.is_empty() || names(&self.record)
    }

    pub(super) fn of(message: &OwnedMessage) -> Self {
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let header = |name: &str| {
            let found = message.headers().into_iter().flat_map(Headers::iter).find(|header| header.key == name);
            text(found.and_then(|header| header.value))
        };
        Self { reason: header(REASON), record: text(message.key()), message: header(MESSAGE) }
    }
}
