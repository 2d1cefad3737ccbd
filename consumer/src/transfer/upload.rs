//! A multipart upload at the target: begun, gone on with, or given up.

use md5::{Digest, Md5};
use twinlog_schemas::{Part, UploadBegun};
use twinlog_site::{PartWritten, SiteErrorKind, Upload};

use super::{Transfer, Trouble};
use crate::failure::End;

/// The request that makes a version of the parts.
pub(super) const COMPLETE: &str = "CompleteMultipartUpload";

impl Transfer<'_> {
    /// Begins an upload, and what is to be remembered of it before its first part is sent.
    pub async fn begin(&self) -> Result<(Upload, UploadBegun), Trouble> {
        let upload = self.target.create_upload(&self.replica).await.map_err(Trouble::target)?;
        let begun = UploadBegun { upload_id: upload.upload_id.clone(), begun_with: self.begun_with() };
        Ok((upload, begun))
    }

    /// Whether an upload was begun as it would be begun now: what an upload becomes is fixed when it begins.
    #[must_use]
    pub fn goes_on_with(&self, begun: &UploadBegun) -> bool {
        begun.begun_with == self.begun_with()
    }

    /// An upload that was begun before, with the parts that need not be sent again. An upload that is gone is an error
    /// of kind [`SiteErrorKind::NoSuchUpload`].
    pub async fn found(&self, begun: &UploadBegun) -> Result<(Upload, Vec<PartWritten>), Trouble> {
        let upload = self.replica.upload(&begun.upload_id);
        let mut held = self.target.parts_of(&upload).await.map_err(Trouble::target)?;
        held.retain(|held| self.object.parts.contains(&held.part) && self.vouched(&upload, held));
        Ok((upload, held))
    }

    /// The MD5 of a part's bytes as the store has them, where its ETag says it.
    pub(super) fn stored_md5(&self, written: &PartWritten) -> Option<[u8; 16]> {
        super::digest(&written.etag).filter(|_| self.clear)
    }

    /// Whether a part found at the target can be completed with: its bytes can be told, and its checksum is there where
    /// the upload was begun with one.
    fn vouched(&self, upload: &Upload, held: &PartWritten) -> bool {
        let summed = |algorithm: &str| held.checksums.iter().any(|checksum| checksum.algorithm == algorithm);
        let complete = upload.checksum.as_ref().is_none_or(|checksum| summed(&checksum.algorithm));
        self.stored_md5(held).is_some() && complete
    }

    /// A release that spells these values differently begins anew: that costs the parts sent so far and nothing else.
    fn begun_with(&self) -> String {
        let parts: &[Part] = &self.object.parts;
        hex::encode(Md5::digest(format!("{:?} {parts:?}", self.replica)))
    }
}

/// Whether the error says that an upload is of no use any more: it is gone, or what it holds is not what it should be.
#[must_use]
pub fn spent(trouble: &Trouble) -> bool {
    use SiteErrorKind as K;
    let whole = trouble.error.operation == COMPLETE;
    let of_no_use = |kind| matches!(kind, K::NoSuchUpload | K::NoSuchVersion) || (kind == K::Digest && whole);
    trouble.end == End::Target && of_no_use(trouble.error.kind)
}
