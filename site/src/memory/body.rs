//! Takes a body whole, counting and hashing it as the contract says.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use md5::{Digest, Md5};

use crate::error::SiteError;
use crate::replica::Body;

use super::refusal::Refusal;

/// The MD5 of bytes.
pub(super) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// A body that could not be taken.
pub(super) enum BodyFault {
    /// Its source failed.
    Source(SiteError),
    /// It is not what was announced: the store would answer BadDigest.
    Refused(Refusal),
}

/// Takes the bytes; a length or digest other than announced is refused.
pub(super) async fn take(body: Body) -> Result<Bytes, BodyFault> {
    let (mut stream, length, announced) = match body {
        Body::Bytes(bytes) => return Ok(bytes),
        Body::Stream { stream, length, md5 } => (stream, length, md5),
    };
    let mut taken = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        taken.extend_from_slice(&chunk.map_err(BodyFault::Source)?);
    }
    let differs = taken.len() as u64 != length || announced.is_some_and(|announced| announced != md5(&taken));
    if differs { Err(BodyFault::Refused(Refusal::DIGEST)) } else { Ok(taken.freeze()) }
}
