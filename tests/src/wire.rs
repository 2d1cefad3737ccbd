//! Proxies on every way of a pair's Twinlog: from both sites to both stores, and from each site to Kafka.

use tokio::sync::RwLock;

use crate::{
    lab_error::LabError,
    proxy::Proxy,
    server::{Port, Store, Way},
    site::Site,
};

/// The proxies.
pub struct Wire {
    /// In front of the stores at east and west.
    pub stores: [Proxy; 2],
    /// In front of Kafka for Twinlog at east and at west.
    pub kafka: [Proxy; 2],
    /// Held to read by whoever disturbs a way, to write by whoever has to see that a change crosses.
    pub calm: RwLock<()>,
}

impl Wire {
    /// The ways to a Kafka that has yet to be started with them.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn to_kafka() -> Result<([Proxy; 2], Vec<Way>), LabError> {
        let (east, west) = (way().await?, way().await?);
        Ok(([east.0, west.0], vec![east.1, west.1]))
    }

    /// The ways to the stores.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn to_stores(stores: &[Store; 2]) -> Result<[Proxy; 2], LabError> {
        let one = async |site: Site| {
            let upstream = stores[site.index()].endpoint().trim_start_matches("http://").to_owned();
            Proxy::start(upstream).await.map_err(LabError::io("starting a proxy"))
        };
        Ok([one(Site::East).await?, one(Site::West).await?])
    }

    /// Everything comes through again, and nothing is under way that would go wrong.
    pub fn mend(&self) {
        for proxy in self.stores.iter().chain(&self.kafka) {
            proxy.withdraw();
            proxy.mend();
        }
    }
}

async fn way() -> Result<(Proxy, Way), LabError> {
    let listens = Port::free()?;
    let proxy = Proxy::start(listens.address()).await.map_err(LabError::io("starting a proxy"))?;
    let told = proxy.address();
    Ok((proxy, Way { listens, told }))
}
