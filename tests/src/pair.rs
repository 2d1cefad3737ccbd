//! The whole on one machine: Kafka, two stores of a kind, and Twinlog beside each, with a bucket on both.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::RwLock;

use crate::{
    bucket,
    deployment::{Deployment, Pace, Parts, SiteParts},
    lab_error::LabError,
    server::{Credentials, Intake, Kafka, Life, Port, Store, StoreKind, StoreOptions},
    site::Site,
    wire::Wire,
};

/// How to start a pair.
#[derive(Debug, Clone)]
pub struct PairOptions {
    /// What the stores are.
    pub kind: StoreKind,
    /// Where everything goes.
    pub folder: PathBuf,
    /// The bucket, made on both with versioning and object lock.
    pub bucket: String,
    /// What becomes of the processes when this one ends.
    pub life: Life,
    /// Whether Twinlog reaches stores and Kafka through proxies.
    pub wired: bool,
}

/// A pair.
pub struct Pair {
    /// The broker.
    pub kafka: Kafka,
    /// East and west.
    pub stores: [Store; 2],
    /// Twinlog.
    pub deployment: Deployment,
    /// The bucket.
    pub bucket: String,
    /// The proxies, where Twinlog has them.
    pub wire: Option<Arc<Wire>>,
}

/// The client that is allowed everything at every store under test.
#[must_use]
pub fn client() -> Credentials {
    Credentials::new("client", "client-secret")
}

/// Twinlog's own principal at every store under test.
#[must_use]
pub fn twinlog_principal() -> Credentials {
    Credentials::new("twinlog", "twinlog-secret")
}

/// What the stores send to the intakes, by way of a token.
pub const TOKEN: &str = "token-of-the-tests";

impl Pair {
    /// Starts the servers, makes users and buckets, enables the bucket and starts Twinlog at both sites. Returns when
    /// both are ready. `tell` hears what is being done.
    ///
    /// # Errors
    /// Whatever does not come up; what had started is stopped.
    pub async fn start(options: PairOptions, tell: impl Fn(&str)) -> Result<Self, LabError> {
        let mut pair = Self::servers(options, &tell).await?;
        tell(&format!("enabling bucket {} and starting Twinlog at both sites", pair.bucket));
        pair.deployment.enable(&pair.bucket).await?;
        pair.deployment.start_both().await?;
        Ok(pair)
    }

    /// As [`Pair::start`], up to the configuration file: nothing is enabled and Twinlog does not run.
    ///
    /// # Errors
    /// Whatever does not come up.
    pub async fn servers(options: PairOptions, tell: impl Fn(&str)) -> Result<Self, LabError> {
        let folder = std::path::absolute(&options.folder).map_err(LabError::io("finding the folder"))?;
        let options = PairOptions { folder, ..options };
        tell(&format!("starting Kafka and two {} stores", options.kind));
        // The intakes' addresses are part of how the stores start, so they are picked first.
        let intakes = [Port::free()?, Port::free()?];
        let (to_kafka, ways) = if options.wired {
            let (proxies, ways) = Wire::to_kafka().await?;
            (Some(proxies), ways)
        } else {
            (None, Vec::new())
        };
        let kafka_folder = options.folder.join("kafka");
        let (kafka, east, west) = futures::join!(
            Kafka::start_with(&kafka_folder, options.life, ways),
            store(&options, Site::East, &intakes),
            store(&options, Site::West, &intakes),
        );
        let (kafka, stores) = (kafka?, [east?, west?]);
        tell("making Twinlog's principals and the bucket at both stores");
        futures::try_join!(furnish(&stores[0], &options.bucket), furnish(&stores[1], &options.bucket))?;
        let wire = match to_kafka {
            Some(kafka) => Some(Wire { stores: Wire::to_stores(&stores).await?, kafka, calm: RwLock::default() }),
            None => None,
        };
        let sites = Site::BOTH.map(|site| site_parts(&stores[site.index()], site, wire.as_ref()));
        let parts = Parts {
            folder: options.folder,
            kind: options.kind,
            brokers: kafka.brokers(),
            prefix: "twinlog".to_owned(),
            buckets: vec!["*".to_owned()],
            sites,
            links: Site::BOTH.to_vec(),
            token: TOKEN.to_owned(),
            client: client(),
            pace: Pace::Usual,
            lanes: 4,
            more: String::new(),
            life: options.life,
        };
        let (deployment, wire) = (Deployment::prepare(parts, intakes)?, wire.map(Arc::new));
        Ok(Self { kafka, stores, deployment, bucket: options.bucket, wire })
    }

    /// The store of a site.
    pub fn store(&mut self, site: Site) -> &mut Store {
        &mut self.stores[site.index()]
    }

    /// Stops the site's store and Twinlog beside it, in good order: the site is gone.
    ///
    /// # Errors
    /// Where one of them has to be killed.
    pub async fn stop_site(&mut self, site: Site) -> Result<(), LabError> {
        self.deployment.stop(site).await?;
        Ok(self.store(site).stop().await?)
    }

    /// Starts the site's store and Twinlog beside it again; returns when both are ready.
    ///
    /// # Errors
    /// Where one of them does not come up.
    pub async fn start_site(&mut self, site: Site) -> Result<(), LabError> {
        self.store(site).start_again().await?;
        self.deployment.start(site)?;
        self.deployment.ready(site).await
    }
}

fn site_parts(store: &Store, site: Site, wire: Option<&Wire>) -> SiteParts {
    SiteParts {
        endpoint: wire.map_or_else(|| store.endpoint(), |wire| wire.stores[site.index()].origin()),
        client_endpoint: store.endpoint(),
        trust: None,
        twinlog: twinlog_principal(),
        brokers: wire.map(|wire| wire.kafka[site.index()].address()),
    }
}

async fn store(options: &PairOptions, site: Site, intakes: &[Port; 2]) -> Result<Store, LabError> {
    let intake = Intake {
        origin: format!("http://{}", intakes[site.index()].address()),
        notices_token: TOKEN.to_owned(),
        audit_token: TOKEN.to_owned(),
    };
    let store = StoreOptions {
        site: site.name().to_owned(),
        folder: options.folder.join(site.name()),
        root: client(),
        intake: Some(intake),
        life: options.life,
    };
    Ok(Store::start(options.kind, store).await?)
}

/// Twinlog's principal and the bucket.
async fn furnish(store: &Store, name: &str) -> Result<(), LabError> {
    store.add_twinlog(&twinlog_principal()).await?;
    bucket::make(&store.root_client(), name, bucket::Lock::On).await?;
    Ok(())
}
