//! The alarm at half of the retention: how old the oldest change event that waits is, against what its topic keeps now.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use tokio::sync::watch::Receiver;
use tokio::time::{MissedTickBehavior, interval};
use twinlog_control::{Control, Direction, Entry, Key, Late};
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::{Log, LogError, Tell, TopicName, Topics};
use twinlog_schemas::{BucketName, CloudEvent, EventType, RetentionTold, SiteName};

use super::beside::Shared;
use super::tasks::Tasks;
use crate::config::LinkConfig;
use crate::exit::Failure;
use crate::retention::{Change, Followed, Waiting, judge, percent, waiting};
use crate::telemetry::names;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// How long one record may take to be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// The alarm over the links into a site.
struct Alarm {
    here: SiteName,
    topics: Topics,
    links: Vec<(LinkConfig, Arc<dyn Log>)>,
    control: Arc<Control>,
    tell: Arc<dyn Tell>,
    clock: Arc<dyn Clock>,
    ids: Ids,
    shown: Gauge<f64>,
}

/// Watches for as long as the process runs. Every process shows the share; the owner of lane 0 tells.
pub fn watch(
    shared: &Arc<Shared>,
    tell: Arc<dyn Tell>,
    owned: Receiver<BTreeSet<i32>>,
    tasks: &mut Tasks,
) -> Result<(), Failure> {
    let config = shared.config();
    let mut links = Vec::new();
    for link in config.links_into(&shared.at) {
        links.push((link.clone(), Arc::clone(shared.deployment.home(&link.source)?)));
    }
    let alarm = Alarm {
        here: shared.at.clone(),
        topics: config.topics.names.clone(),
        links,
        control: Arc::clone(&shared.control),
        tell,
        clock: Arc::clone(&shared.clock),
        ids: shared.ids.clone(),
        shown: shared.metrics.gauge(names::RETENTION_USED_RATIO),
    };
    let stop = shared.stop.work.clone();
    tasks.add("retention", async move {
        let watching = async {
            let mut look = interval(LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                look.tick().await;
                let keeper = owned.borrow().contains(&0);
                alarm.look(keeper).await;
            }
        };
        stop.run_until_cancelled(watching).await;
        Ok(())
    });
    Ok(())
}

impl Alarm {
    async fn look(&self, keeper: bool) {
        for (link, log) in &self.links {
            if let Err(error) = self.of_link(link, log.as_ref(), keeper).await {
                tracing::warn!(link = link.name(), %error, "how much of the retention is used up is not known");
            }
        }
    }

    async fn of_link(&self, link: &LinkConfig, log: &dyn Log, keeper: bool) -> Result<(), LogError> {
        let group = self.topics.group(&self.here, "apply");
        let mut topics = log.topics_lately().await?;
        topics.retain(|topic, _| self.bucket_of(link, topic).is_some());
        let retention = log.retention(&topics.keys().cloned().collect::<Vec<_>>()).await?;
        let (topics, retention) = (&topics, &retention);
        let followed = Followed { log, group: &group, topics, retention, patience: PATIENCE };
        for (topic, waiting) in waiting(&followed, self.clock.now_ms()).await? {
            let Some(bucket) = self.bucket_of(link, &topic) else { continue };
            let labels = [KeyValue::new(names::LINK, link.name()), KeyValue::new(names::BUCKET, bucket.to_string())];
            self.shown.record(waiting.used, &labels);
            if keeper {
                self.judge(&(link.source.clone(), bucket), &waiting).await;
            }
        }
        Ok(())
    }

    /// Of which bucket of the link a topic holds the change events.
    fn bucket_of(&self, link: &LinkConfig, topic: &TopicName) -> Option<BucketName> {
        self.topics.bucket_of_changes(&link.source, topic).filter(|bucket| link.carries(bucket))
    }

    /// Begins or ends the alarm of a direction; it stands in control, so that a restart tells nothing twice.
    async fn judge(&self, direction: &Direction, waiting: &Waiting) {
        let stands = self.control.late(direction);
        let (source, bucket) = direction;
        let percent = percent(waiting.used);
        match judge(stands.is_some(), waiting.used) {
            None => {}
            Some(Change::Begun) => {
                let late = Late { since_us: self.clock.now_us() };
                let message = format!(
                    "the oldest change event that waits has used up {percent} % of the retention of {}; it is deleted unread \
                     when all of it is used up",
                    self.topics.changes(source, bucket)
                );
                tracing::error!(%source, %bucket, percent, waiting = waiting.records, "half of the retention is used up");
                self.control.put(Entry::Late(direction.clone(), late)).await;
                self.told(EventType::RetentionBegun, direction, waiting, late, message).await;
            }
            Some(Change::Ended) => {
                let Some(late) = stands else { return };
                tracing::info!(%source, %bucket, percent, "less than half of the retention is used up again");
                self.control.remove(Key::Late(direction.clone())).await;
                let message = format!("the oldest change event that waits has used up {percent} % of the retention");
                self.told(EventType::RetentionEnded, direction, waiting, late, message).await;
            }
        }
    }

    async fn told(
        &self,
        kind: EventType,
        (source, bucket): &Direction,
        waiting: &Waiting,
        late: Late,
        message: String,
    ) {
        let told = RetentionTold {
            source_site: source.to_string(),
            target_site: self.here.to_string(),
            bucket: bucket.to_string(),
            used_percent: percent(waiting.used),
            waiting: waiting.records,
            message,
            since_us: late.since_us,
        };
        let subject = format!("{source}>{}/{bucket}", self.here);
        match CloudEvent::new(kind, self.ids.event_id(), &self.here, subject, self.clock.now_ns(), &told) {
            Ok(event) => self.tell.tell(event).await,
            Err(error) => tracing::error!(%error, "how much of the retention is used up could not be told"),
        }
    }
}

#[cfg(test)]
mod tests;
