#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU32;
use std::time::Duration;

use twinlog_control::{DirtyBucket, Entry, Sweep, Swept, Unbroken, Why};
use twinlog_index::MemoryIndex;
use twinlog_log::clock::Ids;
use twinlog_log::{Backoff, Log, MemoryLog};
use twinlog_schemas::{BucketName, ObjectKey, OwnNotice, SiteName};
use twinlog_site::Site;
use twinlog_site::memory::{BucketSetup, ClientPut, MemorySite, MemorySiteOptions, Quirks};
use twinlog_tail::{Parts, Tail};

use super::*;
use crate::bucket::control;
use crate::config::EXAMPLE;
use crate::verify::pairs::Pair;

struct World {
    deployment: Deployment,
    sites: [MemorySite; 2],
    log: MemoryLog,
    tools: Tools,
    pair: Pair,
}

fn name(name: &str) -> SiteName {
    SiteName::new(name).unwrap()
}

fn bucket() -> BucketName {
    BucketName::new("photos").unwrap()
}

/// Two sites with a bucket that has something at east before it is enabled.
async fn world() -> World {
    let config = Arc::new(Config::parse(EXAMPLE, &BTreeMap::new()).unwrap());
    let log = MemoryLog::new();
    let sites = ["east", "west"].map(|site| {
        let now = Arc::new(|| SystemClock.now_ns());
        let store = MemorySite::new(MemorySiteOptions::new(name(site), Quirks::rustfs(), now, 1));
        store.create_bucket(&bucket(), BucketSetup::REPLICATED);
        store
    });
    let clusters = BTreeMap::from([("main".to_owned(), Arc::new(log.clone()) as Arc<dyn Log>)]);
    let by_name = sites.iter().map(|site| (site.name().clone(), Arc::new(site.clone()) as Arc<dyn Site>)).collect();
    let deployment = Deployment { config, clusters, sites: by_name };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = Ids::new(Arc::clone(&clock), 1);
    let index: Arc<dyn twinlog_index::Index> = Arc::new(MemoryIndex::new());
    let parts = Parts {
        topics: Vec::new(),
        group: "tail".to_owned(),
        index: Arc::clone(&index),
        codec: Arc::new(twinlog_schemas::codec::Codec::new().unwrap()),
        listener: Arc::new(|_| {}),
        backoff: Backoff::PROMPT,
        seed: 1,
    };
    let (tail, _) = Tail::start(parts, tokio_util::sync::CancellationToken::new());
    let pair = Pair { bucket: bucket(), left: name("east"), right: name("west") };
    World { deployment, sites, log, tools: Tools { index, tail, clock, ids }, pair }
}

impl World {
    fn put(&self, at: usize, key: &str) {
        let key = ObjectKey::new(key).unwrap();
        self.sites[at].client("somebody").put(&bucket(), &key, &ClientPut::default()).unwrap();
    }

    async fn enable(&self) {
        let findings = crate::bucket::enable_now(&self.deployment, &bucket()).await.unwrap();
        assert!(!crate::finding::any_failed(&findings), "{findings:?}");
    }

    async fn sweep(&self, how: &How) -> Result<pair::Done, Failure> {
        sweep_pair(&self.deployment, &self.pair, &self.tools, how, &|_| {}).await
    }

    fn notices(&self, at: &str) -> Vec<OwnNotice> {
        let topic = self.deployment.config.topics.names.notices(&name(at));
        let partitions = (0..12).map(|partition| twinlog_log::TopicPartition { topic: topic.clone(), partition });
        let records = partitions.flat_map(|partition| self.log.records(&partition));
        records.map(|record| OwnNotice::from_json(record.value.as_ref().unwrap()).unwrap()).collect()
    }

    async fn swept(&self, at: &str, with: &str) -> Option<Swept> {
        control(&self.deployment, &name(at)).await.unwrap().swept(&(name(with), bucket()))
    }
}

fn how(missing: Missing) -> How {
    How {
        prefix: String::new(),
        attributes: true,
        settle: Duration::ZERO,
        missing,
        by: None,
        rate: NonZeroU32::new(10_000).unwrap(),
        dry_run: false,
        from_start: false,
        fills: true,
    }
}

/// Scenario: a bucket with contents is enabled and swept; then a version of its past appears and it is swept again.
/// Guarantees: the first sweep creates what is from before, and is on record at both sites; from then on what is older
/// than the record vanished.
#[tokio::test]
async fn the_first_sweep_fills_and_later_ones_list() {
    let world = world().await;
    world.put(0, "old");
    let refused = world.sweep(&how(Missing::Listed)).await.unwrap_err();
    assert!(refused.to_string().contains("is not enabled at east"), "{refused}");
    world.enable().await;
    let dry = How { dry_run: true, ..how(Missing::Listed) };
    assert_eq!(world.sweep(&dry).await.unwrap().account.missing, 1);
    assert!(world.notices("east").is_empty() && world.swept("east", "west").await.is_none());

    let done = world.sweep(&how(Missing::Listed)).await.unwrap();
    assert_eq!((done.account.missing, done.vanished()), (1, 0));
    let notices = world.notices("east");
    assert_eq!((notices.len(), notices[0].may_create, notices[0].key.as_str()), (1, true, "old"));
    for (at, with) in [("east", "west"), ("west", "east")] {
        let swept = world.swept(at, with).await.unwrap();
        assert!(swept.filled && swept.ended_us.is_some() && swept.done_to.is_none(), "{swept:?}");
    }
    let done = world.sweep(&how(Missing::Listed)).await.unwrap();
    assert_eq!((done.account.missing, done.vanished()), (0, 1));
    assert_eq!(world.swept("west", "east").await.unwrap().vanished[&name("east")], 1);
    let done = world.sweep(&how(Missing::Removed)).await.unwrap();
    assert_eq!((done.account.given_up, done.vanished()), (1, 0));
    assert_eq!(world.notices("west")[0].cause, twinlog_schemas::ExamineCause::Removed);
}

