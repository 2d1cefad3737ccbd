//! S3 event records as RustFS and MinIO write them, and what their names really say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlog_schemas::{BucketName, Category, ObjectKey, VersionId};

use super::error::Place;
use super::{Door, Hint, Notice, NoticeError, key};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    event_name: Cow<'a, str>,
    #[serde(borrow)]
    event_time: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event_source: Cow<'a, str>,
    #[serde(borrow)]
    user_identity: Option<Identity<'a>>,
    #[serde(borrow)]
    request_parameters: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(borrow)]
    response_elements: Option<Response<'a>>,
    #[serde(borrow)]
    s3: S3<'a>,
    #[serde(borrow)]
    source: Option<Source<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(borrow, default)]
    principal_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, rename = "x-amz-request-id")]
    request_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct S3<'a> {
    #[serde(borrow)]
    bucket: Bucket<'a>,
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    size: Option<i64>,
    #[serde(borrow)]
    e_tag: Option<Cow<'a, str>>,
    #[serde(borrow)]
    version_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sequencer: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_metadata: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source<'a> {
    #[serde(borrow, default)]
    user_agent: Cow<'a, str>,
}

/// Reads one S3 event record. `decoded` is an envelope's `Key`, `bucket/key` in plain.
pub(super) fn read(
    record: &str,
    place: Place,
    decoded: Option<&str>,
    door: Option<Door>,
) -> Result<Notice, NoticeError> {
    let record: Record<'_> =
        serde_json::from_str(record).map_err(|error| NoticeError::Member { place, why: error.to_string() })?;
    let name = |error| NoticeError::Name { place, error };
    let bucket = BucketName::new(record.s3.bucket.name.as_ref()).map_err(name)?;
    let key = plain_key(&record, decoded, door).ok_or(NoticeError::KeyEncoding(place))?;
    let object = &record.s3.object;
    let version_id = match object.version_id.as_deref() {
        None | Some("") => None,
        some => Some(VersionId::normal(some).map_err(name)?),
    };
    let key = if loses_its_slash(&record, version_id.as_ref()) { key.trim_end_matches('/').to_owned() } else { key };
    let hint = hint(&record.event_name, version_id);
    let size = u64::try_from(object.size.unwrap_or_default()).ok().filter(|_| matches!(hint, Hint::Born(_)));
    // The null version may be another one by the time it is read.
    let plain = matches!(&hint, Hint::Born(id) if !id.is_null()) && is_plain(&record);
    Ok(Notice {
        bucket,
        key: ObjectKey::new(key).map_err(name)?,
        lifecycle: by_lifecycle(&record),
        actor: record.user_identity.map(|who| who.principal_id.into_owned()).filter(|who| !who.is_empty()),
        time_ns: record.event_time.map(|text| time_ns(&text, place)).transpose()?,
        sequencer_ns: object.sequencer.as_deref().and_then(sequencer_ns),
        size,
        etag: object.e_tag.as_deref().map(|etag| etag.trim_matches('"').to_owned()).filter(|etag| !etag.is_empty()),
        request_id: record
            .response_elements
            .and_then(|r| r.request_id)
            .map(Cow::into_owned)
            .filter(|id| !id.is_empty()),
        cause: record.event_name.into_owned(),
        hint,
        plain,
    })
}

/// Whether a birth is shown to be plain. RustFS shows in `userMetadata` what it stores beside an object (user metadata
/// under its bare names, content headers, tags, lock and website redirect under their header names) but for Expires,
/// which only the request's headers tell of, in `requestParameters`. The content type and the host are always there, so
/// a record without them shows something else. Only of a single PUT is that known.
fn is_plain(record: &Record<'_>) -> bool {
    let (Some(stored), Some(asked)) = (&record.s3.object.user_metadata, &record.request_parameters) else {
        return false;
    };
    let hidden_by_get =
        |name: &str| ["expires", "content-language"].iter().any(|hidden| name.eq_ignore_ascii_case(hidden));
    let of_the_store = |name: &str| name.get(..2).is_some_and(|begin| begin.eq_ignore_ascii_case("x-"));
    record.event_source == "rustfs:s3"
        && group(&record.event_name) == ("ObjectCreated", "Put")
        && stored.contains_key("content-type")
        && asked.contains_key("host")
        && !stored.keys().any(|name| hidden_by_get(name) || of_the_store(name))
        && !asked.keys().any(|name| hidden_by_get(name))
}

