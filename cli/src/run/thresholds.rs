//! Tells when a bucket's lag misses the threshold of its link, and when that is regained, as events of S3's own names; and
//! the same of the site's own notices, since change events that were never written do not lag.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use twinlog_control::Control;
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::{Log, LogError, Tell};
use twinlog_notifier::lag::Lag;
use twinlog_notifier::{Kind, Subject};
use twinlog_schemas::{CloudEvent, EventType, SiteName, ThresholdTold};

use super::beside::Shared;
use super::consumer::link_of;
use crate::config::{Config, LinkConfig};
use crate::exit::Failure;
use crate::telemetry::{self, Seen};

/// How often the lag is looked at: a share of the lowest threshold, within these bounds.
const SHARE: u32 = 10;
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(30);

/// A source and bucket; the site itself and no bucket: its notices.
type Watched = (String, String);

/// Watches the lag of every link into a site.
pub struct Thresholds {
    at: SiteName,
    config: Arc<Config>,
    control: Arc<Control>,
    /// The clusters of the sources, with the links from there.
    clusters: Vec<(Arc<dyn Log>, Vec<LinkConfig>)>,
    /// Where the site's own notices are, with the lowest threshold of the links that lead out of it, if any does.
    notices: Option<(Arc<dyn Log>, Duration)>,
    tell: Arc<dyn Tell>,
    clock: Arc<dyn Clock>,
    ids: Ids,
    seen: Mutex<BTreeMap<usize, Seen>>,
}

impl Thresholds {
    /// Of the links into the process's site.
    pub fn new(shared: &Shared, tell: Arc<dyn Tell>) -> Result<Self, Failure> {
        let (config, at) = (shared.config(), &shared.at);
        let mut by_cluster: BTreeMap<&str, Vec<LinkConfig>> = BTreeMap::new();
        for link in config.links_into(at) {
            let cluster = config.sites.get(&link.source).map_or("", |site| site.cluster.as_str());
            by_cluster.entry(cluster).or_default().push(link.clone());
        }
        let clusters = by_cluster
            .into_iter()
            .map(|(cluster, links)| Ok((Arc::clone(shared.deployment.cluster(cluster)?), links)))
            .collect::<Result<_, Failure>>()?;
        let notices = match config.links_from(at).map(|link| link.lag_threshold).min() {
            Some(threshold) => Some((Arc::clone(shared.deployment.home(at)?), threshold)),
            None => None,
        };
        Ok(Self {
            at: at.clone(),
            config: Arc::clone(config),
            control: Arc::clone(&shared.control),
            clusters,
            notices,
            tell,
            clock: Arc::clone(&shared.clock),
            ids: shared.ids.clone(),
            seen: Mutex::default(),
        })
    }

    /// Runs until it is dropped.
    pub async fn run(&self) {
        self.control.loaded().await;
        let incoming = self.config.links_into(&self.at).map(|link| link.lag_threshold);
        let lowest = incoming.chain(self.notices.as_ref().map(|(_, threshold)| *threshold)).min().unwrap_or(SELDOM);
        let mut look = interval((lowest / SHARE).clamp(OFTEN, SELDOM));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lags: BTreeMap<Watched, Lag> = BTreeMap::new();
        let mut ended = BTreeSet::new();
        loop {
            look.tick().await;
            let mut looked = BTreeSet::new();
            let mut whole = true;
            for (number, (log, links)) in self.clusters.iter().enumerate() {
                if let Err(error) = self.cluster(number, log, links, &mut lags, &mut looked).await {
                    tracing::debug!(%error, "lag not known for now");
                    whole = false;
                }
            }
            if let Err(error) = self.capture(&mut lags, &mut looked).await {
                tracing::debug!(%error, "the lag of capture is not known for now");
                whole = false;
            }
            if whole {
                lags.retain(|watched, _| looked.contains(watched));
                self.end_unwatched(&looked, &mut ended).await;
            }
        }
    }

