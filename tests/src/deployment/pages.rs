//! The pages that a Twinlog process serves.

use std::time::Duration;

use crate::{lab_error::LabError, metrics::Metrics};

pub(super) fn client() -> Result<reqwest::Client, LabError> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build();
    client.map_err(|error| LabError::Page { url: "an HTTP client".to_owned(), why: error.to_string() })
}

/// Whether a page answers with success; otherwise its text, which says what is missing.
pub(super) async fn ok(http: &reqwest::Client, url: &str) -> Result<(), String> {
    let answer = http.get(url).send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    Err(format!("{status}: {}", answer.text().await.unwrap_or_default()))
}

pub(super) async fn metrics(http: &reqwest::Client, url: &str) -> Result<Metrics, LabError> {
    let page = |why: String| LabError::Page { url: url.to_owned(), why };
    let answer = http.get(url).send().await.map_err(|error| page(error.to_string()))?;
    let text = answer.text().await.map_err(|error| page(error.to_string()))?;
    Metrics::parse(&text).map_err(|error| page(error.to_string()))
}
