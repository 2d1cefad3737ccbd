//! An object store as it is configured.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use twinlog_log::clock::{Clock, SystemClock};
use twinlog_schemas::SiteName;
use twinlog_site::{Leave, NotifyTargets, S3Credentials, S3Site, S3SiteConfig, S3Timeouts, SecretKey, Site};

use crate::config::SiteConfig;
use crate::exit::Failure;

/// Builds the client of a store, which writes while there is leave.
pub fn connect(name: &SiteName, config: &SiteConfig, leave: Leave) -> Result<Arc<dyn Site>, Failure> {
    let s3 = S3SiteConfig {
        name: name.clone(),
        endpoint: config.endpoint.clone(),
        region: config.region.clone(),
        dialect: config.dialect,
        credentials: S3Credentials {
            access_key: config.access_key.clone(),
            secret_key: SecretKey::new(config.secret_key.reveal()),
        },
        ca_file: config.ca_file.clone(),
        write_expiry: config.write_expiry,
        timeouts: S3Timeouts::default(),
        notify: NotifyTargets { sure: config.targets.sure.clone(), fast: config.targets.fast.clone() },
    };
    let now = || UNIX_EPOCH + Duration::from_nanos(u64::try_from(SystemClock.now_ns()).unwrap_or(0));
    let site = S3Site::new(s3, Arc::new(now)).map_err(|error| Failure::config(error.to_string()))?;
    Ok(Arc::new(site.with_leave(leave)))
}