/// The key in plain: an envelope says it so; records have it form-urlencoded, but for MinIO's listen stream.
fn plain_key(record: &Record<'_>, decoded: Option<&str>, door: Option<Door>) -> Option<String> {
    let of_bucket = decoded.and_then(|key| key.strip_prefix(record.s3.bucket.name.as_ref())?.strip_prefix('/'));
    if let Some(key) = of_bucket {
        return Some(key.to_owned());
    }
    let raw = record.s3.object.key.as_ref();
    if door == Some(Door::Listen) && record.event_source == "minio:s3" {
        return Some(raw.to_owned());
    }
    key::decode(raw)
}

/// RustFS stores a multipart object of a key that ends in `/` under the key without it, with a version id, and its
/// notice says the key as it was asked for. (Objects of such keys by a single PUT keep the slash, as null versions.)
fn loses_its_slash(record: &Record<'_>, version_id: Option<&VersionId>) -> bool {
    record.event_source == "rustfs:s3"
        && group(&record.event_name) == ("ObjectCreated", "CompleteMultipartUpload")
        && version_id.is_some_and(|id| !id.is_null())
}

fn time_ns(text: &str, place: Place) -> Result<i64, NoticeError> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|time| i64::try_from(time.unix_timestamp_nanos()).ok())
        .ok_or_else(|| NoticeError::Time { place, text: text.to_owned() })
}

/// Hexadecimal nanoseconds. One that cannot be read is none: it only ever spares a listing.
fn sequencer_ns(hex: &str) -> Option<i64> {
    i64::from_str_radix(hex, 16).ok().filter(|ns| *ns > 0)
}

/// Lifecycle has event names of its own on RustFS; on MinIO only the user agent tells.
fn by_lifecycle(record: &Record<'_>) -> bool {
    let name = group(&record.event_name).0;
    name.starts_with("Lifecycle")
        || name == "ILM"
        || record.source.as_ref().is_some_and(|source| source.user_agent.starts_with("Internal: [ILM"))
}

/// `s3:ObjectCreated:Put` is the group `ObjectCreated` and the action `Put`.
fn group(event_name: &str) -> (&str, &str) {
    let name = event_name.strip_prefix("s3:").unwrap_or(event_name);
    name.split_once(':').unwrap_or((name, ""))
}

/// Whether an event's name is that of a DeleteObjectTagging: RustFS's, MinIO's.
pub(super) fn takes_tags_off(event_name: &str) -> bool {
    matches!(group(event_name), ("ObjectTagging", "Delete") | ("ObjectCreated", "DeleteTagging"))
}

/// What an event's name says, as far as it can be trusted; a name of which nothing is known says nothing.
fn hint(event_name: &str, version_id: Option<VersionId>) -> Hint {
    let or_null = |id: Option<VersionId>| id.unwrap_or_else(VersionId::null);
    match group(event_name) {
        ("ObjectCreated", "PutTagging" | "DeleteTagging") | ("ObjectTagging", _) => {
            Hint::Changed(or_null(version_id), Category::Tags)
        }
        ("ObjectCreated", "PutRetention") => Hint::Changed(or_null(version_id), Category::Retention),
        ("ObjectCreated", "PutLegalHold") => Hint::Changed(or_null(version_id), Category::LegalHold),
        ("ObjectCreated", "PutACL") => Hint::Nothing,
        ("ObjectCreated", _) => Hint::Born(or_null(version_id)),
        ("ObjectRemoved" | "LifecycleExpiration", "DeleteMarkerCreated") => Hint::Marker(version_id),
        ("ObjectRemoved" | "LifecycleExpiration" | "LifecycleDelMarkerExpiration", "Delete") => {
            Hint::Removed(or_null(version_id))
        }
        ("ILM", action) if action.starts_with("DelMarkerExpiration") => Hint::Removed(or_null(version_id)),
        _ => Hint::Nothing,
    }
}
