//! A write that arrives after its signed expiry does not act. What counts is when its head arrives: a body may take longer.

use crate::error::SiteErrorKind;
use crate::replica::{Body, Precondition};

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use md5::{Digest, Md5};
use twinlog_schemas::Part;

use super::bench::{Bench, Outcome, SAMPLE_NS, bare, ensure, ensure_eq, md5_hex, refused, tags};

pub(super) async fn late_writes_do_not_act(bench: &Bench) -> Outcome {
    let Some(late) = &bench.late_site else { return Ok(()) };
    let version = bench.fresh("expiry/put")?;
    let body = Body::Bytes(Bytes::from_static(b"x"));
    let put = late.put_object(&bare(&version, b"x"), body, &Precondition::Absent).await;
    refused(put, SiteErrorKind::Expired, "a late PUT")?;
    ensure!(bench.is_absent(&version).await?, "a late PUT acted");
    let marker = bench.fresh("expiry/marker")?;
    refused(late.put_marker(&marker, SAMPLE_NS).await, SiteErrorKind::Expired, "a late marker")?;
    ensure!(bench.is_absent(&marker).await?, "a late marker acted");
    bench.put_absent(&bare(&version, b"x"), b"x").await?;
    refused(late.remove_version(&version, true, None).await, SiteErrorKind::Expired, "a late removal")?;
    refused(late.put_tags(&version, &tags(&[("a", "1")])).await, SiteErrorKind::Expired, "late tags")?;
    ensure!(bench.object(&version).await?.tags.is_empty(), "late tags acted");
    Ok(())
}

/// A body whose second half comes when the write has expired.
fn slow(body: &'static [u8], expiry: Duration) -> Body {
    let halves = [body.split_at(body.len() / 2).0, body.split_at(body.len() / 2).1];
    let stream = stream::iter(halves.into_iter().enumerate()).then(move |(at, half)| async move {
        if at > 0 {
            tokio::time::sleep(expiry + Duration::from_millis(1_500)).await;
        }
        Ok(Bytes::from_static(half))
    });
    Body::Stream { stream: stream.boxed(), length: body.len() as u64, md5: Some(Md5::digest(body).into()) }
}

pub(super) async fn slow_bodies_are_taken(bench: &Bench) -> Outcome {
    let Some(brief) = &bench.brief_site else { return Ok(()) };
    const BODY: &[u8] = b"one half, and the other";
    let (whole, parted) = (bench.fresh("expiry/slow")?, bench.fresh("expiry/parts")?);
    let mut replica = bare(&parted, BODY);
    (replica.etag, replica.send_etag) = (format!("{}-1", md5_hex(&Md5::digest(BODY))), true);
    let upload = bench.site.create_upload(&replica).await?;
    let part = Part { number: 1, size: BODY.len() as i64 };
    let expiry = brief.write_expiry();
    let whole_replica = bare(&whole, BODY);
    let put = brief.put_object(&whole_replica, slow(BODY, expiry), &Precondition::Absent);
    let (put, sent) = futures::join!(put, brief.put_part(&upload, part, slow(BODY, expiry)));
    put?;
    ensure_eq!(sent?.etag, md5_hex(BODY), "etag of a slow part");
    bench.site.abort_upload(&upload).await?;
    ensure!(bench.object(&whole).await?.body.as_deref() == Some(BODY), "the slow body differs");
    Ok(())
}
