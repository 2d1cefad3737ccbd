//! Which buckets are enabled: those whose change topic exists. Looked at again and again, so that `bucket enable` takes
//! effect without a restart.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use twinlog_log::{Log, TopicName};
use twinlog_schemas::{BucketName, SiteName};

use super::stop::Stop;
use super::tasks::Tasks;
use crate::config::Config;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::telemetry::{Readiness, Reported};
use crate::wanted;

/// How soon a bucket is noticed that `bucket enable` has told of, and a cluster that does not answer.
const EVERY: Duration = Duration::from_secs(2);
/// A cluster can only be asked for all its topics, anybody's: where nothing else is heard, asking takes at most this part of
/// its time.
const PART: u32 = 200;
/// How soon it is noticed whatever was heard.
const SELDOM: Duration = Duration::from_secs(60);

/// How long until the topics are looked at again, when a look took so long.
fn pause(took: Duration) -> Duration {
    (took * PART).clamp(EVERY, SELDOM)
}

/// The enabled buckets, as far as they concern a site.
pub struct Enabled {
    /// Buckets replicated from the site.
    pub own: watch::Receiver<BTreeSet<BucketName>>,
    /// Told when the change topics of any cluster concerned have changed, once for each half.
    pub changed: [Arc<Notify>; 2],
}

impl Enabled {
    /// Begins to watch every cluster concerned; each reports on the board, the site's own as one that is needed. `stirred`
    /// is told of every `bucket enable` and `disable` that changes something.
    pub fn watch(
        deployment: &Deployment,
        at: &SiteName,
        readiness: &Readiness,
        stirred: &watch::Receiver<()>,
        tasks: &mut Tasks,
        stop: &Stop,
    ) -> Result<Self, Failure> {
        let changed = [Arc::new(Notify::new()), Arc::new(Notify::new())];
        let own = watch::Sender::new(BTreeSet::new());
        let home = deployment.config.sites.get(at).map(|site| site.cluster.clone()).unwrap_or_default();
        let receiver = own.subscribe();
        for (name, log) in &deployment.clusters {
            let label = format!("cluster {name}");
            let of_it = deployment.config.sites.iter().find(|(_, site)| site.cluster == *name);
            let watch = Watch {
                probe: deployment.config.topics.names.control(of_it.map_or(at, |(site, _)| site)),
                stirred: stirred.clone(),
                config: Arc::clone(&deployment.config),
                cluster: name.clone(),
                log: Arc::clone(log),
                at: at.clone(),
                own: own.clone(),
                is_home: *name == home,
                changed: changed.clone(),
                reported: if *name == home { readiness.needs(&label) } else { readiness.shows(&label) },
            };
            let until = stop.rest.clone();
            tasks.add("buckets", async move {
                tokio::select! {
                    biased;
                    () = until.cancelled() => {}
                    () = watch.run() => {}
                }
                Ok(())
            });
        }
        Ok(Self { own: receiver, changed })
    }
}

struct Watch {
    config: Arc<Config>,
    cluster: String,
    /// A topic that tells by any answer that the cluster answers.
    probe: TopicName,
    stirred: watch::Receiver<()>,
    log: Arc<dyn Log>,
    at: SiteName,
    own: watch::Sender<BTreeSet<BucketName>>,
    is_home: bool,
    changed: [Arc<Notify>; 2],
    reported: Reported,
}

impl Watch {
    async fn run(mut self) {
        let mut before = BTreeSet::new();
        loop {
            let asked = Instant::now();
            self.stirred.mark_unchanged();
            let again = match self.log.topics().await {
                Ok(topics) => {
                    let again = pause(asked.elapsed());
                    self.reported.ready("reachable");
                    let sites = self.config.sites.iter().filter(|(_, site)| site.cluster == self.cluster);
                    let enabled: BTreeSet<(SiteName, BucketName)> = sites
                        .flat_map(|(site, _)| {
                            let buckets =
                                topics.keys().filter_map(|topic| wanted::bucket_of(&self.config, site, topic));
                            buckets.map(|bucket| (site.clone(), bucket)).collect::<Vec<_>>()
                        })
                        .collect();
                    if enabled != before {
                        self.tell(&enabled);
                        before = enabled;
                    }
                    again
                }
                Err(error) => {
                    self.reported.not_ready(error.to_string());
                    EVERY
                }
            };
            self.wait(asked + again).await;
        }
    }

