//! What the in-memory store tells the outside: notices by its doors, worded as the store words them.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use twinlog_schemas::{BucketName, ObjectKey, RetentionMode, VersionId};

use super::quirks::Wording;
use super::stored::StoredObject;

/// By which door a notice leaves the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// MinIO's webhook target without queue directory. (RustFS's fast door is [`crate::Site::listen`].)
    Fast,
    /// The webhook with queue directory.
    Sure,
    /// RustFS's audit webhook.
    Audit,
}

/// One notice as the store posts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The door.
    pub door: Door,
    /// When it was told, nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// The bucket.
    pub bucket: BucketName,
    /// The body of the POST.
    pub json: Bytes,
}

/// An S3 event before it is worded.
pub(super) struct Event<'a> {
    /// With the `s3:`.
    pub(super) name: &'static str,
    pub(super) bucket: &'a BucketName,
    pub(super) key: &'a ObjectKey,
    /// `None`: the event shows no version id.
    pub(super) version_id: Option<&'a VersionId>,
    pub(super) sequencer_ns: i64,
    pub(super) at_ns: i64,
    pub(super) principal: &'a str,
    /// The object, for births and changes of its attributes.
    pub(super) object: Option<&'a StoredObject>,
    pub(super) request_id: &'a str,
}

/// A call as RustFS's audit log tells of it.
pub(super) struct Call<'a> {
    /// The S3 operation with `s3:`, e.g. `s3:PutObjectRetention`.
    pub(super) trigger: &'static str,
    pub(super) event: &'static str,
    pub(super) bucket: &'a BucketName,
    pub(super) key: &'a ObjectKey,
    pub(super) at_ns: i64,
    pub(super) principal: &'a str,
    pub(super) request_id: &'a str,
    pub(super) succeeded: bool,
    /// A replica write of Twinlog's own: told apart by the request's headers.
    pub(super) replica_write: bool,
}

/// Where notices go.
pub(super) struct Outbox {
    wording: Wording,
    waiting: VecDeque<Notice>,
    sink: Option<UnboundedSender<Notice>>,
    listeners: Vec<(BTreeSet<BucketName>, UnboundedSender<Bytes>)>,
}

impl Outbox {
    pub(super) fn new(wording: Wording) -> Self {
        Self { wording, waiting: VecDeque::new(), sink: None, listeners: Vec::new() }
    }

    pub(super) fn take(&mut self) -> Vec<Notice> {
        self.waiting.drain(..).collect()
    }

    pub(super) fn stream(&mut self) -> UnboundedReceiver<Notice> {
        let (sink, notices) = unbounded_channel();
        for notice in self.waiting.drain(..) {
            // The receiver is in our hands, so this cannot fail.
            let _ = sink.send(notice);
        }
        self.sink = Some(sink);
        notices
    }

    pub(super) fn listen(&mut self, buckets: BTreeSet<BucketName>) -> UnboundedReceiver<Bytes> {
        let (line, lines) = unbounded_channel();
        self.listeners.push((buckets, line));
        lines
    }

    pub(super) fn disconnect_listeners(&mut self) {
        self.listeners.clear();
    }

    pub(super) fn tell(&mut self, event: &Event<'_>) {
        let record = record(self.wording, event);
        let mut posted = Map::new();
        posted.insert("EventName".to_owned(), json!(event.name));
        posted.insert("Key".to_owned(), json!(format!("{}/{}", event.bucket, event.key)));
        posted.insert("Records".to_owned(), json!([record]));
        let body = Bytes::from(Value::Object(posted).to_string());
        match self.wording {
            Wording::RustFs => {
                let line = Bytes::from(json!({ "Records": [record] }).to_string());
                self.listeners.retain(|(buckets, listener)| {
                    !buckets.contains(event.bucket) || listener.send(line.clone()).is_ok()
                });
            }
            Wording::MinIo => self.post(Door::Fast, event.at_ns, event.bucket, body.clone()),
        }
        self.post(Door::Sure, event.at_ns, event.bucket, body);
    }

    /// Only RustFS has the audit door here; elsewhere nothing happens.
    pub(super) fn audit(&mut self, call: &Call<'_>) {
        if self.wording == Wording::RustFs {
            let body = Bytes::from(audit_body(call).to_string());
            self.post(Door::Audit, call.at_ns, call.bucket, body);
        }
    }

