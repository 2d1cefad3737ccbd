//! What a backlog costs in memory: change events that wait for a consumer, and notices that come faster than they are
//! captured. Both are made here rather than by writes at a store, which would take hours; what is done with them is real.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use twinlog_log::{
    Headers, KafkaConfig, KafkaLog, Log, LogError, Record, TopicName, partition::partition_of, record_key,
};
use twinlog_schemas::{
    ChangeEvent, Codec, ContentHeaders, Encryption, EventId, ObjectState, TimePrecision, Told, VersionKind,
};

use super::process;
use crate::{
    lab_error::LabError,
    pair::{Pair, PairOptions, TOKEN},
    server::{Life, StoreKind},
    site::Site,
};

/// Appends and requests under way at a time.
const AT_ONCE: usize = 256;
/// Bytes of an event's inline body.
const BODY: usize = 256;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Backlog {
    /// On which store.
    pub kind: StoreKind,
    /// Where everything goes.
    pub folder: PathBuf,
    /// Change events that wait.
    pub events: u64,
    /// Object keys that they are of.
    pub keys: u64,
    /// Notices of a burst.
    pub notices: u64,
    /// How long each of the two may take; what is not done by then is said.
    pub within: Duration,
}

/// What one of the two came to.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Drained {
    records: u64,
    left: i64,
    took: Duration,
    peak: Option<u64>,
}

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct BacklogReport {
    title: String,
    keys: u64,
    consumer: Drained,
    producer: Drained,
}

impl BacklogReport {
    /// Who used more than so many bytes, or may have.
    #[must_use]
    pub fn above(&self, bytes: u64) -> Vec<String> {
        let both = [("the consumer", self.consumer), ("the producer", self.producer)];
        let above = both.into_iter().filter(|(_, drained)| drained.peak.is_none_or(|peak| peak > bytes));
        above.map(|(who, drained)| format!("{who}: {drained}")).collect()
    }
}

/// Measures; `tell` hears what is being done.
///
/// # Errors
/// Whatever does not come up.
pub async fn run(bench: &Backlog, tell: impl Fn(&str)) -> Result<BacklogReport, LabError> {
    let (folder, bucket) = (bench.folder.clone(), "ours".to_owned());
    let options = PairOptions { kind: bench.kind, folder, bucket, life: Life::Bound, wired: false };
    let mut pair = Pair::start(options, &tell).await?;
    pair.deployment.stop(Site::West).await?;
    tell(&format!("writing {} change events of {} keys into the log", bench.events, bench.keys));
    write_events(&pair, bench).await?;
    tell("the consumer starts");
    pair.deployment.start(Site::West)?;
    pair.deployment.ready(Site::West).await?;
    let changes = format!(".changes.east.{}", pair.bucket);
    let consumer = drained(&mut pair, Site::West, &changes, bench, bench.events).await?;

    tell(&format!("a burst of {} notices", bench.notices));
    let pid = pair.deployment.process(Site::East)?.pid();
    process::forget_peak(pid);
    let began = Instant::now();
    send_notices(&pair, bench).await?;
    let mut producer = drained(&mut pair, Site::East, ".notices.east", bench, bench.notices).await?;
    producer.took = began.elapsed();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let title = format!("{} on {cores} cores, everything on this machine, {profile} build", bench.kind);
    Ok(BacklogReport { title, keys: bench.keys, consumer, producer })
}

