//! `twinlog status`: how each bucket of each link stands, from what is in the log alone, so that it tells the same
//! whether or not a Twinlog runs.

mod lag;
mod letters;

use std::collections::BTreeMap;

use futures::future::try_join_all;
use serde::Serialize;
use twinlog_control::{Control, Direction, Reason, Scope, Stuck, Sweep, Swept, TopicGone};
use twinlog_log::clock::{Clock, SystemClock};
use twinlog_log::{TopicInfo, TopicName};
use twinlog_schemas::{BucketName, SiteName};

use crate::args::StatusOptions;
use crate::bucket::control;
use crate::config::{Config, LinkConfig};
use crate::deployment::{ASKING, Deployment};
use crate::exit::{Exit, Failure};
use crate::retention::{ALARM, percent};
use crate::{show, wanted};

use letters::Open;

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
    /// The end that does not answer, or lets nothing succeed, with what was seen first.
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
    /// Where the runbook speaks of the reason.
    runbook: String,
}

/// What belongs to a site.
#[derive(Debug, Serialize)]
struct Site {
    site: String,
    /// Dead letters that the log still has, whatever became of them.
    dead_letters: i64,
    /// Those that are open, by link, bucket and reason; `None` where there are too many to look at.
    open_dead_letters: Option<Vec<Open>>,
    dirty_buckets: Vec<String>,
    /// The last sweep of each bucket with each other site.
    sweeps: Vec<LastSweep>,
    /// Partitions that stand at a record, with what broke; topics of facts and notices that are gone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    stuck: BTreeMap<String, Held>,
    /// Buckets whose notices were lost, with why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sweep_buckets: BTreeMap<String, Held>,
}

/// The last sweep of a bucket, or the one under way.
#[derive(Debug, Serialize)]
struct LastSweep {
    bucket: String,
    with: String,
    /// How long ago it ended; none while it is under way, or was interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_seconds: Option<i64>,
    compared: u64,
    asked: u64,
    vanished: u64,
}

/// `twinlog status`. Findings (exit 1) where something is held, dirty or dead.
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
    let load = async |site| Ok::<_, Failure>((site, control(deployment, site).await?));
    let controls = deployment.sites.keys().map(load);
    let controls: BTreeMap<&SiteName, Control> = try_join_all(controls).await?.into_iter().collect();
    let links = deployment.config.links.iter().filter_map(|link| Some((link, controls.get(&link.target)?)));
    let links = try_join_all(links.map(|(link, control)| of_link(deployment, &topics, link, control, only))).await?;
    let sites = controls.iter().map(|(site, control)| of_site(deployment, site, control, only));
    Ok(Status { links, sites: try_join_all(sites).await? })
}

async fn of_site(
    deployment: &Deployment,
    site: &SiteName,
    control: &Control,
    only: Option<&BucketName>,
) -> Result<Site, Failure> {
    let dead_letters = lag::kept(deployment, site, &deployment.config.topics.names.dead(site)).await?;
    let dirty_buckets = control.dirty().into_iter().map(|dirty| dirty.bucket.to_string()).collect();
    let sweeps = control.last_sweeps().into_iter().map(|(of, swept)| last_sweep(&of, &swept)).collect();
    let open_dead_letters = letters::open(deployment, site, dead_letters, only).await?;
    let own = control.sweeps().into_iter().filter(|((source, _), _)| source == site);
    let sweep_buckets = own.map(|((_, bucket), sweep)| (bucket.to_string(), to_be_swept(deployment, sweep))).collect();
    let stuck = control.all_stuck().into_iter().map(|(at, stuck)| {
        let at = format!("{at} at offset {}", stuck.offset);
        (at, standing(deployment, stuck))
    });
    let gone = control.topics_gone().into_iter().filter(|(_, gone)| gone.bucket.is_none());
    let stuck = stuck.chain(gone.map(|(topic, gone)| (topic.to_string(), lost(deployment, &topic, &gone)))).collect();
    let site = site.to_string();
    Ok(Site { site, dead_letters, open_dead_letters, dirty_buckets, sweeps, stuck, sweep_buckets })
}

