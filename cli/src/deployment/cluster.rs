//! A Kafka cluster as it is configured.

use std::sync::Arc;
use std::time::Duration;

use twinlog_log::{KafkaConfig, KafkaLog, Log};

use crate::config::ClusterConfig;
use crate::exit::Failure;

/// Starts the clients of a cluster.
pub async fn connect(
    name: &str,
    config: &ClusterConfig,
    client: &str,
    request_timeout: Duration,
) -> Result<Arc<dyn Log>, Failure> {
    let kafka = KafkaConfig { request_timeout, ..kafka(config, client) };
    let log = KafkaLog::connect(kafka).await.map_err(|error| Failure::of_cluster(name, &config.brokers, &error))?;
    Ok(Arc::new(log))
}

fn kafka(config: &ClusterConfig, client: &str) -> KafkaConfig {
    let mut kafka = KafkaConfig::new(config.brokers.clone(), client);
    kafka.session_timeout = config.session_timeout;
    kafka.options = config.properties.clone();
    let mut set = |name: &str, value: String| drop(kafka.options.insert(name.to_owned(), value));
    if config.security != crate::config::Security::Plaintext {
        set("security.protocol", config.security.protocol().to_owned());
    }
    if let Some(ca) = &config.ca_file {
        set("ssl.ca.location", ca.display().to_string());
    }
    if let (Some(username), Some(password)) = (&config.username, &config.password) {
        set("sasl.mechanism", config.sasl_mechanism.to_owned());
        set("sasl.username", username.clone());
        set("sasl.password", password.reveal().to_owned());
    }
    kafka
}
