//! The log's own dangers, and reading a stretch of it once more, with the real binary at work.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlog_control::Control;
use twinlog_log::clock::{Clock, Ids, SystemClock};
use twinlog_log::{KafkaConfig, KafkaLog, Log, TopicName, TopicPartition, Topics};
use twinlog_tests::{lab::Stage, lab_error::LabError, site::Site, until::until};

use crate::{
    scenario::{Failure, Outcome, scenarios},
    writes::put,
};

scenarios!(running:
    a_lost_control_topic_is_written_again, a_lost_topic_is_told_until_it_is_made_anew, a_stretch_is_read_once_more, what_is_late_and_what_is_lost_is_told);

const SOON: Duration = Duration::from_secs(90);
const LINK: &str = "east>west";

/// What `twinlog status` says of the bucket, whether or not it finds something.
async fn status(stage: &Stage) -> Result<String, LabError> {
    match stage.deployment.run(&["status", "--bucket", &stage.bucket]).await {
        Err(LabError::Command { code: Some(1), said, .. }) => Ok(said),
        other => other,
    }
}

/// Waits until `twinlog status` says something, or does not any more.
async fn says(stage: &Stage, words: &str, it_does: bool) -> Outcome {
    until("status was not as expected", SOON, async || {
        let said = status(stage).await?;
        Ok(if said.contains(words) == it_does { Ok(()) } else { Err(format!("{words:?}: {said}")) })
    })
    .await?;
    Ok(())
}

async fn sum(stage: &Stage, name: &str, labels: &[(&str, &str)]) -> Result<f64, LabError> {
    let labels = [labels, &[("bucket", stage.bucket.as_str()), ("link", LINK)][..]].concat();
    Ok(stage.deployment.metrics(Site::West).await?.sum(name, &labels))
}

