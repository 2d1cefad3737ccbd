//! Sweeps that a process makes by itself: of buckets that could not be captured for a while, once that is mended, and of
//! all buckets again and again where the configuration says so. Of several processes beside a site the one that owns
//! lane 0 sweeps.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use tokio::sync::watch;
use twinlog_control::{Control, Swept};
use twinlog_producer::Producer;
use twinlog_schemas::{BucketName, SiteName, VersionKind, VersionRef};
use twinlog_site::{ListFrom, SiteError};
use twinlog_sweep::Missing;

use super::backlog::first_behind;
use super::beside::Shared;
use super::tasks::Tasks;
use crate::config::Config;
use crate::exit::Failure;
use crate::sweep::{How, Told, Tools, begun, sweep_pair, take_back};
use crate::telemetry::names;
use crate::verify::pairs::Pair;

/// How often is looked whether something is to be swept.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between the end of a sweep of a bucket, however it ended, and the next.
const PAUSE_US: i64 = 60_000_000;
/// Versions looked at or asked for in a second: replication comes first.
const RATE: NonZeroU32 = NonZeroU32::new(200).expect("not zero");
/// Longer than the stores' notices take.
const SETTLE: Duration = Duration::from_secs(10);

/// Starts the tasks.
pub fn start(shared: &Arc<Shared>, producer: &Arc<Producer>, owned: watch::Receiver<BTreeSet<i32>>, tasks: &mut Tasks) {
    let (following, producer, stop) = (Arc::clone(shared), Arc::clone(producer), shared.stop.work.clone());
    tasks.add("sweeps on record", async move {
        stop.run_until_cancelled(follow(&following, &producer)).await;
        Ok(())
    });
    let (sweeping, stop) = (Arc::clone(shared), shared.stop.work.clone());
    tasks.add("sweeps", async move {
        stop.run_until_cancelled(sweep(&sweeping, &owned)).await;
        Ok(())
    });
}

/// Tells capture of every mark that is taken back, and the meter of what vanished.
async fn follow(shared: &Shared, producer: &Producer) {
    let vanished = shared.metrics.gauge(names::VANISHED);
    let mut before = BTreeSet::new();
    loop {
        let changed = shared.control.changed();
        let mut changed = std::pin::pin!(changed);
        let dirty: BTreeSet<BucketName> = shared.control.dirty().into_iter().map(|dirty| dirty.bucket).collect();
        let sweeps = shared.control.last_sweeps();
        for bucket in before.difference(&dirty) {
            let begun = sweeps.iter().filter(|((_, of), _)| of == bucket).map(|(_, swept)| swept.begun_us);
            producer.capture().taken_back(bucket, begun.min().unwrap_or(i64::MIN)).await;
        }
        before = dirty;
        let mut counts: BTreeMap<&BucketName, u64> = BTreeMap::new();
        for ((_, bucket), swept) in &sweeps {
            *counts.entry(bucket).or_default() += swept.vanished.get(&shared.at).copied().unwrap_or(0);
        }
        for (bucket, count) in counts {
            let labels = [(names::SITE, shared.at.to_string()), (names::BUCKET, bucket.to_string())];
            vanished.record(count as f64, &labels.map(|(label, value)| KeyValue::new(label, value)));
        }
        changed.as_mut().await;
    }
}

async fn sweep(shared: &Shared, owned: &watch::Receiver<BTreeSet<i32>>) {
    let tools = Tools {
        index: Arc::clone(&shared.indexed.index),
        tail: Arc::clone(&shared.indexed.tail),
        clock: Arc::clone(&shared.clock),
        ids: shared.ids.clone(),
    };
    let mut tried = BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !owned.borrow().contains(&0) {
            continue;
        }
        let enabled = shared.enabled.own.borrow().clone();
        let plan = Plan { config: shared.config(), at: &shared.at, control: &shared.control, tried: &tried };
        for (bucket, pairs) in plan.due(&enabled, shared.clock.now_us()) {
            if let Err(error) = mended(shared, &bucket).await {
                tracing::debug!(%bucket, %error, "bucket is not swept: it cannot be read");
                continue;
            }
            match first_behind(shared, &bucket).await {
                Ok(None) => {}
                Ok(Some(source)) => {
                    tracing::debug!(%bucket, %source, "bucket is not swept yet: what waited when records were lost still waits");
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%bucket, %error, "bucket is not swept yet: what waits of it is not known");
                    continue;
                }
            }
            if let Err(failure) = all(shared, &tools, &pairs).await {
                tracing::warn!(%bucket, error = %failure, "that a bucket is swept is not on record: it will be swept again");
            }
            tried.insert(bucket, shared.clock.now_us());
        }
    }
}

