//! Bodies on their way into a store: counted and hashed while they are sent.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use md5::{Digest as _, Md5};

use crate::contract::BodyStream;
use crate::error::{SiteError, SiteErrorKind};
use crate::replica::Body;

use super::error::Attempt;

/// A body ready to be sent, and what will be known of it afterwards.
pub(super) struct Outgoing {
    pub(super) body: ByteStream,
    pub(super) length: u64,
    /// Base64, for Content-MD5, where the digest is known before the bytes are sent.
    pub(super) content_md5: Option<String>,
    pub(super) sent: Sent,
}

/// What was sent.
#[derive(Clone, Default)]
pub(super) struct Sent(Arc<Mutex<Outcome>>);

#[derive(Default)]
struct Outcome {
    /// Set once all bytes have gone out.
    md5: Option<[u8; 16]>,
    /// Set when the body broke off: its own reason, which the HTTP client would bury.
    broken: Option<SiteError>,
}

impl Sent {
    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        // Only plain assignments happen under the lock, so a poisoned one is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The digest of all bytes.
    pub(super) fn md5(&self) -> Option<[u8; 16]> {
        self.outcome().md5
    }

    /// The body's own error if it had one, else `otherwise`. A body that broke off was not written.
    pub(super) fn blame(&self, otherwise: SiteError) -> SiteError {
        self.outcome().broken.take().unwrap_or(otherwise)
    }
}

impl Outgoing {
    pub(super) fn new(body: Body, attempt: Attempt<'_>) -> Self {
        match body {
            Body::Bytes(bytes) => {
                let md5: [u8; 16] = Md5::digest(&bytes).into();
                let sent = Sent::default();
                sent.outcome().md5 = Some(md5);
                let length = bytes.len() as u64;
                let content_md5 = Some(BASE64.encode(md5));
                Self { body: ByteStream::new(SdkBody::from(bytes)), length, content_md5, sent }
            }
            Body::Stream { length: 0, .. } => Self::new(Body::Bytes(Bytes::new()), attempt),
            Body::Stream { stream, length, md5 } => {
                let sent = Sent::default();
                let counted = Counted {
                    stream: Mutex::new(stream),
                    left: length,
                    hasher: Md5::new(),
                    sent: sent.clone(),
                    broke: attempt.error(SiteErrorKind::Digest, ""),
                };
                let body = ByteStream::new(SdkBody::from_body_1_x(counted));
                Self { body, length, content_md5: md5.map(|md5| BASE64.encode(md5)), sent }
            }
        }
    }
}

/// A stream that must give exactly the bytes that were announced.
struct Counted {
    /// In a mutex only because the SDK wants bodies to be `Sync`; never locked.
    stream: Mutex<BodyStream>,
    left: u64,
    hasher: Md5,
    sent: Sent,
    /// The error of a length that differs, its message still to be written.
    broke: SiteError,
}

impl Counted {
    fn count(&mut self, chunk: &Bytes) -> Result<(), SiteError> {
        let Some(left) = self.left.checked_sub(chunk.len() as u64) else {
            return Err(self.differs("the body is longer than announced"));
        };
        self.left = left;
        self.hasher.update(chunk);
        if left == 0 {
            self.sent.outcome().md5 = Some(self.hasher.finalize_reset().into());
        }
        Ok(())
    }

    fn differs(&self, how: &str) -> SiteError {
        SiteError { message: how.to_owned(), ..self.broke.clone() }
    }

    fn break_off(&self, error: SiteError) -> SiteError {
        self.sent.outcome().broken = Some(error.clone());
        error
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = SiteError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, SiteError>>> {
        let this = self.get_mut();
        let stream = this.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        let polled = std::task::ready!(stream.as_mut().poll_next(cx));
        Poll::Ready(match polled {
            Some(Ok(chunk)) => match this.count(&chunk) {
                Ok(()) => Some(Ok(Frame::data(chunk))),
                Err(error) => Some(Err(this.break_off(error))),
            },
            Some(Err(error)) => Some(Err(this.break_off(error))),
            None if this.left > 0 => {
                let error = this.differs(&format!("the body is {} bytes shorter than announced", this.left));
                Some(Err(this.break_off(error)))
            }
            None => None,
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
#[path = "outgoing_test.rs"]
mod tests;
