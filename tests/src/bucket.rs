//! Buckets as clients make them.

use aws_sdk_s3::{
    Client,
    types::{BucketVersioningStatus, VersioningConfiguration},
};

use crate::refused::Refused;

/// Whether a bucket has object lock, which a store allows only with versioning and from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Versioning and object lock.
    On,
    /// Versioning only.
    Off,
    /// Not even versioning.
    Unversioned,
}

/// Makes a bucket.
///
/// # Errors
/// What the store refused.
pub async fn make(client: &Client, name: &str, lock: Lock) -> Result<(), Refused> {
    let create = client.create_bucket().bucket(name).object_lock_enabled_for_bucket(lock == Lock::On);
    create.send().await.map_err(Refused::doing(format!("making bucket {name}")))?;
    if lock == Lock::Unversioned {
        return Ok(());
    }
    versioning(client, name, BucketVersioningStatus::Enabled).await
}

/// Switches versioning on, or suspends it.
///
/// # Errors
/// What the store refused.
pub async fn versioning(client: &Client, name: &str, status: BucketVersioningStatus) -> Result<(), Refused> {
    let configuration = VersioningConfiguration::builder().status(status.clone()).build();
    let put = client.put_bucket_versioning().bucket(name).versioning_configuration(configuration);
    put.send().await.map_err(Refused::doing(format!("setting versioning of {name} to {status}")))?;
    Ok(())
}
