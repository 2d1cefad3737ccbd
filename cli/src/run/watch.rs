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

/// Shows what has to be swept.
pub fn show(shared: &Arc<Shared>, tasks: &mut Tasks) {
    let (control, at, stop) = (Arc::clone(&shared.control), shared.at.clone(), shared.stop.rest.clone());
    let gauge = shared.metrics.gauge(names::SWEEP_NEEDED);
    tasks.add("sweeps needed", async move {
        let showing = async {
            let mut shown = BTreeSet::new();
            loop {
                let changed = control.changed();
                let now: BTreeSet<_> = control.sweeps().into_iter().map(|(to, sweep)| (to, sweep.why)).collect();
                for (of, value) in shown.difference(&now).map(|of| (of, 0.0)).chain(now.iter().map(|of| (of, 1.0))) {
                    let ((source, bucket), why) = of;
                    let target = if *source == at { "*" } else { at.as_str() };
                    let labels = [
                        KeyValue::new(names::LINK, format!("{source}>{target}")),
                        KeyValue::new(names::BUCKET, bucket.to_string()),
                        KeyValue::new(names::REASON, why.as_str()),
                    ];
                    gauge.record(value, &labels);
                }
                shown = now;
                changed.await;
            }
        };
        stop.run_until_cancelled(showing).await;
        Ok(())
    });
}
