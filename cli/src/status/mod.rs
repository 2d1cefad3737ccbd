//! `twinlog status`: how each bucket of each link stands, from what is in the log alone, so that it tells the same
//! whether or not a Twinlog runs.

mod lag;

use std::collections::BTreeMap;

use serde::Serialize;
use twinlog_control::{Control, Reason, Scope, Stuck, Sweep};
use twinlog_log::clock::{Clock, SystemClock};
use twinlog_log::{TopicInfo, TopicName};
use twinlog_schemas::BucketName;

use crate::args::StatusOptions;
use crate::bucket::control;
use crate::config::{Config, LinkConfig};
use crate::deployment::{ASKING, Deployment};
use crate::exit::{Exit, Failure};
use crate::retention::{ALARM, percent};
use crate::{show, wanted};

/// Everything.
#[derive(Debug, Serialize)]
struct Status {
    links: Vec<Link>,
    sites: Vec<Site>,
}

/// A link.
#[derive(Debug, Serialize)]
struct Link {
    link: String,
    /// The end that does not answer, with what it last said, if the breaker is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    away: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<Held>,
    buckets: Vec<Bucket>,
}

/// A bucket of a link.
#[derive(Debug, Serialize)]
struct Bucket {
    bucket: String,
    /// Change events that are not committed as done.
    waiting: i64,
    /// The age of the oldest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<Held>,
    /// How much of the retention the oldest of them has used up, in percent; at 100 the log deletes it unread.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_used_percent: Option<u32>,
    /// Why it has to be swept.
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<Held>,
}

/// A hold.
#[derive(Debug, Clone, Serialize)]
struct Held {
    reason: String,
    message: String,
    held_seconds: i64,
    remedy: String,
}

/// What belongs to a site.
#[derive(Debug, Serialize)]
struct Site {
    site: String,
    /// Dead letters that the log still has, whatever became of them.
    dead_letters: i64,
    dirty_buckets: Vec<String>,
    /// Partitions that stand at a record, with what broke.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    stuck: BTreeMap<String, Held>,
    /// Buckets whose notices were lost, with why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sweep_buckets: BTreeMap<String, Held>,
}

/// `twinlog status`. Findings (exit 1) where something is held or dirty.
pub async fn status(config: Config, options: StatusOptions) -> Result<Exit, Failure> {
    let deployment = Deployment::connect(std::sync::Arc::new(config), "twinlog-cli", ASKING).await?;
    let status = look(&deployment, options.bucket.as_ref()).await?;
    if options.json {
        show::json(&status)?;
    } else {
        print!("{}", text(&status));
    }
    Ok(if status.troubled() { Exit::Findings } else { Exit::Success })
}

async fn look(deployment: &Deployment, only: Option<&BucketName>) -> Result<Status, Failure> {
    let mut topics = BTreeMap::new();
    for cluster in deployment.clusters.keys() {
        topics.insert(cluster.clone(), deployment.topics(cluster).await?);
    }
    let mut controls = BTreeMap::new();
    for site in deployment.sites.keys() {
        controls.insert(site.clone(), control(deployment, site).await?);
    }
    let mut links = Vec::new();
    for link in &deployment.config.links {
        let Some(control) = controls.get(&link.target) else { continue };
        links.push(of_link(deployment, &topics, link, control, only).await?);
    }
    let mut sites = Vec::new();
    for (site, control) in &controls {
        let dead_letters = lag::kept(deployment, site, &deployment.config.topics.names.dead(site)).await?;
        let dirty_buckets = control.dirty().into_iter().map(|dirty| dirty.bucket.to_string()).collect();
        let own = control.sweeps().into_iter().filter(|((source, _), _)| source == site);
        let sweep_buckets = own.map(|((_, bucket), sweep)| (bucket.to_string(), to_be_swept(sweep))).collect();
        let stuck = control.all_stuck().into_iter();
        let stuck = stuck.map(|(at, stuck)| (format!("{at} at offset {}", stuck.offset), standing(stuck))).collect();
        sites.push(Site { site: site.to_string(), dead_letters, dirty_buckets, stuck, sweep_buckets });
    }
    Ok(Status { links, sites })
}

async fn of_link(
    deployment: &Deployment,
    topics: &BTreeMap<String, BTreeMap<TopicName, TopicInfo>>,
    link: &LinkConfig,
    control: &Control,
    only: Option<&BucketName>,
) -> Result<Link, Failure> {
    let cluster = deployment.config.sites.get(&link.source).map(|site| site.cluster.clone()).unwrap_or_default();
    let mut buckets = Vec::new();
    for topic in topics.get(&cluster).into_iter().flat_map(BTreeMap::keys) {
        let bucket = wanted::bucket_of(&deployment.config, &link.source, topic);
        let Some(bucket) = bucket.filter(|bucket| link.carries(bucket)) else { continue };
        if only.is_some_and(|only| *only != bucket) {
            continue;
        }
        let waiting = lag::waiting(deployment, link, topic).await?;
        let direction = (link.source.clone(), bucket.clone());
        let sweep = control.sweep(&direction).map(to_be_swept);
        let scope = Scope::Bucket(direction);
        buckets.push(Bucket {
            bucket: bucket.to_string(),
            waiting: waiting.records,
            retention_used_percent: waiting.oldest_ms.map(|_| percent(waiting.used)),
            oldest_seconds: waiting.oldest_ms.map(|ms| (SystemClock.now_ms() - ms).max(0) / 1_000),
            hold: held(control, &scope),
            sweep,
        });
    }
    let away = control.away().into_iter().find(|((source, _), _)| *source == link.source);
    let away = away.map(|((_, site), away)| format!("{site} does not answer: {}", away.message));
    Ok(Link { link: link.name(), away, hold: held(control, &Scope::Link(link.source.clone())), buckets })
}