/// Whether the bucket can be listed and its first version be read: what capture needs.
async fn mended(shared: &Shared, bucket: &BucketName) -> Result<(), String> {
    let site = shared.deployment.site(&shared.at).map_err(|failure| failure.to_string())?;
    let told = |error: SiteError| error.to_string();
    let first = site.list_versions(bucket, &ListFrom { limit: Some(1), ..ListFrom::default() }).await.map_err(told)?;
    let Some(first) = first.versions.into_iter().find(|listed| listed.kind == VersionKind::Object) else {
        return Ok(());
    };
    let version = VersionRef { bucket: bucket.clone(), key: first.key, version_id: first.version_id };
    site.read(&version, twinlog_site::BodyWish::UpTo(1 << 20)).await.map(drop).map_err(told)
}

/// Sweeps every pair, also after one that cannot be, and takes the marks back of what was swept.
async fn all(shared: &Shared, tools: &Tools, pairs: &[Pair]) -> Result<(), Failure> {
    let how = How {
        prefix: String::new(),
        attributes: true,
        settle: SETTLE,
        missing: Missing::Listed,
        by: None,
        rate: RATE,
        dry_run: false,
        from_start: false,
        // What was there before anything was replicated may have been removed at one site: a person says that it was not.
        fills: false,
    };
    let mut swept = BTreeMap::new();
    for pair in pairs {
        let quietly = |_: Told<'_>| {};
        let (bucket, with) = (&pair.bucket, pair.other(&shared.at));
        let done = match sweep_pair(&shared.deployment, pair, tools, &how, &quietly).await {
            Ok(done) => done,
            Err(failure) => {
                tracing::warn!(%bucket, %with, error = %failure, "bucket not swept to the end: the next one goes on");
                continue;
            }
        };
        let (compared, asked, vanished) = (done.account.compared, done.account.asked(), done.vanished());
        tracing::info!(%bucket, %with, compared, asked, vanished, "bucket is swept");
        if vanished > 0 {
            tracing::error!(%bucket, %with, vanished, "versions vanished: `twinlog sweep` lists them, and a person decides");
        }
        swept.insert(pair.clone(), done.begun_us);
    }
    take_back(&shared.deployment, &swept).await
}

/// What is to be swept.
struct Plan<'a> {
    config: &'a Config,
    at: &'a SiteName,
    control: &'a Control,
    /// When each bucket's last sweep by this process ended, microseconds since the Unix epoch.
    tried: &'a BTreeMap<BucketName, i64>,
}

