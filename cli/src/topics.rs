//! `twinlog topics`: what exists, what is missing, and what it costs in partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use twinlog_log::{TopicInfo, TopicName};

use crate::args::Json;
use crate::config::Config;
use crate::deployment::{ASKING, Deployment};
use crate::exit::{Exit, Failure};
use crate::finding::{Finding, Level};
use crate::show;
use crate::wanted::{self, Wanted};

/// From so many partitions of change topics of one cluster on, a consumer's fetches and a broker's restart begin to be
/// felt.
const MANY_PARTITIONS: i64 = 4_000;

/// A topic as the command shows it.
#[derive(Debug, Serialize)]
pub struct Row {
    topic: String,
    cluster: String,
    purpose: wanted::Purpose,
    partitions: Option<i32>,
    finding: Finding,
}

/// `twinlog topics`.
pub async fn topics(config: Config, options: Json) -> Result<Exit, Failure> {
    let deployment = Deployment::connect(Arc::new(config), "twinlog-cli", ASKING).await?;
    let mut existing = BTreeMap::new();
    for cluster in deployment.clusters.keys() {
        existing.insert(cluster.clone(), deployment.topics(cluster).await?);
    }
    let rows = rows(&deployment.config, &existing);
    if options.json {
        show::json(&rows)?;
    } else {
        print!("{}", table(&rows));
        for cluster in deployment.clusters.keys() {
            println!("{}", cost(&deployment.config, cluster, &rows));
        }
    }
    let failed = rows.iter().any(|row| row.finding.level == Level::Fail);
    Ok(if failed { Exit::Findings } else { Exit::Success })
}

/// The topics that the configuration and the enabled buckets need: a bucket is enabled where its change topic is.
pub fn needed(config: &Config, existing: &BTreeMap<String, BTreeMap<TopicName, TopicInfo>>) -> Vec<Wanted> {
    let mut needed = Vec::new();
    for (name, site) in &config.sites {
        needed.extend(wanted::of_site(config, name));
        let topics = existing.get(&site.cluster).into_iter().flatten();
        let buckets: BTreeSet<_> = topics.filter_map(|(topic, _)| wanted::bucket_of(config, name, topic)).collect();
        needed.extend(buckets.iter().map(|bucket| wanted::of_bucket(config, name, bucket)));
    }
    needed
}

fn rows(config: &Config, existing: &BTreeMap<String, BTreeMap<TopicName, TopicInfo>>) -> Vec<Row> {
    let rows = needed(config, existing).into_iter().map(|wanted| {
        let found = existing.get(&wanted.cluster).and_then(|topics| topics.get(&wanted.spec.name));
        Row {
            topic: wanted.spec.name.to_string(),
            cluster: wanted.cluster.clone(),
            purpose: wanted.purpose,
            partitions: found.map(|info| info.partitions),
            finding: wanted::check(&wanted, found, config.topics.lanes),
        }
    });
    rows.collect()
}

fn table(rows: &[Row]) -> String {
    let heading = ["TOPIC", "CLUSTER", "PARTITIONS", "STATE"].map(str::to_owned).to_vec();
    let cells = rows.iter().map(|row| {
        let partitions = row.partitions.map_or_else(|| "-".to_owned(), |partitions| partitions.to_string());
        let state = match row.finding.level {
            Level::Ok | Level::Done => "ok".to_owned(),
            Level::Warn => format!("warn: {}", row.finding.what),
            Level::Fail => format!("FAIL: {} - {}", row.finding.what, row.finding.advice),
        };
        vec![row.topic.clone(), row.cluster.clone(), partitions, state]
    });
    show::table(&std::iter::once(heading).chain(cells).collect::<Vec<_>>())
}

fn cost(config: &Config, cluster: &str, rows: &[Row]) -> String {
    let of_cluster = || rows.iter().filter(|row| row.cluster == cluster);
    let partitions: i64 = of_cluster().filter_map(|row| row.partitions).map(i64::from).sum();
    let topics = of_cluster().filter(|row| row.partitions.is_some()).count();
    let replicas = partitions * i64::from(config.topics.replication_factor);
    let each = config.topics.changes.partitions;
    let mut text = format!(
        "cluster {cluster}: {topics} topics, {partitions} partitions, about {replicas} replicas on the brokers; each further bucket adds {each} partitions per site"
    );
    if partitions > MANY_PARTITIONS {
        text.push_str("\nwarn: that many partitions slow fetches and the brokers' restarts: give quiet buckets fewer (one per lane), or sites a cluster each");
    }
    text
}
