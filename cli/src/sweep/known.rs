//! What the sites have said of their versions, for the time of a command: an index of its own, beside those of running
//! processes, kept from one command to the next so that only what is new is read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use twinlog_index::{Index, StoredConfig, StoredIndex};
use twinlog_log::Backoff;
use twinlog_log::clock::Ids;
use twinlog_schemas::SiteName;
use twinlog_schemas::codec::Codec;
use twinlog_tail::{Kind, Parts, Tail, Topic};

use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::run::index::sites;
use crate::verify::pairs::Pair;

/// How long one wait for the index lasts before it is told how much is to be read still.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The index with its tail.
pub struct Known {
    stored: Arc<StoredIndex>,
    tail: Arc<Tail>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Known {
    /// Opens it, and begins to read the facts of all sites that are linked with those of the pairs, and the receipts of
    /// what was written into them.
    pub fn open(deployment: &Deployment, pairs: &BTreeSet<Pair>, ids: &Ids) -> Result<Self, Failure> {
        let folder = deployment.config.state_dir.join("sweep");
        let opened = StoredIndex::open(&folder, StoredConfig::default()).map_err(|error| {
            let path = folder.display();
            Failure::internal(format!("the index in {path} cannot be opened: {error}; state_dir must be writable, and one sweep only may run on a machine"))
        })?;
        let stored = Arc::new(opened.index);
        let codec = Arc::new(Codec::new().map_err(|error| Failure::internal(error.to_string()))?);
        let names = &deployment.config.topics.names;
        let linked: BTreeSet<SiteName> = pairs.iter().flat_map(|pair| sites(deployment, &pair.left)).collect();
        let mut topics = Vec::new();
        for site in &linked {
            let log = deployment.home(site)?;
            topics.push(Topic { log: Arc::clone(log), name: names.facts(site), kind: Kind::Facts });
            topics.push(Topic { log: Arc::clone(log), name: names.receipts(site), kind: Kind::Receipts });
        }
        let stop = CancellationToken::new();
        let parts = Parts {
            topics,
            group: format!(
                "{}.{:x}",
                names.facts(linked.first().ok_or_else(|| Failure::config("no site"))?),
                ids.seed()
            ),
            index: Arc::<StoredIndex>::clone(&stored),
            codec,
            listener: Arc::new(|_| {}),
            backoff: Backoff::PROMPT,
            seed: ids.seed(),
        };
        let (tail, task) = Tail::start(parts, stop.clone());
        Ok(Self { stored, tail, task, stop })
    }

    /// Waits until everything that was said is known, however much that is.
    pub async fn caught_up(&self, deployment: &Deployment) -> Result<(), Failure> {
        use twinlog_tail::CatchUpError as Error;
        loop {
            match self.tail.caught_up(TELL_EVERY).await {
                Ok(()) => return Ok(()),
                Err(Error::Late(_)) => {
                    let behind = self.tail.behind().await.unwrap_or_default();
                    eprintln!("reading what the sites have said: {behind} records to go");
                }
                Err(error) => {
                    let clusters = deployment.config.clusters.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                    return Err(Failure::unavailable(format!(
                        "what the sites have said cannot be read, so nothing can be said of what is missing: {error}; check [clusters.*] ({clusters})"
                    )));
                }
            }
        }
    }

    /// The index.
    pub fn index(&self) -> Arc<dyn Index> {
        Arc::<StoredIndex>::clone(&self.stored)
    }

    /// Its tail.
    pub fn tail(&self) -> Arc<Tail> {
        Arc::clone(&self.tail)
    }

    /// Keeps what was read for the next command.
    pub async fn close(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the tail did not end well");
        }
        if let Err(error) = self.stored.checkpoint() {
            tracing::warn!(%error, "index not saved: the next sweep reads more from the log");
        }
    }
}
