//! One letter whole.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use twinlog_dead::Content;
use twinlog_schemas::{ChangeEvent, Fact, FactBody};

use super::found::Found;
use super::row::{Row, Said, time_of_ms};

/// A letter whole.
#[derive(Debug, Serialize)]
pub struct Whole {
    #[serde(flatten)]
    row: Row,
    /// Topic, partition and offset of the letter itself.
    stands_at: String,
    /// When the record was written that it is about, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_at: Option<String>,
    /// All that was said of it, oldest first.
    history: Vec<Said>,
    /// Sizes and digest of the record.
    record: Record,
    headers: Vec<Header>,
    /// What the record says, without its body.
    content: Value,
}

#[derive(Debug, Serialize)]
struct Record {
    key_bytes: usize,
    value_bytes: usize,
    value_sha256: String,
}

#[derive(Debug, Serialize)]
struct Header {
    name: String,
    /// Text, or `0x` and hexadecimal digits.
    value: String,
}

impl Whole {
    /// The letter whole.
    pub fn of(found: &Found) -> Self {
        let letter = &found.letter;
        let value = letter.value.as_deref().unwrap_or_default();
        let headers =
            letter.headers.0.iter().map(|(name, value)| Header { name: name.clone(), value: readable(value) });
        let history = found.history.as_ref().map(|history| history.changes.iter().map(Said::of).collect());
        Self {
            row: Row::of(found),
            stands_at: format!("{}/{}", letter.position.partition, letter.position.offset),
            recorded_at: letter.cause.recorded_ms.map(time_of_ms),
            history: history.unwrap_or_default(),
            record: Record {
                key_bytes: letter.key.as_ref().map_or(0, bytes::Bytes::len),
                value_bytes: value.len(),
                value_sha256: hex::encode(Sha256::digest(value)),
            },
            headers: headers.collect(),
            content: content(found),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let row = &self.row;
        let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        let record = &self.record;
        let mut lines = vec![
            ("letter", row.letter.clone()),
            ("link", row.link.clone()),
            ("bucket", or_unknown(&row.bucket)),
            ("key", or_unknown(&row.key)),
            ("version", or_unknown(&row.version_id)),
            ("what", row.what.clone()),
            ("reason", row.reason.clone()),
            ("message", row.message.clone()),
            ("recorded", or_unknown(&self.recorded_at)),
            ("written", format!("{}, as {}", row.written_at, self.stands_at)),
            ("record", format!("key of {} bytes, value of {} bytes", record.key_bytes, record.value_bytes)),
            ("sha256", record.value_sha256.clone()),
            ("state", row.state.to_owned()),
        ];
        lines.extend(self.history.iter().map(|said| {
            let why = said.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            ("", format!("{} {} by {}{why}", said.at, said.state, said.by))
        }));
        lines.extend(self.headers.iter().map(|header| ("header", format!("{} = {}", header.name, header.value))));
        let mut text = String::new();
        for (name, value) in lines {
            // Writing to a text cannot fail.
            let _written = writeln!(text, "{name:<9} {}", value.escape_debug());
        }
        let content = serde_json::to_string_pretty(&self.content).unwrap_or_default();
        text.push_str(&content);
        text.push('\n');
        text
    }
}

fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => format!("0x{}", hex::encode(bytes)),
    }
}

fn content(found: &Found) -> Value {
    match &found.content {
        // As its store wrote it.
        Content::Notice => serde_json::from_slice(found.letter.value.as_deref().unwrap_or_default())
            .unwrap_or_else(|error| json!({ "unreadable": error.to_string() })),
        Content::Event(event) => of_event(event),
        Content::Fact(fact) => of_fact(fact),
        Content::Unreadable(error) => json!({ "unreadable": error.to_string() }),
    }
}

/// The event without an inline body, of which its size and ETag tell enough.
fn of_event(event: &ChangeEvent) -> Value {
    let mut event = event.clone();
    if let Some(object) = &mut event.object {
        object.body = None;
    }
    json!(event)
}

fn of_fact(fact: &Fact) -> Value {
    let body = match &fact.body {
        FactBody::Removed(removal) => json!(removal),
        FactBody::Tags(stamp) => json!(stamp),
        FactBody::Retention { latest, compliance } => json!({ "latest": latest, "compliance": compliance }),
        FactBody::LegalHold(stamp) => json!(stamp),
        FactBody::Null(register) => json!(register),
        FactBody::Look => Value::Null,
        FactBody::Answer(answer) => json!(answer),
    };
    json!({
        "event_id": fact.event_id,
        "site": fact.site,
        "bucket": fact.bucket,
        "key": fact.key,
        "version_id": fact.version_id,
        "said_at_ns": fact.said_at_ns,
        "of": fact.of,
        "kind": fact.kind(),
        "body": body,
    })
}
