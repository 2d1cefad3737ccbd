//! The servers that all tests of a run share, and the stage that each test gets on them.
//!
//! One Kafka, and one pair of stores of each kind, are started when the first test wants them and end with the process.
//! A test has a bucket, a topic prefix, a folder and two Twinlog processes of its own, and where it stops a server, that
//! server too. Tests run beside each other.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::{
    bucket::{self, Lock},
    compare::Bucket,
    data_folder::{self, DataFolder},
    deployment::{Deployment, Pace, Parts, SiteParts},
    door::{Door, Lease},
    lab_error::LabError,
    pair::{TOKEN, client, twinlog_principal},
    proxy::Proxy,
    server::{self, Authority, Intake, Kafka, Life, Port, ServerError, Store, StoreKind, StoreOptions, Trust},
    site::Site,
    until::until,
};

/// The shared servers.
pub struct Lab {
    /// What Twinlogs log and keep.
    folder: PathBuf,
    /// What the servers log and keep.
    data: DataFolder,
    door: Door,
    kafka: Kafka,
    by_proxy: Mutex<ByProxy>,
    stores: BTreeMap<(StoreKind, Way), OnceCell<Arc<Stores>>>,
}

/// Where a proxy in front of Kafka may stand: the broker tells who comes by it to come back that way.
struct ByProxy {
    upstream: String,
    port: Port,
}

/// How long a port may stay taken that is about to be free.
const SOON: Duration = Duration::from_secs(30);

/// A proxy in front of Kafka, lent to a test.
pub struct WayToKafka {
    /// The proxy.
    pub proxy: Proxy,
    _mine: MutexGuard<'static, ByProxy>,
}

/// How stores are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Clear,
    Tls,
}

/// A pair of stores of one kind.
struct Stores {
    endpoints: [String; 2],
    trust: [Option<Trust>; 2],
    stores: [Mutex<Store>; 2],
}

/// The lab of this process.
///
/// # Errors
/// Where Kafka does not come up; the next test tries again.
pub async fn lab() -> Result<&'static Lab, LabError> {
    static LAB: OnceCell<Lab> = OnceCell::const_new();
    LAB.get_or_try_init(Lab::open).await
}

impl Lab {
    async fn open() -> Result<Self, LabError> {
        let folder = data_folder::fresh(&std::env::temp_dir(), "twinlog-lab")?;
        let data = DataFolder::make("twinlog-lab-data")?;
        let door = Door::open().map_err(LabError::io("opening the door"))?;
        let (listens, by_proxy) = (Port::free()?, Port::free()?);
        let by_proxy = ByProxy { upstream: listens.address(), port: by_proxy };
        let way = server::Way { listens, told: by_proxy.port.address() };
        let kafka = Kafka::start_with(&data.path().join("kafka"), Life::Bound, vec![way]).await?;
        let every = StoreKind::ALL.into_iter().flat_map(|kind| [(kind, Way::Clear), (kind, Way::Tls)]);
        let stores = every.map(|stores| (stores, OnceCell::new())).collect();
        Ok(Self { folder, data, door, kafka, by_proxy: Mutex::new(by_proxy), stores })
    }

    /// `host:port` of the Kafka that tests share.
    #[must_use]
    pub fn brokers(&self) -> String {
        self.kafka.brokers()
    }

    /// The pair that tests share.
    async fn stores(&self, kind: StoreKind, way: Way) -> Result<Arc<Stores>, LabError> {
        let unknown = || LabError::Page { url: kind.to_string(), why: "no such store".to_owned() };
        let name = match way {
            Way::Clear => kind.name().to_owned(),
            Way::Tls => format!("{}-tls", kind.name()),
        };
        let start = async || Ok(Arc::new(self.start(kind, way, &name).await?));
        self.stores.get(&(kind, way)).ok_or_else(unknown)?.get_or_try_init(start).await.cloned()
    }

