//! A letter in one line, for people and for machines.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlog_dead::{Change, Content, History, State};

use super::found::Found;

/// A letter in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name: where the record stood that it is about.
    pub letter: String,
    /// `east>west`.
    pub link: String,
    pub bucket: Option<String>,
    pub key: Option<String>,
    pub version_id: Option<String>,
    /// What the record says: `event BORN OBJECT`, `fact REMOVED`, `notice`, `unreadable`.
    pub what: String,
    pub reason: String,
    pub message: String,
    /// When it was written, RFC 3339.
    pub written_at: String,
    pub state: &'static str,
    /// Who said so last, when and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
}

/// A change of a letter's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    pub state: &'static str,
    pub by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// RFC 3339.
    pub at: String,
}

impl Row {
    /// The letter in short.
    pub fn of(found: &Found) -> Self {
        let letter = &found.letter;
        Self {
            letter: letter.cause.to_string(),
            link: found.link(),
            bucket: letter.bucket.as_ref().map(ToString::to_string),
            key: found.key(),
            version_id: found.version_id().map(|id| id.to_string()),
            what: what(&found.content),
            reason: letter.reason.clone(),
            message: letter.message.clone(),
            written_at: time_of_ms(letter.at_ms),
            state: State::word(found.state()),
            said: found.history.as_ref().and_then(History::last).map(Said::of),
        }
    }

    /// The table's heading.
    pub fn heading() -> Vec<String> {
        ["WRITTEN", "LINK", "BUCKET", "KEY", "REASON", "STATE", "LETTER"].map(str::to_owned).to_vec()
    }

    /// The row of a table.
    pub fn cells(self) -> Vec<String> {
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
        // A key may hold anything; a line of a table is one line.
        let key = or_unknown(self.key).escape_debug().to_string();
        let bucket = or_unknown(self.bucket);
        vec![self.written_at, self.link, bucket, key, self.reason, self.state.to_owned(), self.letter]
    }
}

impl Said {
    /// What was said, for people.
    pub fn of(change: &Change) -> Self {
        Self {
            state: State::word(Some(change.state)),
            by: change.by.clone(),
            why: change.why.clone(),
            at: time_of_ms(change.at_us / 1_000),
        }
    }
}

/// What a record says, in short.
fn what(content: &Content) -> String {
    match content {
        Content::Event(event) => format!("event {} {}", word(&event.told), word(&event.kind)),
        Content::Fact(fact) => match fact.category() {
            Some(category) => format!("fact {} {}", fact.kind(), word(&category)),
            None => format!("fact {}", fact.kind()),
        },
        Content::Notice => "notice".to_owned(),
        Content::Unreadable(_) => "unreadable".to_owned(),
    }
}

/// An enum's symbol as it is written.
fn word(symbol: &impl Serialize) -> String {
    match serde_json::to_value(symbol) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "?".to_owned(),
    }
}

/// A time as people and machines read it.
pub fn time_of_ms(ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    time.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{ms} ms"))
}