/// Scenario: objects cross; then somebody removes a replica in a way of which nothing tells, and a person has the stretch
/// read once more. Guarantees: the command says how many events that is; the replica is there again, the others are
/// found as they should be, nothing else is written and nothing is a dead letter; asked again, nothing changes.
async fn a_stretch_is_read_once_more(stage: &mut Stage) -> Outcome {
    const OBJECTS: usize = 12;
    let since = (OffsetDateTime::now_utc() - Duration::from_secs(60)).format(&Rfc3339)?;
    for number in 0..OBJECTS {
        put(stage, &format!("object {number}")).await?;
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    let west = stage.at(Site::West);
    let head = west.client.head_object().bucket(&west.name).key("object 7").send().await?;
    let id = head.version_id().unwrap_or_default().to_owned();
    let remove = west.client.delete_object().bucket(&west.name).key("object 7").version_id(&id).customize();
    let silently = remove.mutate_request(|request| {
        for spelling in ["rustfs", "minio"] {
            request.headers_mut().insert(format!("x-{spelling}-source-replication-request"), "true");
        }
    });
    silently.send().await?;
    let (writes, unchanged) = ("twinlog_replica_writes_total", [("outcome", "unchanged")]);
    let before = (sum(stage, writes, &[]).await?, sum(stage, "twinlog_events_done_total", &unchanged).await?);
    let rewind = ["offsets", "rewind", "--at", "west", "--bucket", &stage.bucket, "--to", &since];
    let tried = stage.deployment.run(&[&rewind[..], &["--dry-run"]].concat()).await?;
    assert!(tried.contains(&format!("{OBJECTS} change events would be read once more")), "{tried}");
    for again in 1..=2 {
        let asked = stage.deployment.run(&rewind).await?;
        assert!(asked.contains("change events are read once more"), "{asked}");
        stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
        let expected = (OBJECTS * again - 1) as f64;
        until("the stretch was not read again", SOON, async || {
            let seen = sum(stage, "twinlog_events_done_total", &unchanged).await? - before.1;
            Ok(if seen >= expected { Ok(()) } else { Err(format!("{seen} of {expected} found as they should be")) })
        })
        .await?;
        stage.deployment.drained(SOON).await?;
    }
    assert_eq!(sum(stage, writes, &[]).await? - before.0, 1.0, "one replica was missing");
    assert_eq!(stage.deployment.progress().letters(Site::West).await?.len(), 0);
    Ok(())
}

/// The bucket's change topic at east, and the cluster.
async fn changes(stage: &Stage) -> Result<(KafkaLog, TopicName), Failure> {
    let parts = stage.deployment.parts();
    let log = KafkaLog::connect(KafkaConfig::new(parts.brokers.as_str(), "dangers")).await?;
    Ok((log, TopicName::new(format!("{}.changes.east.{}", parts.prefix, stage.bucket))?))
}

async fn control_of_west(stage: &Stage) -> Result<Control, Failure> {
    let parts = stage.deployment.parts();
    let log = KafkaLog::connect(KafkaConfig::new(parts.brokers.as_str(), "control")).await?;
    let clock = Arc::new(SystemClock);
    let ids = Ids::new(Arc::<SystemClock>::clone(&clock), 1);
    Ok(Control::new(Arc::new(log), &Topics::new(&parts.prefix)?, &"west".parse()?, clock, ids))
}

/// Waits until what is born is younger than the bucket's enabling by every clock: before, a loss is for a person to judge.
async fn surely_enabled(stage: &Stage) -> Outcome {
    let (control, bucket) = (control_of_west(stage).await?, stage.bucket.parse()?);
    until("the bucket did not count as enabled", SOON, async || {
        let loaded = control.load().await.map_err(|error| error.to_string());
        let since = loaded.map(|()| control.unbroken(&bucket).and_then(|unbroken| unbroken.since_us));
        Ok(match since {
            Ok(Some(since_us)) if since_us < SystemClock.now_us() => Ok(()),
            other => Err(format!("{other:?}")),
        })
    })
    .await?;
    Ok(())
}

/// Scenario: a bucket waits until half of its topic's retention is used up; then the log deletes what waits. Guarantees:
/// the alarm is in status and metrics before; what was lost is a request to sweep with its remedy, in status; what comes
/// later crosses; the bucket is swept by itself, so that what was lost crosses too, and the request is taken back.
async fn what_is_late_and_what_is_lost_is_told(stage: &mut Stage) -> Outcome {
    put(stage, "before").await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    let name = stage.bucket.clone();
    surely_enabled(stage).await?;
    stage.deployment.run(&["bucket", "pause", &name, "--from", "east"]).await?;
    says(stage, "paused", true).await?;
    for number in 0..8 {
        put(stage, &format!("late {number}")).await?;
    }
    let (log, topic) = changes(stage).await?;
    log.set(&topic, "retention.ms", "40000").await?;
    says(stage, "of the topic's retention", true).await?;
    until("the alarm was not shown", SOON, async || {
        let used = sum(stage, "twinlog_retention_used_ratio", &[]).await?;
        Ok(if used >= 0.5 { Ok(()) } else { Err(format!("{used} used up")) })
    })
    .await?;

    let partitions = log.topic(&topic).await?.map_or(0, |info| info.partitions);
    for partition in 0..partitions {
        let at = TopicPartition { topic: topic.clone(), partition };
        let ends = log.watermarks(&at).await?;
        if ends.next > 0 {
            log.trim(&at, ends.next).await?;
        }
    }
    stage.deployment.run(&["bucket", "resume", &name, "--from", "east"]).await?;
    says(stage, "to be swept: records-lost", true).await?;
    put(stage, "after").await?;
    until("what came after did not cross", SOON, async || {
        let west = stage.at(Site::West);
        let head = west.client.head_object().bucket(&west.name).key("after").send().await;
        Ok(head.map(drop).map_err(|_| "not at west".to_owned()))
    })
    .await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    says(stage, "to be swept", false).await?;
    Ok(())
}

/// Scenario: somebody deletes a bucket's change topic; west's Twinlog is started again meanwhile, and objects are written.
/// Guarantees: status and doctor name the topic and the remedy for as long as it is gone, whatever process runs; made anew,
/// the bucket is swept by itself, and what was written meanwhile crosses. Deleted after `bucket disable`, nothing is told.
async fn a_lost_topic_is_told_until_it_is_made_anew(stage: &mut Stage) -> Outcome {
    put(stage, "before").await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    surely_enabled(stage).await?;
    let (log, topic) = changes(stage).await?;
    log.delete_topic(&topic).await?;
    says(stage, "topic-gone", true).await?;
    stage.deployment.stop(Site::West).await?;
    stage.deployment.start(Site::West)?;
    stage.deployment.ready(Site::West).await?;
    put(stage, "meanwhile").await?;
    says(stage, "topic-gone", true).await?;
    let name = stage.bucket.clone();
    stage.deployment.run(&["bucket", "enable", &name]).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    says(stage, "topic-gone", false).await?;
    says(stage, "to be swept", false).await?;

    stage.deployment.run(&["bucket", "disable", &name]).await?;
    log.delete_topic(&topic).await?;
    let control = control_of_west(stage).await?;
    until("nobody noticed that the topic is gone", SOON, async || {
        let loaded = control.load().await.map_err(|error| error.to_string());
        let seen = loaded.map(|()| control.topic_seen(&topic));
        let noticed = seen.as_ref().is_ok_and(|seen| seen.as_ref().is_some_and(|seen| seen.gone.is_some()));
        Ok(if noticed { Ok(()) } else { Err(format!("{seen:?}")) })
    })
    .await?;
    says(stage, "topic-gone", false).await?;
    Ok(())
}

/// Scenario: somebody deletes a site's control topic while a person has paused a bucket, and makes it anew.
/// Guarantees: what the running process knows is on record again: the pause stands, also after a restart, and a person's
/// word ends it.
async fn a_lost_control_topic_is_written_again(stage: &mut Stage) -> Outcome {
    let name = stage.bucket.clone();
    stage.deployment.run(&["bucket", "pause", &name, "--from", "east"]).await?;
    says(stage, "paused", true).await?;
    put(stage, "while paused").await?;
    let control = control_of_west(stage).await?;
    let log = KafkaLog::connect(KafkaConfig::new(stage.deployment.parts().brokers.as_str(), "dangers")).await?;
    log.delete_topic(control.topic()).await?;
    says(stage, "paused", false).await?;
    stage.deployment.run(&["bucket", "enable", &name]).await?;
    says(stage, "paused", true).await?;
    stage.deployment.stop(Site::West).await?;
    stage.deployment.start(Site::West)?;
    stage.deployment.ready(Site::West).await?;
    says(stage, "paused", true).await?;
    stage.deployment.run(&["bucket", "resume", &name, "--from", "east"]).await?;
    stage.deployment.equal(&name, u64::MAX, SOON).await?;
    Ok(())
}
