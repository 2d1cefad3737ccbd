//! The one way out: a POST with JSON, and what its answer means.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::RETRY_AFTER;

/// How one POST ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Taken: any 2xx.
    Taken,
    /// Not taken, and may be later: no answer, 5xx, 408, 425, 429.
    Again {
        /// Why, without the address, which may hold a secret.
        why: String,
        /// How long the receiver asks to be left alone.
        after: Option<Duration>,
    },
    /// Not taken, and never will be as it is: every other status.
    Refused {
        /// Why, likewise.
        why: String,
    },
}

/// Sends one request.
///
/// - **Durability**: [`Answer::Taken`] means that the receiver has it; anything else, that it may have it.
/// - **Retries**: none, they are the caller's.
#[async_trait]
pub trait Post: Send + Sync + 'static {
    /// Posts a body.
    async fn post(&self, body: Bytes, headers: &[(&'static str, String)]) -> Answer;
}

/// Why a receiver cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The certificates' file.
    #[error("{path} holds no certificates in PEM form: {why}")]
    Certificates {
        /// Which file.
        path: String,
        /// The error's words.
        why: String,
    },
    /// The library's.
    #[error("no HTTP client: {0}")]
    Client(String),
}

/// Posts to one address.
pub struct Url {
    client: reqwest::Client,
    url: String,
}

impl Url {
    /// The receiver at `url`. `ca_file` (PEM) is trusted besides the public authorities; redirects are not followed and
    /// no proxy of the environment is used.
    ///
    /// # Errors
    /// Where the certificates cannot be read.
    pub fn new(url: String, ca_file: Option<&Path>, patience: Duration) -> Result<Self, ClientError> {
        let builder =
            reqwest::Client::builder().no_proxy().timeout(patience).redirect(reqwest::redirect::Policy::none());
        let mut builder = builder.user_agent(concat!("twinlog/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = ca_file {
            let wrong = |why: String| ClientError::Certificates { path: path.display().to_string(), why };
            let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            if found.is_empty() {
                return Err(wrong("it has none".to_owned()));
            }
            builder = found.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        }
        let client = builder.build().map_err(|error| ClientError::Client(error.without_url().to_string()))?;
        Ok(Self { client, url })
    }
}

#[async_trait]
impl Post for Url {
    async fn post(&self, body: Bytes, headers: &[(&'static str, String)]) -> Answer {
        let mut request = self.client.post(&self.url).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        match request.send().await {
            Ok(response) => {
                let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                answer(response.status().as_u16(), seconds)
            }
            // What is wrong with the request itself never gets right: an address that is none.
            Err(error) if error.is_builder() => Answer::Refused { why: words(error) },
            Err(error) => Answer::Again { why: words(error), after: None },
        }
    }
}

/// What a status means.
fn answer(status: u16, retry_after_seconds: Option<u64>) -> Answer {
    let why = format!("HTTP {status}");
    match status {
        200..=299 => Answer::Taken,
        408 | 425 | 429 | 500..=599 => Answer::Again { why, after: retry_after_seconds.map(Duration::from_secs) },
        _ => Answer::Refused { why },
    }
}

fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_mean_what_they_say() {
        assert_eq!(answer(204, None), Answer::Taken);
        let again = |status| matches!(answer(status, Some(3)), Answer::Again { after: Some(after), .. } if after.as_secs() == 3);
        assert!([408, 425, 429, 500, 502, 503, 504].into_iter().all(again));
        let refused = |status| matches!(answer(status, None), Answer::Refused { .. });
        assert!([301, 302, 400, 401, 403, 404, 410, 413, 422].into_iter().all(refused));
    }

    #[tokio::test]
    async fn an_error_does_not_show_the_address() {
        let Ok(url) = Url::new("http://127.0.0.1:1/token-in-the-path".to_owned(), None, Duration::from_secs(5)) else {
            panic!("no client")
        };
        let answer = url.post(Bytes::new(), &[]).await;
        assert!(matches!(answer, Answer::Again { .. }), "{answer:?}");
        assert!(!format!("{answer:?}").contains("token-in-the-path"), "{answer:?}");
    }
}
