//! Clusters: reachable, and the topics as they must be.

use std::collections::BTreeMap;

use twinlog_control::TopicGone;
use twinlog_log::{TopicInfo, TopicName};

use crate::bucket::control;
use crate::deployment::Deployment;
use crate::finding::{Finding, Level};
use crate::topics::needed;
use crate::wanted;

/// The topics of each cluster that answered.
pub type Existing = BTreeMap<String, BTreeMap<TopicName, TopicInfo>>;

/// Asks every cluster, and checks the topics of those that answer.
pub async fn examine(deployment: &Deployment) -> (Existing, Vec<Finding>) {
    let (mut existing, mut findings) = (Existing::new(), Vec::new());
    for (name, cluster) in &deployment.clusters {
        let subject = format!("cluster {name}");
        match cluster.topics().await {
            Ok(topics) => {
                findings.push(Finding::ok(subject, format!("reachable, {} topics", topics.len())));
                existing.insert(name.clone(), topics);
            }
            Err(error) => {
                findings.push(Finding::fail(
                    subject,
                    "cannot be used",
                    deployment.cluster_failed(name, &error).to_string(),
                ));
            }
        }
    }
    findings.extend(topics(deployment, &existing));
    findings.extend(unlike_before(deployment, &existing).await);
    (existing, findings)
}

/// Topics that are not what they were when they were read: partitions were added, or they are gone.
async fn unlike_before(deployment: &Deployment, existing: &Existing) -> Vec<Finding> {
    let mut findings = BTreeMap::new();
    for (site, config) in &deployment.config.sites {
        if !existing.contains_key(&config.cluster) {
            continue;
        }
        match control(deployment, site).await {
            Ok(control) => {
                for (topic, seen) in control.topics_seen() {
                    let found = existing.values().find_map(|topics| topics.get(&topic));
                    let raised = wanted::raised(&topic, Some(seen.partitions), found);
                    findings.extend(raised.map(|finding| (topic, finding)));
                }
                for (topic, gone) in control.topics_gone() {
                    let finding = Finding::fail(format!("topic {topic}"), TopicGone::message(&topic), gone.remedy());
                    findings.insert(topic, finding);
                }
            }
            Err(failure) => {
                let finding = Finding::warn(format!("control of {site}"), "cannot be read", failure.to_string());
                findings.insert(deployment.config.topics.names.control(site), finding);
            }
        }
    }
    findings.into_values().collect()
}

fn topics(deployment: &Deployment, existing: &Existing) -> Vec<Finding> {
    let lanes = deployment.config.topics.lanes;
    let mut findings = Vec::new();
    let mut good = 0;
    for wanted in needed(&deployment.config, existing) {
        let Some(topics) = existing.get(&wanted.cluster) else { continue };
        let finding = wanted::check(&wanted, topics.get(&wanted.spec.name), lanes);
        if finding.level == Level::Ok { good += 1 } else { findings.push(finding) }
    }
    if good > 0 {
        findings.push(Finding::ok("topics", format!("{good} are as they must be")));
    }
    findings
}
