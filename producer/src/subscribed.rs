//! Whether a bucket is switched on at its store. The audit door needs to know: a store's audit log tells of every
//! bucket, and no subscription closes it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use twinlog_schemas::BucketName;
use twinlog_site::Site;

/// How long a bucket that was found subscribed is taken to be so. One that was not is asked about each time, so that
/// nothing told after `bucket enable` is dropped.
const FRESH: Duration = Duration::from_secs(2);

/// Asks the store, and remembers for a while.
pub(crate) struct Subscribed {
    site: Arc<dyn Site>,
    /// When each bucket was found subscribed.
    found: Mutex<BTreeMap<BucketName, Instant>>,
}

impl Subscribed {
    pub(crate) fn new(site: Arc<dyn Site>) -> Self {
        Self { site, found: Mutex::default() }
    }

    /// Whether Twinlog's subscription stands in the bucket's notification configuration. A bucket that cannot be asked
    /// about counts as subscribed: what is captured needlessly does less harm than what is not.
    pub(crate) async fn stands(&self, bucket: &BucketName) -> bool {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).copied();
        if found.is_some_and(|at| at.elapsed() < FRESH) {
            return true;
        }
        match self.site.subscription(bucket).await {
            Ok(subscription) if subscription.present.is_empty() => false,
            Ok(_) => {
                self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.clone(), Instant::now());
                true
            }
            Err(error) => {
                tracing::debug!(%bucket, %error, "subscription not known: taken to stand");
                true
            }
        }
    }
}
