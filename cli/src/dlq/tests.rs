#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use twinlog_dead::{Cause, Change, Death, History, State, letter};
use twinlog_log::fault::{Fault, FaultyLog};
use twinlog_log::memory::spec;
use twinlog_log::{
    Cleanup, Fetched, Headers, Log, LogErrorKind, MemoryLog, Position, TopicName, TopicPartition, TopicSpec, Topics,
};
use twinlog_schemas::codec::Codec;
use twinlog_schemas::{Fact, FactBody, OwnNotice, Removal, SiteName};

use super::args::StateChoice;
use super::*;
use crate::config::EXAMPLE;

struct World {
    deployment: Deployment,
    log: MemoryLog,
    faults: Arc<FaultyLog>,
    topics: Topics,
    codec: Codec,
}

fn site(name: &str) -> SiteName {
    name.parse().unwrap()
}

impl World {
    async fn new() -> Self {
        let config = Arc::new(Config::parse(EXAMPLE, &BTreeMap::new()).unwrap());
        let topics = config.topics.names.clone();
        let log = MemoryLog::new();
        for at in [site("east"), site("west")] {
            for name in [topics.dead(&at), topics.notices(&at), topics.control(&at)] {
                log.create_topic(&spec(name, 4)).await.unwrap();
            }
            let states = spec(topics.dead_state(&at), 4);
            log.create_topic(&TopicSpec { cleanup: Cleanup::CompactDelete, ..states }).await.unwrap();
        }
        let faults = Arc::new(FaultyLog::new(Arc::new(log.clone())));
        let home: Arc<dyn Log> = Arc::<FaultyLog>::clone(&faults);
        let clusters = BTreeMap::from([("main".to_owned(), home)]);
        let deployment = Deployment { config, clusters, sites: BTreeMap::new() };
        Self { deployment, log, faults, topics, codec: Codec::new().unwrap() }
    }

    /// What could not be applied into `into`: a removal of `key` told by `source`, as record `offset` of its facts.
    fn record(&self, source: &str, key: &str, offset: i64) -> Fetched {
        let removal = Removal { removed_at_ns: 1, cause: "c".into(), lifecycle: false, locks_seen: None };
        let fact = Fact {
            event_id: "019ab000-0000-7000-8000-000000000001".parse().unwrap(),
            site: site(source),
            bucket: "photos".parse().unwrap(),
            key: key.parse().unwrap(),
            version_id: "v1".parse().unwrap(),
            said_at_ns: 1,
            of: None,
            body: FactBody::Removed(removal),
        };
        let value = self.codec.encode_fact(&fact).unwrap();
        self.raw(self.topics.facts(&site(source)), offset, value.into())
    }

    fn raw(&self, topic: TopicName, offset: i64, value: Bytes) -> Fetched {
        Fetched {
            position: Position { partition: TopicPartition { topic, partition: 1 }, offset },
            key: Some(Bytes::from_static(b"photos/raw")),
            value: Some(value),
            headers: Headers::default(),
            timestamp_ms: Some(1_000),
        }
    }

    async fn bury(&self, into: &str, record: &Fetched, reason: &str, at_ms: i64) {
        let topic = &record.position.partition.topic;
        let source = self.topics.notified(topic).or_else(|| Some(self.topics.source_of(topic)?.0)).unwrap();
        let of = (reason != "not-avro").then_some((source.as_str(), "photos"));
        let (source, bucket) = (of.map(|of| of.0), of.map(|of| of.1));
        let death = Death { reason, message: "no", source, bucket, at_ms };
        self.log.append(letter(self.topics.dead(&site(into)), 4, record, &death)).await.unwrap();
    }

    async fn letters(&self, filter: Filter) -> Vec<Row> {
        let mut reading = Reading::begin(&self.deployment, Choice::new(filter, &[], 100_000)).await.unwrap();
        let mut rows = Vec::new();
        while let Some(found) = reading.next().await.unwrap() {
            rows.push(Row::of(&found));
        }
        rows
    }