impl Plan<'_> {
    /// The buckets that are due, each with the pairs of sites between which it is to be swept.
    fn due(&self, enabled: &BTreeSet<BucketName>, now_us: i64) -> BTreeMap<BucketName, Vec<Pair>> {
        let rested = |bucket: &&BucketName| self.tried.get(*bucket).is_none_or(|ended| now_us - ended >= PAUSE_US);
        // Of a bucket that only comes here the log may have lost records too.
        let lost: BTreeSet<BucketName> = self.control.sweeps().into_keys().map(|(_, bucket)| bucket).collect();
        let due = enabled.union(&lost).filter(rested).map(|bucket| {
            let wanted = |(pair, every): (Pair, Option<Duration>)| {
                // Of a pair, the site whose name comes first sees to the time.
                let turn = pair.left == *self.at && every.is_some_and(|every| self.overdue(&pair, every, now_us));
                (turn || self.is_marked(&pair)).then_some(pair)
            };
            (bucket.clone(), self.pairs(bucket).into_iter().filter_map(wanted).collect::<Vec<_>>())
        });
        due.filter(|(_, pairs)| !pairs.is_empty()).collect()
    }

    /// Whether something that concerns the pair was lost since its last whole sweep began: the bucket could not be captured
    /// here, or records of what this site or the other one told are gone.
    fn is_marked(&self, pair: &Pair) -> bool {
        let dirty =
            self.control.dirty().into_iter().filter(|dirty| dirty.bucket == pair.bucket).map(|dirty| dirty.since_us);
        let lost = [self.at, pair.other(self.at)].into_iter().filter_map(|source| {
            let direction = (source.clone(), pair.bucket.clone());
            Some(self.control.sweep(&direction)?.last_us)
        });
        let begun_us = begun(self.control, pair, self.at, &BTreeMap::new());
        dirty.chain(lost).any(|marked_us| begun_us.is_none_or(|begun_us| begun_us <= marked_us))
    }

    /// The pairs of this site that have the bucket, each with how often it is to be swept.
    fn pairs(&self, bucket: &BucketName) -> BTreeMap<Pair, Option<Duration>> {
        let mut pairs: BTreeMap<Pair, Option<Duration>> = BTreeMap::new();
        for link in self.config.links_of(bucket).filter(|link| link.source == *self.at || link.target == *self.at) {
            let every = pairs.entry(Pair::new(link, bucket.clone())).or_default();
            *every = every.iter().chain(&link.sweep_every).min().copied();
        }
        pairs
    }

    fn overdue(&self, pair: &Pair, every: Duration, now_us: i64) -> bool {
        let every_us = i64::try_from(every.as_micros()).unwrap_or(i64::MAX);
        let last = self.control.swept(&(pair.other(self.at).clone(), pair.bucket.clone()));
        let due = |swept: &Swept| swept.ended_us.is_none_or(|ended_us| now_us - ended_us >= every_us);
        last.as_ref().is_none_or(due)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use twinlog_control::{DirtyBucket, Entry, Key, Sweep, Why};
    use twinlog_log::clock::{Clock, Ids, SystemClock};
    use twinlog_log::{Log, MemoryLog};

    use super::*;
    use crate::config::EXAMPLE;

    const DAY_US: i64 = 86_400_000_000;

    fn bucket(name: &str) -> BucketName {
        BucketName::new(name).unwrap()
    }

    async fn control(config: &Config, at: &SiteName) -> Control {
        let log = MemoryLog::new();
        let spec = twinlog_log::memory::spec(config.topics.names.control(at), 1);
        log.create_topic(&spec).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Control::new(Arc::new(log), &config.topics.names, at, Arc::clone(&clock), Ids::new(clock, 1))
    }

    fn due(config: &Config, control: &Control, tried: &BTreeMap<BucketName, i64>, now_us: i64) -> Vec<String> {
        let at = SiteName::new("east").unwrap();
        let enabled = ["a-bucket", "b-bucket"].map(bucket).into();
        let due = Plan { config, at: &at, control, tried }.due(&enabled, now_us);
        due.keys().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_bucket_is_due_where_it_is_dirty_or_its_time_has_come() {
        let off = Config::parse(EXAMPLE, &BTreeMap::new()).unwrap();
        let at = SiteName::new("east").unwrap();
        let control = control(&off, &at).await;
        let (now_us, mut tried) = (100 * DAY_US, BTreeMap::new());
        assert_eq!(due(&off, &control, &tried, now_us), Vec::<String>::new(), "by itself only if it is configured");
        let dirty = DirtyBucket { bucket: bucket("b-bucket"), since_us: 1, reason: String::new() };
        control.put(Entry::Dirty(dirty)).await;
        assert_eq!(due(&off, &control, &tried, now_us), ["b-bucket"]);
        tried.insert(bucket("b-bucket"), now_us - 1);
        assert_eq!(due(&off, &control, &tried, now_us), Vec::<String>::new(), "not at once again");

        let every = EXAMPLE.replacen("# sweep_every = \"never\"", "sweep_every = \"1d\"", 1);
        let daily = Config::parse(&every, &BTreeMap::new()).unwrap();
        assert_eq!(due(&daily, &control, &tried, now_us), ["a-bucket"], "never swept yet");
        let lost = Sweep { why: Why::RecordsLost, message: String::new(), since_us: 1, last_us: 1, records: 1 };
        control.put(Entry::Sweep((SiteName::new("west").unwrap(), bucket("b-bucket")), lost)).await;
        tried.clear();
        control.remove(Key::Dirty(bucket("b-bucket"))).await;
        assert_eq!(due(&off, &control, &tried, now_us), ["b-bucket"], "of which the log lost records");
        tried.insert(bucket("b-bucket"), now_us - 1);

        let swept = |ago_us| Swept { ended_us: Some(now_us - ago_us), ..Swept::default() };
        let with = (SiteName::new("west").unwrap(), bucket("a-bucket"));
        control.put(Entry::Swept(with.clone(), swept(DAY_US - 1))).await;
        assert_eq!(due(&daily, &control, &tried, now_us), Vec::<String>::new());
        control.put(Entry::Swept(with, swept(DAY_US))).await;
        assert_eq!(due(&daily, &control, &tried, now_us), ["a-bucket"]);
    }
}
