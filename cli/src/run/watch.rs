//! The watch over the topics that the process reads, and what is on record of it as metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use opentelemetry::KeyValue;
use twinlog_consumer::hold::{Holds, Reason, Scope};
use twinlog_control::LogWatch;
use twinlog_control::watch::Unfit;
use twinlog_log::lane::Watch;
use twinlog_log::{Log, Tell, TellTopic};
use twinlog_schemas::SiteName;

use super::beside::Shared;
use super::tasks::Tasks;
use crate::telemetry::names;

/// Over what apply reads: a topic whose partitions do not fit holds its buckets.
pub fn of_apply(shared: &Shared, holds: &Arc<Holds>, tell: &Arc<dyn Tell>) -> Arc<dyn Watch> {
    let holds = Arc::clone(holds);
    let unfit: Unfit = Arc::new(move |direction, message| {
        let holds = Arc::clone(&holds);
        Box::pin(async move {
            let scope = Scope::Bucket(direction);
            // A hold that stands may wait for a person, and says enough.
            if holds.control().hold(&scope).is_none() {
                holds.begin(scope, Reason::PartitionsUnfit, &message, None).await;
            }
        })
    });
    watch(shared, Arc::clone(tell), unfit)
}

/// Over the notices, whose partitions always fit.
pub fn of_capture(shared: &Shared) -> Arc<dyn Watch> {
    let names = &shared.config().topics.names;
    let (clock, ids) = (Arc::clone(&shared.clock), shared.ids.clone());
    let tell = TellTopic::new(Arc::clone(&shared.home), names, &shared.at, clock, ids);
    watch(shared, Arc::new(tell), Arc::new(|_, _| Box::pin(async {})))
}

fn watch(shared: &Shared, tell: Arc<dyn Tell>, unfit: Unfit) -> Arc<dyn Watch> {
    let (config, at) = (Arc::clone(shared.config()), shared.at.clone());
    let sites = config.links_into(&at).map(|link| link.source.clone()).chain([at.clone()]).collect::<BTreeSet<_>>();
    let homes = sites.into_iter().filter_map(|site| {
        let home: Arc<dyn Log> = Arc::clone(shared.deployment.home(&site).ok()?);
        Some((site, home))
    });
    Arc::new(LogWatch {
        here: at.clone(),
        topics: config.topics.names.clone(),
        homes: homes.collect::<BTreeMap<SiteName, _>>(),
        carries: Arc::new(move |source, bucket| {
            let mut links = config.links_of(bucket);
            if *source == at {
                links.any(|link| link.source == at)
            } else {
                links.any(|link| link.source == *source && link.target == at)
            }
        }),
        control: Arc::clone(&shared.control),
        tell,
        clock: Arc::clone(&shared.clock),
        ids: shared.ids.clone(),
        unfit,
    })
}

/// A series that is 1: of topics that are gone, or else of sweeps, with link, bucket and reason.
type Shown = (bool, String, String, Option<&'static str>);

/// Shows what has to be swept, and which topics are gone.
pub fn show(shared: &Arc<Shared>, tasks: &mut Tasks) {
    let (control, at, stop) = (Arc::clone(&shared.control), shared.at.clone(), shared.stop.rest.clone());
    let (sweeps, topics) = (shared.metrics.gauge(names::SWEEP_NEEDED), shared.metrics.gauge(names::TOPIC_GONE));
    let link = move |source: &SiteName| format!("{source}>{}", if *source == at { "*" } else { at.as_str() });
    tasks.add("watch", async move {
        let showing = async {
            let mut shown: BTreeSet<Shown> = BTreeSet::new();
            loop {
                let changed = control.changed();
                let to_sweep = control.sweeps().into_iter();
                let to_sweep = to_sweep.map(|((source, bucket), sweep)| {
                    (false, link(&source), bucket.to_string(), Some(sweep.why.as_str()))
                });
                let gone = control.topics_gone().into_values();
                let gone = gone.map(|gone| (true, link(&gone.source), gone.bucket_label(), None));
                let now: BTreeSet<Shown> = to_sweep.chain(gone).collect();
                for (of, value) in shown.difference(&now).map(|of| (of, 0.0)).chain(now.iter().map(|of| (of, 1.0))) {
                    let (is_topic, link, bucket, reason) = of;
                    let mut labels =
                        vec![KeyValue::new(names::LINK, link.clone()), KeyValue::new(names::BUCKET, bucket.clone())];
                    labels.extend(reason.map(|reason| KeyValue::new(names::REASON, reason)));
                    if *is_topic { &topics } else { &sweeps }.record(value, &labels);
                }
                shown = now;
                changed.await;
            }
        };
        stop.run_until_cancelled(showing).await;
        Ok(())
    });
}
