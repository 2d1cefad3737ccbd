//! The consumers beside the site: apply, on the lanes of the change topics and facts of every source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use tokio::sync::watch::{Receiver, Sender};
use twinlog_consumer::hold::Holds;
use twinlog_consumer::{Apply, ApplyConfig, Link, Parts};
use twinlog_log::lane::{LaneConfig, LaneGroup, Source, Watch};
use twinlog_log::{Tell, TellTopic, TopicName};
use twinlog_schemas::{BucketName, SiteName};

use super::beside::Shared;
use super::tasks::Tasks;
use super::{lanes, notifier, retention, watch};
use crate::config::{Config, Lifecycle, LinkConfig};
use crate::exit::Failure;
use crate::telemetry::{ConsumerMetrics, Follows, names};

/// How often topics are looked up without being told of a change.
const DISCOVER: Duration = Duration::from_secs(30);

/// Starts the consumers' tasks; what of their backlog is followed. Nothing where no link leads into the site.
pub fn start(shared: &Arc<Shared>, tasks: &mut Tasks) -> Result<Vec<Follows>, Failure> {
    let config = Arc::clone(shared.config());
    let at = shared.at.clone();
    if config.links_into(&at).next().is_none() {
        tracing::info!(site = %at, "no link leads into this site: nothing to apply");
        return Ok(Vec::new());
    }
    let parts = parts(shared)?;
    let watching = watch::of_apply(shared, &parts.holds, &parts.tell);
    let tell = Arc::clone(&parts.tell);
    let apply = Arc::new(Apply::new(parts));
    let reported = shared.readiness.needs("lanes of apply");
    let stop = shared.stop.work.clone();
    let owned = Sender::new(BTreeSet::new());
    let reporting = lanes::report(owned.subscribe(), reported.clone(), stop.clone());
    tasks.add("lanes of apply, report", async move {
        reporting.await;
        Ok(())
    });
    holds(shared, &apply, owned.subscribe(), tasks);
    let (letters, lanes, stopped) = (Arc::clone(&apply), owned.subscribe(), stop.clone());
    tasks.add("dead letters", async move {
        stopped.run_until_cancelled(letters.letters(lanes)).await;
        Ok(())
    });
    retention::watch(shared, tell, owned.subscribe(), tasks)?;
    let (due, stopped) = (Arc::clone(&apply), stop.clone());
    tasks.add("removals due", async move {
        due.removals_due(stopped).await;
        Ok(())
    });
    let mut follows = follows(shared)?;
    follows.extend(notifier::start(shared, owned.subscribe(), tasks)?);
    thresholds(shared, &config, &at);
    let sources = sources(shared)?;
    let running = Arc::clone(shared);
    tasks.add("lanes of apply", async move {
        let seed = running.ids.seed();
        lanes::keep(|| group(&running, (&apply, &watching), &sources, &owned), reported, seed, stop).await
    });
    Ok(follows)
}

/// Keeps the holds, and has the lanes look at their topics again when another direction is held or goes on, or a
/// partition is to be read once more.
fn holds(shared: &Arc<Shared>, apply: &Arc<Apply>, owned: Receiver<BTreeSet<i32>>, tasks: &mut Tasks) {
    let (keeper, stop) = (Arc::clone(apply), shared.stop.work.clone());
    tasks.add("holds", async move {
        stop.run_until_cancelled(keeper.keep(owned)).await;
        Ok(())
    });
    let (control, stop) = (Arc::clone(&shared.control), shared.stop.work.clone());
    let [_, discover_now] = shared.enabled.changed.clone();
    tasks.add("held topics", async move {
        let looking = async {
            let mut before = (BTreeSet::new(), BTreeMap::new());
            loop {
                let changed = control.changed();
                let steered: (BTreeSet<_>, _) = (control.holds().into_keys().collect(), control.rewinds());
                if steered != before {
                    discover_now.notify_one();
                    before = steered;
                }
                changed.await;
            }
        };
        stop.run_until_cancelled(looking).await;
        Ok(())
    });
}

fn parts(shared: &Shared) -> Result<Parts, Failure> {
    let config = shared.config();
    let mut links = Vec::new();
    for link in config.links_into(&shared.at) {
        let carried = link.clone();
        links.push(Link {
            source: Arc::clone(shared.deployment.site(&link.source)?),
            log: Arc::clone(shared.deployment.home(&link.source)?),
            lifecycle_stays: link.lifecycle == Lifecycle::Local,
            buckets: Arc::new(move |bucket| carried.carries(bucket)),
            storm: link.delete_storm,
            deaths: link.too_many_dead_letters,
        });
    }
    let (clock, ids) = (&shared.clock, &shared.ids);
    let default = ApplyConfig::default().give_up_after;
    let give_up_after = config.links_into(&shared.at).map(|link| link.give_up_after).max().unwrap_or(default);
    let told =
        TellTopic::new(Arc::clone(&shared.home), &config.topics.names, &shared.at, Arc::clone(clock), ids.clone());
    let tell: Arc<dyn Tell> = Arc::new(told);
    let control = Arc::clone(&shared.control);
    let holds = Holds::new(shared.at.clone(), control, Arc::clone(&tell), Arc::clone(clock), ids.clone());
    Ok(Parts {
        here: Arc::clone(shared.deployment.site(&shared.at)?),
        home: Arc::clone(&shared.home),
        topics: config.topics.names.clone(),
        links,
        index: Arc::clone(&shared.indexed.index),
        tail: Arc::clone(&shared.indexed.tail),
        doubts: Arc::clone(&shared.indexed.doubts),
        codec: Arc::clone(&shared.codec),
        clock: Arc::clone(&shared.clock),
        ids: shared.ids.clone(),
        observer: Arc::new(ConsumerMetrics::new(&shared.metrics, &shared.at)),
        holds: Arc::new(holds),
        tell,
        lease: shared.lease.clone(),
        config: ApplyConfig {
            spool: config.state_dir.join(shared.at.as_str()).join("spool"),
            give_up_after,
            ..ApplyConfig::default()
        },
    })
}