async fn of_link(
    deployment: &Deployment,
    topics: &BTreeMap<String, BTreeMap<TopicName, TopicInfo>>,
    link: &LinkConfig,
    control: &Control,
    only: Option<&BucketName>,
) -> Result<Link, Failure> {
    let cluster = deployment.config.sites.get(&link.source).map(|site| site.cluster.clone()).unwrap_or_default();
    let bucket_of = |topic: &TopicName| {
        let bucket = wanted::bucket_of(&deployment.config, &link.source, topic)?;
        (link.carries(&bucket) && only.is_none_or(|only| *only == bucket)).then_some(bucket)
    };
    let topics = topics.get(&cluster).into_iter().flatten().filter(|(topic, _)| bucket_of(topic).is_some());
    let topics = topics.map(|(topic, info)| (topic.clone(), info.clone())).collect();
    let mut buckets = Vec::new();
    for (topic, waiting) in lag::waiting(deployment, link, &topics).await? {
        let Some(bucket) = bucket_of(&topic) else { continue };
        let direction = (link.source.clone(), bucket.clone());
        let sweep = control.sweep(&direction).map(|sweep| to_be_swept(deployment, sweep));
        let scope = Scope::Bucket(direction);
        buckets.push(Bucket {
            bucket: bucket.to_string(),
            waiting: waiting.records,
            retention_used_percent: waiting.oldest_ms.map(|_| percent(waiting.used)),
            oldest_seconds: waiting.oldest_ms.map(|ms| (SystemClock.now_ms() - ms).max(0) / 1_000),
            hold: held(deployment, control, &scope),
            sweep,
        });
    }
    for (topic, gone) in control.topics_gone() {
        let Some(bucket) = gone.bucket.as_ref().filter(|_| gone.source == link.source) else { continue };
        if only.is_some_and(|only| only != bucket) {
            continue;
        }
        let hold = Some(lost(deployment, &topic, &gone));
        let bucket = bucket.to_string();
        buckets.push(Bucket {
            bucket,
            waiting: 0,
            retention_used_percent: None,
            oldest_seconds: None,
            hold,
            sweep: None,
        });
    }
    buckets.sort_by(|one, other| one.bucket.cmp(&other.bucket));
    let away = control.away().into_iter().find(|((source, _), _)| *source == link.source);
    let away = away.map(|((_, site), away)| format!("{site} {}", away.message));
    let hold = held(deployment, control, &Scope::Link(link.source.clone()));
    Ok(Link { link: link.name(), away, hold, buckets })
}

fn held(deployment: &Deployment, control: &Control, scope: &Scope) -> Option<Held> {
    let hold = control.holds().remove(scope)?;
    let reason: Reason = hold.reason;
    Some(Held {
        reason: reason.to_string(),
        message: hold.message,
        held_seconds: (SystemClock.now_us() - hold.since_us).max(0) / 1_000_000,
        remedy: reason.remedy().to_owned(),
        runbook: page(deployment, reason.as_str()),
    })
}

/// Where the runbook speaks of it.
fn page(deployment: &Deployment, section: &str) -> String {
    format!("{}#{section}", deployment.config.notifier.runbook)
}

fn last_sweep((with, bucket): &Direction, swept: &Swept) -> LastSweep {
    LastSweep {
        bucket: bucket.to_string(),
        with: with.to_string(),
        ended_seconds: swept.ended_us.map(|ended_us| (SystemClock.now_us() - ended_us).max(0) / 1_000_000),
        compared: swept.compared,
        asked: swept.asked,
        vanished: swept.vanished.values().sum(),
    }
}

