//! Reads show what clients wrote.

use bytes::Bytes;
use twinlog_schemas::{ContentHeaders, Part, RetentionMode, VersionRef};

use crate::error::SiteErrorKind;
use crate::memory::ClientPut;
use crate::reading::{BodyWish, Reading};

use super::bench::{Bench, Failure, Outcome, ensure, ensure_eq, full_headers, md5_hex, refused, tags};

const MIB5: usize = 5 << 20;

async fn put(bench: &Bench, key: &str, put: &ClientPut) -> Result<VersionRef, Failure> {
    let mut version = bench.fresh(key)?;
    version.version_id = bench.client.put(&version.bucket, &version.key, put).await?.version_id;
    Ok(version)
}

pub(super) async fn shows_all_of_an_object(bench: &Bench) -> Outcome {
    let retention = bench.retained(RetentionMode::Governance, 3600);
    let sample = ClientPut {
        body: Bytes::from_static(b"all of it"),
        headers: full_headers(),
        user_metadata: tags(&[("color", "blue"), ("two-words", "x y")]),
        tags: tags(&[("a", "1"), ("b c", "d+e/f=g")]),
        retention: Some(retention),
        legal_hold: true,
        checksums: Vec::new(),
    };
    let version = put(bench, "reading/all", &sample).await?;
    let read = bench.object(&version).await?;
    ensure_eq!(read.size, 9, "size");
    ensure_eq!(read.etag, md5_hex(b"all of it"), "etag");
    ensure_eq!(read.headers, sample.headers, "headers");
    ensure_eq!(read.user_metadata, sample.user_metadata, "user metadata");
    ensure_eq!(read.tags, sample.tags, "tags");
    ensure_eq!(read.retention, Some(retention), "retention");
    ensure!(read.legal_hold, "legal hold is not shown");
    ensure_eq!(read.parts, Vec::<Part>::new(), "parts of a single PUT");
    ensure_eq!(read.checksums, Vec::new(), "checksums that nobody sent");
    ensure_eq!(read.body.as_deref(), Some(&b"all of it"[..]), "body");
    match bench.site.look(&version).await? {
        Reading::Object(looked) => {
            let without_body = crate::ObjectReading { body: None, ..read };
            ensure_eq!(*looked, without_body, "look against read");
        }
        other => ensure!(false, "look shows {other:?}"),
    }
    Ok(())
}

pub(super) async fn shows_the_body_only_if_small_enough(bench: &Bench) -> Outcome {
    let sample = ClientPut { body: Bytes::from_static(b"12345"), ..ClientPut::default() };
    let version = put(bench, "reading/small", &sample).await?;
    for (wish, expected) in [(BodyWish::No, false), (BodyWish::UpTo(4), false), (BodyWish::UpTo(5), true)] {
        let Reading::Object(read) = bench.site.read(&version, wish).await? else {
            return Err(Failure(format!("{wish:?}: not an object")));
        };
        ensure_eq!(read.body.is_some(), expected, format!("body with {wish:?}"));
        ensure_eq!(read.size, 5, format!("size with {wish:?}"));
    }
    Ok(())
}

pub(super) async fn shows_all_of_a_plain_object_at_once(bench: &Bench) -> Outcome {
    let headers = ContentHeaders { content_language: None, expires: None, website_redirect: None, ..full_headers() };
    let metadata = tags(&[("color", "blue")]);
    let sample =
        ClientPut { body: Bytes::from_static(b"plain"), headers, user_metadata: metadata, ..ClientPut::default() };
    let version = put(bench, "reading/plain", &sample).await?;
    let whole = bench.site.read(&version, BodyWish::UpTo(5)).await?;
    ensure_eq!(bench.site.read(&version, BodyWish::Plain(5)).await?, whole, "read as plain against read whole");
    let absent = VersionRef { version_id: bench.fresh_id()?, ..version };
    ensure_eq!(bench.site.read(&absent, BodyWish::Plain(5)).await?, Reading::Absent, "read of an absent id as plain");
    Ok(())
}

pub(super) async fn shows_markers_and_absence(bench: &Bench) -> Outcome {
    let sample = ClientPut { body: Bytes::from_static(b"x"), ..ClientPut::default() };
    let version = put(bench, "reading/marker", &sample).await?;
    let deleted = bench.client.delete(&version.bucket, &version.key).await?;
    let id = deleted.version_id.ok_or_else(|| Failure("DELETE told no marker id".to_owned()))?;
    let marker = VersionRef { version_id: id, ..version.clone() };
    ensure!(bench.is_marker(&marker).await?, "look does not show the marker");
    let read = bench.site.read(&marker, BodyWish::UpTo(100)).await?;
    ensure!(matches!(read, Reading::Marker { .. }), "read shows {read:?}");
    let absent = VersionRef { version_id: bench.fresh_id()?, ..version };
    ensure!(bench.is_absent(&absent).await?, "an id that is not there");
    ensure_eq!(bench.site.read(&absent, BodyWish::UpTo(100)).await?, Reading::Absent, "read of an absent id");
    ensure!(bench.is_absent(&bench.fresh("reading/no such key")?).await?, "a key that is not there");
    Ok(())
}

pub(super) async fn shows_parts_with_gaps(bench: &Bench) -> Outcome {
    let parts = [
        (2, Bytes::from(vec![b'a'; MIB5 + 1])),
        (7, Bytes::from(vec![b'b'; MIB5])),
        (9, Bytes::from_static(b"the last")),
    ];
    let mut version = bench.fresh("reading/parts")?;
    let sample = ClientPut::default();
    let written = bench.client.multipart(&version.bucket, &version.key, &sample, &parts).await?;
    version.version_id = written.version_id;
    let read = bench.object(&version).await?;
    let expected: Vec<_> =
        parts.iter().map(|(number, bytes)| Part { number: *number, size: bytes.len() as i64 }).collect();
    ensure_eq!(read.parts, expected, "parts");
    ensure!(read.etag.ends_with("-3"), "etag {} of three parts", read.etag);
    ensure_eq!(read.etag, written.etag, "etag against what the client was told");
    Ok(())
}

pub(super) async fn opens_ranges_pinned_to_the_etag(bench: &Bench) -> Outcome {
    let sample = ClientPut { body: Bytes::from_static(b"0123456789"), ..ClientPut::default() };
    let version = put(bench, "reading/range", &sample).await?;
    let etag = md5_hex(&sample.body);
    ensure_eq!(bench.body(&version, None, &etag).await?, b"0123456789", "the whole body");
    ensure_eq!(bench.body(&version, Some(2..5), &etag).await?, b"234", "a range, its end exclusive");
    let other = bench.site.open(&version, None, &md5_hex(b"other")).await.map(|_| ());
    refused(other, SiteErrorKind::Precondition, "another etag")?;
    let absent = VersionRef { version_id: bench.fresh_id()?, ..version };
    refused(bench.site.open(&absent, None, &etag).await.map(|_| ()), SiteErrorKind::NoSuchVersion, "an absent version")
}
