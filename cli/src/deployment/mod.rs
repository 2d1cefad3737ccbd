//! The configured sites and clusters as things that can be spoken to.
//!
//! Nothing is contacted by building one: an absent broker or store shows at the first call. Commands work on the
//! contracts only, so that their tests run on the in-memory log and site.

mod cluster;
mod site;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use twinlog_log::{Log, LogError, TopicInfo, TopicName};
use twinlog_schemas::SiteName;
use twinlog_site::{Leave, Site, SiteError};

use crate::config::Config;
use crate::exit::Failure;

/// How long an operator's command waits for one answer of a cluster.
pub const ASKING: Duration = Duration::from_secs(5);

/// Every site and cluster of the configuration.
pub struct Deployment {
    /// The configuration.
    pub config: Arc<Config>,
    /// The clusters by name.
    pub clusters: BTreeMap<String, Arc<dyn Log>>,
    /// The sites by name.
    pub sites: BTreeMap<SiteName, Arc<dyn Site>>,
}

impl Deployment {
    /// Builds the clients of everything. `client` is what brokers call this process.
    pub async fn connect(config: Arc<Config>, client: &str, request_timeout: Duration) -> Result<Self, Failure> {
        Self::connect_under(config, client, request_timeout, &Leave::always()).await
    }

    /// Likewise, but replica writes go out only while there is leave.
    pub async fn connect_under(
        config: Arc<Config>,
        client: &str,
        request_timeout: Duration,
        leave: &Leave,
    ) -> Result<Self, Failure> {
        let mut clusters = BTreeMap::new();
        for (name, cluster) in &config.clusters {
            clusters.insert(name.clone(), cluster::connect(name, cluster, client, request_timeout).await?);
        }
        let mut sites = BTreeMap::new();
        for (name, site) in &config.sites {
            sites.insert(name.clone(), site::connect(name, site, leave.clone())?);
        }
        Ok(Self { config, clusters, sites })
    }

    /// The site of this name.
    pub fn site(&self, name: &SiteName) -> Result<&Arc<dyn Site>, Failure> {
        let known = || self.sites.keys().map(SiteName::as_str).collect::<Vec<_>>().join(", ");
        self.sites.get(name).ok_or_else(|| Failure::config(format!("there is no [sites.{name}]; there is {}", known())))
    }

    /// The cluster of this name.
    pub fn cluster(&self, name: &str) -> Result<&Arc<dyn Log>, Failure> {
        self.clusters.get(name).ok_or_else(|| Failure::config(format!("there is no [clusters.{name}]")))
    }

    /// The cluster on which a site's topics are.
    pub fn home(&self, site: &SiteName) -> Result<&Arc<dyn Log>, Failure> {
        let config = self.config.sites.get(site);
        let cluster = config.ok_or_else(|| Failure::config(format!("there is no [sites.{site}]")))?;
        self.cluster(&cluster.cluster)
    }

    /// All topics of a cluster.
    pub async fn topics(&self, cluster: &str) -> Result<BTreeMap<TopicName, TopicInfo>, Failure> {
        self.cluster(cluster)?.topics().await.map_err(|error| self.cluster_failed(cluster, &error))
    }

    /// One topic of a cluster, if it exists.
    pub async fn topic(&self, cluster: &str, name: &TopicName) -> Result<Option<TopicInfo>, Failure> {
        self.cluster(cluster)?.topic(name).await.map_err(|error| self.cluster_failed(cluster, &error))
    }

    /// Says of a cluster's error where the cluster is configured.
    pub fn cluster_failed(&self, cluster: &str, error: &LogError) -> Failure {
        let brokers = self.config.clusters.get(cluster).map_or("", |cluster| cluster.brokers.as_str());
        Failure::of_cluster(cluster, brokers, error)
    }

    /// Says where the cluster is configured on which a site's topics are.
    pub fn home_failed(&self, site: &SiteName, error: &LogError) -> Failure {
        self.cluster_failed(self.config.sites.get(site).map_or("", |site| site.cluster.as_str()), error)
    }

    /// Says of a site's error where the site is configured.
    pub fn site_failed(&self, error: &SiteError) -> Failure {
        let endpoint = self.config.sites.get(&error.site).map_or("", |site| site.endpoint.as_str());
        Failure::of_site(endpoint, error)
    }
}
