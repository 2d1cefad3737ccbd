//! What stops a bucket or a link although its buckets are set up well: storms of removals and of dead letters, which wait
//! for a person, and credentials, clocks, topics and records of newer releases, which end by themselves once mended.

use std::{sync::Arc, time::Duration};

use twinlog_control::{Control, Entry};
use twinlog_log::clock::{Ids, SystemClock};
use twinlog_log::{KafkaConfig, KafkaLog, Log, Record, TopicName, TopicPartition, Topics};
use twinlog_schemas::{Codec, PublishedSchema, RecordKind};
use twinlog_tests::{
    bucket::Lock,
    deployment::Pace,
    lab::{Own, Stage, StageOptions},
    lab_error::LabError,
    proxy::{Fault, Wanted},
    refused::Refused,
    site::Site,
    until::until,
};

use crate::{
    scenario::{Failure, Outcome, scenarios},
    writes::{crosses, other_bucket, put},
};

const PROXIED: StageOptions = StageOptions { lock: Lock::On, own: Own::Nothing, proxies: true };

scenarios!(
    prepared:
    a_storm_of_removals_waits_for_a_person,
    too_many_dead_letters_wait_for_a_person(PROXIED),
    credentials_that_are_refused,
    answers_that_hold(PROXIED),
    partitions_that_do_not_fit,
    a_record_of_a_newer_release,
);

const SOON: Duration = Duration::from_secs(60);
const LINK: &str = "east>west";

/// Adds a line to every link.
fn configure(stage: &Stage, line: &str) -> std::io::Result<()> {
    let path = stage.deployment.config();
    let text = std::fs::read_to_string(path)?;
    std::fs::write(path, text.replace("[[links]]\n", &format!("[[links]]\n{line}\n")))
}

async fn start(stage: &mut Stage) -> Result<(), LabError> {
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start_both().await
}

/// Kills west's Twinlog as a power cut would, and starts it anew.
async fn killed(stage: &mut Stage) -> Result<(), LabError> {
    stage.deployment.kill(Site::West)?;
    stage.deployment.start(Site::West)?;
    stage.deployment.ready(Site::West).await
}

/// Waits until the bucket, or where there is none its whole link, is held at west for this reason, or not held.
async fn held(stage: &Stage, bucket: Option<&str>, reason: Option<&str>) -> Outcome {
    let mut labels = vec![("link", LINK)];
    labels.extend(bucket.map(|bucket| ("bucket", bucket)));
    let metric = if bucket.is_some() { "twinlog_hold" } else { "twinlog_link_hold" };
    until("the hold was not as expected", SOON, async || {
        // It may have been started a moment ago.
        let metrics = match stage.deployment.metrics(Site::West).await {
            Ok(metrics) => metrics,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let mut now = metrics.of(metric, &labels).filter(|sample| sample.value > 0.0);
        let now = now.next().map(|sample| sample.labels.get("reason").cloned().unwrap_or_default());
        Ok(if now.as_deref() == reason { Ok(()) } else { Err(format!("held: {now:?}, not {reason:?}")) })
    })
    .await?;
    let status = match stage.deployment.run(&["status"]).await {
        Err(LabError::Command { code: Some(1), said, .. }) => said,
        other => other?,
    };
    assert!(reason.is_none_or(|reason| status.contains(reason)), "{reason:?} is not in status: {status}");
    Ok(())
}

async fn put_many(stage: &Stage, folder: &str, count: usize) -> Outcome {
    for number in 0..count {
        put(stage, &format!("{folder}/{number}")).await?;
    }
    Ok(())
}

/// A storm, and what a person makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Storm {
    /// Clients delete, and mean it.
    Wanted,
    /// Clients delete, and should not have: the delete markers are removed.
    Undone,
    /// Clients remove versions by their ids, and should not have: what the target still has is written there anew.
    WrittenAnew,
}

/// Removes what a client sees at east: each object gets a delete marker, or its version is removed.
async fn removed_by_clients(stage: &Stage, by_version: bool) -> Outcome {
    let east = stage.at(Site::East);
    let listed = east.client.list_object_versions().bucket(&east.name).send().await?;
    for version in listed.versions().iter().filter(|version| version.is_latest() == Some(true)) {
        let remove = east.client.delete_object().bucket(&east.name).key(version.key().unwrap_or_default());
        remove.set_version_id(version.version_id().filter(|_| by_version).map(str::to_owned)).send().await?;
    }
    Ok(())
}

