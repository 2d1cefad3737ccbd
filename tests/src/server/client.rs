//! An S3 client for the stores under test.

use aws_credential_types::Credentials as Key;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation, retry::RetryConfig,
    },
};
use aws_smithy_http_client::{
    Builder as HttpBuilder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::{Credentials, Trust, store::REGION};

/// A client of the store at `endpoint`, which is served in clear, or over TLS with a certificate of an authority to
/// trust. It never retries: a test wants to see what the store said.
#[must_use]
pub fn connect(endpoint: &str, who: &Credentials, trust: Option<&Trust>) -> Client {
    let key = Key::new(&who.access_key, &who.secret_key, None, None, "twinlog-tests");
    let config = Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .credentials_provider(key)
        .http_client(http(trust))
        .retry_config(RetryConfig::disabled())
        // By default the SDK adds checksums as trailers, and a client that sends none must be what is tested.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Client::from_conf(config)
}

fn http(trust: Option<&Trust>) -> SharedHttpClient {
    let Some(trust) = trust else { return HttpBuilder::new().build_http() };
    let trusted = TrustStore::empty().with_pem_certificate(trust.pem.as_bytes());
    // Without its certificate no connection would come about, which says more than this error does.
    let tls = TlsContext::builder().with_trust_store(trusted).build().unwrap_or_default();
    HttpBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https()
}
