//! Whether a store that was started again tells of changes.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;

use crate::{
    compare::{Bucket, list_from},
    lab_error::LabError,
    pair::Pair,
    refused::Refused,
    site::Site,
    until::until,
};

const SOON: Duration = Duration::from_secs(180);
/// How long one probe may take to cross.
const CROSSING: Duration = Duration::from_secs(20);

/// Writes probes until one crosses to the other site; those that do not are removed again. Where the first does not,
/// the ways are left in peace: under troubles that follow each other, on a machine with other work, no probe may ever cross
/// in its time.
///
/// # Errors
/// [`LabError::NotInTime`].
pub(super) async fn crosses(pair: &Pair, site: Site) -> Result<(), LabError> {
    let here = pair.deployment.bucket(site, &pair.bucket);
    let there = pair.deployment.bucket(site.other(), &pair.bucket);
    let (mut number, mut calm) = (0, None);
    until("the store told nothing", SOON, async || {
        number += 1;
        // Of an earlier one a notice may still come: each probe has a key of its own, and earlier probings had the same.
        let key = format!("probe of {site} {number}");
        let put = here.client.put_object().bucket(&here.name).key(&key).body(ByteStream::from_static(b"probe"));
        let Ok(put) = put.send().await else { return Ok(Err("it refuses writes".to_owned())) };
        if crossed(&there, &key, put.version_id()).await.is_ok() {
            return Ok(Ok(()));
        }
        let remove = here.client.delete_object().bucket(&here.name).key(&key).set_version_id(put.version_id);
        remove.send().await.map_err(Refused::doing("removing a probe"))?;
        if let (None, Some(wire)) = (&calm, &pair.wire) {
            calm = Some(wire.calm.write().await);
        }
        Ok(Err("a probe did not cross".to_owned()))
    })
    .await
}

async fn crossed(there: &Bucket, key: &str, version: Option<&str>) -> Result<(), LabError> {
    until("it did not cross", CROSSING, async || {
        let listing = list_from(there, key).await?;
        let mut versions = listing.get(key).into_iter().flatten();
        Ok(if versions.any(|listed| Some(listed.id.as_str()) == version) { Ok(()) } else { Err(String::new()) })
    })
    .await
}