async fn seen_at(stage: &Stage, site: Site) -> Result<Vec<String>, Refused> {
    let bucket = stage.at(site);
    let listing = bucket.client.list_objects_v2().bucket(&bucket.name).send().await;
    let listed = listing.map_err(Refused::doing("listing"))?;
    Ok(listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect())
}

/// Scenario: a client removes everything that it sees; Twinlog at the target is killed, and a person lets the bucket go on;
/// then the same again, but the person undoes it first, as the runbook says; then by version ids, undone likewise.
/// Guarantees: the bucket stops when the storm is one, also after the kill, so that most of what was removed is still there;
/// another bucket goes on; released, everything crosses; the next storm stops it again; what was undone is there at both
/// sites in the end.
async fn a_storm_of_removals_waits_for_a_person(stage: &mut Stage) -> Outcome {
    const OBJECTS: usize = 60;
    const STORM: usize = 20;
    stage.deployment.change(|parts| parts.pace = Pace::Brief)?;
    // A release forgives what is of the same tenth of the window.
    configure(stage, &format!("delete_storm = {{ window = \"20s\", removals = {STORM}, share = 30 }}"))?;
    start(stage).await?;
    let (other, _lease) = other_bucket(stage, Lock::On).await?;
    let name = stage.bucket.clone();
    for storm in [Storm::Wanted, Storm::Undone, Storm::WrittenAnew] {
        let already = seen_at(stage, Site::East).await?.len();
        let folder = format!("{storm:?}");
        put_many(stage, &folder, OBJECTS - already).await?;
        stage.deployment.equal(&name, u64::MAX, SOON).await?;
        removed_by_clients(stage, storm == Storm::WrittenAnew).await?;
        held(stage, Some(&name), Some("delete-storm")).await?;
        killed(stage).await?;
        held(stage, Some(&name), Some("delete-storm")).await?;
        crosses(stage, &other, &folder).await?;
        let left = seen_at(stage, Site::West).await?;
        assert!(left.len() >= OBJECTS - STORM - STORM / 2, "only {} of {OBJECTS} are left at west", left.len());
        let expected = match storm {
            Storm::Wanted => Vec::new(),
            Storm::Undone => undone(stage).await?,
            Storm::WrittenAnew => written_anew(stage, left).await?,
        };
        stage.deployment.run(&["bucket", "release", &name, "--from", "east"]).await?;
        held(stage, Some(&name), None).await?;
        stage.deployment.equal(&name, u64::MAX, SOON).await?;
        assert_eq!(seen_at(stage, Site::West).await?, expected);
    }
    Ok(())
}

/// Removes the delete markers of this storm at east; returns what is seen there then.
async fn undone(stage: &Stage) -> Result<Vec<String>, Failure> {
    let east = stage.at(Site::East);
    let listed = east.client.list_object_versions().bucket(&east.name).prefix("Undone").send().await?;
    for marker in listed.delete_markers() {
        let remove = east.client.delete_object().bucket(&east.name).key(marker.key().unwrap_or_default());
        remove.version_id(marker.version_id().unwrap_or_default()).send().await?;
    }
    Ok(seen_at(stage, Site::East).await?)
}

/// Puts what west still has there once more, and waits until east has got it back; returns what that is.
async fn written_anew(stage: &Stage, left: Vec<String>) -> Result<Vec<String>, Failure> {
    let west = stage.at(Site::West);
    for key in &left {
        let held = west.client.get_object().bucket(&west.name).key(key).send().await?;
        west.client.put_object().bucket(&west.name).key(key).body(held.body).send().await?;
    }
    until("what was written anew did not cross", SOON, async || {
        let seen = seen_at(stage, Site::East).await?;
        Ok(if seen == left { Ok(()) } else { Err(format!("{} of {}", seen.len(), left.len())) })
    })
    .await?;
    Ok(left)
}

