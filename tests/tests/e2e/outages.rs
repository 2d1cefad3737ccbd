//! A process or a server goes away and comes back: it costs time and nothing else.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use aws_sdk_s3::primitives::ByteStream;
use twinlog_schemas::{VersionKind, Wrote};
use twinlog_tests::{
    bucket::Lock,
    compare::Bucket,
    lab::{Own, Stage, StageOptions},
    load::Load,
    proxy::{Fault, Wanted},
    refused::Refused,
    site::Site,
    until::until,
    workload::Mix,
};

use crate::large::{self, MIB, way};
use crate::scenario::{Outcome, scenarios};

const PROXIES: StageOptions = StageOptions { own: Own::Nothing, lock: Lock::On, proxies: true };
const STORES: StageOptions = StageOptions { own: Own::Stores, lock: Lock::On, proxies: false };
const KAFKA: StageOptions = StageOptions { own: Own::Kafka, lock: Lock::On, proxies: false };

scenarios!(
    running:
    twinlog_stopped_while_writes_go_on,
    twinlog_killed_under_load,
    a_store_restarted_under_load(STORES),
    kafka_restarted_under_load(KAFKA),
    kafka_hangs_under_load(KAFKA),
    the_ways_are_troubled(PROXIES),
    one_key_fails_for_ever(PROXIES),
);

/// Stores keep what Kafka did not take for minutes.
const LATER: Duration = Duration::from_secs(300);
/// What waited for a store drains without help once it is back; the stores' own replication begins after three minutes.
const AT_ONCE: Duration = Duration::from_secs(90);

fn load(stage: &Stage) -> Load {
    Load::begin(&Site::BOTH.map(|site| stage.at(site)), &Mix::versions(), 21)
}

async fn nothing_is_dead(stage: &Stage) -> Outcome {
    for site in Site::BOTH {
        assert_eq!(stage.deployment.progress().written_to(&format!("dead.{site}")).await?, 0, "dead letters at {site}");
    }
    Ok(())
}

/// The versions of each key were written at either site in the order in which the other told of them.
async fn keys_kept_their_order(stage: &Stage) -> Outcome {
    for site in Site::BOTH {
        let progress = stage.deployment.progress();
        let receipts = progress.receipts(site.other()).await?;
        let written = receipts.iter().filter(|receipt| matches!(receipt.wrote, Wrote::Object | Wrote::DeleteMarker));
        let written = by_key(written.map(|receipt| (receipt.key.to_string(), receipt.version_id.to_string())));
        let changes = progress.changes(site, &stage.bucket).await?;
        let born = changes.iter().filter(|change| change.kind != VersionKind::Removed);
        let told = by_key(born.map(|change| (change.key.to_string(), change.version_id.to_string())));
        let mut versions = 0;
        for (key, written) in &written {
            let told = told.get(key).cloned().unwrap_or_default();
            // What was told twice, or written again after it was removed, has no one place.
            let once = |all: &[String], version: &String| all.iter().filter(|other| *other == version).count() == 1;
            let places: Vec<usize> = written
                .iter()
                .filter(|version| once(&told, version) && once(written, version))
                .filter_map(|version| told.iter().position(|told| told == version))
                .collect();
            assert!(places.is_sorted(), "{key} of {site}: told as {told:?}, written as {written:?}");
            versions += places.len();
        }
        assert!(versions > 0, "nothing of {site} was written");
    }
    Ok(())
}

fn by_key(versions: impl Iterator<Item = (String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut by_key = BTreeMap::<_, Vec<_>>::new();
    versions.for_each(|(key, version)| by_key.entry(key).or_default().push(version));
    by_key
}

/// Neither process has left its groups, or was taken for dead, since it was started.
fn nobody_has_left(stage: &Stage) -> Outcome {
    for site in Site::BOTH {
        for words in ["lanes revoked", "lanes lost"] {
            assert_eq!(stage.logged(site, words)?, 0, "{words} at {site}");
        }
    }
    Ok(())
}

/// Waits until the breaker of this end of the link from east is open, or closed.
async fn breaker(stage: &Stage, end: Site, open: bool) -> Outcome {
    until("the breaker was not as expected", Duration::from_secs(60), async || {
        let metrics = stage.deployment.metrics(Site::West).await?;
        let now = metrics.sum("twinlog_breaker_open", &[("link", "east>west"), ("site", end.name())]);
        Ok(if (now > 0.0) == open { Ok(()) } else { Err(format!("{end}: {now}")) })
    })
    .await?;
    Ok(())
}

/// Scenario: Twinlog at one site, then at the other, is stopped in good order while clients go on writing, and started
/// again. Guarantees: it ends with success, and everything written meanwhile crosses.
async fn twinlog_stopped_while_writes_go_on(stage: &mut Stage) -> Outcome {
    let load = load(stage);
    for site in Site::BOTH {
        load.more(10).await?;
        stage.deployment.stop(site).await?;
        load.more(30).await?;
        stage.deployment.start(site)?;
    }
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, AT_ONCE).await?;
    keys_kept_their_order(stage).await?;
    nothing_is_dead(stage).await
}

