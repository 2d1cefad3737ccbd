//! No write causes a second replica write anywhere, and after a burst there is quiet.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::primitives::ByteStream;
use futures::{StreamExt, TryStreamExt, stream};
use twinlog_tests::{lab::Stage, site::Site, until::until};

use crate::scenario::{Outcome, scenarios};

scenarios!(running: one_write_is_one_replica_write);

/// How many looks in a row, each after a store's own delay of notices, have to see the same.
const QUIET: usize = 4;
/// The sure door's delay: a notice that a replica write caused would have come by then.
const DOOR: Duration = Duration::from_secs(2);
const OBJECTS: u64 = 60;
const MARKERS: u64 = 10;

/// Scenario: a burst of objects and markers at both sites at once. Guarantees: each causes exactly one change event and
/// one replica write, and then nothing more is captured, said or written anywhere.
async fn one_write_is_one_replica_write(stage: &mut Stage) -> Outcome {
    for site in Site::BOTH {
        let bucket = stage.at(site);
        let objects = (0..OBJECTS).map(|number| {
            let put = bucket.client.put_object().bucket(&bucket.name).key(format!("{site}/{number}"));
            put.body(ByteStream::from_static(b"burst")).send()
        });
        stream::iter(objects).buffer_unordered(8).try_for_each(async |_| Ok(())).await?;
        for number in 0..MARKERS {
            bucket.client.delete_object().bucket(&bucket.name).key(format!("{site}/{number}")).send().await?;
        }
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, Duration::from_secs(60)).await?;
    let settled = quiet(stage).await?;
    let ended = |kind: &str| {
        let of_kind = settled.iter().filter(|(topic, _)| topic.contains(kind));
        of_kind.map(|(topic, records)| (topic.clone(), *records)).collect::<Vec<_>>()
    };
    let expected = i64::try_from(OBJECTS + MARKERS)?;
    for (topic, records) in ended(".changes.") {
        assert_eq!(records, expected, "{topic} has one event for each write: {settled:?}");
    }
    for (topic, records) in ended(".facts.").into_iter().chain(ended(".dead.")) {
        assert_eq!(records, 0, "{topic}: nothing is tagged, locked, removed or refused: {settled:?}");
    }
    for site in Site::BOTH {
        let metrics = stage.deployment.metrics(site).await?;
        let writes = metrics.sum("twinlog_replica_writes_total", &[("bucket", &stage.bucket)]);
        assert_eq!(writes, (OBJECTS + MARKERS) as f64, "replica writes into {site}");
    }
    Ok(())
}

/// Waits until the ends of all topics but the notices' (whose copies by the sure door come late, and are dropped) stay
/// where they are for several looks, each after the time in which an echo would have come.
async fn quiet(stage: &Stage) -> Result<BTreeMap<String, i64>, crate::scenario::Failure> {
    let mut before = BTreeMap::new();
    let mut same = 0;
    let settled = until("the topics went on growing", Duration::from_secs(60), async || {
        let mut now = stage.deployment.progress().written().await?;
        now.retain(|topic, _| !topic.contains(".notices."));
        same = if now == before { same + 1 } else { 0 };
        before.clone_from(&now);
        if same >= QUIET {
            return Ok(Ok(now));
        }
        // Not a wait for something to happen: the length of the silence is what is looked for.
        tokio::time::sleep(DOOR / 2).await;
        Ok(Err(format!("quiet for {same} looks: {now:?}")))
    })
    .await?;
    Ok(settled)
}