/// Scenario: a sweep was interrupted after a key.
/// Guarantees: one that is asked for the same goes on after it and counts on; one that is asked for something else, or
/// from the start, begins anew.
#[tokio::test]
async fn an_interrupted_sweep_goes_on_where_it_stood() {
    let world = world().await;
    world.put(0, "a");
    world.put(0, "b");
    world.enable().await;
    world.sweep(&how(Missing::Listed)).await.unwrap();
    let control = control(&world.deployment, &name("east")).await.unwrap();
    let ended = world.swept("east", "west").await.unwrap();
    let done_to = Some(ObjectKey::new("a").unwrap());
    let interrupted = Swept { ended_us: None, done_to, compared: 70, vanished: [(name("east"), 1)].into(), ..ended };
    for (from_start, missing, compared) in
        [(false, Missing::Created, 2), (true, Missing::Listed, 2), (false, Missing::Listed, 1)]
    {
        control.put(Entry::Swept((name("west"), bucket()), interrupted.clone())).await;
        let done = world.sweep(&How { from_start, ..how(missing) }).await.unwrap();
        assert_eq!(done.account.compared, compared);
        assert_eq!(done.after.is_some(), compared == 1);
    }
    let ended = world.swept("east", "west").await.unwrap();
    assert_eq!((ended.compared, ended.vanished[&name("east")]), (71, 2));
}

/// Scenario: both sites have the bucket on record as dirty, one of them only since after the sweep began.
/// Guarantees: the older mark is taken back, and the record is whole from the sweep on; the younger one stays.
#[tokio::test]
async fn a_sweep_takes_older_marks_back() {
    let world = world().await;
    world.enable().await;
    let done = world.sweep(&how(Missing::Listed)).await.unwrap();
    let marks = [("east", done.begun_us - 1), ("west", done.begun_us)];
    for (site, since_us) in marks {
        let control = control(&world.deployment, &name(site)).await.unwrap();
        control.put(Entry::Dirty(DirtyBucket { bucket: bucket(), since_us, reason: String::new() })).await;
        assert_eq!(control.dirty().len(), 1);
    }
    take_back(&world.deployment, &BTreeMap::from([(world.pair.clone(), done.begun_us)])).await.unwrap();
    for (site, left) in [("east", 0), ("west", 1)] {
        let control = control(&world.deployment, &name(site)).await.unwrap();
        let since_us = control.unbroken(&bucket()).unwrap().since_us;
        let whole_from_the_sweep_on = since_us == Some(done.begun_us + crate::bucket::SKEW_US);
        assert_eq!((control.dirty().len(), whole_from_the_sweep_on), (left, left == 0), "{site}");
    }
}

/// Scenario: west has lost records of what east told, and east lacks a version of which nothing says why.
/// Guarantees: the version is not created, since its removal may be among what was lost; a sweep that began after the loss
/// takes the request back, one that began before does not.
#[tokio::test]
async fn what_the_log_lost_is_taken_back_by_a_sweep_that_began_later() {
    let world = world().await;
    world.enable().await;
    let first = world.sweep(&how(Missing::Listed)).await.unwrap();
    world.put(1, "a");
    let west = control(&world.deployment, &name("west")).await.unwrap();
    let east = control(&world.deployment, &name("east")).await.unwrap();
    east.put(Entry::Unbroken(bucket(), Unbroken { since_us: Some(1), first_us: 1 })).await;
    let vanished = async || {
        let looked = world.sweep(&How { dry_run: true, ..how(Missing::Listed) }).await.unwrap();
        looked.account.vanished.get(&name("west")).copied()
    };
    assert_eq!(vanished().await, None, "it would be created");
    let direction = (name("east"), bucket());
    let lost = |last_us| Sweep { why: Why::RecordsLost, message: String::new(), since_us: 1, last_us, records: 1 };
    for (last_us, left) in [(first.begun_us, 1), (first.begun_us - 1, 0)] {
        west.put(Entry::Sweep(direction.clone(), lost(last_us))).await;
        assert_eq!(vanished().await, Some(1));
        take_back(&world.deployment, &BTreeMap::from([(world.pair.clone(), first.begun_us)])).await.unwrap();
        let now = control(&world.deployment, &name("west")).await.unwrap();
        assert_eq!(now.sweeps().len(), left);
    }
}

/// Guarantee: what is written while a bucket is disabled is older than the record that begins anew.
#[tokio::test]
async fn a_record_ends_with_the_subscription_and_begins_anew() {
    let world = world().await;
    world.enable().await;
    let known = async || control(&world.deployment, &name("east")).await.unwrap().unbroken(&bucket()).unwrap();
    let first = known().await;
    assert_eq!(first.since_us, Some(first.first_us));
    world.enable().await;
    assert_eq!(known().await, first, "a second run changes nothing");
    crate::bucket::disable_now(&world.deployment, &bucket()).await.unwrap();
    assert_eq!(known().await.since_us, None);
    world.enable().await;
    let again = known().await;
    assert!(again.since_us > first.since_us && again.first_us == first.first_us, "{again:?}");
}