/// Scenario: kill -9 of Twinlog at one site, then at the other, under load, and a start by hand.
/// Guarantees: nothing is lost, nothing is there twice, no marker is left over.
async fn twinlog_killed_under_load(stage: &mut Stage) -> Outcome {
    let load = load(stage);
    for site in Site::BOTH {
        load.more(30).await?;
        stage.deployment.kill(site)?;
        load.more(10).await?;
        stage.deployment.start(site)?;
    }
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    keys_kept_their_order(stage).await?;
    nothing_is_dead(stage).await
}

/// Scenario: a store is stopped where it stands (SIGSTOP) and woken, then stopped and started again, while clients of the
/// other write on. Guarantees: changes wait for it and then cross; none becomes a dead letter, and nobody leaves a group.
///
/// Its own clients rest meanwhile: what they write while it dies, or before it has loaded its notification rules, no
/// notice may tell of, and only a sweep finds.
async fn a_store_restarted_under_load(stage: &mut Stage) -> Outcome {
    let load = load(stage);
    load.more(20).await?;
    load.rest.begin(Site::West).await;
    let mut west = stage.store(Site::West).await;
    west.process()?.pause()?;
    load.more(20).await?;
    west.process()?.resume()?;
    load.more(5).await?;
    west.stop().await?;
    load.more(20).await?;
    breaker(stage, Site::West, true).await?;
    west.start_again().await?;
    drop(west);
    breaker(stage, Site::West, false).await?;
    tells_again(stage).await?;
    load.rest.end(Site::West);
    load.more(20).await?;
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, AT_ONCE).await?;
    nobody_has_left(stage)?;
    keys_kept_their_order(stage).await?;
    nothing_is_dead(stage).await
}

/// Waits until the restarted store at west tells of changes again: objects are written until a notice of one comes, and
/// removed if none does.
async fn tells_again(stage: &Stage) -> Outcome {
    let west = stage.at(Site::West);
    let mut number = 0;
    until("the store told nothing", Duration::from_secs(60), async || {
        number += 1;
        // A notice of an earlier write may still come: each probe has a key of its own.
        let key = format!("probe {number}");
        let put = west.client.put_object().bucket(&west.name).key(&key).body(ByteStream::from_static(b"probe"));
        let Ok(put) = put.send().await else { return Ok(Err("it refuses writes".to_owned())) };
        let told = until("no notice", Duration::from_secs(8), async || {
            Ok(if stage.lease.taken(Site::West, &key) > 0 { Ok(()) } else { Err(String::new()) })
        });
        if told.await.is_ok() {
            return Ok(Ok(()));
        }
        let remove = west.client.delete_object().bucket(&west.name).key(&key).set_version_id(put.version_id);
        remove.send().await.map_err(Refused::doing("removing a probe"))?;
        Ok(Err("no notice of a write came".to_owned()))
    })
    .await?;
    Ok(())
}

/// Scenario: the broker is killed and started again under load. Guarantees: notices wait at the stores, and everything
/// crosses afterwards.
async fn kafka_restarted_under_load(stage: &mut Stage) -> Outcome {
    let load = load(stage);
    load.more(20).await?;
    let kafka = stage.kafka()?;
    kafka.process()?.kill()?;
    load.more(20).await?;
    kafka.start_again().await?;
    load.more(10).await?;
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    keys_kept_their_order(stage).await?;
    nothing_is_dead(stage).await
}

/// Scenario: the broker hangs under load, its connections open, and goes on again. Guarantees: clients of a store that
/// delivers before it answers are held up until intake has noticed, and no longer; everything crosses afterwards.
async fn kafka_hangs_under_load(stage: &mut Stage) -> Outcome {
    let load = load(stage);
    load.more(20).await?;
    let kafka = stage.kafka()?;
    kafka.process()?.pause()?;
    load.more(8).await?;
    let noticed = Instant::now();
    load.more(60).await?;
    // Four clients: with each held for as long as intake may wait for the log, it would be a minute.
    assert!(noticed.elapsed() < Duration::from_secs(20), "60 operations took {:?}", noticed.elapsed());
    kafka.process()?.resume()?;
    load.more(10).await?;
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    keys_kept_their_order(stage).await?;
    nothing_is_dead(stage).await
}

