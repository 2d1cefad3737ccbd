//! Sites: reachable, credentials accepted, own notices told apart.

use std::collections::BTreeMap;

use futures::future::join_all;
use twinlog_schemas::SiteName;

use crate::config::SiteConfig;
use crate::deployment::Deployment;
use crate::finding::Finding;

/// Asks every site; those that answered, with their clock's offset to ours in milliseconds.
pub async fn examine(deployment: &Deployment) -> (BTreeMap<SiteName, i64>, Vec<Finding>) {
    let asked = join_all(deployment.sites.iter().map(|(name, site)| async move {
        let answer = match site.buckets().await {
            Ok(buckets) => site.clock_offset_ms().await.map(|offset| (buckets.len(), offset)),
            Err(error) => Err(error),
        };
        (name, answer)
    }));
    let (mut reachable, mut findings) = (BTreeMap::new(), Vec::new());
    for (name, answer) in asked.await {
        let subject = format!("site {name}");
        match answer {
            Ok((buckets, offset)) => {
                findings.push(Finding::ok(subject, format!("reachable, {buckets} buckets to be seen")));
                reachable.insert(name.clone(), offset);
            }
            Err(error) => {
                findings.push(Finding::fail(subject, "cannot be used", deployment.site_failed(&error).to_string()));
            }
        }
        findings.extend(deployment.config.sites.get(name).map(|config| own_principal(name, config)));
    }
    (reachable, findings)
}

/// Twinlog's own requests are silent by their headers; the filter is the second wall, and must not drop anybody else's.
fn own_principal(name: &SiteName, config: &SiteConfig) -> Finding {
    let subject = format!("own principal at {name}");
    if config.own_principals.contains(&config.access_key) {
        return Finding::ok(subject, format!("notices of {} are dropped", config.own_principals.join(", ")));
    }
    let what = format!("own_principals does not hold the access key {}", config.access_key);
    let advice = format!(
        "add it in [sites.{name}], unless the store reports another name for it (MinIO names a service account's parent)"
    );
    Finding::warn(subject, what, advice)
}
