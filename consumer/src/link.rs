//! The links into a site: for each source, how it is reached and which buckets it sends.

use std::sync::Arc;

use twinlog_log::Log;
use twinlog_schemas::{BucketName, SiteName};
use twinlog_site::Site;

use crate::deaths::DeathLimits;
use crate::storm::StormLimits;

/// One link into the target's site.
#[derive(Clone)]
pub struct Link {
    /// The source.
    pub source: Arc<dyn Site>,
    /// The cluster of the source's topics.
    pub log: Arc<dyn Log>,
    /// Whether what the source's lifecycle removes stays at the target until the target's own lifecycle removes it.
    pub lifecycle_stays: bool,
    /// Which buckets the link is for.
    pub buckets: Arc<dyn Fn(&BucketName) -> bool + Send + Sync>,
    /// From when on removals by clients stop a bucket.
    pub storm: StormLimits,
    /// From when on dead letters stop a bucket.
    pub deaths: DeathLimits,
}

impl Link {
    /// The source's name.
    #[must_use]
    pub fn source_name(&self) -> &SiteName {
        self.source.name()
    }
}
