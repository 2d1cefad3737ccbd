//! Twinlog beside two stores: one configuration file, one process per site.
//!
//! The stores and the broker are somebody else's (see [`crate::pair`] and the tests' shared servers); this owns the
//! configuration, the two processes, their folder and their ports, and knows how to wait until nothing is left to do.

mod binary;
mod config;
mod letters;
mod member;
mod pages;
mod progress;
mod records;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

pub use binary::twinlog;
pub use letters::Letter;
pub use member::{Half, Member};
pub use pages::Scraper;
pub use progress::{Backlog, Progress};

use crate::{
    compare::{Bucket, Comparison, Depth, compare},
    lab_error::LabError,
    metrics::Metrics,
    server::{Credentials, Life, Port, Process, ServerError, StoreKind, Trust, client::connect},
    site::Site,
    until::until,
};

/// How long a process may take to be ready. An owner that was killed leaves writes behind that are waited out, and beside
/// other tests thirty threads may wait for two cores.
pub const READY: Duration = Duration::from_secs(180);
/// How long it may take to stop: the time it gives itself to drain, and some.
const STOP: Duration = Duration::from_secs(30);

/// Where one site's store is and who Twinlog is there.
#[derive(Debug, Clone)]
pub struct SiteParts {
    /// The store's endpoint as Twinlog is to reach it: itself, or a proxy.
    pub endpoint: String,
    /// The store's endpoint as clients reach it.
    pub client_endpoint: String,
    /// What its clients, and by the configuration Twinlog, have to trust, where it is served over TLS.
    pub trust: Option<Trust>,
    /// Twinlog's own principal.
    pub twinlog: Credentials,
    /// `host:port` of Kafka as Twinlog beside this site is to reach it, where that is another way than [`Parts::brokers`].
    pub brokers: Option<String>,
}

/// How soon a process that is silent is taken for dead, and what it has signed for expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// Twinlog's defaults: 10 s each.
    #[default]
    Usual,
    /// 3 s and 2 s, for tests that kill often.
    Brief,
}

/// What a deployment is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where everything goes: configuration, state, logs.
    pub folder: PathBuf,
    /// What the stores are.
    pub kind: StoreKind,
    /// `host:port` of Kafka.
    pub brokers: String,
    /// What all topics begin with.
    pub prefix: String,
    /// The buckets of the links, as the configuration has them.
    pub buckets: Vec<String>,
    /// East and west.
    pub sites: [SiteParts; 2],
    /// The sites from which a link leads to the other.
    pub links: Vec<Site>,
    /// The token that the stores send.
    pub token: String,
    /// A client that is allowed everything at both.
    pub client: Credentials,
    /// How soon its processes follow each other.
    pub pace: Pace,
    /// Lanes, and the partitions of every topic: few, where many deployments share one broker.
    pub lanes: u32,
    /// Further lines for the configuration's end.
    pub more: String,
    /// What becomes of the processes when this one ends.
    pub life: Life,
}

/// The deployment.
pub struct Deployment {
    parts: Parts,
    config: PathBuf,
    intakes: [Port; 2],
    metrics: [Port; 2],
    processes: [Option<Process>; 2],
    progress: Progress,
    scraper: Scraper,
}

impl Deployment {
    /// Writes the configuration; starts nothing. `intakes` are where the stores deliver, or the door does.
    ///
    /// # Errors
    /// Where the folder cannot be written, no port is free, or the binary is missing.
    pub fn prepare(parts: Parts, intakes: [Port; 2]) -> Result<Self, LabError> {
        twinlog()?;
        std::fs::create_dir_all(&parts.folder).map_err(LabError::io(format!("making {}", parts.folder.display())))?;
        let folder = std::path::absolute(&parts.folder).map_err(LabError::io("finding the folder"))?;
        let parts = Parts { folder, ..parts };
        let metrics = [Port::free()?, Port::free()?];
        let config = parts.folder.join("config.toml");
        write(&config, &config::text(&parts, &intakes, &metrics))?;
        let progress = Progress::new(&parts.brokers, &parts.prefix);
        let scraper = Scraper::new([0, 1].map(|at: usize| metrics[at].address()))?;
        Ok(Self { parts, config, intakes, metrics, processes: [None, None], progress, scraper })
    }