/// Scenario: the target refuses many keys of a bucket, for good; then it takes them. Guarantees: a few are dead letters, and
/// then the bucket waits with the rest, also after a kill, until a person releases it; another bucket goes on; what waited
/// crosses, and so do the letters once replayed.
async fn too_many_dead_letters_wait_for_a_person(stage: &mut Stage) -> Outcome {
    const LETTERS: usize = 3;
    const OBJECTS: usize = 12;
    stage.deployment.change(|parts| parts.pace = Pace::Brief)?;
    configure(stage, &format!("too_many_dead_letters = {{ window = \"10m\", letters = {LETTERS}, share = 50 }}"))?;
    start(stage).await?;
    let (other, _lease) = other_bucket(stage, Lock::On).await?;
    let name = stage.bucket.clone();
    let [_, west] = stage.proxies.as_ref().ok_or("no proxies")?;
    (0..1_000).for_each(|_| west.inject(Wanted::new("PUT", "/refused/"), Fault::Refuse(400, "InvalidRequest")));
    put_many(stage, "refused", OBJECTS).await?;
    held(stage, Some(&name), Some("too-many-dead-letters")).await?;
    killed(stage).await?;
    held(stage, Some(&name), Some("too-many-dead-letters")).await?;
    crosses(stage, &other, "beside").await?;
    let letters = stage.deployment.progress().letters(Site::West).await?.len();
    assert!((1..=2 * LETTERS).contains(&letters), "{letters} dead letters of {OBJECTS}");
    stage.proxies.iter().flatten().for_each(|proxy| proxy.withdraw());
    stage.deployment.run(&["bucket", "release", &name, "--from", "east"]).await?;
    held(stage, Some(&name), None).await?;
    stage.deployment.run(&["dlq", "replay", "--bucket", &name]).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    Ok(())
}

/// Scenario: the secret of the target's store is another one by now; then the configuration is corrected.
/// Guarantees: the link is held under its name, also after a kill, and goes on by itself with nothing lost.
async fn credentials_that_are_refused(stage: &mut Stage) -> Outcome {
    stage.deployment.change(|parts| parts.pace = Pace::Brief)?;
    start(stage).await?;
    let name = stage.bucket.clone();
    crosses(stage, &name, "before").await?;
    let right = stage.deployment.parts().sites[Site::West.index()].twinlog.secret_key.clone();
    stage
        .deployment
        .change(|parts| "another-secret".clone_into(&mut parts.sites[Site::West.index()].twinlog.secret_key))?;
    stage.deployment.kill(Site::West)?;
    stage.deployment.start(Site::West)?;
    put(stage, "while refused").await?;
    held(stage, None, Some("credentials")).await?;
    stage.deployment.change(|parts| parts.sites[Site::West.index()].twinlog.secret_key = right)?;
    killed(stage).await?;
    held(stage, None, None).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    assert_eq!(stage.deployment.progress().letters(Site::West).await?.len(), 0);
    Ok(())
}

/// Scenario: the target's store answers that clocks are apart; then that the bucket's state does not allow what is asked.
/// Guarantees: the first holds the link, the second the bucket, under their names; both end by themselves, and nothing is a
/// dead letter.
async fn answers_that_hold(stage: &mut Stage) -> Outcome {
    start(stage).await?;
    let name = stage.bucket.clone();
    for (status, code, of_link, reason) in
        [(403, "RequestTimeTooSkewed", true, "clock-skew"), (409, "InvalidBucketState", false, "bucket-state")]
    {
        let [_, west] = stage.proxies.as_ref().ok_or("no proxies")?;
        let refuse = |wanted: Wanted| (0..2_000).for_each(|_| west.inject(wanted.clone(), Fault::Refuse(status, code)));
        // Of a link everything is refused, of a bucket all that is about it.
        refuse(if of_link { Wanted::default() } else { Wanted::new("", &format!("/{name}")) });
        put(stage, reason).await?;
        let bucket = Some(name.as_str()).filter(|_| !of_link);
        held(stage, bucket, Some(reason)).await?;
        stage.proxies.iter().flatten().for_each(|proxy| proxy.withdraw());
        held(stage, bucket, None).await?;
        stage.deployment.equal(&name, u64::MAX, SOON).await?;
    }
    assert_eq!(stage.deployment.progress().letters(Site::West).await?.len(), 0);
    Ok(())
}

async fn kafka(stage: &Stage) -> Result<(KafkaLog, Topics, TopicName), Failure> {
    let parts = stage.deployment.parts();
    let topics = Topics::new(&parts.prefix)?;
    let changes = topics.changes(&"east".parse()?, &stage.bucket.parse()?);
    Ok((KafkaLog::connect(KafkaConfig::new(parts.brokers.as_str(), "guards")).await?, topics, changes))
}

