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

/// How often a store is asked to let a new bucket be what it was made as.
const TRIES: usize = 20;

/// Makes a bucket. MinIO can say of one that was just made that it has neither versioning nor lock, until something of it is
/// set, as if it had looked while the bucket was made: what it says is set once more until it agrees.
///
/// # Errors
/// What the store refused.
pub async fn make(client: &Client, name: &str, lock: Lock) -> Result<(), Refused> {
    let create = client.create_bucket().bucket(name).object_lock_enabled_for_bucket(lock == Lock::On);
    create.send().await.map_err(Refused::doing(format!("making bucket {name}")))?;
    if lock == Lock::Unversioned {
        return Ok(());
    }
    for _ in 0..TRIES {
        versioning(client, name, BucketVersioningStatus::Enabled).await?;
        if is_made(client, name, lock).await? {
            return Ok(());
        }
    }
    let (doing, answer) = (format!("making bucket {name}"), format!("it is not {lock:?} after {TRIES} tries"));
    Err(Refused { doing, code: None, status: None, answer })
}

/// Whether the store says that the bucket is what it was made as.
async fn is_made(client: &Client, name: &str, lock: Lock) -> Result<bool, Refused> {
    let asking = || format!("asking what bucket {name} is");
    let told = client.get_bucket_versioning().bucket(name).send().await;
    let versioned = told.map_err(Refused::doing(asking()))?.status == Some(BucketVersioningStatus::Enabled);
    if lock != Lock::On {
        return Ok(versioned);
    }
    let told = client.get_object_lock_configuration().bucket(name).send().await;
    match told.map_err(Refused::doing(asking())) {
        Ok(_) => Ok(versioned),
        Err(refused) if refused.code.as_deref() == Some("ObjectLockConfigurationNotFoundError") => Ok(false),
        Err(refused) => Err(refused),
    }
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
