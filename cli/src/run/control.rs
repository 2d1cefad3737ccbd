//! The control topics while the process runs: the own site's steers it, and every site's teaches it the schemas that
//! newer producers publish.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use twinlog_control::Control;
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::{LogError, LogErrorKind};
use twinlog_schemas::SiteName;
use twinlog_schemas::codec::{Codec, PublishedSchema};

use super::stop::Stop;
use super::tasks::Tasks;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::telemetry::Readiness;

/// How long the own topic may take to be read before that is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// Follows the own site's topic and those of the others; `stir` tells of buckets that are enabled or disabled. Returns once
/// the own one is known, however long that takes: what is held or dirty must be known before anything is done.
pub async fn open(
    deployment: &Deployment,
    at: &SiteName,
    (clock, ids, codec, stir): (&Arc<dyn Clock>, &Ids, &Arc<Codec>, &watch::Sender<()>),
    readiness: &Readiness,
    tasks: &mut Tasks,
    stop: &Stop,
) -> Result<Arc<Control>, Failure> {
    let names = &deployment.config.topics.names;
    let of = |site| -> Result<Arc<Control>, Failure> {
        let home = Arc::clone(deployment.home(site)?);
        Ok(Arc::new(Control::new(home, names, site, Arc::clone(clock), ids.clone())))
    };
    let own = of(at)?;
    let reported = readiness.needs("control");
    let (tell, mut trouble) = watch::channel(None);
    follow(&own, (codec, stir), tasks, stop, move |error| drop(tell.send_replace(error.cloned())));
    loop {
        let error = tokio::select! {
            biased;
            () = own.loaded() => break,
            Ok(()) = trouble.changed() => match trouble.borrow_and_update().clone() {
                // No bucket is enabled yet: nothing is on record.
                Some(error) if error.kind == LogErrorKind::UnknownTopic
                    && matches!(deployment.home(at)?.topic(own.topic()).await, Ok(None)) => break,
                Some(error) => error.to_string(),
                None => continue,
            },
            () = sleep(PATIENCE) => "the cluster does not answer in time".to_owned(),
        };
        tracing::warn!(topic = %own.topic(), %error, "control topic not read");
        reported.not_ready(error);
    }
    reported.ready(format!("read; {} holds, {} dirty buckets", own.holds().len(), own.dirty().len()));
    for site in deployment.sites.keys().filter(|site| *site != at) {
        follow(&of(site)?, (codec, stir), tasks, stop, |_| {});
    }
    Ok(own)
}

fn follow(
    control: &Arc<Control>,
    (codec, stir): (&Arc<Codec>, &watch::Sender<()>),
    tasks: &mut Tasks,
    stop: &Stop,
    tell: impl Fn(Option<&LogError>) + Send + Sync + 'static,
) {
    let (followed, until) = (Arc::clone(control), stop.rest.clone());
    tasks.add("control", async move {
        let trouble = |error: Option<&LogError>| {
            if let Some(error) = error {
                tracing::debug!(topic = %followed.topic(), %error, "control topic is not followed for now");
            }
            tell(error);
        };
        until.run_until_cancelled(followed.follow(trouble)).await;
        Ok(())
    });
    let (control, codec, stir, until) = (Arc::clone(control), Arc::clone(codec), stir.clone(), stop.rest.clone());
    tasks.add("schemas", async move {
        until.run_until_cancelled(learn_all(&control, &codec, &stir)).await;
        Ok(())
    });
}

/// Learns the schemas that come on record, and tells of buckets that are enabled or disabled.
async fn learn_all(control: &Control, codec: &Codec, stir: &watch::Sender<()>) {
    let (mut refused, mut enabled) = (BTreeSet::new(), BTreeMap::new());
    loop {
        let changed = control.changed();
        for schema in control.schemas() {
            let known = u64::from_str_radix(&schema.fingerprint, 16).is_ok_and(|schema| codec.knows(schema));
            if known || refused.contains(&schema.fingerprint) {
                continue;
            }
            match learn(codec, &schema) {
                Ok(()) => tracing::info!(schema = schema.fingerprint, record = %schema.record, "schema learnt"),
                Err(error) => {
                    tracing::warn!(schema = schema.fingerprint, error, "published schema not learnt");
                    refused.insert(schema.fingerprint);
                }
            }
        }
        let now = control.enabled_at();
        if now != enabled {
            stir.send_replace(());
            enabled = now;
        }
        changed.await;
    }
}

fn learn(codec: &Codec, published: &PublishedSchema) -> Result<(), String> {
    let schema = published.verified().map_err(|error| error.to_string())?;
    codec.learn(schema).map(drop).map_err(|error| error.to_string())
}
