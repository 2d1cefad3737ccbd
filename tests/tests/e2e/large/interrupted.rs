//! Transfers that do not get done in one go.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use twinlog_tests::{
    compare::Bucket,
    lab::Stage,
    proxy::{Proxy, Wanted},
    site::Site,
    until::until,
};

use super::{MIB, PROXIES, ended_well, unfinished, upload, way};
use crate::scenario::{Failure, Outcome, scenarios};

scenarios!(running: by_a_stop_and_a_kill(PROXIES), by_the_sources_removal(PROXIES));

const KEY: &str = "large";
/// Numbers of one digit, so that a request's part is told by its path.
const PARTS: [i32; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];
/// Of each connection: a part takes some seconds.
const SLOW: u64 = 2 * 1024 * 1024;

fn layout() -> Vec<(i32, usize)> {
    PARTS.map(|number| (number, 5 * MIB)).to_vec()
}

/// The parts that the target has of the unfinished upload.
async fn held(west: &Bucket) -> Result<BTreeSet<i32>, Failure> {
    let ids = unfinished(west, KEY).await?;
    let [id] = &ids[..] else { return Ok(BTreeSet::new()) };
    let listed = west.client.list_parts().bucket(&west.name).key(KEY).upload_id(id).send().await?;
    Ok(listed.parts().iter().filter_map(|part| part.part_number).collect())
}

/// The parts that the target has once it is done with what had reached it.
async fn settled(west: &Bucket) -> Result<BTreeSet<i32>, Failure> {
    let mut last = held(west).await?;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = held(west).await?;
        if now == last {
            return Ok(now);
        }
        last = now;
    }
}

/// Waits until the target has so many parts, then lets nothing more come through.
async fn held_up(stage: &Stage, count: usize) -> Outcome {
    let west = stage.at(Site::West);
    until("the parts did not come", Duration::from_secs(60), async || {
        let held = held(&west).await.map(|held| held.len());
        Ok(match held {
            Ok(held) if held >= count => Ok(()),
            other => Err(format!("{other:?}")),
        })
    })
    .await?;
    way(stage, Site::West)?.hold();
    Ok(())
}

/// Counts the times each part is sent from now on.
fn sent(way: &Proxy) -> Vec<(i32, Arc<AtomicU64>)> {
    PARTS.map(|number| (number, way.count(Wanted::new("PUT", &format!("partNumber={number}&"))))).to_vec()
}

/// A stop gives up soon on what is under way.
async fn impatient(stage: &mut Stage) -> Outcome {
    let text = std::fs::read_to_string(stage.deployment.config())?;
    std::fs::write(stage.deployment.config(), format!("drain_timeout = \"2s\"\n{text}"))?;
    again(stage, Site::West).await
}

async fn again(stage: &mut Stage, site: Site) -> Outcome {
    stage.deployment.stop(site).await?;
    stage.deployment.start(site)?;
    stage.deployment.ready(site).await?;
    Ok(())
}

/// Scenario: while a large object crosses, Twinlog beside the target is stopped in good order, started again, killed, and
/// started with nothing left on its disk, as on another machine.
/// Guarantees: parts that the target has are not sent again; the object is equal, and no upload is left over.
async fn by_a_stop_and_a_kill(stage: &mut Stage) -> Outcome {
    impatient(stage).await?;
    let west = stage.at(Site::West);
    way(stage, Site::West)?.bandwidth(SLOW);
    upload(&stage.at(Site::East), KEY, &layout()).await?;
    for (kill, count) in [(false, 1), (true, 5)] {
        held_up(stage, count).await?;
        if kill {
            stage.deployment.kill(Site::West)?;
            std::fs::remove_dir_all(stage.deployment.parts().folder.join("state").join(Site::West.name()))?;
        } else {
            stage.deployment.stop(Site::West).await?;
        }
        // Bytes that are still under way must not complete a part later on.
        way(stage, Site::West)?.cut();
        let before = settled(&west).await?;
        assert!(before.len() >= count && before.len() < PARTS.len(), "{before:?}");
        let sent = sent(way(stage, Site::West)?);
        way(stage, Site::West)?.mend();
        way(stage, Site::West)?.bandwidth(SLOW);
        stage.deployment.start(Site::West)?;
        stage.deployment.ready(Site::West).await?;
        if kill {
            ended_well(stage, &[KEY]).await?;
        } else {
            held_up(stage, before.len() + 1).await?;
            way(stage, Site::West)?.mend();
            way(stage, Site::West)?.bandwidth(SLOW);
        }
        let again = sent.iter().filter(|(_, count)| count.load(Ordering::SeqCst) > 0).map(|(number, _)| *number);
        let again: BTreeSet<i32> = again.collect();
        assert!(again.is_disjoint(&before), "{before:?} were there, {again:?} were sent");
        assert!(!again.is_empty());
    }
    Ok(())
}

/// Scenario: the version is removed at the source while it crosses.
/// Guarantees: it is given up, and of the upload nothing is left.
async fn by_the_sources_removal(stage: &mut Stage) -> Outcome {
    let east = stage.at(Site::East);
    way(stage, Site::West)?.bandwidth(SLOW);
    let version = upload(&east, KEY, &layout()).await?;
    held_up(stage, 1).await?;
    east.client.delete_object().bucket(&east.name).key(KEY).set_version_id(version).send().await?;
    way(stage, Site::West)?.mend();
    ended_well(stage, &[KEY]).await?;
    let metrics = stage.deployment.metrics(Site::West).await?;
    // The birth, and its removal, which finds nothing.
    assert_eq!(metrics.sum("twinlog_events_done_total", &[("outcome", "superseded")]), 2.0);
    assert_eq!(metrics.sum("twinlog_replica_writes_total", &[]), 0.0);
    Ok(())
}
