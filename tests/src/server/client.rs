//! An S3 client for the stores under test.

use aws_credential_types::Credentials as Key;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation, retry::RetryConfig,
    },
};
use aws_smithy_http_client::Builder as HttpBuilder;

use super::{Credentials, store::REGION};

/// A client of the store at `endpoint` (plain HTTP). It never retries: a test wants to see what the store said.
#[must_use]
pub fn connect(endpoint: &str, who: &Credentials) -> Client {
    let key = Key::new(&who.access_key, &who.secret_key, None, None, "twinlog-tests");
    let config = Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .credentials_provider(key)
        .http_client(HttpBuilder::new().build_http())
        .retry_config(RetryConfig::disabled())
        // By default the SDK adds checksums as trailers, and a client that sends none must be what is tested.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Client::from_conf(config)
}