/// Waits until the process beside `at` has done what waits in the topics whose names end so.
async fn drained(pair: &mut Pair, at: Site, ending: &str, bench: &Backlog, records: u64) -> Result<Drained, LabError> {
    let pid = pair.deployment.process(at)?.pid();
    let began = Instant::now();
    loop {
        let left = pair.deployment.progress().backlog().await?.of(ending);
        let took = began.elapsed();
        if left == 0 || took > bench.within {
            return Ok(Drained { records, left, took, peak: process::peak_memory(pid) });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Births of small objects, each a version of its own, as capture would write them.
async fn write_events(pair: &Pair, bench: &Backlog) -> Result<(), LabError> {
    let parts = pair.deployment.parts();
    let log = KafkaLog::connect(KafkaConfig::new(parts.brokers.as_str(), "bench")).await.map_err(failed)?;
    let topic = TopicName::new(format!("{}.changes.east.{}", parts.prefix, pair.bucket)).map_err(odd)?;
    let partitions = log.topic(&topic).await.map_err(failed)?.map_or(1, |info| info.partitions);
    let codec = Codec::new().map_err(odd)?;
    let now_ns = i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos()).unwrap_or(0);
    let append = |number: u64| {
        let (log, codec, topic, bucket) = (&log, &codec, &topic, pair.bucket.as_str());
        async move {
            let event = birth(bucket, number, bench.keys, now_ns)?;
            let record = Record {
                topic: topic.clone(),
                partition: partition_of(bucket, event.key.as_str(), partitions),
                key: Some(record_key(bucket, event.key.as_str())),
                value: Some(codec.encode_change(&event).map_err(odd)?.into()),
                headers: Headers::default(),
                timestamp_ms: now_ns / 1_000_000,
            };
            log.append(record).await.map(drop).map_err(failed)
        }
    };
    stream::iter(0..bench.events).map(append).buffered(AT_ONCE).try_for_each(async |()| Ok(())).await
}

fn birth(bucket: &str, number: u64, keys: u64, now_ns: i64) -> Result<ChangeEvent, LabError> {
    let body = vec![u8::try_from(number % 251).unwrap_or(0); BODY];
    let modified_at_ns = now_ns + i64::try_from(number).unwrap_or(0);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    Ok(ChangeEvent {
        event_id: EventId::new(u64::try_from(now_ns / 1_000_000).unwrap_or(0), random),
        site: "east".parse().map_err(odd)?,
        bucket: bucket.parse().map_err(odd)?,
        key: key(number % keys.max(1)).parse().map_err(odd)?,
        version_id: version(number).parse().map_err(odd)?,
        kind: VersionKind::Object,
        told: Told::Born,
        cause: "s3:ObjectCreated:Put".to_owned(),
        lifecycle: false,
        may_create: true,
        actor: None,
        modified_at_ns,
        modified_precision: TimePrecision::Nanoseconds,
        event_time_us: Some(modified_at_ns / 1_000),
        noticed_at_us: modified_at_ns / 1_000,
        observed_at_us: modified_at_ns / 1_000,
        object: Some(ObjectState {
            size: i64::try_from(BODY).unwrap_or(0),
            etag: hex::encode(Md5::digest(&body)),
            headers: ContentHeaders::default(),
            user_metadata: Default::default(),
            tags: None,
            retention: None,
            legal_hold: None,
            storage_class: None,
            encryption: Encryption::None,
            checksums: Vec::new(),
            parts: Vec::new(),
            body: Some(body),
        }),
        locks_seen: None,
        null_register: None,
    })
}

fn key(number: u64) -> String {
    format!("backlog/{number:08}")
}

fn version(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// Notices by the sure door, of versions that are gone by the time they are captured.
async fn send_notices(pair: &Pair, bench: &Backlog) -> Result<(), LabError> {
    let url = format!("{}/notices/east", pair.deployment.intake(Site::East));
    let refused = |error: reqwest::Error| LabError::Page { url: "the intake".to_owned(), why: error.to_string() };
    let client = reqwest::Client::builder().no_proxy().build().map_err(refused)?;
    let time = OffsetDateTime::now_utc().format(&Rfc3339).map_err(odd)?;
    let send = |number: u64| {
        let request = client.post(&url).bearer_auth(TOKEN).body(notice(&pair.bucket, number, &time));
        async move {
            loop {
                let request = request.try_clone().ok_or_else(|| odd("a request cannot be repeated"))?;
                let answer = request.send().await.map_err(refused)?;
                // As a store does: what is not taken now is sent again.
                if answer.status().as_u16() == 503 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
                return answer.error_for_status().map(drop).map_err(refused);
            }
        }
    };
    stream::iter(0..bench.notices).map(send).buffer_unordered(AT_ONCE).try_for_each(async |()| Ok(())).await
}

fn notice(bucket: &str, number: u64, time: &str) -> String {
    let record = serde_json::json!({
        "eventVersion": "2.1", "eventSource": "rustfs:s3", "eventTime": time, "eventName": "s3:ObjectCreated:Put",
        "userIdentity": { "principalId": "client" },
        "s3": { "bucket": { "name": bucket }, "object": {
            "key": format!("gone%2F{number:08}"), "size": 5, "versionId": version(number),
            "sequencer": format!("{:X}", 1_800_000_000_000_000_000_u64 + number),
        } },
    });
    let name = format!("{bucket}/gone/{number:08}");
    serde_json::json!({ "EventName": "s3:ObjectCreated:Put", "Key": name, "Records": [record] }).to_string()
}

fn failed(error: LogError) -> LabError {
    odd(error)
}

fn odd(why: impl fmt::Display) -> LabError {
    LabError::Page { url: "the bench's own records".to_owned(), why: why.to_string() }
}

impl fmt::Display for Drained {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: f64 = 1024.0 * 1024.0;
        let peak = self.peak.map_or(f64::NAN, |bytes| bytes as f64 / MIB);
        let done = self.records as f64 - self.left as f64;
        let rate = done / self.took.as_secs_f64();
        write!(
            to,
            "peak resident memory {peak:.0} MiB; {done:.0} in {:.0} s, {rate:.0} per second",
            self.took.as_secs_f64()
        )?;
        if self.left > 0 {
            write!(to, "; {} were left when the time was over", self.left)?;
        }
        Ok(())
    }
}

impl fmt::Display for BacklogReport {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "{}\n", self.title)?;
        writeln!(
            to,
            "consumer, {} change events of {} keys waiting: {}",
            self.consumer.records, self.keys, self.consumer
        )?;
        writeln!(to, "producer, a burst of {} notices: {}", self.producer.records, self.producer)
    }
}
