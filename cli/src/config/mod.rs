//! The configuration: one TOML file that the producer and the consumer of every site of a deployment read, with every
//! value overridable by the environment as `TWINLOG_SECTION__KEY`.
//!
//! It is read whole before anything starts, and every fault is told at once with its line. The fields' documentation is
//! the operator's: key, meaning, default.

mod address;
mod cluster;
mod duration;
mod example;
mod fault;
mod link;
mod load;
mod notifier;
mod pattern;
mod secret;
mod section;
mod site;
mod source;
mod telemetry;
mod topics;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use twinlog_schemas::{BucketName, SiteName};

pub use cluster::{ClusterConfig, Security};
pub use duration::{parse_duration, show_duration};
pub use example::EXAMPLE;
pub use fault::Faults;
pub use link::{Lifecycle, LinkConfig};
pub use load::{LoadError, load};
pub use notifier::NotifierConfig;
pub use site::SiteConfig;
pub use source::Origin;
pub use telemetry::{LogFormat, TelemetryConfig};
pub use topics::{BucketConfig, TopicConfig, TopicsConfig};

use section::Section;

/// Room that a change event needs beside its inline body: headers, metadata, tags and parts.
const EVENT_ROOM: i64 = 65_536;

/// The whole configuration; valid once it exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `state_dir`: where the index and the quarantine are kept, in a folder per site, and, while they are under way,
    /// large bodies that must be hashed before they are sent. All of it can be rebuilt, but for the quarantine. Required.
    pub state_dir: PathBuf,
    /// `drain_timeout`: how long a stop may take to finish what is in flight. Default `20s`.
    pub drain_timeout: Duration,
    /// `[topics]`.
    pub topics: TopicsConfig,
    /// `[clusters.<name>]`; at least one.
    pub clusters: BTreeMap<String, ClusterConfig>,
    /// `[sites.<name>]`; at least two.
    pub sites: BTreeMap<SiteName, SiteConfig>,
    /// `[[links]]`; at least one.
    pub links: Vec<LinkConfig>,
    /// `[buckets.<name>]`: what differs for single buckets.
    pub buckets: BTreeMap<BucketName, BucketConfig>,
    /// `[notifier]`.
    pub notifier: NotifierConfig,
    /// `[telemetry]`.
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// Reads a configuration from its text and the environment's variables. Every fault is in the error.
    pub fn parse(text: &str, environment: &BTreeMap<String, String>) -> Result<Self, Faults> {
        let table = source::read(text, environment)?;
        let sink = RefCell::new(Vec::new());
        let config = Self::read(Section::root(table, &sink));
        let faults = sink.into_inner();
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(Faults::new(faults)),
        }
    }

    fn read(mut root: Section<'_>) -> Option<Self> {
        let state_dir = root.required::<PathBuf>("state_dir", "the folder where this process keeps its state");
        let drain_timeout = root.duration_or("drain_timeout", Duration::from_secs(20));
        let topics = TopicsConfig::read(root.section("topics"));
        let lanes = topics.as_ref().map_or(1, |topics| topics.lanes);
        let inline_limit = topics.as_ref().map_or(i64::MAX, |t| i64::from(t.max_message_bytes) - EVENT_ROOM);

        let clusters = root.named("clusters");
        let cluster_names: Vec<String> = clusters.iter().map(|(name, _)| name.clone()).collect();
        if clusters.is_empty() {
            root.fault_at(Origin::Nowhere, "clusters", "missing: a Kafka cluster, [clusters.<name>]");
        }
        let clusters: BTreeMap<_, _> =
            clusters.into_iter().filter_map(|(name, section)| Some((name, ClusterConfig::read(section)?))).collect();

        let declared = root.named("sites");
        let site_names: BTreeSet<String> = declared.iter().map(|(name, _)| name.clone()).collect();
        if site_names.len() < 2 {
            root.fault_at(Origin::Nowhere, "sites", "at least two sites are needed, [sites.<name>]");
        }
        let place = state_dir.clone().unwrap_or_default();
        let mut taken = address::Taken::default();
        let sites: BTreeMap<_, _> = declared
            .into_iter()
            .filter_map(|(name, section)| SiteConfig::read(&name, section, &cluster_names, &place, &mut taken))
            .collect();

        if !root.has("links") {
            root.fault_at(Origin::Nowhere, "links", "missing: at least one link, [[links]] with source and target");
        }
        let links = link::read_all(&mut root, &site_names, &sites, inline_limit);
        let buckets = BucketConfig::read_all(&mut root, lanes, inline_limit);
        let notifier = NotifierConfig::read(root.section("notifier"));
        let telemetry = TelemetryConfig::read(root.section("telemetry"));
        root.end();
        let (state_dir, topics) = (state_dir?, topics?);
        Some(Self { state_dir, drain_timeout, topics, clusters, sites, links, buckets, notifier, telemetry })
    }

    /// The links that carry this bucket.
    pub fn links_of<'a>(&'a self, bucket: &'a BucketName) -> impl Iterator<Item = &'a LinkConfig> {
        self.links.iter().filter(move |link| link.carries(bucket))
    }

    /// The sites that the links of this bucket join.
    #[must_use]
    pub fn sites_of(&self, bucket: &BucketName) -> BTreeSet<SiteName> {
        self.links_of(bucket).flat_map(|link| [link.source.clone(), link.target.clone()]).collect()
    }

    /// The links into a site.
    pub fn links_into<'a>(&'a self, site: &'a SiteName) -> impl Iterator<Item = &'a LinkConfig> {
        self.links.iter().filter(move |link| link.target == *site)
    }

    /// The links out of a site.
    pub fn links_from<'a>(&'a self, site: &'a SiteName) -> impl Iterator<Item = &'a LinkConfig> {
        self.links.iter().filter(move |link| link.source == *site)
    }

    /// Up to which size bodies of this bucket travel in the log of this site: the bucket's own setting, else the
    /// largest of the links that carry it from there.
    #[must_use]
    pub fn inline_max(&self, site: &SiteName, bucket: &BucketName) -> u64 {
        let own = self.buckets.get(bucket).and_then(|bucket| bucket.inline_max_bytes);
        let links = self.links_from(site).filter(|link| link.carries(bucket));
        own.unwrap_or_else(|| links.map(|link| link.inline_max_bytes).max().unwrap_or(0))
    }

    /// How many partitions the bucket's change topics are created with.
    #[must_use]
    pub fn change_partitions(&self, bucket: &BucketName) -> i32 {
        let own = self.buckets.get(bucket).and_then(|bucket| bucket.partitions);
        own.unwrap_or(self.topics.changes.partitions)
    }
}

#[cfg(test)]
mod tests;