    /// Starts a pair, in folders whose names begin with `name`.
    async fn start(&self, kind: StoreKind, way: Way, name: &str) -> Result<Stores, LabError> {
        let one = async |site: Site| {
            let folder = self.data.path().join(format!("{name}-{site}"));
            let intake =
                Intake { origin: self.door.origin(), notices_token: TOKEN.to_owned(), audit_token: TOKEN.to_owned() };
            let options = StoreOptions {
                site: site.name().to_owned(),
                folder: folder.clone(),
                root: client(),
                intake: Some(intake),
                life: Life::Bound,
            };
            let store = match way {
                Way::Clear => Store::start(kind, options).await?,
                Way::Tls => {
                    std::fs::create_dir_all(&folder).map_err(LabError::io(format!("making {}", folder.display())))?;
                    let authority = Authority::new(&format!("authority of {site}"), &folder.join("authority.pem"))?;
                    Store::start_over_tls(kind, options, authority.certify()?).await?
                }
            };
            store.add_twinlog(&twinlog_principal()).await?;
            Ok::<_, LabError>(store)
        };
        let (east, west) = futures::try_join!(one(Site::East), one(Site::West))?;
        Ok(Stores {
            endpoints: [east.endpoint(), west.endpoint()],
            trust: [east.trust().cloned(), west.trust().cloned()],
            stores: [Mutex::new(east), Mutex::new(west)],
        })
    }
}

/// Which servers are a test's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// None: it leaves the shared ones as they are.
    Nothing,
    /// The pair of stores.
    Stores,
    /// Kafka.
    Kafka,
}

/// How a test wants its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageOptions {
    /// What its bucket has.
    pub lock: Lock,
    /// Which servers the test stops or restarts, and so has to have to itself.
    pub own: Own,
    /// Whether Twinlog reaches the stores through proxies.
    pub proxies: bool,
}

impl Default for StageOptions {
    fn default() -> Self {
        Self { lock: Lock::On, own: Own::Nothing, proxies: false }
    }
}

/// One test's own.
pub struct Stage {
    /// Twinlog at both sites.
    pub deployment: Deployment,
    /// The notices of its bucket.
    pub lease: Lease,
    /// Its bucket's name.
    pub bucket: String,
    /// In front of east and west, where it has them.
    pub proxies: Option<[Proxy; 2]>,
    kind: StoreKind,
    lab: &'static Lab,
    stores: Arc<Stores>,
    /// Where it has one of its own.
    kafka: Option<Kafka>,
}

impl Stage {
    /// Prepares a stage: bucket at both sites, configuration. Nothing is enabled and Twinlog does not run.
    ///
    /// # Errors
    /// Whatever does not come up.
    pub async fn prepare(kind: StoreKind, name: &str, options: StageOptions) -> Result<Self, LabError> {
        Self::prepare_on(kind, Way::Clear, name, options).await
    }

    /// As [`Stage::prepare`], on a pair of stores that are served over TLS, each with an authority of its own. They
    /// have no proxies.
    ///
    /// # Errors
    /// Whatever does not come up.
    pub async fn prepare_over_tls(kind: StoreKind, name: &str, options: StageOptions) -> Result<Self, LabError> {
        Self::prepare_on(kind, Way::Tls, name, StageOptions { proxies: false, ..options }).await
    }

