//! The pages that the two Twinlog processes serve.

use std::time::Duration;

use crate::{lab_error::LabError, metrics::Metrics, site::Site};

/// Reads them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scraper {
    http: reqwest::Client,
    /// `host:port` of each.
    addresses: [String; 2],
}

impl Scraper {
    pub(super) fn new(addresses: [String; 2]) -> Result<Self, LabError> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build();
        let refused =
            |error: reqwest::Error| LabError::Page { url: "an HTTP client".to_owned(), why: error.to_string() };
        Ok(Self { http: http.map_err(refused)?, addresses })
    }

    /// The URL of the metrics of the process beside a site.
    #[must_use]
    pub fn url(&self, site: Site) -> String {
        format!("http://{}/metrics", self.addresses[site.index()])
    }

    /// Whether the process says that it is ready; otherwise its words, which name what is missing.
    pub(super) async fn ready(&self, site: Site) -> Result<(), String> {
        let url = format!("http://{}/readyz", self.addresses[site.index()]);
        let answer = self.http.get(url).send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        Err(format!("{status}: {}", answer.text().await.unwrap_or_default()))
    }

    /// What the process tells of itself.
    ///
    /// # Errors
    /// Where it does not answer, or not in Prometheus's format.
    pub async fn metrics(&self, site: Site) -> Result<Metrics, LabError> {
        let url = self.url(site);
        let page = |why: String| LabError::Page { url: url.clone(), why };
        let answer = self.http.get(&url).send().await.map_err(|error| page(error.to_string()))?;
        let text = answer.text().await.map_err(|error| page(error.to_string()))?;
        Metrics::parse(&text).map_err(|error| page(error.to_string()))
    }
}