    async fn keys(&self, filter: Filter) -> Vec<String> {
        self.letters(filter).await.into_iter().map(|row| row.key.unwrap_or_default()).collect()
    }

    /// Acts on what fits the filter.
    async fn act(&self, deed: Deed, dry_run: bool, filter: Filter, named: &[Place]) -> Result<Exit, Failure> {
        let act = Act::new(&self.deployment, deed, "ann".to_owned(), dry_run, clock_and_ids()).unwrap();
        let told = Told { words: ["done", "would", "cannot"], json: false };
        act_on(&self.deployment, &act, Choice::new(filter, named, 100_000), None, told).await
    }

    fn all(&self, topic: &TopicName) -> Vec<Fetched> {
        let at = |partition| TopicPartition { topic: topic.clone(), partition };
        (0..4).flat_map(|partition| self.log.records(&at(partition))).collect()
    }

    fn notices(&self, at: &str) -> Vec<OwnNotice> {
        let records = self.all(&self.topics.notices(&site(at)));
        records.iter().map(|record| OwnNotice::from_json(record.value.as_ref().unwrap()).unwrap()).collect()
    }
}

fn in_state(state: StateChoice) -> Filter {
    Filter { state: Some(state), ..Filter::default() }
}

/// Three letters of three keys and reasons into west, one into east, one that cannot be read.
async fn furnished() -> World {
    let world = World::new().await;
    for (n, key, reason) in [(1, "a/1", "refused"), (2, "a/2", "locked-at-target"), (3, "b/3", "refused")] {
        world.bury("west", &world.record("east", key, n), reason, n * 1_000).await;
    }
    world.bury("east", &world.record("west", "a/4", 4), "refused", 4_000).await;
    let photos = world.topics.changes(&site("east"), &"photos".parse().unwrap());
    world.bury("west", &world.raw(photos, 5, Bytes::from_static(b"nonsense")), "not-avro", 5_000).await;
    world
}

#[tokio::test(start_paused = true)]
async fn every_filter_chooses() {
    let world = furnished().await;
    let default = Filter::default;
    assert_eq!(world.keys(default()).await, ["a/4", "a/1", "a/2", "b/3", "raw"], "site after site, oldest first");
    let into = Filter { into: Some(site("west")), ..default() };
    assert_eq!(world.keys(into).await, ["a/1", "a/2", "b/3", "raw"]);
    let from = Filter { from: Some(site("west")), ..default() };
    assert_eq!(world.keys(from).await, ["a/4"]);
    let prefix = Filter { prefix: Some("a/".into()), ..default() };
    assert_eq!(world.keys(prefix).await, ["a/4", "a/1", "a/2"]);
    let reason = Filter { reason: Some("locked-at-target".into()), ..default() };
    assert_eq!(world.keys(reason).await, ["a/2"]);
    let other = Filter { bucket: Some("other".parse().unwrap()), ..default() };
    assert!(world.keys(other).await.is_empty());
    let times = Filter { since: Some("1970-01-01T00:00:02Z".parse().unwrap()), ..default() };
    let times = Filter { until: Some("96s".parse().unwrap()), ..times };
    assert_eq!(world.keys(times).await, ["a/2", "b/3"], "from two seconds on, up to 96 s ago at 100 s");
    assert_eq!(world.keys(Filter { limit: Some(2), ..default() }).await, ["a/4", "a/1"]);
    assert!(world.keys(in_state(StateChoice::Discarded)).await.is_empty());
}

