//! The index of the process: opened, kept up to date by the tail, and rid of what has expired.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{MissedTickBehavior, interval};
use twinlog_consumer::Doubts;
use twinlog_index::{Index, StoredConfig, StoredIndex};
use twinlog_log::clock::{Clock, Ids, SystemClock};
use twinlog_log::{Backoff, TopicName};
use twinlog_producer::Freshness;
use twinlog_schemas::codec::Codec;
use twinlog_schemas::{Fact, SiteName};
use twinlog_tail::{Kind, Parts, Tail, Topic};

use super::stop::Stop;
use super::tasks::Tasks;
use crate::args::{Half, RunOptions};
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::telemetry::{Readiness, Reported};

/// How long one attempt to bring the index to the end of the own site's facts takes before that is told.
const OWN: Duration = Duration::from_secs(10);
/// How long other sites are waited for.
const OTHERS: Duration = Duration::from_secs(5);
/// How often a step of expiry is made, and how many entries it looks at.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);
const EXPIRE_STEP: usize = 1_000;

/// The index with its tail.
pub struct Indexed {
    /// The index.
    pub index: Arc<dyn Index>,
    /// Its tail.
    pub tail: Arc<Tail>,
    /// Doubts under way, told every fact.
    pub doubts: Arc<Doubts>,
    stored: Arc<StoredIndex>,
}

impl Indexed {
    /// Makes everything merged so far durable, so that the next start reads less again.
    pub fn checkpoint(&self) {
        if let Err(error) = self.stored.checkpoint() {
            tracing::warn!(%error, "index not saved: the next start reads more from the log");
        }
    }
}

/// Opens the index of this process and begins to follow the facts of every site and the receipts of its own.
pub fn open(
    deployment: &Deployment,
    options: &RunOptions,
    codec: &Arc<Codec>,
    ids: &Ids,
    readiness: &Readiness,
    tasks: &mut Tasks,
    stop: &Stop,
) -> Result<Indexed, Failure> {
    let folder = folder(deployment, options);
    let opened = StoredIndex::open(&folder, StoredConfig::default()).map_err(|error| {
        let path = folder.display();
        Failure::internal(format!("the index in {path} cannot be opened: {error}; state_dir must be writable, and one process only may run a half of a site there"))
    })?;
    let stored = Arc::new(opened.index);
    let index: Arc<dyn Index> = Arc::<StoredIndex>::clone(&stored);
    let doubts = Arc::new(Doubts::default());
    let told = Arc::clone(&doubts);
    let names = &deployment.config.topics.names;
    let mut topics = Vec::new();
    for site in sites(deployment, &options.at) {
        topics.push(Topic { log: Arc::clone(deployment.home(&site)?), name: names.facts(&site), kind: Kind::Facts });
    }
    let home = Arc::clone(deployment.home(&options.at)?);
    topics.push(Topic { log: home, name: names.receipts(&options.at), kind: Kind::Receipts });
    let parts = Parts {
        topics,
        group: names.group(&options.at, "tail"),
        index: Arc::clone(&index),
        codec: Arc::clone(codec),
        listener: Arc::new(move |fact: &Fact| told.tell(fact)),
        backoff: Backoff::PROMPT,
        seed: ids.seed(),
    };
    let (tail, task) = Tail::start(parts, stop.rest.clone());
    tasks.add("tail", async move { task.await.map_err(|error| Failure::internal(format!("the tail ended: {error}"))) });

    let reported = readiness.needs("index");
    let (first, until) = (Arc::clone(&tail), stop.rest.clone());
    tasks.add("index", async move {
        tokio::select! {
            biased;
            () = until.cancelled() => {}
            () = report(&first, &reported) => until.cancelled().await,
        }
        Ok(())
    });
    let (expiring, until) = (Arc::clone(&index), stop.rest.clone());
    let keep = deployment.config.topics.facts.retention;
    tasks.add("expiry", async move {
        tokio::select! {
            biased;
            () = until.cancelled() => {}
            () = expire(expiring.as_ref(), keep) => {}
        }
        Ok(())
    });
    Ok(Indexed { index, tail, doubts, stored })
}

/// The index keeps out of the way of another half of the same site on this machine.
fn folder(deployment: &Deployment, options: &RunOptions) -> PathBuf {
    let name = match options.only {
        None => "index",
        Some(Half::Producer) => "index-producer",
        Some(Half::Consumer) => "index-consumer",
    };
    deployment.config.state_dir.join(options.at.as_str()).join(name)
}

/// The site and every site that it is linked with, in either direction, over any number of links.
pub fn sites(deployment: &Deployment, at: &SiteName) -> BTreeSet<SiteName> {
    let mut sites = BTreeSet::from([at.clone()]);
    loop {
        let linked = deployment.config.links.iter();
        let linked = linked.filter(|link| sites.contains(&link.source) || sites.contains(&link.target));
        let more: BTreeSet<_> = linked.flat_map(|link| [link.source.clone(), link.target.clone()]).collect();
        if more.is_subset(&sites) {
            return sites;
        }
        sites.extend(more);
    }
}

/// Says when the index has come to the end for the first time.
async fn report(tail: &Tail, reported: &Reported) {
    while let Err(error) = tail.caught_up(OWN).await {
        let behind = tail.behind().await.map_or_else(|_| String::new(), |behind| format!(", {behind} records behind"));
        reported.not_ready(format!("{error}{behind}"));
        // A cluster that refuses at once must not make this a busy loop.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    reported.ready("at the end of the facts");
}

async fn expire(index: &dyn Index, keep: Duration) {
    let mut every = interval(EXPIRE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let keep_ns = i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX);
    loop {
        every.tick().await;
        if let Err(error) = index.expire(SystemClock.now_ns().saturating_sub(keep_ns), EXPIRE_STEP) {
            tracing::warn!(%error, "index not rid of what has expired; trying again");
        }
    }
}

/// Freshness of the index for capture, by the tail.
pub struct ByTail {
    tail: Arc<Tail>,
    own: [TopicName; 2],
}

impl ByTail {
    /// The own site's facts and receipts are `own`.
    pub fn new(tail: Arc<Tail>, own: [TopicName; 2]) -> Self {
        Self { tail, own }
    }
}

#[async_trait]
impl Freshness for ByTail {
    async fn own(&self) {
        while let Err(error) = self.tail.caught_up_on(|topic| self.own.contains(topic), OWN).await {
            tracing::warn!(%error, "waiting for the index to have this site's own facts");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn all(&self) {
        self.own().await;
        if let Err(error) = self.tail.caught_up(OTHERS).await {
            tracing::debug!(%error, "going on without some facts of other sites");
        }
    }
}
