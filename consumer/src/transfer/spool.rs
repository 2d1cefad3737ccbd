//! Bodies whose digest is not known beforehand: read whole and hashed before they are sent, so that the store can refuse
//! what changes on the way to it.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use md5::{Digest, Md5};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use twinlog_site::{Body, BodyStream, SiteError, SiteErrorKind};

use super::{BUFFERED, Transfer, Trouble};

/// Bytes read from the spool at a time.
const CHUNK: usize = 256 << 10;

impl Transfer<'_> {
    /// The whole of a stream, ready to be sent with its digest: in memory up to a bound, else in a file without a name,
    /// which ends with the body or the process.
    pub(super) async fn spooled(&self, stream: BodyStream, length: u64) -> Result<Body, Trouble> {
        if length > BUFFERED {
            return self.on_disk(stream, length).await;
        }
        let bytes = collect(stream, length).await.map_err(Trouble::source)?;
        self.whole(bytes.len() as u64, length)?;
        Ok(Body::Bytes(bytes))
    }

    async fn on_disk(&self, mut stream: BodyStream, length: u64) -> Result<Body, Trouble> {
        let failed = |error: std::io::Error| self.unspooled(&error);
        let mut file = fresh(self.spool).await.map_err(failed)?;
        let (mut digest, mut written) = (Md5::new(), 0);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(Trouble::source)?;
            digest.update(&chunk);
            written += chunk.len() as u64;
            file.write_all(&chunk).await.map_err(failed)?;
        }
        self.whole(written, length)?;
        file.flush().await.map_err(failed)?;
        file.rewind().await.map_err(failed)?;
        let stream = read(file, self.spool_error());
        Ok(Body::Stream { stream, length, md5: Some(digest.finalize().into()) })
    }

    fn whole(&self, read: u64, length: u64) -> Result<(), Trouble> {
        if read == length {
            return Ok(());
        }
        Err(self.broken("GetObject", format!("the source sent {read} of {length} bytes")))
    }

    fn unspooled(&self, error: &std::io::Error) -> Trouble {
        Trouble::target(SiteError { message: error.to_string(), ..self.spool_error() })
    }

    /// The error of a spool that cannot be written or read, its reason still to be written.
    fn spool_error(&self) -> SiteError {
        let subject = format!("{} in {}", self.replica.version, self.spool.display());
        SiteError { subject, kind: SiteErrorKind::StorageFull, ..*self.broken("spool", String::new()).error }
    }
}

async fn fresh(folder: &Path) -> std::io::Result<File> {
    tokio::fs::create_dir_all(folder).await?;
    let folder = folder.to_owned();
    let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await?;
    Ok(File::from_std(made?))
}

fn read(file: File, failed: SiteError) -> BodyStream {
    stream::try_unfold((file, failed), |(mut file, failed)| async move {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        match file.read_buf(&mut chunk).await {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some((chunk.freeze(), (file, failed)))),
            Err(error) => Err(SiteError { message: error.to_string(), ..failed }),
        }
    })
    .boxed()
}

async fn collect(mut stream: BodyStream, length: u64) -> Result<Bytes, SiteError> {
    let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes.freeze())
}
