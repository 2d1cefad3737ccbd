//! Bodies on their way out of a store: counted, and given up when nothing comes any more.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;

use crate::contract::BodyStream;
use crate::error::{SiteError, SiteErrorKind};

use super::error::{Attempt, chain};

/// One body that is being read.
pub(super) struct Incoming {
    body: ByteStream,
    /// Bytes still to come; `None` for a body without end.
    left: Option<u64>,
    /// The longest wait for the next chunk.
    idle: Duration,
    /// The error of a failed read, kind and message still to be written.
    failed: SiteError,
}

impl Incoming {
    pub(super) fn new(body: ByteStream, length: Option<u64>, idle: Duration, attempt: Attempt<'_>) -> Self {
        Self { body, left: length, idle, failed: attempt.error(SiteErrorKind::TimedOut, "") }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, SiteError> {
        let Ok(next) = tokio::time::timeout(self.idle, self.body.next()).await else {
            return Err(self.error(SiteErrorKind::TimedOut, format!("no bytes for {:?}", self.idle)));
        };
        match next {
            Some(Ok(chunk)) => {
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(chunk.len() as u64);
                }
                Ok(Some(chunk))
            }
            Some(Err(error)) => {
                let words = chain(&error);
                let wrong = words.to_ascii_lowercase().contains("checksum");
                let kind = if wrong { SiteErrorKind::Digest } else { SiteErrorKind::TimedOut };
                Err(self.error(kind, words))
            }
            None => match self.left {
                Some(left @ 1..) => {
                    Err(self.error(SiteErrorKind::TimedOut, format!("the body ended {left} bytes early")))
                }
                _ => Ok(None),
            },
        }
    }

    fn error(&self, kind: SiteErrorKind, message: String) -> SiteError {
        SiteError { kind, message, ..self.failed.clone() }
    }

    /// The whole body; one chunk is not copied.
    pub(super) async fn collect(mut self) -> Result<Bytes, SiteError> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let left = self.left.unwrap_or(0);
        if left == 0 {
            // The end may still bring a checksum that differs.
            self.next().await?;
            return Ok(first);
        }
        let expected = first.len() + usize::try_from(left).unwrap_or(0);
        let mut all = BytesMut::with_capacity(expected);
        all.extend_from_slice(&first);
        while let Some(chunk) = self.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// The body chunk by chunk.
    pub(super) fn stream(self) -> BodyStream {
        Box::pin(futures::stream::try_unfold(self, |mut incoming| async move {
            Ok(incoming.next().await?.map(|chunk| (chunk, incoming)))
        }))
    }
}

/// Lines of an endless answer, without the empty ones.
pub(super) fn lines(incoming: ByteStream, idle: Duration, attempt: Attempt<'_>) -> BodyStream {
    let incoming = Incoming::new(incoming, None, idle, attempt);
    let state = (incoming, BytesMut::new());
    Box::pin(
        futures::stream::try_unfold(state, |(mut incoming, mut pending)| async move {
            loop {
                if let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                    let line = pending.split_to(end + 1).freeze().slice(..end);
                    return Ok(Some((line, (incoming, pending))));
                }
                match incoming.next().await? {
                    Some(chunk) => pending.extend_from_slice(&chunk),
                    None => return Ok(None),
                }
            }
        })
        .try_filter(|line| std::future::ready(!line.trim_ascii().is_empty())),
    )
}