/// Guarantee: a replay asks the source of each letter once for its version, with leave to create, in its key's place;
/// only then is it on record; what cannot be read stays open, and the exit says so.
#[tokio::test(start_paused = true)]
async fn a_replay_is_a_notice_to_the_source() {
    let world = furnished().await;
    let exit = world.act(Deed::Replay, true, Filter::default(), &[]).await.unwrap();
    assert_eq!(exit, Exit::Findings);
    assert_eq!((world.notices("east").len(), world.keys(Filter::default()).await.len()), (0, 5), "a dry run");

    let exit = world.act(Deed::Replay, false, Filter::default(), &[]).await.unwrap();
    assert_eq!(exit, Exit::Findings, "one cannot be read");
    let mut asked = world.notices("east");
    asked.sort_by_key(|notice| notice.key.clone());
    let keys: Vec<_> = asked.iter().map(|notice| notice.key.as_str()).collect();
    assert_eq!(keys, ["a/1", "a/2", "b/3"]);
    assert!(asked.iter().all(|one| one.may_create && one.cause == twinlog_schemas::ExamineCause::Replay));
    assert!(asked.iter().all(|one| one.version_id == Some("v1".parse().unwrap()) && one.asked_by == site("west")));
    assert_eq!(world.notices("west").len(), 1);
    for record in world.all(&world.topics.notices(&site("east"))) {
        let notice = OwnNotice::from_json(record.value.as_ref().unwrap()).unwrap();
        let place = twinlog_log::partition_of("photos", notice.key.as_str(), 4);
        assert_eq!(record.position.partition.partition, place, "in its key's partition");
    }
    assert_eq!(world.keys(Filter::default()).await, ["raw"]);
    let replayed = world.letters(in_state(StateChoice::Replayed)).await;
    assert_eq!(replayed.len(), 4);
    assert!(replayed.iter().all(|row| row.said.as_ref().is_some_and(|said| said.by == "ann")));

    world.act(Deed::Replay, false, Filter::default(), &[]).await.unwrap();
    assert_eq!(world.notices("east").len(), 3, "what was replayed is not replayed again by itself");
}

/// Scenario: the log refuses the notice, then the state, then nothing.
/// Guarantee: nothing is on record that was not done, and doing it again does it.
#[tokio::test(start_paused = true)]
async fn an_interrupted_replay_is_repeated() {
    let world = World::new().await;
    world.bury("west", &world.record("east", "k", 1), "refused", 1).await;
    for (topic, notices) in [(world.topics.notices(&site("east")), 0), (world.topics.dead_state(&site("west")), 1)] {
        world.faults.inject(Some(topic), Fault::Reject(LogErrorKind::Transient));
        let failed = world.act(Deed::Replay, false, Filter::default(), &[]).await.unwrap_err();
        assert_eq!(failed.exit, Exit::Unavailable);
        assert_eq!((world.notices("east").len(), world.keys(Filter::default()).await.len()), (notices, 1));
    }
    let exit = world.act(Deed::Replay, false, Filter::default(), &[]).await.unwrap();
    assert_eq!((exit, world.notices("east").len()), (Exit::Success, 2));
    assert!(world.keys(Filter::default()).await.is_empty());
}

/// Scenario: a fact of the target's own site could not be applied there.
/// Guarantee: the other site is asked, since a site does not read its own change events.
#[tokio::test(start_paused = true)]
async fn a_fact_of_the_targets_own_is_asked_of_the_other_site() {
    let world = World::new().await;
    world.bury("west", &world.record("west", "k", 1), "access-denied", 1).await;
    assert_eq!(world.act(Deed::Replay, false, Filter::default(), &[]).await.unwrap(), Exit::Success);
    assert_eq!((world.notices("east").len(), world.notices("west").len()), (1, 0));
}