    async fn prepare_on(kind: StoreKind, way: Way, name: &str, options: StageOptions) -> Result<Self, LabError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let lab = lab().await?;
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let short: String = name.replace('_', "-").chars().take(40).collect();
        let bucket = format!("{}-{number}-{}", kind.name(), short.trim_end_matches('-'));
        let stores = match options.own {
            Own::Stores => Arc::new(lab.start(kind, way, &format!("{bucket}-store")).await?),
            Own::Nothing | Own::Kafka => lab.stores(kind, way).await?,
        };
        let kafka = match options.own {
            Own::Kafka => Some(Kafka::start(&lab.data.path().join(format!("{bucket}-kafka")), Life::Bound).await?),
            Own::Nothing | Own::Stores => None,
        };
        for site in Site::BOTH {
            let root = stores.stores[site.index()].lock().await.root_client();
            bucket::make(&root, &bucket, options.lock).await?;
        }
        let proxies = if options.proxies {
            Some([proxy(&stores, Site::East).await?, proxy(&stores, Site::West).await?])
        } else {
            None
        };
        let sites = Site::BOTH.map(|site| SiteParts {
            endpoint: proxies
                .as_ref()
                .map_or_else(|| stores.endpoints[site.index()].clone(), |of| of[site.index()].origin()),
            client_endpoint: stores.endpoints[site.index()].clone(),
            trust: stores.trust[site.index()].clone(),
            twinlog: twinlog_principal(),
            brokers: None,
        });
        let parts = Parts {
            folder: lab.folder.join(&bucket),
            kind,
            brokers: kafka.as_ref().unwrap_or(&lab.kafka).brokers(),
            prefix: bucket.clone(),
            // And further ones of the same test, if it makes some.
            buckets: vec![bucket.clone(), format!("{bucket}-*")],
            sites,
            links: Site::BOTH.to_vec(),
            token: TOKEN.to_owned(),
            client: client(),
            pace: Pace::Usual,
            lanes: 2,
            more: "[telemetry]\nlevel = \"info,twinlog=debug\"\n".to_owned(),
            life: Life::Bound,
        };
        let lease = lab.door.lease(&bucket);
        let deployment = Deployment::prepare(parts, [Port::free()?, Port::free()?])?;
        for site in Site::BOTH {
            lease.deliver(site, deployment.intake(site));
        }
        Ok(Self { deployment, lease, bucket, proxies, kind, lab, stores, kafka })
    }

    /// As [`Stage::prepare`], with the bucket enabled and Twinlog ready at both sites.
    ///
    /// # Errors
    /// Whatever does not come up.
    pub async fn start(kind: StoreKind, name: &str, options: StageOptions) -> Result<Self, LabError> {
        let mut stage = Self::prepare(kind, name, options).await?;
        stage.deployment.enable(&stage.bucket).await?;
        stage.deployment.start_both().await?;
        Ok(stage)
    }

    /// Ends its processes and deletes its topics: a broker that tests share tells each of them of every topic it has.
    ///
    /// # Errors
    /// Where the topics cannot be deleted.
    pub async fn clear(mut self) -> Result<(), LabError> {
        for site in Site::BOTH {
            self.deployment.kill(site)?;
        }
        match self.kafka {
            Some(_) => Ok(()),
            None => self.deployment.progress().delete_all().await,
        }
    }

    /// The notices of a further bucket of the same test, delivered while this lives.
    #[must_use]
    pub fn lease_too(&self, bucket: &str) -> Lease {
        let lease = self.lab.door.lease(bucket);
        for site in Site::BOTH {
            lease.deliver(site, self.deployment.intake(site));
        }
        lease
    }

    /// What the stores are.
    #[must_use]
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// A client's view of the bucket at a site.
    #[must_use]
    pub fn at(&self, site: Site) -> Bucket {
        self.deployment.bucket(site, &self.bucket)
    }

    /// The store of a site: to stop it, a test must have stores of its own.
    pub async fn store(&self, site: Site) -> MutexGuard<'_, Store> {
        self.stores.stores[site.index()].lock().await
    }

    /// The test's own broker.
    ///
    /// # Errors
    /// Where it shares one.
    pub fn kafka(&mut self) -> Result<&mut Kafka, LabError> {
        let none = || ServerError::NotRunning { name: "a Kafka of the test's own".to_owned() };
        Ok(self.kafka.as_mut().ok_or_else(none)?)
    }

    /// A way to the broker by a proxy, for one test at a time.
    ///
    /// # Errors
    /// Where the proxy does not come up.
    pub async fn way_to_kafka(&self) -> Result<WayToKafka, LabError> {
        let way = self.lab.by_proxy.lock().await;
        // The proxy of the test before may listen for a moment yet: what is dropped ends with its runtime's next turn.
        let proxy = until("the port of the way to Kafka is taken", SOON, async || {
            Ok(Proxy::start_at(&way.port.address(), &way.upstream).await.map_err(|error| error.to_string()))
        });
        Ok(WayToKafka { proxy: proxy.await?, _mine: way })
    }

    /// How many lines with these words the process beside a site has logged, since it was started last or before.
    ///
    /// # Errors
    /// Where its log cannot be read.
    pub fn logged(&self, site: Site, words: &str) -> Result<usize, LabError> {
        let path = self.deployment.parts().folder.join(format!("twinlog-{site}.log"));
        let text = std::fs::read_to_string(&path).map_err(LabError::io(format!("reading {}", path.display())))?;
        Ok(text.lines().filter(|line| line.contains(words)).count())
    }

    /// The ends of what all Twinlogs of the test logged, for a failed test's report.
    #[must_use]
    pub fn logs(&self) -> String {
        /// Lines of each.
        const LINES: usize = 60;
        let log = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_else(|error| format!("({error})"));
            let lines: Vec<&str> = text.lines().collect();
            let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
            format!("--- {}\n{end}\n", path.display())
        };
        let folder = &self.deployment.parts().folder;
        let members = entries(folder).into_iter().filter(|path| path.is_dir()).flat_map(|member| entries(&member));
        let logs = entries(folder).into_iter().chain(members);
        logs.filter(|path| path.extension().is_some_and(|name| name == "log")).map(|path| log(&path)).collect()
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

async fn proxy(stores: &Stores, site: Site) -> Result<Proxy, LabError> {
    let upstream = stores.endpoints[site.index()].trim_start_matches("http://").to_owned();
    Proxy::start(upstream).await.map_err(LabError::io("starting a proxy"))
}
