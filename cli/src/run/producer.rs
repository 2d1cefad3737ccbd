//! The producer beside the site: intake on its socket, the fast door, and capture on the lanes of the notices topic.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Sender;
use twinlog_log::clock::uptime;
use twinlog_log::lane::{LaneConfig, LaneGroup, Lease, Source, Watch};
use twinlog_producer::intake::serve;
use twinlog_producer::{
    BucketSettings, CaptureConfig, IntakeConfig, Parts, Producer, QuarantineConfig, Selection, Token,
};
use twinlog_schemas::{BucketName, SiteName};

use super::beside::{Shared, bind};
use super::index::ByTail;
use super::lanes;
use super::notifier;
use super::subscribed;
use super::sweeper;
use super::tasks::Tasks;
use super::watch;
use crate::config::Config;
use crate::exit::Failure;
use crate::telemetry::{Follows, ProducerMetrics};

/// Reads of the store at a time, per lane.
const CONCURRENCY: usize = 32;
/// How often topics are looked up without being told of a change.
const DISCOVER: Duration = Duration::from_secs(30);

/// Starts the producer's tasks; what of its backlog is followed.
pub async fn start(shared: &Arc<Shared>, tasks: &mut Tasks) -> Result<Vec<Follows>, Failure> {
    let (config, at) = (Arc::clone(shared.config()), &shared.at);
    let names = &config.topics.names;
    let site = Arc::clone(shared.deployment.site(at)?);
    let settings = config.sites.get(at).ok_or_else(|| Failure::config(format!("there is no [sites.{at}]")))?;

    let listens = settings.dialect.dialect().has_fast_listen();
    let door = listens.then(|| shared.readiness.needs_once("fast door"));
    let observer = Arc::new(ProducerMetrics::new(&shared.metrics, at, door.clone()));
    let parts = Parts {
        site,
        log: Arc::clone(&shared.home),
        index: Arc::clone(&shared.indexed.index),
        freshness: Arc::new(ByTail::new(Arc::clone(&shared.indexed.tail), [names.facts(at), names.receipts(at)])),
        codec: Arc::clone(&shared.codec),
        topics: names.clone(),
        selection: Arc::new(Selected { config: Arc::clone(&config), site: at.clone() }),
        clock: Arc::clone(&shared.clock),
        ids: shared.ids.clone(),
        observer,
    };
    let default = CaptureConfig::default();
    let capture = CaptureConfig {
        own_principals: settings.own_principals.iter().cloned().collect(),
        dirty: shared.control.dirty().into_iter().map(|dirty| dirty.bucket).collect(),
        give_up_after: config.links_from(at).map(|link| link.give_up_after).max().unwrap_or(default.give_up_after),
        ..default
    };
    let producer = Arc::new(Producer::new(parts, capture).map_err(|error| Failure::internal(error.to_string()))?);

    intake(shared, &producer, tasks).await?;
    let owned = Sender::new(BTreeSet::new());
    if let Some(door) = door {
        let site = Arc::clone(shared.deployment.site(at)?);
        let subscribed = subscribed::follow(tasks, site, shared.enabled.own.clone(), shared.stop.work.clone());
        let listen = producer.listen(subscribed, owned.subscribe());
        let stop = shared.stop.work.clone();
        tasks.add("listen", async move {
            listen.run(stop.clone()).await;
            stop.cancelled().await;
            Ok(())
        });
        let (mut lanes, stop) = (owned.subscribe(), shared.stop.work.clone());
        tasks.add("fast door", async move {
            // Of several processes beside a site one listens; the others do not wait for a door that is not theirs.
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = lanes.wait_for(|lanes| !lanes.is_empty() && !lanes.contains(&0)) => {
                    door.ready("held by the process that owns lane 0");
                }
            }
            stop.cancelled().await;
            Ok(())
        });
    }
    sweeper::start(shared, &producer, owned.subscribe(), tasks);
    let (log, group) = (Arc::clone(&shared.home), names.group(at, "capture"));
    let mut follows = vec![Follows::notices(&shared.metrics, log, group, at.as_str(), names.notices(at))];
    if config.links_into(at).next().is_none() {
        // Where nothing is applied, nobody else would tell what becomes of the site's notices.
        follows.extend(notifier::start(shared, owned.subscribe(), tasks)?);
    }
    captures(shared, &producer, owned, tasks);
    Ok(follows)
}