/// Scenario: somebody gives a change topic one partition more than lanes can share, and then another one.
/// Guarantees: the bucket is held under its name, and goes on by itself once they fit.
async fn partitions_that_do_not_fit(stage: &mut Stage) -> Outcome {
    start(stage).await?;
    let name = stage.bucket.clone();
    crosses(stage, &name, "before").await?;
    let (log, _, changes) = kafka(stage).await?;
    let partitions = log.topic(&changes).await?.map_or(0, |info| info.partitions);
    let lanes = usize::try_from(partitions)?;
    log.add_partitions(&changes, lanes + 1).await?;
    held(stage, Some(&name), Some("partitions-unfit")).await?;
    put(stage, "while unfit").await?;
    log.add_partitions(&changes, 2 * lanes).await?;
    held(stage, Some(&name), None).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    Ok(())
}

/// A change event as a later release writes it, with one more field, and that release's schema.
fn of_a_newer_release(value: &[u8]) -> Result<(PublishedSchema, Vec<u8>), Failure> {
    let newest = Codec::published()?.filter(|one| one.kind == RecordKind::ChangeEvent).last().ok_or("no schema")?;
    let mut schema: serde_json::Value = serde_json::from_str(newest.schema)?;
    let field = serde_json::json!({"name": "mood", "type": "string", "default": ""});
    schema["fields"].as_array_mut().ok_or("no fields")?.push(field);
    let text = schema.to_string();
    let fingerprint = Codec::new()?.learn(&text)?;
    // Marker and fingerprint, the datum of before, and a string of one letter.
    let value =
        [&[0xc3, 0x01][..], &fingerprint.to_le_bytes(), value.get(10..).ok_or("too short")?, &[2, b'x']].concat();
    let (fingerprint, schema) = (format!("{fingerprint:016x}"), serde_json::from_str(&text)?);
    Ok((PublishedSchema { fingerprint, record: RecordKind::ChangeEvent, version: newest.version + 1, schema }, value))
}

/// Scenario: a producer of a newer release writes a change event, and its schema comes to the control topic later.
/// Guarantees: the link is held under its name, also after a kill, and nothing is a dead letter; once the schema is there,
/// the record is read and everything crosses.
async fn a_record_of_a_newer_release(stage: &mut Stage) -> Outcome {
    stage.deployment.change(|parts| parts.pace = Pace::Brief)?;
    start(stage).await?;
    let name = stage.bucket.clone();
    crosses(stage, &name, "before").await?;
    let (log, topics, changes) = kafka(stage).await?;
    let (at, record) = first(&log, &changes).await?;
    let (schema, value) = of_a_newer_release(record.value.as_deref().unwrap_or_default())?;
    let newer = Record {
        topic: changes.clone(),
        partition: at.partition,
        key: record.key,
        value: Some(value.into()),
        headers: record.headers,
        timestamp_ms: record.timestamp_ms.unwrap_or_default(),
    };
    log.append(newer).await?;
    held(stage, None, Some("unknown-schema")).await?;
    killed(stage).await?;
    held(stage, None, Some("unknown-schema")).await?;
    put(stage, "behind").await?;
    let clock = Arc::new(SystemClock);
    let ids = Ids::new(Arc::<SystemClock>::clone(&clock), 1);
    let control = Control::new(Arc::new(log), &topics, &"west".parse()?, clock, ids);
    control.put(Entry::Schema(schema)).await;
    held(stage, None, None).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    assert_eq!(stage.deployment.progress().letters(Site::West).await?.len(), 0);
    Ok(())
}

/// The first record of a topic.
async fn first(log: &KafkaLog, topic: &TopicName) -> Result<(TopicPartition, twinlog_log::Fetched), Failure> {
    let partitions = log.topic(topic).await?.map_or(0, |info| info.partitions);
    for partition in 0..partitions {
        let at = TopicPartition { topic: topic.clone(), partition };
        let ends = log.watermarks(&at).await?;
        if ends.next > ends.first {
            let reader = log.reader("guards").await?;
            let mut records = reader.assign(&at, ends.first).await?;
            return Ok((at, records.next().await?));
        }
    }
    Err("the topic is empty".into())
}
