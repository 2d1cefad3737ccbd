//! A write that arrives after its signed expiry does not act.

use crate::error::SiteErrorKind;
use crate::replica::{Body, Precondition};

use bytes::Bytes;

use super::bench::{Bench, Outcome, SAMPLE_NS, bare, ensure, refused, tags};

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
