//! An object written by one PUT.

use bytes::Bytes;
use twinlog_schemas::Encryption;
use twinlog_site::{Body, Precondition, Written};

use super::{Transfer, Trouble, digest};

impl Transfer<'_> {
    /// Writes the inline body, or streams it from the source. Where the ETag is the digest of the bytes it goes along as
    /// Content-MD5, so that the store refuses a body that changed on the way.
    pub(super) async fn single(&self, precondition: &Precondition) -> Result<Written, Trouble> {
        let body = match self.inline() {
            Some(inline) => Body::Bytes(Bytes::copy_from_slice(inline)),
            None => self.streamed().await?,
        };
        self.target.put_object(&self.replica, body, precondition).await.map_err(Trouble::target)
    }

    async fn streamed(&self) -> Result<Body, Trouble> {
        let length = u64::try_from(self.object.size).unwrap_or(0);
        if length == 0 {
            return Ok(Body::Bytes(Bytes::new()));
        }
        let version = &self.replica.version;
        let stream = self.source.open(version, None, &self.object.etag).await.map_err(Trouble::source)?;
        let md5 = digest(&self.object.etag).filter(|_| self.object.encryption == Encryption::None);
        Ok(Body::Stream { stream, length, md5 })
    }
}