    fn post(&mut self, door: Door, at_ns: i64, bucket: &BucketName, json: Bytes) {
        let notice = Notice { door, at_ns, bucket: bucket.clone(), json };
        match &self.sink {
            // A receiver that was dropped is an endpoint that is gone for good: its notices are lost, as it asked for.
            Some(sink) => drop(sink.send(notice)),
            None => self.waiting.push_back(notice),
        }
    }
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`.
fn rfc3339_ms(ns: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ns))
        .ok()
        .and_then(|time| time.format(&format).ok())
        .unwrap_or_default()
}

fn form_encoded(key: &ObjectKey) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b' ');
    utf8_percent_encode(key.as_str(), &KEPT).to_string().replace(' ', "+")
}

/// How the version id is shown.
fn shown(wording: Wording, id: &VersionId) -> String {
    match wording {
        Wording::RustFs if id.is_null() => "00000000-0000-0000-0000-000000000000".to_owned(),
        _ => id.as_str().to_owned(),
    }
}

fn canonical(name: &str) -> String {
    let upper = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    name.split('-').map(upper).collect::<Vec<_>>().join("-")
}

fn shown_metadata(wording: Wording, object: &StoredObject) -> Map<String, Value> {
    let mut shown = Map::new();
    for (name, value) in &object.user_metadata {
        let name = match wording {
            Wording::RustFs => name.clone(),
            Wording::MinIo => format!("X-Amz-Meta-{}", canonical(name)),
        };
        shown.insert(name, json!(value));
    }
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            shown.insert(name.to_owned(), json!(value));
        }
    };
    match wording {
        // The type that it gives to an object without one; a reading does not have it here.
        Wording::RustFs => {
            put("content-type", Some(object.headers.content_type.as_deref().unwrap_or("application/octet-stream")));
            put("content-language", object.headers.content_language.as_deref());
            put("x-amz-website-redirect-location", object.headers.website_redirect.as_deref());
            put("x-amz-tagging", (!object.tags.is_empty()).then_some("shown"));
        }
        Wording::MinIo => put("content-type", object.headers.content_type.as_deref()),
    }
    put("cache-control", object.headers.cache_control.as_deref());
    put("X-Amz-Replication-Status", object.replication_status.as_deref());
    put("x-amz-object-lock-legal-hold", object.legal_hold.then_some("ON"));
    if let Some(retention) = object.retention {
        let mode = if retention.mode == RetentionMode::Compliance { "COMPLIANCE" } else { "GOVERNANCE" };
        put("x-amz-object-lock-mode", Some(mode));
        put("x-amz-object-lock-retain-until-date", Some(&rfc3339_ms(retention.until_ms.saturating_mul(1_000_000))));
    }
    shown
}

fn record(wording: Wording, event: &Event<'_>) -> Value {
    let (version, source) = match wording {
        Wording::RustFs if event.name.starts_with("s3:ObjectTagging") => ("2.3", "rustfs:s3"),
        Wording::RustFs => ("2.1", "rustfs:s3"),
        Wording::MinIo => ("2.0", "minio:s3"),
    };
    let mut object = Map::new();
    object.insert("key".to_owned(), json!(form_encoded(event.key)));
    object.insert("sequencer".to_owned(), json!(format!("{:016X}", event.sequencer_ns)));
    if let Some(id) = event.version_id {
        object.insert("versionId".to_owned(), json!(shown(wording, id)));
    }
    if let Some(stored) = event.object {
        if !stored.body.is_empty() || wording == Wording::RustFs {
            object.insert("size".to_owned(), json!(stored.body.len()));
        }
        object.insert("eTag".to_owned(), json!(stored.etag));
        object.insert("contentType".to_owned(), json!(stored.headers.content_type));
        object.insert("userMetadata".to_owned(), Value::Object(shown_metadata(wording, stored)));
    }
    let mut parameters = Map::from_iter([("principalId".to_owned(), json!(event.principal))]);
    if wording == Wording::RustFs {
        // The headers of the request: those that matter, of requests that write an object.
        parameters.insert("host".to_owned(), json!("memory"));
        let expires = event.object.and_then(|object| object.headers.expires.as_ref());
        parameters.extend(expires.map(|expires| ("expires".to_owned(), json!(expires))));
    }
    json!({
        "eventVersion": version,
        "eventSource": source,
        "awsRegion": "",
        "eventTime": rfc3339_ms(event.at_ns),
        "eventName": event.name,
        "userIdentity": { "principalId": event.principal },
        "requestParameters": parameters,
        "responseElements": { "x-amz-id-2": "", "x-amz-request-id": event.request_id },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {
                "name": event.bucket,
                "ownerIdentity": { "principalId": event.principal },
                "arn": format!("arn:aws:s3:::{}", event.bucket),
            },
            "object": object,
        },
        "source": { "host": "127.0.0.1", "port": "", "userAgent": "memory" },
    })
}

fn audit_body(call: &Call<'_>) -> Value {
    let mut api = json!({ "name": call.trigger, "bucket": call.bucket, "object": call.key });
    let headers = if call.replica_write {
        json!({ "x-rustfs-source-replication-request": "true", "x-minio-source-replication-request": "true" })
    } else {
        json!({})
    };
    let mut record = json!({
        "version": "1.0",
        "time": call.at_ns.div_euclid(1_000_000),
        "event": call.event,
        "trigger": call.trigger,
        "remotehost": "",
        "requestID": call.request_id,
        "userAgent": "memory",
        "requestPath": format!("/{}/{}", call.bucket, call.key),
        "requestHost": "127.0.0.1",
        "requestQuery": headers,
    });
    if call.succeeded {
        api["status"] = json!("success");
        api["status_code"] = json!(200);
        api["time_to_response"] = json!("1.00ms");
        api["timeToResponseInNS"] = json!("1000000");
        record["responseHeader"] = json!({});
        record["accessKey"] = json!(call.principal);
    }
    record["api"] = api;
    json!({ "EventName": call.event, "Key": format!("{}/{}", call.bucket, call.trigger), "Records": [record] })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn keys_are_form_encoded_as_the_stores_do() {
        let key = ObjectKey::new("dir/a b+c%25\"'😀é").unwrap();
        assert_eq!(form_encoded(&key), "dir%2Fa+b%2Bc%2525%22%27%F0%9F%98%80%C3%A9");
    }

    #[test]
    fn times_have_three_digits() {
        assert_eq!(rfc3339_ms(1_795_393_500_570_948_164), "2026-11-23T00:25:00.570Z");
    }

    #[test]
    fn metadata_names_are_canonical() {
        assert_eq!(canonical("two-words"), "Two-Words");
    }
}
