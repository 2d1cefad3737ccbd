//! An object written by one PUT.

use bytes::Bytes;
use twinlog_site::{Body, Precondition, Written};

use super::{BUFFERED, STREAMING, Transfer, Trouble, digest};

impl Transfer<'_> {
    /// Writes the inline body, or carries it over from the source. The digest always goes along as Content-MD5, so that
    /// the store refuses a body that changed on the way: where it is not the source's ETag, the body is spooled first.
    pub async fn single(&self, precondition: &Precondition) -> Result<Written, Trouble> {
        let length = u64::try_from(self.object.size).unwrap_or(0);
        let known = digest(&self.object.etag).filter(|_| self.digest_etag());
        let buffered = if known.is_none() && length <= BUFFERED { length } else { STREAMING.min(length) };
        let _held = self.budget.take(buffered).await;
        let body = match (self.inline(), known) {
            (Some(inline), _) => Body::Bytes(Bytes::copy_from_slice(inline)),
            (None, _) if length == 0 => Body::Bytes(Bytes::new()),
            (None, Some(md5)) => Body::Stream { stream: self.open(None).await?, length, md5: Some(md5) },
            (None, None) => self.spooled(self.open(None).await?, length).await?,
        };
        self.target.put_object(&self.replica, body, precondition).await.map_err(Trouble::target)
    }
}