/// Scenario: under load at both sites, Twinlog's way to west is black-holed, flaps, and slows to a crawl; then its way to
/// east is cut while a large object streams from there. Guarantees: it all waits and then crosses, the large object too;
/// none becomes a dead letter, and nobody leaves a group.
async fn the_ways_are_troubled(stage: &mut Stage) -> Outcome {
    let load = load(stage);
    load.more(10).await?;
    let west = way(stage, Site::West)?;
    west.hold();
    load.more(20).await?;
    west.mend();
    for _ in 0..6 {
        west.cut();
        load.more(2).await?;
        west.mend();
        load.more(2).await?;
    }
    west.bandwidth(CRAWL);
    west.latency(Duration::from_millis(300));
    load.more(20).await?;
    west.mend();
    load.end().await?;

    let east = way(stage, Site::East)?;
    east.bandwidth(SLOW);
    large::upload(&stage.at(Site::East), "large", &[(1, 5 * MIB), (2, 5 * MIB), (3, 5 * MIB)]).await?;
    let arriving = stage.at(Site::West);
    until("no upload began", Duration::from_secs(60), async || {
        let begun = large::unfinished(&arriving, "large").await.map(|ids| ids.len());
        Ok(begun.map_err(|error| error.to_string()).and_then(|n| if n > 0 { Ok(()) } else { Err("none".to_owned()) }))
    })
    .await?;
    east.cut();
    breaker(stage, Site::East, true).await?;
    east.mend();
    stage.deployment.equal(&stage.bucket, u64::MAX, AT_ONCE).await?;
    breaker(stage, Site::East, false).await?;
    breaker(stage, Site::West, false).await?;
    nobody_has_left(stage)?;
    keys_kept_their_order(stage).await?;
    nothing_is_dead(stage).await
}

/// Bytes a second, of each connection: a request takes seconds.
const CRAWL: u64 = 2_000;
/// Likewise: a part takes seconds.
const SLOW: u64 = 2 * 1024 * 1024;

/// Scenario: the target refuses one key for ever, and the source another, while clients write on. Guarantees: each is a
/// dead letter of its site once it has failed alone for long enough; everything else crosses meanwhile.
async fn one_key_fails_for_ever(stage: &mut Stage) -> Outcome {
    let text = std::fs::read_to_string(stage.deployment.config())?;
    let impatient = text.replace("[[links]]\n", "[[links]]\ngive_up_after = \"4s\"\n");
    std::fs::write(stage.deployment.config(), impatient)?;
    for site in Site::BOTH {
        stage.deployment.stop(site).await?;
        stage.deployment.start(site)?;
        stage.deployment.ready(site).await?;
    }
    for _ in 0..FOR_EVER {
        way(stage, Site::West)?.inject(Wanted::new("PUT", "/stubborn?"), Fault::Reject);
        way(stage, Site::East)?.inject(Wanted::new("", "/unread?"), Fault::Reject);
    }
    let Bucket { client, name, .. } = stage.at(Site::East);
    let mut refused = Vec::new();
    for key in ["stubborn", "unread"] {
        let put = client.put_object().bucket(&name).key(key).body(ByteStream::from_static(b"refused"));
        refused.push((key, put.send().await?.version_id));
    }
    let load = load(stage);
    let (deployment, expected) = (&stage.deployment, ["fails-alone".to_owned()]);
    until("the keys were not given up", Duration::from_secs(90), async || {
        let reasons = async |site| {
            let letters = deployment.progress().letters(site).await?;
            Ok::<_, twinlog_tests::lab_error::LabError>(
                letters.into_iter().map(|letter| letter.reason).collect::<Vec<_>>(),
            )
        };
        let (west, east) = (reasons(Site::West).await?, reasons(Site::East).await?);
        Ok(if west == expected && east == expected { Ok(()) } else { Err(format!("west {west:?}, east {east:?}")) })
    })
    .await?;
    load.more(10).await?;
    load.end().await?;
    for site in Site::BOTH {
        way(stage, site)?.withdraw();
    }
    for (key, version) in refused {
        client.delete_object().bucket(&name).key(key).set_version_id(version).send().await?;
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    for site in Site::BOTH {
        let letters = stage.deployment.progress().letters(site).await?;
        let key = if site == Site::West { "stubborn" } else { "unread" };
        assert_eq!(letters.iter().map(|letter| letter.record.clone()).collect::<Vec<_>>(), [format!("{name}/{key}")]);
    }
    Ok(())
}

/// More than a key is ever tried.
const FOR_EVER: usize = 2_000;