    async fn cluster(
        &self,
        number: usize,
        log: &Arc<dyn Log>,
        links: &[LinkConfig],
        lags: &mut BTreeMap<Watched, Lag>,
        looked: &mut BTreeSet<Watched>,
    ) -> Result<(), LogError> {
        let group = self.config.topics.names.group(&self.at, "apply");
        let mut seen = self.seen.lock().await;
        let seen = seen.entry(number).or_default();
        for (topic, info) in log.topics_lately().await? {
            let Some((link, bucket)) = link_of(&self.config, links, &topic) else { continue };
            let lag = seen.lag((log, &group), &topic, info.partitions, self.clock.now_ms()).await?;
            let watched = (link.source.to_string(), bucket.to_string());
            self.judge(&watched, link.lag_threshold, lag, lags).await;
            looked.insert(watched);
        }
        Ok(())
    }

    /// Looks at the site's own notices.
    async fn capture(&self, lags: &mut BTreeMap<Watched, Lag>, looked: &mut BTreeSet<Watched>) -> Result<(), LogError> {
        let Some((log, threshold)) = &self.notices else { return Ok(()) };
        let names = &self.config.topics.names;
        let (topic, group) = (names.notices(&self.at), names.group(&self.at, "capture"));
        let Some(info) = log.topic(&topic).await? else { return Ok(()) };
        let mut seen = self.seen.lock().await;
        let seen = seen.entry(self.clusters.len()).or_default();
        let lag = seen.lag((log, &group), &topic, info.partitions, self.clock.now_ms()).await?;
        let watched = (self.at.to_string(), String::new());
        self.judge(&watched, *threshold, lag, lags).await;
        looked.insert(watched);
        Ok(())
    }

    /// Tells of a lag, if it has missed or regained its threshold.
    async fn judge(
        &self,
        watched: &Watched,
        threshold: Duration,
        lag: telemetry::Lag,
        lags: &mut BTreeMap<Watched, Lag>,
    ) {
        let standing = self.stands(watched);
        let told = told(&self.at, watched, threshold, lag);
        let change =
            lags.entry(watched.clone()).or_default().look(told.oldest_seconds, told.threshold_seconds, standing);
        if let Some(kind) = change {
            self.tell(kind, &told).await;
        }
    }

    /// A bucket that is not replicated any more lags no more, other than one whose topic was lost. `ended` are those of which
    /// that was told.
    async fn end_unwatched(&self, looked: &BTreeSet<Watched>, ended: &mut BTreeSet<Watched>) {
        ended.retain(|watched| !looked.contains(watched));
        for key in self.control.standing().into_keys() {
            let Some(Subject { kind: Kind::Lag, source, bucket, .. }) = Subject::of(key) else { continue };
            let watched = (source, bucket);
            let lost = self
                .control
                .topics_gone()
                .into_values()
                .any(|gone| gone.source.as_str() == watched.0 && gone.bucket_label() == watched.1);
            if !looked.contains(&watched) && !lost && ended.insert(watched.clone()) {
                let none = telemetry::Lag { records: 0, age_ms: 0 };
                self.tell(EventType::ThresholdRegained, &told(&self.at, &watched, Duration::ZERO, none)).await;
            }
        }
    }

    fn stands(&self, (source, bucket): &Watched) -> bool {
        let lags =
            |subject: Subject| subject.kind == Kind::Lag && subject.source == *source && subject.bucket == *bucket;
        self.control.standing().into_keys().filter_map(Subject::of).any(lags)
    }

    async fn tell(&self, kind: EventType, told: &ThresholdTold) {
        let (source, bucket) = (told.source_site.clone(), told.bucket.clone());
        let subject = Subject { kind: Kind::Lag, source, bucket, reason: String::new() }.text(&self.at);
        tracing::info!(about = subject, oldest_seconds = told.oldest_seconds, kind = kind.as_str(), "lag");
        match CloudEvent::new(kind, self.ids.event_id(), &self.at, subject, self.clock.now_ns(), told) {
            Ok(event) => self.tell.tell(event).await,
            Err(error) => tracing::error!(%error, "a lag could not be encoded: nobody is told"),
        }
    }
}

fn told(at: &SiteName, (source, bucket): &Watched, threshold: Duration, lag: telemetry::Lag) -> ThresholdTold {
    let whole = |number: i64| u64::try_from(number).unwrap_or(0);
    ThresholdTold {
        source_site: source.clone(),
        target_site: at.to_string(),
        bucket: bucket.clone(),
        threshold_seconds: threshold.as_secs(),
        oldest_seconds: whole(lag.age_ms / 1_000),
        waiting: whole(lag.records),
    }
}