async fn intake(shared: &Arc<Shared>, producer: &Producer, tasks: &mut Tasks) -> Result<(), Failure> {
    let at = &shared.at;
    let site = shared.config().sites.get(at).ok_or_else(|| Failure::config(format!("there is no [sites.{at}]")))?;
    let settings = &site.intake;
    let config = IntakeConfig {
        max_body_bytes: settings.body_max_bytes,
        max_in_flight: settings.in_flight,
        ..IntakeConfig::with_token(Token::new(settings.token.reveal()))
    };
    let quarantine = QuarantineConfig {
        max_bytes: settings.quarantine_max_bytes,
        ..QuarantineConfig::in_dir(settings.quarantine_dir.clone())
    };
    let routes = producer.intake(config, quarantine);
    let reported = shared.readiness.needs("intake");
    let listener = bind(&settings.listen, &format!("sites.{at}.intake.listen")).await?;
    tracing::info!(address = %settings.listen, "intake listens");
    reported.ready(format!("listens on {}", settings.listen));
    let stop = shared.stop.work.clone();
    tasks.add("intake", async move {
        let served = serve(listener, routes, stop).await;
        served.map_err(|error| Failure::internal(format!("intake failed: {error}")))
    });
    Ok(())
}

fn captures(shared: &Arc<Shared>, producer: &Arc<Producer>, owned: Sender<BTreeSet<i32>>, tasks: &mut Tasks) {
    let reported = shared.readiness.needs("lanes of capture");
    let stop = shared.stop.work.clone();
    let reporting = lanes::report(owned.subscribe(), reported.clone(), stop.clone());
    tasks.add("lanes of capture, report", async move {
        reporting.await;
        Ok(())
    });
    let watching = watch::of_capture(shared);
    let (shared, producer) = (Arc::clone(shared), Arc::clone(producer));
    tasks.add("lanes of capture", async move {
        let seed = shared.ids.seed();
        let control = shared.config().topics.names.control(&shared.at);
        let first = async {
            lanes::exists(&shared.home, &control, seed).await;
            publish(&producer, seed).await;
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = first => {}
        }
        lanes::keep(|| group(&shared, &producer, &watching, &owned), reported, seed, stop.clone()).await
    });
}

/// Publishes the schemas; before that no event is written, or an older consumer could not read it.
async fn publish(producer: &Producer, seed: u64) {
    let mut delays = twinlog_log::Backoff::PROMPT.delays(seed);
    while let Err(error) = producer.publish_schemas().await {
        tracing::warn!(%error, "schemas not published; trying again");
        delays.wait().await;
    }
}

fn group(shared: &Shared, producer: &Producer, watching: &Arc<dyn Watch>, owned: &Sender<BTreeSet<i32>>) -> LaneGroup {
    let names = &shared.config().topics.names;
    let notices = names.notices(&shared.at);
    let [discover_now, _] = &shared.enabled.changed;
    LaneGroup {
        home: Arc::clone(&shared.home),
        group: names.group(&shared.at, "capture-lanes"),
        member: shared.member.clone(),
        ids: shared.ids.clone(),
        lanes_topic: names.lanes(&shared.at),
        sources: vec![Source::of(
            Arc::clone(&shared.home),
            names.group(&shared.at, "capture"),
            Arc::new(move |topic| *topic == notices),
        )],
        handler: producer.capture(),
        watch: Arc::clone(watching),
        config: LaneConfig { concurrency: CONCURRENCY, drain: shared.drain(), ..LaneConfig::default() },
        discover_every: DISCOVER,
        discover_now: Arc::clone(discover_now),
        owned: owned.clone(),
        lease: Lease::new(Arc::new(uptime)),
    }
}

/// The buckets that the links from a site carry.
struct Selected {
    config: Arc<Config>,
    site: SiteName,
}

impl Selection for Selected {
    fn settings(&self, bucket: &BucketName) -> Option<BucketSettings> {
        let carried = self.config.links_from(&self.site).any(|link| link.carries(bucket));
        carried.then(|| BucketSettings { inline_max_bytes: self.config.inline_max(&self.site, bucket) })
    }
}
