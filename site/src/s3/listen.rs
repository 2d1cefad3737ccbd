//! The fast door: one endless GET whose answer is a notice per line.
//!
//! The SDK knows no such operation. A GetObject whose address is replaced before it is signed gives the same: signed,
//! sent and streamed by the same client.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use twinlog_schemas::BucketName;

use crate::contract::NoticeStream;
use crate::error::SiteError;

use super::S3Site;
use super::incoming::lines;
use super::signing::Amend;

/// Seconds between two signs of life of an idle stream.
const PING_S: u64 = 5;
/// Without a sign of life for so long the stream is dead.
const SILENCE: Duration = Duration::from_secs(3 * PING_S);

impl S3Site {
    pub(super) async fn open_listen(&self, buckets: &[BucketName]) -> Result<Option<NoticeStream>, SiteError> {
        if !self.dialect.has_fast_listen() || buckets.is_empty() {
            return Ok(None);
        }
        // One bucket has its own stream; several share the stream of all, so that connections do not grow with them.
        let path = match buckets {
            [only] => format!("/{only}"),
            _ => "/".to_owned(),
        };
        let target = target(&path, self.dialect.event_types());
        let shown = buckets.first().map(BucketName::as_str).unwrap_or_default();
        let attempt = self.reads("ListenNotification", &"the listen stream");
        let request = self.client.get_object().bucket(shown).key("listen").customize();
        let output = request.interceptor(Amend::target(target)).send().await.map_err(|error| attempt.failed(error))?;
        let wanted = buckets.to_vec();
        let notices =
            lines(output.body, SILENCE, attempt).try_filter(move |line| std::future::ready(is_for(line, &wanted)));
        Ok(Some(Box::pin(notices)))
    }
}

/// The address with its parameters in sorted order, as signatures of repeated parameters are checked.
fn target(path: &str, events: &[&str]) -> String {
    let mut names: Vec<String> =
        events.iter().map(|name| utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()).collect();
    names.sort();
    let mut target = format!("{path}?");
    for name in names {
        // Writing to a String cannot fail.
        let _ = write!(target, "events={name}&");
    }
    let _ = write!(target, "ping={PING_S}");
    target
}

/// The little that must be known of a line to pass it on.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Records", default)]
    records: Option<Vec<Record>>,
}

#[derive(Deserialize)]
struct Record {
    s3: S3Part,
}

#[derive(Deserialize)]
struct S3Part {
    bucket: BucketPart,
}

#[derive(Deserialize)]
struct BucketPart {
    name: String,
}

/// Pings have no records. A line that is not understood is passed on: whoever reads it says so.
fn is_for(line: &Bytes, buckets: &[BucketName]) -> bool {
    match serde_json::from_slice::<Envelope>(line) {
        Ok(Envelope { records }) => records.is_some_and(|records| {
            records.iter().any(|record| buckets.iter().any(|b| b.as_str() == record.s3.bucket.name))
        }),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn parameters_are_sorted() {
        let target = target("/b", &["s3:ObjectRemoved:*", "s3:ObjectCreated:*"]);
        assert_eq!(target, "/b?events=s3%3AObjectCreated%3A%2A&events=s3%3AObjectRemoved%3A%2A&ping=5");
    }

    #[test]
    fn only_notices_of_the_buckets_pass() {
        let buckets = [BucketName::new("mine").unwrap()];
        let passes = |line: &'static str| is_for(&Bytes::from_static(line.as_bytes()), &buckets);
        assert!(!passes(r#"{"Records":[]}"#));
        assert!(!passes(r#"{"Records":null}"#));
        assert!(passes(r#"{"Records":[{"s3":{"bucket":{"name":"mine"}},"x":1}]}"#));
        assert!(!passes(r#"{"Records":[{"s3":{"bucket":{"name":"theirs"}}}]}"#));
        assert!(passes("what is this"));
    }
}
