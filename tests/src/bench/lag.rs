//! The lag of single objects: from the store's answer to the client at the source until the object can be read at the
//! target. What a look takes is in it, and the pause between two: without one, looking would keep a core busy.

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;

use super::small;
use crate::{compare::Bucket, lab_error::LabError, refused::Refused};

const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// Writes objects one after the other and returns each one's lag.
pub(super) async fn measure(between: &[Bucket; 2], samples: usize, prefix: &str) -> Result<Vec<Duration>, LabError> {
    let [source, target] = between;
    let mut lags = Vec::with_capacity(samples);
    for number in 0..samples {
        let key = format!("{prefix}/{number}");
        let put = source.client.put_object().bucket(&source.name).key(&key).body(ByteStream::from(small(number)));
        put.send().await.map_err(Refused::doing(format!("PUT {key}")))?;
        let written = Instant::now();
        arrived(target, &key, PATIENCE).await?;
        lags.push(written.elapsed());
    }
    Ok(lags)
}

/// Waits until an object can be read.
pub(super) async fn arrived(target: &Bucket, key: &str, within: Duration) -> Result<(), LabError> {
    let until = Instant::now() + within;
    loop {
        let head = target.client.head_object().bucket(&target.name).key(key).send();
        match head.await.map_err(Refused::doing(format!("HEAD {key}"))) {
            Ok(_) => return Ok(()),
            Err(refused) if refused.status == Some(404) && Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Err(refused) => return Err(refused.into()),
        }
    }
}
