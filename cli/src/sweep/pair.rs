//! The sweep of one bucket at one pair of sites, with its record in the control topics of both.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use twinlog_control::{Control, Entry, Swept};
use twinlog_log::outgoing::Partitions;
use twinlog_log::{Tell, TellTopic};
use twinlog_schemas::{CloudEvent, EventType, ObjectKey, SiteName, VanishedTold};
use twinlog_sweep::{Account, End, Missing, Pace, Scope, Sweep, SweepError};
use twinlog_verify::{AtSite, VerifyError};

use super::around::{Asking, Notices, Told, Tools};
use super::records::Records;
use crate::bucket::control;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::verify::pairs::Pair;

/// What a sweep compares, in words, that finds everything.
const EVERYTHING: &str = "listings, tags and locks";

/// Whether a sweep on record has ended and found everything there was to be found.
pub fn is_whole(swept: &Swept) -> bool {
    swept.ended_us.is_some() && swept.how.starts_with(EVERYTHING)
}

/// How to sweep.
#[derive(Debug, Clone)]
pub struct How {
    /// Only keys that begin so.
    pub prefix: String,
    /// Whether tags and locks are compared.
    pub attributes: bool,
    /// How long a difference must last.
    pub settle: Duration,
    /// What becomes of versions that vanished.
    pub missing: Missing,
    /// Who decided that.
    pub by: Option<String>,
    /// How many versions are looked at or asked for in a second.
    pub rate: NonZeroU32,
    /// Ask for nothing, and put nothing on record.
    pub dry_run: bool,
    /// Begin at the first key, whatever was interrupted.
    pub from_start: bool,
    /// The first sweep of the bucket fills it with what is older than its first `bucket enable`.
    pub fills: bool,
}

impl How {
    /// Whether it finds everything there is to be found in a bucket.
    pub fn is_whole(&self) -> bool {
        self.prefix.is_empty() && self.attributes && !self.dry_run
    }

    /// What becomes of versions that vanished, in words.
    pub fn decided(&self) -> &'static str {
        match self.missing {
            Missing::Listed => "versions that vanished are listed",
            Missing::Created => "versions that vanished are created where they are lacking",
            Missing::Removed => "versions that vanished are removed where they still are",
        }
    }

    /// For the record.
    fn words(&self) -> String {
        let what = if self.attributes { EVERYTHING } else { "listings" };
        let by = self.by.as_ref().map_or_else(String::new, |by| format!(", decided by {by}"));
        format!("{what}; {}{by}", self.decided())
    }
}

/// A sweep's record. It stands at both sites, so that each tells of it.
pub struct Record {
    at: [(Control, SiteName); 2],
    pair: Pair,
    begun: Swept,
}

impl Record {
    async fn put(&self, swept: Swept) {
        for (control, other) in &self.at {
            control.put(Entry::Swept((other.clone(), self.pair.bucket.clone()), swept.clone())).await;
        }
    }

    /// Keeps how far the sweep has come.
    pub async fn done_to(&self, key: &ObjectKey, account: &Account) {
        self.put(Swept { done_to: Some(key.clone()), ..self.with(account) }).await;
    }

    /// What was on record when it began, and what came to it.
    fn with(&self, account: &Account) -> Swept {
        let mut swept = self.begun.clone();
        swept.compared += account.compared;
        swept.asked += account.asked();
        for (site, vanished) in &account.vanished {
            *swept.vanished.entry(site.clone()).or_default() += vanished;
        }
        swept
    }
}

/// How a sweep of a pair ended.
#[derive(Debug, Clone)]
pub struct Done {
    /// When it began, or the one that it went on with, microseconds since the Unix epoch.
    pub begun_us: i64,
    /// The key after which it went on with one that was interrupted.
    pub after: Option<ObjectKey>,
    /// What it came to.
    pub account: Account,
    /// Versions that vanished by now, those of the interrupted one among them.
    vanished: u64,
}

impl Done {
    /// Versions that vanished.
    pub fn vanished(&self) -> u64 {
        self.vanished
    }
}