fn standing(deployment: &Deployment, stuck: Stuck) -> Held {
    Held {
        reason: Stuck::REASON.to_owned(),
        message: stuck.message,
        held_seconds: (SystemClock.now_us() - stuck.since_us).max(0) / 1_000_000,
        remedy: Stuck::REMEDY.to_owned(),
        runbook: page(deployment, "stuck"),
    }
}

fn lost(deployment: &Deployment, topic: &TopicName, gone: &TopicGone) -> Held {
    Held {
        reason: TopicGone::REASON.to_owned(),
        message: TopicGone::message(topic),
        held_seconds: (SystemClock.now_us() - gone.since_us).max(0) / 1_000_000,
        remedy: gone.remedy().to_owned(),
        runbook: page(deployment, TopicGone::REASON),
    }
}

impl Bucket {
    /// Whether half of the retention is used up.
    fn late(&self) -> bool {
        self.retention_used_percent.is_some_and(|percent| f64::from(percent) >= ALARM * 100.0)
    }
}

fn to_be_swept(deployment: &Deployment, sweep: Sweep) -> Held {
    Held {
        reason: sweep.why.to_string(),
        message: sweep.message,
        held_seconds: (SystemClock.now_us() - sweep.since_us).max(0) / 1_000_000,
        remedy: Sweep::REMEDY.to_owned(),
        runbook: page(deployment, "records-lost"),
    }
}

impl Status {
    fn troubled(&self) -> bool {
        let of_bucket = |bucket: &Bucket| bucket.hold.is_some() || bucket.sweep.is_some() || bucket.late();
        let of_link = |link: &Link| link.hold.is_some() || link.away.is_some() || link.buckets.iter().any(of_bucket);
        let open = |site: &Site| site.open_dead_letters.as_ref().is_none_or(|open| !open.is_empty());
        let of_site = |site: &Site| {
            open(site) || !(site.dirty_buckets.is_empty() && site.sweep_buckets.is_empty() && site.stuck.is_empty())
        };
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
        match &site.open_dead_letters {
            Some(open) => notes.extend(open.iter().map(Open::note)),
            None => notes.push(format!(
                "{}: {} dead letters are kept, too many to look at each: `twinlog dlq list --into {0}`",
                site.site, site.dead_letters
            )),
        }
        for bucket in &site.dirty_buckets {
            let what = "could not be captured for a while: it is swept by itself once it is mended";
            notes.push(format!("{}: bucket {bucket} {what}", site.site));
        }
        for (partition, stuck) in &site.stuck {
            notes.push(note(&format!("{}: {partition}", site.site), stuck));
        }
        for (bucket, sweep) in &site.sweep_buckets {
            notes.push(note(&format!("{} {bucket}: to be swept", site.site), sweep));
        }
        // It stands at both sites.
        notes.extend(site.sweeps.iter().filter(|sweep| site.site < sweep.with).map(|sweep| swept(&site.site, sweep)));
    }
    let mut text = show::table(&rows);
    notes.iter().for_each(|note| {
        text.push_str(note);
        text.push('\n');
    });
    text
}

fn swept(site: &str, sweep: &LastSweep) -> String {
    let LastSweep { bucket, with, compared, asked, .. } = sweep;
    let when = sweep.ended_seconds.map_or_else(
        || "a sweep is under way, or was interrupted (`twinlog sweep` goes on)".to_owned(),
        |seconds| format!("swept {seconds} s ago"),
    );
    let vanished = match sweep.vanished {
        0 => String::new(),
        vanished => format!(", {vanished} VANISHED: `twinlog sweep --bucket {bucket}` lists them"),
    };
    format!("{site} and {with}: bucket {bucket}: {when}: {compared} versions compared, {asked} asked for{vanished}")
}

fn note(what: &str, hold: &Held) -> String {
    let Held { reason, message, held_seconds, remedy, runbook } = hold;
    format!("{what}: {reason} for {held_seconds} s: {message}\n  to do: {remedy} ({runbook})")
}

#[cfg(test)]
mod tests;
