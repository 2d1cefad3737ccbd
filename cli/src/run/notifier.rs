//! The notifier beside the site, with its receivers, in the process that owns lane 0 of apply, or of capture where no
//! link leads into the site.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use twinlog_log::clock::Clock;
use twinlog_log::{Backoff, Tell, TellTopic};
use twinlog_notifier::alertmanager::{Alertmanager, Sender};
use twinlog_notifier::http::{Post, Url};
use twinlog_notifier::webhook::{Courier, Patience, Webhook};
use twinlog_notifier::{Notifier, Observer, Parts, Rules};

use super::beside::Shared;
use super::tasks::Tasks;
use super::thresholds::Thresholds;
use crate::config::NotifierConfig;
use crate::exit::Failure;
use crate::telemetry::{Follows, NotifierMetrics};

/// Dead letters shown in one message.
const EXAMPLES: usize = 5;
/// Waits between attempts at a webhook.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
/// How long an Alertmanager may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that the notifier does.
struct Work {
    notifier: Notifier,
    thresholds: Thresholds,
    couriers: Vec<Courier>,
    senders: Vec<Sender>,
}

/// Starts the notifier's task; what of its backlog is followed.
pub fn start(
    shared: &Arc<Shared>,
    owned: watch::Receiver<BTreeSet<i32>>,
    tasks: &mut Tasks,
) -> Result<Vec<Follows>, Failure> {
    let (config, at) = (shared.config(), &shared.at);
    let observer: Arc<dyn Observer> = Arc::new(NotifierMetrics::new(&shared.metrics, at));
    let tell: Arc<dyn Tell> = Arc::new(TellTopic::new(
        Arc::clone(&shared.home),
        &config.topics.names,
        at,
        Arc::clone(&shared.clock),
        shared.ids.clone(),
    ));
    let work = Work {
        notifier: Notifier::new(parts(shared, &tell, &observer)),
        thresholds: Thresholds::new(shared, tell)?,
        couriers: couriers(shared, &observer)?,
        senders: senders(shared, &observer)?,
    };
    let follows = work.couriers.iter().map(|courier| {
        let labels = (at.as_str(), courier.webhook.name.as_str());
        let (log, group) = (Arc::clone(&shared.home), courier.group.clone());
        Follows::notifications(&shared.metrics, log, group, labels, courier.topic.clone())
    });
    let follows = follows.collect();
    let stop = shared.stop.work.clone();
    tasks.add("notifier", async move {
        stop.run_until_cancelled(while_owned(owned, &work)).await;
        Ok(())
    });
    Ok(follows)
}

/// Works whenever lane 0 is owned. What is dropped in the middle is done again by the next owner.
async fn while_owned(mut owned: watch::Receiver<BTreeSet<i32>>, work: &Work) {
    while owned.wait_for(|lanes| lanes.contains(&0)).await.is_ok() {
        tokio::select! {
            biased;
            _ = owned.wait_for(|lanes| !lanes.contains(&0)) => {}
            () = work.run() => {}
        }
    }
}

impl Work {
    async fn run(&self) {
        tokio::join!(
            self.notifier.run(),
            self.thresholds.run(),
            join_all(self.couriers.iter().map(Courier::run)),
            join_all(self.senders.iter().map(Sender::run)),
        );
    }
}

fn parts(shared: &Shared, tell: &Arc<dyn Tell>, observer: &Arc<dyn Observer>) -> Parts {
    let (config, at) = (shared.config(), &shared.at);
    Parts {
        here: at.clone(),
        home: Arc::clone(&shared.home),
        topics: config.topics.names.clone(),
        sources: config.links_into(at).map(|link| link.source.clone()).collect(),
        control: Arc::clone(&shared.control),
        tell: Arc::clone(tell),
        clock: Arc::clone(&shared.clock),
        ids: shared.ids.clone(),
        observer: Arc::clone(observer),
        rules: rules(&config.notifier),
        keys: config.notifier.example_keys,
        runbook: config.notifier.runbook.clone(),
    }
}

fn rules(config: &NotifierConfig) -> Rules {
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    // For records on their way when their window ends.
    let settle = (config.window / 10).clamp(Duration::from_millis(250), Duration::from_secs(2));
    Rules { window_ms: ms(config.window), settle_ms: ms(settle), quiet_ms: ms(config.quiet), examples: EXAMPLES }
}

fn couriers(shared: &Shared, observer: &Arc<dyn Observer>) -> Result<Vec<Courier>, Failure> {
    let (config, at) = (shared.config(), &shared.at);
    let names = &config.topics.names;
    let couriers = config.notifier.webhooks.iter().map(|(name, webhook)| {
        let url = Url::new(webhook.url.reveal().to_owned(), webhook.ca_file.as_deref(), webhook.timeout);
        let url = url.map_err(|error| Failure::config(format!("notifier.webhooks.{name}: {error}")))?;
        Ok(Courier {
            here: at.clone(),
            home: Arc::clone(&shared.home),
            topic: names.events(at),
            group: names.group(at, &format!("notify.{name}")),
            webhook: Webhook {
                name: name.clone(),
                post: Arc::new(url),
                secret: webhook.secret.reveal().as_bytes().to_vec(),
                patience: Patience { backoff: AGAIN, give_up_after: webhook.give_up_after },
            },
            clock: Arc::clone(&shared.clock),
            ids: shared.ids.clone(),
            observer: Arc::clone(observer),
        })
    });
    couriers.collect()
}

fn senders(shared: &Shared, observer: &Arc<dyn Observer>) -> Result<Vec<Sender>, Failure> {
    let config = &shared.config().notifier;
    let senders = config.alertmanagers.iter().map(|(name, alertmanager)| {
        let url = format!("{}/api/v2/alerts", alertmanager.url.reveal().trim_end_matches('/'));
        let url = Url::new(url, alertmanager.ca_file.as_deref(), PATIENCE);
        let url = url.map_err(|error| Failure::config(format!("notifier.alertmanagers.{name}: {error}")))?;
        let post: Arc<dyn Post> = Arc::new(url);
        let told = Alertmanager {
            name: name.clone(),
            post,
            token: alertmanager.token.as_ref().map(|token| token.reveal().to_owned()),
            repeat: alertmanager.repeat,
        };
        let clock: Arc<dyn Clock> = Arc::clone(&shared.clock);
        Ok(Sender::new(
            (shared.at.clone(), Arc::clone(&shared.control)),
            told,
            (clock, shared.ids.clone()),
            Arc::clone(observer),
            config.example_keys,
            config.runbook.clone(),
        ))
    });
    senders.collect()
}