/// Scenario: a site could not capture a key that it was told of.
/// Guarantee: the replay is the notice again, byte for byte, in its key's place at the same site.
#[tokio::test(start_paused = true)]
async fn a_notice_is_told_again() {
    let world = World::new().await;
    let notice = Bytes::from_static(br#"{"Records":[]}"#);
    let mut record = world.raw(world.topics.notices(&site("west")), 7, notice.clone());
    record.headers = Headers::default().with("twinlog-door", "sure");
    world.bury("west", &record, "access-denied", 1).await;
    let rows = world.letters(Filter::default()).await;
    assert_eq!((rows[0].what.as_str(), rows[0].key.as_deref()), ("notice", Some("raw")));
    assert_eq!(world.act(Deed::Replay, false, Filter::default(), &[]).await.unwrap(), Exit::Success);
    let told = world.all(&world.topics.notices(&site("west")));
    assert_eq!(
        (told.len(), &told[0].value, &told[0].headers),
        (1, &Some(notice), &record.headers.with("twinlog-replayed", "ann"))
    );
    assert_eq!(told[0].position.partition.partition, twinlog_log::partition_of("photos", "raw", 4));
    assert_eq!(world.letters(in_state(StateChoice::Replayed)).await.len(), 1);
}

/// Guarantee: a discarded letter says who and why, is no longer open, and keeps what was said before.
#[tokio::test(start_paused = true)]
async fn a_discard_says_who_and_why() {
    let world = furnished().await;
    let prefix = Filter { prefix: Some("b/".into()), ..Filter::default() };
    world.act(Deed::Replay, false, prefix, &[]).await.unwrap();
    let name = Place(Cause::of(&world.record("east", "b/3", 3)).at);
    let deed = Deed::Discard("test data".to_owned());
    assert_eq!(world.act(deed.clone(), false, Filter::default(), &[name]).await.unwrap(), Exit::Success);
    let mut reading =
        Reading::begin(&world.deployment, Choice::new(in_state(StateChoice::Discarded), &[], 0)).await.unwrap();
    let found = reading.next().await.unwrap().unwrap();
    let whole = serde_json::to_value(Whole::of(&found)).unwrap();
    assert_eq!(
        (&whole["state"], &whole["key"], &whole["said"]["why"]),
        (&"discarded".into(), &"b/3".into(), &"test data".into())
    );
    assert_eq!(whole["history"][0]["state"], "replayed");
    assert_eq!(whole["content"]["kind"], "REMOVED");
    assert!(Whole::of(&found).text().contains("discarded by ann: test data"));

    let nobody = Place(Cause::of(&world.record("east", "b/3", 99)).at);
    assert_eq!(world.act(deed, false, Filter::default(), &[nobody]).await.unwrap(), Exit::Findings, "it is not there");
}

/// Scenario: a process died between a letter and its commit, so that there are two of one record.
#[tokio::test(start_paused = true)]
async fn two_letters_of_one_record_are_one() {
    let world = World::new().await;
    let record = world.record("east", "k", 1);
    world.bury("west", &record, "refused", 1).await;
    world.bury("west", &record, "refused", 9_000).await;
    assert_eq!(world.keys(Filter::default()).await, ["k"]);
    world.act(Deed::Discard("x".to_owned()), false, Filter::default(), &[]).await.unwrap();
    assert!(world.keys(Filter::default()).await.is_empty());
    assert_eq!(world.keys(in_state(StateChoice::All)).await, ["k"]);
}

fn history(state: Option<State>) -> Option<History> {
    let cause = Cause { at: Cause::place("t/0/0").unwrap(), recorded_ms: None };
    let change = |state| Change { state, by: String::new(), why: None, at_us: 0 };
    state.map(|state| History::after(&cause, None, change(state)))
}

proptest! {
    /// Every letter is listed by exactly one of the states, and by `all`.
    #[test]
    fn each_letter_has_one_state(state in proptest::option::of(prop::sample::select(vec![
        State::Replayed, State::Healed, State::Discarded, State::Unknown,
    ]))) {
        let state = history(state).as_ref().and_then(History::state);
        let all = [StateChoice::Open, StateChoice::Replayed, StateChoice::Healed, StateChoice::Discarded];
        prop_assert_eq!(all.into_iter().filter(|choice| choice.fits(state)).count(), 1);
        prop_assert!(StateChoice::All.fits(state));
    }
}