/// What is read: of each cluster the change topics of carried buckets, and apart from them the facts of every source
/// and of the site itself, since a fetch costs the broker as much as it has partitions, and events are many.
fn sources(shared: &Shared) -> Result<Vec<Source>, Failure> {
    let (config, at) = (shared.config(), &shared.at);
    let names = &config.topics.names;
    let mut by_cluster: BTreeMap<&str, Vec<SiteName>> = BTreeMap::new();
    let sites: BTreeSet<&SiteName> = config.links_into(at).map(|link| &link.source).chain([at]).collect();
    for site in sites {
        let cluster = config.sites.get(site).map_or("", |site| site.cluster.as_str());
        by_cluster.entry(cluster).or_default().push(site.clone());
    }
    let mut sources = Vec::new();
    for (cluster, sites) in by_cluster {
        let facts: BTreeSet<TopicName> = sites.iter().map(|site| names.facts(site)).collect();
        let links = links_from(config, at, &sites);
        let (config, control) = (Arc::clone(config), Arc::clone(&shared.control));
        let log = shared.deployment.cluster(cluster)?;
        let source = |wants| Source::of(Arc::clone(log), names.group(at, "apply"), wants);
        // A held bucket's change topic is not read: its changes wait in Kafka. Its facts come with those of others.
        let (of_held, held_links) = (Arc::clone(&config), links.clone());
        let held = move |topic: &TopicName| {
            let of = link_of(&of_held, &held_links, topic);
            of.is_some_and(|(link, bucket)| control.stopped(&(link.source.clone(), bucket)).is_some())
        };
        let changes = source(Arc::new(move |topic| link_of(&config, &links, topic).is_some()));
        sources.push(Source { waits: Arc::new(held), ..changes });
        sources.push(source(Arc::new(move |topic| facts.contains(topic))));
    }
    Ok(sources)
}

fn links_from(config: &Config, at: &SiteName, sites: &[SiteName]) -> Vec<LinkConfig> {
    config.links_into(at).filter(|link| sites.contains(&link.source)).cloned().collect()
}

/// The link and bucket whose change topic this is.
pub fn link_of<'a>(
    config: &Config,
    links: &'a [LinkConfig],
    topic: &TopicName,
) -> Option<(&'a LinkConfig, BucketName)> {
    links.iter().find_map(|link| {
        let bucket = config.topics.names.bucket_of_changes(&link.source, topic)?;
        link.carries(&bucket).then_some((link, bucket))
    })
}

fn follows(shared: &Shared) -> Result<Vec<Follows>, Failure> {
    let (config, at) = (shared.config(), &shared.at);
    let mut follows = Vec::new();
    let mut clusters: BTreeMap<String, Vec<LinkConfig>> = BTreeMap::new();
    for link in config.links_into(at) {
        let cluster = config.sites.get(&link.source).map(|site| site.cluster.clone()).unwrap_or_default();
        clusters.entry(cluster).or_default().push(link.clone());
    }
    for (cluster, links) in clusters {
        let config = Arc::clone(config);
        let labels = move |topic: &TopicName| {
            let (link, bucket) = link_of(&config, &links, topic)?;
            Some(vec![KeyValue::new(names::LINK, link.name()), KeyValue::new(names::BUCKET, bucket.to_string())])
        };
        let log = Arc::clone(shared.deployment.cluster(&cluster)?);
        let group = shared.config().topics.names.group(at, "apply");
        follows.push(Follows::events(&shared.metrics, log, group, Arc::new(labels)));
    }
    Ok(follows)
}

fn thresholds(shared: &Shared, config: &Config, at: &SiteName) {
    let gauge = shared.metrics.gauge(names::LAG_THRESHOLD_SECONDS);
    for link in config.links_into(at) {
        gauge.record(link.lag_threshold.as_secs_f64(), &[KeyValue::new(names::LINK, link.name())]);
    }
}

fn group(
    shared: &Shared,
    (apply, watching): (&Arc<Apply>, &Arc<dyn Watch>),
    sources: &[Source],
    owned: &Sender<BTreeSet<i32>>,
) -> LaneGroup {
    let (config, at) = (shared.config(), &shared.at);
    let names = &config.topics.names;
    let [_, discover_now] = &shared.enabled.changed;
    let concurrency = config.links_into(at).map(|link| link.concurrency).max().unwrap_or(1);
    LaneGroup {
        home: Arc::clone(&shared.home),
        group: names.group(at, "apply-lanes"),
        member: shared.member.clone(),
        ids: shared.ids.clone(),
        lanes_topic: names.lanes(at),
        sources: sources.to_vec(),
        handler: Arc::<Apply>::clone(apply),
        watch: Arc::clone(watching),
        config: LaneConfig { concurrency, drain: shared.drain(), ..LaneConfig::default() },
        discover_every: DISCOVER,
        discover_now: Arc::clone(discover_now),
        owned: owned.clone(),
        lease: shared.lease.clone(),
    }
}
