//! Everything beside one site, put together and taken apart.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio::net::TcpListener;
use twinlog_control::Control;
use twinlog_log::Log;
use twinlog_log::clock::{Clock, Ids, SystemClock, uptime};
use twinlog_log::lane::Lease;
use twinlog_schemas::SiteName;
use twinlog_schemas::codec::Codec;
use twinlog_site::Leave;

use super::enabled::Enabled;
use super::index::{Indexed, open};
use super::stop::Stop;
use super::tasks::Tasks;
use super::{consumer, control, producer, watch};
use crate::args::{Half, RunOptions};
use crate::config::Config;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::telemetry::server::{Shown, serve};
use crate::telemetry::{Backlog, Follows, Metrics, Readiness};

/// How long a running process waits for one answer of a cluster.
const REQUESTS: Duration = Duration::from_secs(10);
/// How long the last acknowledgements are waited for.
const FLUSH: Duration = Duration::from_secs(5);

/// What the halves of the process share.
pub struct Shared {
    /// The site.
    pub at: SiteName,
    /// Every site and cluster.
    pub deployment: Deployment,
    /// The site's own cluster.
    pub home: Arc<dyn Log>,
    /// The index with its tail.
    pub indexed: Indexed,
    /// The codec, which has learnt the published schemas.
    pub codec: Arc<Codec>,
    /// What is on record at the site, followed.
    pub control: Arc<Control>,
    /// Which buckets are enabled.
    pub enabled: Enabled,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and jitter.
    pub ids: Ids,
    /// Over the lanes of the consumer: replica writes go out only while it holds.
    pub lease: Lease,
    /// Metrics.
    pub metrics: Metrics,
    /// The board.
    pub readiness: Readiness,
    /// How to stop.
    pub stop: Stop,
    /// How this process is called in groups.
    pub member: String,
}

impl Shared {
    /// The configuration.
    pub fn config(&self) -> &Arc<Config> {
        &self.deployment.config
    }

    /// How long lanes may drain: less than the whole stop may take.
    pub fn drain(&self) -> Duration {
        self.config().drain_timeout * 3 / 4
    }
}

/// A running process.
pub struct Beside {
    shared: Arc<Shared>,
    /// End with [`Stop::work`].
    work: Tasks,
    /// End with [`Stop::rest`].
    rest: Tasks,
}

impl Beside {
    /// Starts everything. Addresses that are in use and wrong settings are errors here; brokers and stores that are
    /// away are waited for.
    pub async fn start(config: Arc<Config>, options: &RunOptions, stop: Stop) -> Result<Self, Failure> {
        let metrics = Metrics::start()?;
        let readiness = Readiness::new(&metrics);
        let site = config.sites.get(&options.at).ok_or_else(|| Failure::config(format!("no site {}", options.at)))?;
        let listener = bind(&site.metrics.listen, &format!("sites.{}.metrics.listen", options.at)).await?;

        let member = member();
        let client = format!("twinlog-{}-{member}", options.at);
        let lease = Lease::new(Arc::new(uptime));
        let leave = lease.clone();
        let leave = Leave::while_true(move || leave.holds());
        let deployment = Deployment::connect_under(Arc::clone(&config), &client, REQUESTS, &leave).await?;
        let home = Arc::clone(deployment.home(&options.at)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let seed = OsRng.try_next_u64().map_err(|error| Failure::internal(format!("no randomness: {error}")))?;
        let ids = Ids::new(Arc::clone(&clock), seed);
        let codec = Arc::new(Codec::new().map_err(|error| Failure::internal(error.to_string()))?);

        let (mut work, mut rest) = (Tasks::new(stop.work.clone()), Tasks::new(stop.rest.clone()));
        // Answers from the start: while a broker is away the process is alive, and says what it waits for.
        let backlog = Arc::new(OnceLock::new());
        let shown = Shown { metrics: metrics.clone(), backlog: Arc::clone(&backlog), readiness: readiness.clone() };
        let until = stop.rest.clone();
        rest.add("metrics", async move {
            let served = serve(listener, shown, until).await;
            served.map_err(|error| Failure::internal(format!("the server of metrics failed: {error}")))
        });
        let (stir, stirred) = tokio::sync::watch::channel(());
        let enabled = Enabled::watch(&deployment, &options.at, &readiness, &stirred, &mut rest, &stop)?;
        let with = (&clock, &ids, &codec, &stir);
        let control = control::open(&deployment, &options.at, with, &readiness, &mut rest, &stop).await?;
        let indexed = open(&deployment, options, &codec, &ids, &readiness, &mut rest, &stop)?;
        let shared = Arc::new(Shared {
            at: options.at.clone(),
            deployment,
            home,
            indexed,
            codec,
            control,
            enabled,
            clock,
            ids,
            metrics,
            readiness,
            stop,
            member,
            lease,
        });
        watch::show(&shared, &mut rest);
        let mut follows: Vec<Follows> = Vec::new();
        if options.runs(Half::Producer) {
            follows.extend(producer::start(&shared, &mut work).await?);
        }
        if options.runs(Half::Consumer) {
            follows.extend(consumer::start(&shared, &mut work)?);
        }
        if backlog.set(Backlog::new(follows, Arc::clone(&shared.clock))).is_err() {
            return Err(Failure::internal("the backlog was set twice"));
        }
        shared.readiness.started();
        Ok(Self { shared, work, rest })
    }

    /// Runs until a signal or a failure, then drains within the configured time.
    pub async fn until_stopped(mut self) -> Result<(), Failure> {
        let stop = &self.shared.stop;
        let failed = tokio::select! {
            biased;
            result = self.work.watch() => result,
            result = self.rest.watch() => result,
        };
        stop.work.cancel();
        let drained = self.work.join(self.shared.config().drain_timeout).await;
        for (name, cluster) in &self.shared.deployment.clusters {
            if let Err(error) = cluster.flush(FLUSH).await {
                tracing::warn!(cluster = %name, %error, "not everything was acknowledged at the stop");
            }
        }
        stop.rest.cancel();
        let ended = self.rest.join(FLUSH).await;
        self.shared.indexed.checkpoint();
        self.shared.metrics.stop();
        failed.and(drained).and(ended)
    }
}

/// Binds an address; `key` is where it is configured.
pub async fn bind(address: &std::net::SocketAddr, key: &str) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Failure::config(format!("cannot listen on {address}: {error}; it is set as {key}")))
}

/// This machine's name and this process's id: told apart in groups and in the brokers' logs.
fn member() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).collect();
    format!("{}-{}", if host.is_empty() { "host" } else { &host }, std::process::id())
}
