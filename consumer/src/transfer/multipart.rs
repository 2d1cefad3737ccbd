//! An object written part by part, in the source's own part numbers and sizes, so that the ETag and the layout are equal.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};
use twinlog_schemas::{Encryption, Part};
use twinlog_site::{Body, BodyStream, PartWritten, SiteError, SiteErrorKind, Upload, Written};

use super::{Transfer, Trouble};

/// Parts of one object under way at a time.
const PARALLEL: usize = 4;
/// A part up to this size is read whole and sent with its digest; a larger one streams and is compared afterwards.
const BUFFERED: u64 = 8 << 20;
/// How often one part is tried before the whole transfer is given back to its caller's backoff.
const TRIES: u32 = 3;

impl Transfer<'_> {
    pub(super) async fn multipart(&self) -> Result<Written, Trouble> {
        let upload = self.target.create_upload(&self.replica).await.map_err(Trouble::target)?;
        match self.finish(&upload).await {
            Ok(written) => Ok(written),
            Err(trouble) => {
                // A Complete of unknown outcome may still act on the upload; everything else is given up now.
                if !trouble.error.outcome_unknown
                    && let Err(error) = self.target.abort_upload(&upload).await
                {
                    tracing::warn!(%error, "an unfinished upload could not be aborted");
                }
                Err(trouble)
            }
        }
    }

    async fn finish(&self, upload: &Upload) -> Result<Written, Trouble> {
        let mut parts: Vec<PartWritten> = stream::iter(layout(&self.object.parts))
            .map(|(part, range)| self.part(upload, part, range))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
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
        let held = if length <= BUFFERED { self.budget.take(length).await } else { None };
        let body = self.body(range).await?;
        let written = self.target.put_part(upload, part, body).await.map_err(Trouble::target)?;
        drop(held);
        let sent = written.sent_md5.map(hex::encode);
        let plain = self.object.encryption == Encryption::None && written.etag.len() == 32;
        match sent {
            Some(sent) if plain && sent != written.etag => Err(self.broken(
                "UploadPart",
                format!("part {} was sent as {sent} and stored as {}", part.number, written.etag),
            )),
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
        let version = &self.replica.version;
        let stream = self.source.open(version, Some(range), &self.object.etag).await.map_err(Trouble::source)?;
        if length > BUFFERED {
            return Ok(Body::Stream { stream, length, md5: None });
        }
        let bytes = collect(stream, length).await.map_err(Trouble::source)?;
        if bytes.len() as u64 != length {
            return Err(
                self.broken("UploadPart", format!("the source sent {} of a part's {length} bytes", bytes.len()))
            );
        }
        Ok(Body::Bytes(bytes))
    }

    /// The digest of the parts' digests must be the source's ETag before the version comes to be.
    fn verify(&self, parts: &[PartWritten]) -> Result<(), Trouble> {
        let digests: Option<Vec<[u8; 16]>> = parts.iter().map(|part| part.sent_md5).collect();
        let Some(digests) = digests.filter(|_| self.object.encryption == Encryption::None) else { return Ok(()) };
        let of_all = Md5::digest(digests.concat());
        let etag = format!("{}-{}", hex::encode(of_all), parts.len());
        if etag == self.object.etag {
            return Ok(());
        }
        Err(self
            .broken("UploadPart", format!("the parts' digests make {etag}, the source's ETag is {}", self.object.etag)))
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

async fn collect(mut stream: BodyStream, length: u64) -> Result<Bytes, SiteError> {
    let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes.freeze())
}

fn transient(error: &SiteError) -> bool {
    use SiteErrorKind as K;
    matches!(error.kind, K::Unreachable | K::TimedOut | K::Throttled | K::Server | K::Expired | K::Digest)
}