fn held(control: &Control, scope: &Scope) -> Option<Held> {
    let hold = control.holds().remove(scope)?;
    let reason: Reason = hold.reason;
    Some(Held {
        reason: reason.to_string(),
        message: hold.message,
        held_seconds: (SystemClock.now_us() - hold.since_us).max(0) / 1_000_000,
        remedy: reason.remedy().to_owned(),
    })
}

fn standing(stuck: Stuck) -> Held {
    Held {
        reason: Stuck::REASON.to_owned(),
        message: stuck.message,
        held_seconds: (SystemClock.now_us() - stuck.since_us).max(0) / 1_000_000,
        remedy: Stuck::REMEDY.to_owned(),
    }
}

impl Bucket {
    /// Whether half of the retention is used up.
    fn late(&self) -> bool {
        self.retention_used_percent.is_some_and(|percent| f64::from(percent) >= ALARM * 100.0)
    }
}

fn to_be_swept(sweep: Sweep) -> Held {
    Held {
        reason: sweep.why.to_string(),
        message: sweep.message,
        held_seconds: (SystemClock.now_us() - sweep.since_us).max(0) / 1_000_000,
        remedy: Sweep::REMEDY.to_owned(),
    }
}

impl Status {
    fn troubled(&self) -> bool {
        let of_bucket = |bucket: &Bucket| bucket.hold.is_some() || bucket.sweep.is_some() || bucket.late();
        let of_link = |link: &Link| link.hold.is_some() || link.away.is_some() || link.buckets.iter().any(of_bucket);
        let of_site =
            |site: &Site| !(site.dirty_buckets.is_empty() && site.sweep_buckets.is_empty() && site.stuck.is_empty());
        self.links.iter().any(of_link) || self.sites.iter().any(of_site)
    }
}

fn text(status: &Status) -> String {
    let heading = ["LINK", "BUCKET", "WAITING", "OLDEST", "STATE"].map(str::to_owned).to_vec();
    let mut rows = vec![heading];
    let mut notes = Vec::new();
    for link in &status.links {
        if let Some(away) = &link.away {
            notes.push(format!("{}: {away}; everything for it waits", link.link));
        }
        if let Some(hold) = &link.hold {
            notes.push(note(&link.link, hold));
        }
        for bucket in &link.buckets {
            let oldest = bucket.oldest_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds} s"));
            let state = bucket.hold.as_ref().map_or_else(|| "runs".to_owned(), |hold| format!("held: {}", hold.reason));
            rows.push(vec![link.link.clone(), bucket.bucket.clone(), bucket.waiting.to_string(), oldest, state]);
            let name = format!("{} {}", link.link, bucket.bucket);
            notes.extend(bucket.hold.as_ref().map(|hold| note(&name, hold)));
            if let Some(percent) = bucket.retention_used_percent.filter(|_| bucket.late()) {
                notes.push(format!(
                    "{name}: the oldest change has used up {percent} % of the topic's retention; at 100 % it is deleted \
                     unread\n  to do: find out why it waits, or raise the topic's retention with Kafka's tools"
                ));
            }
            notes.extend(bucket.sweep.as_ref().map(|sweep| note(&format!("{name}: to be swept"), sweep)));
        }
    }
    for site in &status.sites {
        if site.dead_letters > 0 {
            notes.push(format!("{}: {} dead letters are kept", site.site, site.dead_letters));
        }
        for bucket in &site.dirty_buckets {
            notes.push(format!("{}: bucket {bucket} could not be captured for a while: it has to be swept", site.site));
        }
        for (partition, stuck) in &site.stuck {
            notes.push(note(&format!("{}: {partition}", site.site), stuck));
        }
        for (bucket, sweep) in &site.sweep_buckets {
            notes.push(note(&format!("{} {bucket}: to be swept", site.site), sweep));
        }
    }
    let mut text = show::table(&rows);
    notes.iter().for_each(|note| {
        text.push_str(note);
        text.push('\n');
    });
    text
}

fn note(what: &str, hold: &Held) -> String {
    format!("{what}: {} for {} s: {}\n  to do: {}", hold.reason, hold.held_seconds, hold.message, hold.remedy)
}

#[cfg(test)]
mod tests;
