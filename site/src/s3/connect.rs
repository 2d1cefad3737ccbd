//! The client: one per site, set up for stores that are not AWS.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::clock::StoreClock;
use super::config::{S3SetUpError, S3SiteConfig};

/// Idle connections kept: the concurrency of a link and of its reads, with room.
const IDLE_CONNECTIONS: usize = 128;
/// Shorter than the stores' own limits, so that no request goes out on a connection that is just being closed.
const IDLE_FOR: Duration = Duration::from_secs(15);

/// The limits of a signed expiry.
const EXPIRY: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);

pub(super) fn client(config: &S3SiteConfig, clock: StoreClock) -> Result<Client, S3SetUpError> {
    check(config)?;
    let credentials =
        Credentials::new(&config.credentials.access_key, config.credentials.secret_key.reveal(), None, None, "twinlog");
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(config.timeouts.connect)
        .operation_attempt_timeout(config.timeouts.answer)
        .operation_timeout(config.timeouts.answer)
        .build();
    let settings = aws_sdk_s3::config::Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&config.endpoint)
        .region(Region::new(config.region.clone()))
        .force_path_style(true)
        .disable_s3_express_session_auth(true)
        .credentials_provider(credentials)
        .identity_cache(IdentityCache::no_cache())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts)
        .time_source(clock.clone())
        .interceptor(clock)
        .http_client(http_client(config)?);
    Ok(Client::from_conf(settings.build()))
}

fn check(config: &S3SiteConfig) -> Result<(), S3SetUpError> {
    let fault = |field, problem: &str| {
        Err(S3SetUpError::Field { site: config.name.clone(), field, problem: problem.to_owned() })
    };
    let uri = config.endpoint.parse::<http::Uri>().ok();
    let web =
        uri.as_ref().is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    if !web {
        return fault("endpoint", "must be a URL of http or https, e.g. https://s3.example:9000");
    }
    if uri.is_some_and(|uri| !matches!(uri.path(), "" | "/") || uri.query().is_some()) {
        return fault("endpoint", "must not have a path: buckets are addressed below the root");
    }
    if !EXPIRY.contains(&config.write_expiry) || config.write_expiry.subsec_nanos() > 0 {
        return fault("write_expiry", "must be whole seconds, from 1 s to 7 days");
    }
    if config.region.is_empty() {
        return fault("region", "must not be empty: most stores use us-east-1");
    }
    Ok(())
}

fn http_client(config: &S3SiteConfig) -> Result<SharedHttpClient, S3SetUpError> {
    let mut trusted = TrustStore::default();
    if let Some(path) = &config.ca_file {
        let pem = std::fs::read(path).map_err(|error| S3SetUpError::CaFile {
            site: config.name.clone(),
            path: path.clone(),
            error,
        })?;
        // The connector panics on a file without certificates when it is built, so it is looked at before.
        if !pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
            let error = "no PEM certificate in it".to_owned();
            return Err(S3SetUpError::Certificates { site: config.name.clone(), path: path.clone(), error });
        }
        trusted.add_pem_certificate(pem);
    }
    let tls = TlsContext::builder().with_trust_store(trusted).build().map_err(|error| S3SetUpError::Certificates {
        site: config.name.clone(),
        path: config.ca_file.clone().unwrap_or_default(),
        error: error.to_string(),
    })?;
    // Connectors differ in their timeouts only, and the timeouts of one site differ in the deadline only, which is not
    // the connector's business: one pool serves all requests.
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_FOR)
        .enable_tcp_nodelay(true)
        .connector_settings(
            aws_smithy_runtime_api::client::http::HttpConnectorSettings::builder()
                .connect_timeout(config.timeouts.connect)
                .build(),
        )
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .build();
    let connector = aws_smithy_runtime_api::client::http::SharedHttpConnector::new(connector);
    Ok(aws_smithy_runtime_api::client::http::http_client_fn(move |_, _| connector.clone()))
}

#[cfg(test)]
#[path = "connect_test.rs"]
mod tests;