    /// Waits until it is time to look again, or something was heard.
    async fn wait(&self, until: Instant) {
        loop {
            sleep(EVERY).await;
            if until <= Instant::now() || self.stirred.has_changed().unwrap_or(false) {
                return;
            }
            match self.log.topic(&self.probe).await {
                Ok(_) => self.reported.ready("reachable"),
                Err(error) => self.reported.not_ready(error.to_string()),
            }
        }
    }

    fn tell(&self, enabled: &BTreeSet<(SiteName, BucketName)>) {
        if self.is_home {
            let mine = enabled.iter().filter(|(site, _)| *site == self.at).map(|(_, bucket)| bucket);
            let carried = mine.filter(|bucket| self.config.links_from(&self.at).any(|link| link.carries(bucket)));
            let buckets: BTreeSet<_> = carried.cloned().collect();
            tracing::info!(site = %self.at, buckets = buckets.len(), "enabled buckets");
            self.own.send_if_modified(|own| {
                let changed = *own != buckets;
                *own = buckets;
                changed
            });
        }
        // A permit is kept where nobody waits yet, so no change is missed.
        self.changed.iter().for_each(|changed| changed.notify_one());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeMap;

    use tokio::time::timeout;
    use twinlog_log::fault::FaultyLog;
    use twinlog_log::{MemoryLog, memory};

    use super::*;
    use crate::config::EXAMPLE;
    use crate::telemetry::Metrics;

    /// Scenario: clusters that list their topics at once, slowly, and very slowly. Guarantees: few are asked every two
    /// seconds, many for a two-hundredth of the time, and none less than once a minute.
    #[test]
    fn a_cluster_with_many_topics_is_asked_less_often() {
        let paused = [0, 10, 100, 10_000].map(|ms| pause(Duration::from_millis(ms)).as_secs());
        assert_eq!(paused, [2, 2, 20, 60]);
    }

    /// Scenario: a cluster that takes ten seconds to list its topics; a bucket is enabled that nobody tells of, then one that
    /// is told of, and then the cluster does not answer for a while. Guarantees: the first is found with the next look, a
    /// minute after the one before; the second by a look within two seconds; that the cluster is away, and that it is back, is
    /// on the board without all its topics being asked for.
    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_is_asked_seldom_is_still_heard() {
        const LISTING: Duration = Duration::from_secs(10);
        let config = Arc::new(Config::parse(EXAMPLE, &BTreeMap::new()).unwrap());
        let (east, buckets) =
            (SiteName::new("east").unwrap(), ["photos", "films"].map(|name| BucketName::new(name).unwrap()));
        let topics = buckets.clone().map(|bucket| memory::spec(config.topics.names.changes(&east, &bucket), 1));
        let memory = MemoryLog::new();
        let log = Arc::new(FaultyLog::new(Arc::new(memory.clone())));
        log.list_slowly(LISTING);
        let (stir, stirred) = watch::channel(());
        let own = watch::Sender::new(BTreeSet::new());
        let mut enabled = own.subscribe();
        let readiness = Readiness::new(&Metrics::start().unwrap());
        let watch = Watch {
            probe: config.topics.names.control(&east),
            stirred,
            cluster: "main".to_owned(),
            log: Arc::clone(&log) as Arc<dyn Log>,
            at: east,
            own,
            is_home: true,
            changed: [Arc::new(Notify::new()), Arc::new(Notify::new())],
            reported: readiness.needs("cluster main"),
            config,
        };
        let begun = Instant::now();
        tokio::spawn(watch.run());
        sleep(LISTING + EVERY).await;
        memory.create_topic(&topics[0]).await.unwrap();
        timeout(2 * SELDOM, enabled.changed()).await.unwrap().unwrap();
        assert_eq!((begun.elapsed(), log.listings()), (SELDOM + LISTING, 2));
        let told = Instant::now();
        memory.create_topic(&topics[1]).await.unwrap();
        stir.send(()).unwrap();
        timeout(2 * SELDOM, enabled.changed()).await.unwrap().unwrap();
        assert_eq!((told.elapsed(), log.listings()), (EVERY + LISTING, 3));
        assert_eq!(*enabled.borrow(), BTreeSet::from(buckets));
        for (is_away, says) in [(true, "no broker answers"), (false, "reachable")] {
            log.set_away(is_away);
            sleep(2 * EVERY).await;
            let (_, board) = readiness.report();
            assert!(board.lines().any(|line| line.contains("cluster main") && line.contains(says)), "{board}");
        }
        assert_eq!(log.listings(), 3);
    }
}
