//! Audit records: the only word that some stores give of a changed lock. They name the key, never the version.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use twinlog_schemas::{BucketName, Category, ObjectKey};

use super::error::Place;
use super::{Hint, Notice, NoticeError};

#[derive(Deserialize)]
struct Record<'a> {
    /// Milliseconds: the start of the request.
    time: Option<i64>,
    #[serde(borrow)]
    trigger: Cow<'a, str>,
    #[serde(borrow)]
    api: Api<'a>,
    #[serde(borrow, rename = "requestID")]
    request_id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "accessKey")]
    access_key: Option<Cow<'a, str>>,
    /// The request's headers, in spite of its name.
    #[serde(borrow, rename = "requestQuery")]
    headers: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
}

#[derive(Deserialize)]
struct Api<'a> {
    #[serde(borrow, default)]
    bucket: Cow<'a, str>,
    #[serde(borrow)]
    object: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "timeToResponseInNS")]
    took_ns: Option<Cow<'a, str>>,
}

/// Reads one audit record. Whatever is no client's successful change of a lock is a [`Hint::Nothing`].
pub(super) fn read(record: &str, place: Place) -> Result<Notice, NoticeError> {
    let record: Record<'_> =
        serde_json::from_str(record).map_err(|error| NoticeError::Member { place, why: error.to_string() })?;
    let name = |error| NoticeError::Name { place, error };
    let hint = hint(&record);
    // Many other records name no object, or several; of these neither bucket nor key is of interest.
    let (bucket, key) = match (&hint, record.api.object.as_deref()) {
        (Hint::Nothing, _) => (BucketName::new("none"), ObjectKey::new("none")),
        (_, object) => (BucketName::new(record.api.bucket.as_ref()), ObjectKey::new(object.unwrap_or_default())),
    };
    let took = record.api.took_ns.as_deref().and_then(|ns| ns.parse::<i64>().ok()).unwrap_or_default();
    Ok(Notice {
        bucket: bucket.map_err(name)?,
        key: key.map_err(name)?,
        hint,
        cause: format!("audit:{}", record.trigger.strip_prefix("s3:").unwrap_or(&record.trigger)),
        lifecycle: false,
        actor: record.access_key.map(Cow::into_owned).filter(|who| !who.is_empty()),
        time_ns: record.time.map(|ms| ms.saturating_mul(1_000_000).saturating_add(took)),
        sequencer_ns: None,
        size: None,
        etag: None,
        plain: false,
        request_id: record.request_id.map(Cow::into_owned),
    })
}

/// Refused requests are in the audit log too, without a status; so are replica writes, told by their headers.
fn hint(record: &Record<'_>) -> Hint {
    let succeeded = record.api.status.as_deref() == Some("success");
    let category = match record.trigger.strip_prefix("s3:").unwrap_or(&record.trigger) {
        "PutObjectRetention" => Category::Retention,
        "PutObjectLegalHold" => Category::LegalHold,
        _ => return Hint::Nothing,
    };
    let silent = record.headers.as_ref().is_some_and(|headers| {
        headers.iter().any(|(name, value)| {
            name.to_ascii_lowercase().ends_with("-source-replication-request") && value.get().contains("true")
        })
    });
    if succeeded && !silent { Hint::ChangedSomewhere(category) } else { Hint::Nothing }
}
