//! The control topics while the process runs: the own site's steers it, and every site's teaches it the schemas that
//! newer producers publish.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use twinlog_control::Control;
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::{Backoff, LogError};
use twinlog_schemas::SiteName;
use twinlog_schemas::codec::{Codec, PublishedSchema};

use super::stop::Stop;
use super::tasks::Tasks;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::telemetry::Readiness;

/// How long one attempt to read the own topic may take before that is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the own site's topic, however long that takes: what is held or dirty must be known before anything is done.
/// Then follows it and those of the other sites.
pub async fn open(
    deployment: &Deployment,
    at: &SiteName,
    (clock, ids, codec): (&Arc<dyn Clock>, &Ids, &Arc<Codec>),
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
    let mut delays = Backoff::PROMPT.delays(ids.seed());
    loop {
        let error = match timeout(PATIENCE, own.load()).await {
            Ok(Ok(())) => break,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the cluster does not answer in time".to_owned(),
        };
        tracing::warn!(topic = %own.topic(), %error, "control topic not read");
        reported.not_ready(error);
        delays.wait().await;
    }
    reported.ready(format!("read; {} holds, {} dirty buckets", own.holds().len(), own.dirty().len()));
    follow(&own, codec, tasks, stop);
    for site in deployment.sites.keys().filter(|site| *site != at) {
        follow(&of(site)?, codec, tasks, stop);
    }
    Ok(own)
}

fn follow(control: &Arc<Control>, codec: &Arc<Codec>, tasks: &mut Tasks, stop: &Stop) {
    let (followed, until) = (Arc::clone(control), stop.rest.clone());
    tasks.add("control", async move {
        let trouble = |error: Option<&LogError>| {
            if let Some(error) = error {
                tracing::debug!(topic = %followed.topic(), %error, "control topic is not followed for now");
            }
        };
        until.run_until_cancelled(followed.follow(trouble)).await;
        Ok(())
    });
    let (control, codec, until) = (Arc::clone(control), Arc::clone(codec), stop.rest.clone());
    tasks.add("schemas", async move {
        until.run_until_cancelled(learn_all(&control, &codec)).await;
        Ok(())
    });
}

async fn learn_all(control: &Control, codec: &Codec) {
    let mut refused = std::collections::BTreeSet::new();
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
        changed.await;
    }
}

fn learn(codec: &Codec, published: &PublishedSchema) -> Result<(), String> {
    let schema = published.verified().map_err(|error| error.to_string())?;
    codec.learn(schema).map(drop).map_err(|error| error.to_string())
}
