//! An object written part by part, in the source's own part numbers and sizes, so that the ETag and the layout are equal.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};
use twinlog_schemas::Part;
use twinlog_site::{Body, PartWritten, SiteError, SiteErrorKind, Upload, Written};

use super::upload::COMPLETE;
use super::{BUFFERED, STREAMING, Transfer, Trouble};

/// Parts of one object under way at a time.
const PARALLEL: usize = 4;
/// How often one part is tried before the whole transfer is given back to its caller's backoff.
const TRIES: u32 = 3;

impl Transfer<'_> {
    /// Sends the parts that were not `found` at the target, and completes the upload. It stays where this fails: what
    /// was sent is found by the next try. No precondition is looked at: the caller has read the target.
    pub async fn finish(&self, upload: &Upload, found: Vec<PartWritten>) -> Result<Written, Trouble> {
        let missing = layout(&self.object.parts);
        let missing = missing.into_iter().filter(|(part, _)| !found.iter().any(|held| held.part == *part));
        let sent: Vec<PartWritten> = stream::iter(missing)
            .map(|(part, range)| self.part(upload, part, range))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        let mut parts = found;
        parts.extend(sent);
        parts.sort_by_key(|written| written.part.number);
        self.verify(&parts)?;
        self.target.complete_upload(upload, &self.replica, &parts).await.map_err(Trouble::target)
    }

    /// Sends one part, and again if only this part failed.
    async fn part(&self, upload: &Upload, part: Part, range: Range<u64>) -> Result<PartWritten, Trouble> {
        let mut tries = 1;
        loop {
            match self.send(upload, part, range.clone()).await {
                Err(trouble) if tries < TRIES && transient(&trouble.error) => tries += 1,
                ended => return ended,
            }
        }
    }

    async fn send(&self, upload: &Upload, part: Part, range: Range<u64>) -> Result<PartWritten, Trouble> {
        let length = range.end - range.start;
        let held = self.budget.take(if length <= BUFFERED { length } else { STREAMING }).await;
        let body = self.body(range).await?;
        let written = self.target.put_part(upload, part, body).await.map_err(Trouble::target)?;
        drop(held);
        match (written.sent_md5, self.stored_md5(&written)) {
            (Some(sent), Some(stored)) if sent != stored => {
                let (sent, stored) = (hex::encode(sent), hex::encode(stored));
                Err(self
                    .broken("UploadPart", format!("part {} was sent as {sent} and stored as {stored}", part.number)))
            }
            _ => Ok(written),
        }
    }

    async fn body(&self, range: Range<u64>) -> Result<Body, Trouble> {
        let length = range.end - range.start;
        if let Some(inline) = self.inline() {
            let slice = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            let bytes = slice.and_then(|(start, end)| inline.get(start..end)).unwrap_or_default();
            return Ok(Body::Bytes(Bytes::copy_from_slice(bytes)));
        }
        if length == 0 {
            return Ok(Body::Bytes(Bytes::new()));
        }
        let stream = self.open(Some(range)).await?;
        if length > BUFFERED && self.clear {
            return Ok(Body::Stream { stream, length, md5: None });
        }
        self.spooled(stream, length).await
    }

    /// The digest of the parts' digests must be the source's ETag before the version comes to be.
    fn verify(&self, parts: &[PartWritten]) -> Result<(), Trouble> {
        let digests: Option<Vec<[u8; 16]>> =
            parts.iter().map(|part| part.sent_md5.or_else(|| self.stored_md5(part))).collect();
        let Some(digests) = digests.filter(|_| self.digest_etag()) else { return Ok(()) };
        let of_all = Md5::digest(digests.concat());
        let etag = format!("{}-{}", hex::encode(of_all), parts.len());
        if etag == self.object.etag {
            return Ok(());
        }
        Err(self.broken(COMPLETE, format!("the parts' digests make {etag}, the source's ETag is {}", self.object.etag)))
    }
}

/// The ETag that a body makes in these parts.
pub(super) fn etag(parts: &[Part], body: &[u8]) -> String {
    let mut digests = Md5::new();
    for (_, range) in layout(parts) {
        let slice = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        digests.update(Md5::digest(slice.and_then(|(start, end)| body.get(start..end)).unwrap_or_default()));
    }
    format!("{}-{}", hex::encode(digests.finalize()), parts.len())
}

/// Each part with its byte range in the whole body.
fn layout(parts: &[Part]) -> Vec<(Part, Range<u64>)> {
    let mut start = 0;
    let place = |part: &Part| {
        let range = start..start + u64::try_from(part.size).unwrap_or(0);
        start = range.end;
        (*part, range)
    };
    parts.iter().map(place).collect()
}

fn transient(error: &SiteError) -> bool {
    use SiteErrorKind as K;
    matches!(error.kind, K::Unreachable | K::TimedOut | K::Throttled | K::Server | K::Expired | K::Digest)
}
