//! Gives a client its servers back when it has lost them all.
//!
//! librdkafka (2.10 to 2.15) forgets every broker that an answer about metadata does not name, and begins anew from its
//! bootstrap servers when none is left. Of a broker that its controllers have given up, as after a pause of its machine, the
//! answer names none; it also takes back the new beginning, which is never made again: the client stays without brokers
//! for good (librdkafka's issue 5301).
#![expect(unsafe_code, reason = "the call that adds brokers has no safe binding")]

use std::ffi::CString;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings as sys;
use rdkafka::client::Client;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::elsewhere::drop_elsewhere;

/// A client that has brokers and reaches none says so anew with every attempt, at least so often unless its way is a
/// black hole; one that has none says no more.
const SILENT: Duration = Duration::from_secs(5);

/// Of a client's broker connections all are down: said once by each time that this is so.
pub(super) type Down = mpsc::Receiver<()>;

/// Adds `servers` to the client once it has been silent for a while after all its brokers were down. A client that has
/// found back meanwhile drops them again with the next metadata. Ends with the client.
pub(super) fn keep<T, C>(down: Down, servers: &str, client: &Arc<T>, of: fn(&T) -> &Client<C>)
where
    T: Send + Sync + 'static,
    C: ClientContext + 'static,
{
    // Settings with a NUL were refused before.
    let Ok(servers) = CString::new(servers) else { return };
    tokio::spawn(watch(down, SILENT, servers, Arc::downgrade(client), of));
}

async fn watch<T, C>(mut down: Down, silent: Duration, servers: CString, client: Weak<T>, of: fn(&T) -> &Client<C>)
where
    T: Send + Sync + 'static,
    C: ClientContext,
{
    while down.recv().await.is_some() {
        while let Ok(Some(())) = timeout(silent, down.recv()).await {}
        let Some(client) = client.upgrade() else { return };
        // SAFETY: the client, and so its handle, lives until after the call, which copies the text.
        let added = unsafe { sys::rd_kafka_brokers_add(of(&client).native_ptr(), servers.as_ptr()) };
        tracing::debug!(added, "a client of Kafka was given its servers again");
        // It may be the last share by now.
        drop_elsewhere(client);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use rdkafka::config::FromClientConfigAndContext;
    use rdkafka::consumer::{Consumer, StreamConsumer};
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::kafka::KafkaConfig;
    use crate::kafka::context::Told;

    /// Scenario: a client knows one server, at which nobody listens, and is given another one.
    /// Guarantee: it says that all are down, and what it is given then serves it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_client_without_brokers_is_served_again() {
        let cluster = MockCluster::new(1).unwrap();
        let (told, down) = Told::new();
        let settings = KafkaConfig::new("127.0.0.1:1", "test").asking();
        let client = Arc::new(StreamConsumer::<Told>::from_config_and_context(&settings, told).unwrap());
        let servers = CString::new(cluster.bootstrap_servers()).unwrap();
        tokio::spawn(watch(down, Duration::from_millis(50), servers, Arc::downgrade(&client), |client| {
            client.client()
        }));
        let served = client.clone();
        let serving = tokio::spawn(async move {
            loop {
                let _ = served.recv().await;
            }
        });
        let asked = client.clone();
        let asking = tokio::task::spawn_blocking(move || {
            (0..60).find_map(|_| asked.fetch_metadata(None, Duration::from_secs(1)).ok())
        });
        assert_eq!(asking.await.unwrap().unwrap().brokers().len(), 1);
        serving.abort();
        drop_elsewhere(client);
    }
}
