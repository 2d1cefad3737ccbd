//! `twinlog doctor`: is everything reachable, allowed and set up alike? Changes nothing.

mod buckets;
mod clocks;
mod clusters;
mod sites;

use std::sync::Arc;

use crate::args::DoctorOptions;
use crate::config::Config;
use crate::deployment::{ASKING, Deployment};
use crate::exit::{Exit, Failure};
use crate::finding::{Finding, any_failed, print};

/// `twinlog doctor`.
pub async fn doctor(config: Config, options: DoctorOptions) -> Result<Exit, Failure> {
    let deployment = Deployment::connect(Arc::new(config), "twinlog-doctor", ASKING).await?;
    let findings = examine(&deployment, options.bucket.as_ref()).await?;
    print(&findings, options.json)?;
    Ok(if any_failed(&findings) { Exit::Findings } else { Exit::Success })
}

/// All findings, clusters first. What cannot be reached is a finding, and what depends on it is left out.
pub async fn examine(
    deployment: &Deployment,
    only: Option<&twinlog_schemas::BucketName>,
) -> Result<Vec<Finding>, Failure> {
    let (existing, mut findings) = clusters::examine(deployment).await;
    let (reachable, of_sites) = sites::examine(deployment).await;
    findings.extend(of_sites);
    findings.extend(clocks::examine(&reachable));
    let reachable = reachable.into_keys().collect();
    findings.extend(buckets::examine(deployment, &existing, &reachable, only).await?);
    Ok(findings)
}
