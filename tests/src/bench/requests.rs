//! How many requests Twinlog sends to each store per replicated object: counted by proxies in between, in a run of its
//! own, since a proxy costs time.

use std::time::Duration;

use super::lag;
use crate::{compare::Bucket, lab_error::LabError, pair::Pair, proxy::Proxy, site::Site};

/// Objects of the run.
const OBJECTS: usize = 100;

/// Requests per small untagged object at the source and at the target.
pub(super) async fn measure(pair: &mut Pair, between: &[Bucket; 2]) -> Result<[f64; 2], LabError> {
    let upstream = |site: Site| pair.stores[site.index()].endpoint().trim_start_matches("http://").to_owned();
    let proxy = async |site: Site| Proxy::start(upstream(site)).await.map_err(LabError::io("starting a proxy"));
    let proxies = [proxy(Site::East).await?, proxy(Site::West).await?];
    for site in Site::BOTH {
        pair.deployment.stop(site).await?;
    }
    pair.deployment.reach_stores_at([proxies[0].origin(), proxies[1].origin()])?;
    pair.deployment.start_both().await?;
    lag::measure(between, 10, "counted-warm").await?;
    pair.deployment.drained(Duration::from_secs(60)).await?;
    let before = [proxies[0].requests(), proxies[1].requests()];
    lag::measure(between, OBJECTS, "counted").await?;
    pair.deployment.drained(Duration::from_secs(60)).await?;
    let requests = |at: usize| (proxies[at].requests() - before[at]) as f64 / OBJECTS as f64;
    Ok([requests(0), requests(1)])
}