/// Sweeps a bucket that is enabled at the sites from which it is replicated.
pub async fn sweep_pair(
    deployment: &Deployment,
    pair: &Pair,
    tools: &Tools,
    how: &How,
    tell: &(dyn Fn(Told<'_>) + Send + Sync),
) -> Result<Done, Failure> {
    enabled(deployment, pair).await?;
    let controls = [control(deployment, &pair.left).await?, control(deployment, &pair.right).await?];
    let last = controls[0].swept(&(pair.right.clone(), pair.bucket.clone()));
    let goes_on = last.as_ref().filter(|last| resumes(last, how)).cloned();
    let filled = last.is_some_and(|last| last.filled);
    let ends = [end(deployment, pair, 0)?, end(deployment, pair, 1)?];
    let fresh = Swept { begun_us: tools.clock.now_us(), how: how.words(), filled, ..Swept::default() };
    let begun = goes_on.unwrap_or(fresh);
    let [left, right] = controls;
    let at = [(left, pair.right.clone()), (right, pair.left.clone())];
    let record = Record { at, pair: pair.clone(), begun: begun.clone() };
    let keeps = how.prefix.is_empty() && !how.dry_run;
    if keeps {
        record.put(begun.clone()).await;
    }
    let around = Asking {
        tools,
        records: Records { deployment, pair, fills: how.fills && !filled },
        asked_by: &pair.left,
        notices: if how.dry_run { None } else { Some(notices(deployment, pair)?) },
        record: keeps.then_some(&record),
        tell,
    };
    let scope = Scope {
        prefix: how.prefix.clone(),
        after: begun.done_to.clone(),
        attributes: how.attributes,
        settle: how.settle,
        missing: how.missing,
    };
    let now_ms = || tools.clock.now_ms();
    let (bucket, pace) = (pair.bucket.clone(), Pace::new(how.rate));
    let swept = Sweep { ends, bucket, scope, pace, around: &around, now_ms: &now_ms }.run().await;
    let account = swept.map_err(|error| failed(deployment, pair, error))?;
    let filled = filled || (how.fills && !around.records.broken().await?);
    let ended = Swept { ended_us: Some(tools.clock.now_us()), done_to: None, filled, ..record.with(&account) };
    let vanished = ended.vanished.values().sum();
    if keeps {
        record.put(ended.clone()).await;
        if vanished > 0 {
            tell_vanished(deployment, pair, tools, &ended).await?;
        }
    }
    Ok(Done { begun_us: begun.begun_us, after: begun.done_to, account, vanished })
}

/// Whether a sweep goes on where the last one was interrupted: it was asked for the same.
fn resumes(last: &Swept, how: &How) -> bool {
    let same = last.ended_us.is_none() && last.how == how.words();
    same && how.prefix.is_empty() && !how.from_start && !how.dry_run
}

/// Without a subscription and its topics nobody would do what is asked.
async fn enabled(deployment: &Deployment, pair: &Pair) -> Result<(), Failure> {
    for site in pair.sites().into_iter().filter(|site| replicates(deployment, pair, site)) {
        let found = deployment.site(site)?.subscription(&pair.bucket).await;
        if found.map_err(|error| deployment.site_failed(&error))?.present.is_empty() {
            let Pair { bucket, .. } = pair;
            return Err(Failure::config(format!(
                "bucket {bucket} is not enabled at {site}: `twinlog bucket enable {bucket}` first"
            )));
        }
    }
    Ok(())
}

fn replicates(deployment: &Deployment, pair: &Pair, from: &SiteName) -> bool {
    let mut links = deployment.config.links_from(from);
    links.any(|link| link.target == *pair.other(from) && link.carries(&pair.bucket))
}

fn end(deployment: &Deployment, pair: &Pair, at: usize) -> Result<End, Failure> {
    let site = pair.sites()[at];
    let now_ms = Arc::new(|| twinlog_log::clock::Clock::now_ms(&twinlog_log::clock::SystemClock));
    Ok(End {
        site: site.clone(),
        bucket: AtSite::new(Arc::clone(deployment.site(site)?), pair.bucket.clone(), now_ms),
        replicates: replicates(deployment, pair, site),
    })
}

fn notices(deployment: &Deployment, pair: &Pair) -> Result<Notices, Failure> {
    let of = |site: &SiteName| {
        let partitions = Partitions::new(Arc::clone(deployment.home(site)?));
        Ok((site.clone(), (partitions, deployment.config.topics.names.notices(site))))
    };
    pair.sites().into_iter().map(of).collect()
}

/// Tells each site that lacks versions of those that are at the other one only.
async fn tell_vanished(deployment: &Deployment, pair: &Pair, tools: &Tools, swept: &Swept) -> Result<(), Failure> {
    let Pair { bucket, left, right } = pair;
    for (here, there) in [(left, right), (right, left)] {
        let Some(versions) = swept.vanished.get(here).copied().filter(|versions| *versions > 0) else { continue };
        let data = VanishedTold {
            source_site: here.to_string(),
            target_site: there.to_string(),
            bucket: bucket.to_string(),
            versions,
            message: format!("`twinlog sweep --bucket {bucket} --dry-run` lists them"),
        };
        let (id, now_ns) = (tools.ids.event_id(), tools.clock.now_ns());
        let subject = format!("{here}>{there}/{bucket}");
        let event = CloudEvent::new(EventType::Vanished, id, there, subject, now_ns, &data);
        let event = event.map_err(|error| Failure::internal(error.to_string()))?;
        let (home, names) = (Arc::clone(deployment.home(there)?), &deployment.config.topics.names);
        TellTopic::new(home, names, there, Arc::clone(&tools.clock), tools.ids.clone()).tell(event).await;
    }
    Ok(())
}

fn failed(deployment: &Deployment, pair: &Pair, error: SweepError) -> Failure {
    match error {
        SweepError::Listing(VerifyError::Side(error)) => deployment.site_failed(&error),
        error @ SweepError::Index(_) => Failure::internal(error.to_string()),
        error => Failure::unavailable(format!(
            "bucket {} was not swept to its end: {error}; run the command again, it goes on where it stood",
            pair.bucket
        )),
    }
}