    /// Writes the configuration anew, with other ways to the stores for Twinlog: counts for what is started from now on.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn reach_stores_at(&mut self, endpoints: [String; 2]) -> Result<(), LabError> {
        self.change(|parts| {
            for (site, endpoint) in parts.sites.iter_mut().zip(endpoints) {
                site.endpoint = endpoint;
            }
        })
    }

    /// Writes the configuration anew with other parts: counts for what is started from now on.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn change(&mut self, change: impl FnOnce(&mut Parts)) -> Result<(), LabError> {
        change(&mut self.parts);
        write(&self.config, &config::text(&self.parts, &self.intakes, &self.metrics))
    }

    /// Writes the configuration anew, with other authorities for Twinlog to trust, or the system's; clients go on as
    /// before. Counts for what is started from now on.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn trusting(&mut self, trust: [Option<Trust>; 2]) -> Result<(), LabError> {
        let mut parts = self.parts.clone();
        for (site, trust) in parts.sites.iter_mut().zip(trust) {
            site.trust = trust;
        }
        write(&self.config, &config::text(&parts, &self.intakes, &self.metrics))
    }

    /// Writes the configuration anew, with another principal at a store: counts for what is started from now on.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn act_as(&mut self, site: Site, who: Credentials) -> Result<(), LabError> {
        self.parts.sites[site.index()].twinlog = who;
        write(&self.config, &config::text(&self.parts, &self.intakes, &self.metrics))
    }

    /// What it is made of.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// `http://host:port` of the intake beside a site.
    #[must_use]
    pub fn intake(&self, site: Site) -> String {
        format!("http://{}", self.intakes[site.index()].address())
    }

    /// The URL of the metrics of the process beside a site.
    #[must_use]
    pub fn metrics_url(&self, site: Site) -> String {
        self.scraper.url(site)
    }

    /// Reads the metrics of both processes; a handle of its own, for whoever looks while this is changed.
    #[must_use]
    pub fn scraper(&self) -> &Scraper {
        &self.scraper
    }

    /// How far Twinlog's topics are.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Runs a `twinlog` command to its end and returns what it printed.
    ///
    /// # Errors
    /// [`LabError::Command`] where it fails, with what it printed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, LabError> {
        let mut command = tokio::process::Command::new(twinlog()?);
        command.args(arguments).arg("--config").arg(&self.config).kill_on_drop(true);
        let output = command.output().await.map_err(LabError::io("running twinlog"))?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let (command, status) = (arguments.join(" "), output.status.to_string());
        Err(LabError::Command { command, status, code: output.status.code(), said })
    }

    /// `twinlog verify` of a bucket with its bodies, waiting for what is under way: whether it found them equal, and
    /// what it printed.
    ///
    /// # Errors
    /// [`LabError::Command`] where it could not compare.
    pub async fn verify(&self, bucket: &str, wait: Duration) -> Result<(bool, String), LabError> {
        let wait = format!("{}s", wait.as_secs().max(1));
        let arguments = ["verify", "--bucket", bucket, "--bodies", "--wait", &wait];
        match self.run(&arguments).await {
            Ok(said) => Ok((true, said)),
            Err(LabError::Command { code: Some(1), said, .. }) => Ok((false, said)),
            Err(error) => Err(error),
        }
    }

    /// `twinlog bucket enable`.
    ///
    /// # Errors
    /// As [`Deployment::run`].
    pub async fn enable(&self, bucket: &str) -> Result<String, LabError> {
        self.run(&["bucket", "enable", bucket]).await
    }

    /// Starts `twinlog run` beside a site; returns at once.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(&mut self, site: Site) -> Result<(), LabError> {
        let command = run(&self.parts, site, &self.config)?;
        let log = self.parts.folder.join(format!("twinlog-{site}.log"));
        let process = Process::spawn(&format!("twinlog at {site}"), command, &log, self.parts.life)?;
        self.processes[site.index()] = Some(process);
        Ok(())
    }

    /// Starts both and waits until both are ready.
    ///
    /// # Errors
    /// Where one does not become ready.
    pub async fn start_both(&mut self) -> Result<(), LabError> {
        for site in Site::BOTH {
            self.start(site)?;
        }
        for site in Site::BOTH {
            self.ready(site).await?;
        }
        Ok(())
    }

    /// Waits until the process beside a site says that it is ready.
    ///
    /// # Errors
    /// Where it ends or takes too long, with the end of its log.
    pub async fn ready(&mut self, site: Site) -> Result<(), LabError> {
        let scraper = self.scraper.clone();
        let process = self.process(site)?;
        Ok(crate::server::ready::ready(process, READY, async || scraper.ready(site).await).await?)
    }

    /// The process beside a site.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] where none was started, or it was stopped.
    pub fn process(&mut self, site: Site) -> Result<&mut Process, ServerError> {
        let name = || ServerError::NotRunning { name: format!("twinlog at {site}") };
        self.processes[site.index()].as_mut().ok_or_else(name)
    }

    /// Stops the process beside a site in good order.
    ///
    /// # Errors
    /// Where it has to be killed, or ends with an error.
    pub async fn stop(&mut self, site: Site) -> Result<(), LabError> {
        let Some(mut process) = self.processes[site.index()].take() else { return Ok(()) };
        stopped(&format!("run --at {site}"), &mut process).await
    }

    /// Kills the process beside a site where it stands (SIGKILL).
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn kill(&mut self, site: Site) -> Result<(), LabError> {
        if let Some(mut process) = self.processes[site.index()].take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Leaves both processes running and returns their ids.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] where one does not run.
    pub fn detach(mut self) -> Result<[u32; 2], ServerError> {
        for site in Site::BOTH {
            self.process(site)?;
        }
        let [east, west] = self.processes;
        let gone = || ServerError::NotRunning { name: "twinlog".to_owned() };
        Ok([east.map(Process::detach).ok_or_else(gone)?, west.map(Process::detach).ok_or_else(gone)?])
    }

    /// What the process beside a site tells of itself.
    ///
    /// # Errors
    /// Where it does not answer, or not in Prometheus's format.
    pub async fn metrics(&self, site: Site) -> Result<Metrics, LabError> {
        self.scraper.metrics(site).await
    }

    /// A client's view of a bucket at a site.
    #[must_use]
    pub fn bucket(&self, site: Site, name: &str) -> Bucket {
        let SiteParts { client_endpoint, trust, .. } = &self.parts.sites[site.index()];
        let client = connect(client_endpoint, &self.parts.client, trust.as_ref());
        Bucket { label: site.to_string(), client, name: name.to_owned() }
    }

    /// Waits until everything in the log is done.
    ///
    /// # Errors
    /// [`LabError::NotInTime`] with the backlog.
    pub async fn drained(&self, within: Duration) -> Result<(), LabError> {
        until("the log was not done", within, async || self.done().await).await
    }

    /// Waits until both sites have the same versions and everything in the log is done: what there was to replicate
    /// is replicated. The last look reads everything, bodies of at most `bodies_up_to` bytes.
    ///
    /// # Errors
    /// [`LabError::NotInTime`] with the differences and the backlog.
    pub async fn equal(&self, bucket: &str, bodies_up_to: u64, within: Duration) -> Result<Comparison, LabError> {
        let [east, west] = Site::BOTH.map(|site| self.bucket(site, bucket));
        let what = format!("the buckets {bucket} were not equal, or the log not done,");
        until(&what, within, async || {
            // Listing is much work for a store, and in vain while the log is not done.
            if let Err(backlog) = self.done().await? {
                return Ok(Err(backlog));
            }
            let shallow = compare(&east, &west, Depth::Listings).await?;
            if !shallow.equal() {
                return Ok(Err(shallow.to_string()));
            }
            let deep = compare(&east, &west, Depth::Everything { bodies_up_to }).await?;
            if !deep.equal() {
                return Ok(Err(deep.to_string()));
            }
            // What was told meanwhile is done too.
            Ok(self.done().await?.map(|()| deep))
        })
        .await
    }

    /// Whether everything in the log is done, else what is not.
    async fn done(&self) -> Result<Result<(), String>, LabError> {
        let backlog = self.progress.backlog().await?;
        Ok(if backlog.total() == 0 { Ok(()) } else { Err(backlog.to_string()) })
    }
}

/// Stops a process in good order.
async fn stopped(command: &str, process: &mut Process) -> Result<(), LabError> {
    let status = process.stop(STOP).await?;
    if status.success() {
        return Ok(());
    }
    Err(LabError::Command {
        command: command.to_owned(),
        status: status.to_string(),
        code: status.code(),
        said: process.log_tail(),
    })
}

/// `twinlog run` with a configuration, beside a site.
fn run(parts: &Parts, site: Site, config: &Path) -> Result<Command, LabError> {
    let mut command = Command::new(twinlog()?);
    command.args(["run", "--at", site.name(), "--config"]).arg(config);
    if let Some(brokers) = &parts.sites[site.index()].brokers {
        command.env("TWINLOG_CLUSTERS__MAIN__BROKERS", brokers);
    }
    Ok(command)
}

fn write(path: &Path, text: &str) -> Result<(), LabError> {
    std::fs::write(path, text).map_err(LabError::io(format!("writing {}", path.display())))
}
