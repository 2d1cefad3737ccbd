//! A process or a server goes away and comes back: it costs time and nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_s3::primitives::ByteStream;
use tokio::task::JoinHandle;

use twinlog_tests::{
    bucket::Lock,
    compare::Bucket,
    lab::{Alone, Stage, StageOptions},
    refused::Refused,
    site::Site,
    until::until,
    workload::{Mix, Writer},
};

use crate::scenario::{Outcome, scenarios};

const STORES: StageOptions = StageOptions { alone: Alone::Stores, lock: Lock::On, proxies: false };
const KAFKA: StageOptions = StageOptions { alone: Alone::Kafka, lock: Lock::On, proxies: false };

scenarios!(
    running:
    twinlog_stopped_while_writes_go_on,
    twinlog_killed_under_load,
    a_store_restarted_under_load(STORES),
    kafka_restarted_under_load(KAFKA),
    kafka_hangs_under_load(KAFKA),
);

const LATER: Duration = Duration::from_secs(150);

/// A client at each site that writes until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    resting: [Arc<AtomicBool>; 2],
    /// Whether the site's client is in the middle of an operation.
    busy: [Arc<AtomicBool>; 2],
    written: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Result<(), Refused>>>,
}

impl Load {
    fn begin(stage: &Stage) -> Self {
        let (stop, written) = (Arc::default(), Arc::default());
        let mut load =
            Self { stop, resting: Default::default(), busy: Default::default(), written, clients: Vec::new() };
        for site in Site::BOTH {
            let Bucket { client, name, .. } = stage.at(site);
            let seed = 21 + site.index() as u64;
            load.client(site, Writer::new(client, name, Writer::keys("k", 16), Mix::versions(), seed));
        }
        load
    }

    fn client(&mut self, site: Site, mut writer: Writer) {
        let (stop, written) = (Arc::clone(&self.stop), Arc::clone(&self.written));
        let (resting, busy) = (Arc::clone(&self.resting[site.index()]), Arc::clone(&self.busy[site.index()]));
        self.clients.push(tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                busy.store(true, Ordering::SeqCst);
                if resting.load(Ordering::SeqCst) {
                    busy.store(false, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
                writer.step().await?;
                written.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        }));
    }

    /// The site's client does nothing from now on; returns when it has finished what it was in the middle of.
    async fn rest(&self, site: Site) -> Outcome {
        self.resting[site.index()].store(true, Ordering::SeqCst);
        until("the client went on", Duration::from_secs(30), async || {
            let busy = self.busy[site.index()].load(Ordering::SeqCst);
            Ok(if busy { Err("in the middle of an operation".to_owned()) } else { Ok(()) })
        })
        .await?;
        Ok(())
    }

    fn go_on(&self, site: Site) {
        self.resting[site.index()].store(false, Ordering::SeqCst);
    }

    /// Waits until so many more operations succeeded.
    async fn more(&self, operations: u64) -> Outcome {
        let written = || self.written.load(Ordering::SeqCst);
        let goal = written() + operations;
        until("the clients were stuck", Duration::from_secs(60), async || {
            Ok(if written() >= goal { Ok(()) } else { Err(format!("{} of {goal} operations", written())) })
        })
        .await?;
        Ok(())
    }

    async fn end(self) -> Outcome {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.await??;
        }
        Ok(())
    }
}

async fn nothing_is_dead(stage: &Stage) -> Outcome {
    for site in Site::BOTH {
        assert_eq!(stage.deployment.progress().written_to(&format!("dead.{site}")).await?, 0, "dead letters at {site}");
    }
    Ok(())
}

/// Scenario: Twinlog at one site, then at the other, is stopped in good order while clients go on writing, and started
/// again. Guarantees: it ends with success, and everything written meanwhile crosses.
async fn twinlog_stopped_while_writes_go_on(stage: &mut Stage) -> Outcome {
    let load = Load::begin(stage);
    for site in Site::BOTH {
        load.more(10).await?;
        stage.deployment.stop(site).await?;
        load.more(30).await?;
        stage.deployment.start(site)?;
    }
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    nothing_is_dead(stage).await
}

/// Scenario: kill -9 of Twinlog at one site, then at the other, under load, and a start by hand.
/// Guarantees: nothing is lost, nothing is there twice, no marker is left over.
async fn twinlog_killed_under_load(stage: &mut Stage) -> Outcome {
    let load = Load::begin(stage);
    for site in Site::BOTH {
        load.more(30).await?;
        stage.deployment.kill(site)?;
        load.more(10).await?;
        stage.deployment.start(site)?;
    }
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    nothing_is_dead(stage).await
}

/// Scenario: a store is stopped and started again while clients of the other write on. Guarantees: changes wait for it
/// and then cross; none becomes a dead letter.
///
/// Its own clients rest meanwhile: what they write while it dies, or before it has loaded its notification rules, no
/// notice may tell of, and only a sweep finds.
async fn a_store_restarted_under_load(stage: &mut Stage) -> Outcome {
    let load = Load::begin(stage);
    load.more(20).await?;
    load.rest(Site::West).await?;
    let mut west = stage.store(Site::West).await;
    west.stop().await?;
    load.more(20).await?;
    west.start_again().await?;
    drop(west);
    tells_again(stage).await?;
    load.go_on(Site::West);
    load.more(20).await?;
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
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
    let load = Load::begin(stage);
    load.more(20).await?;
    let mut kafka = stage.kafka().await;
    kafka.process()?.kill()?;
    load.more(20).await?;
    kafka.start_again().await?;
    load.more(10).await?;
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    nothing_is_dead(stage).await
}

/// Scenario: the broker hangs under load, its connections open, and goes on again. Guarantees: clients of a store that
/// delivers before it answers are held up until intake has noticed, and no longer; everything crosses afterwards.
async fn kafka_hangs_under_load(stage: &mut Stage) -> Outcome {
    let load = Load::begin(stage);
    load.more(20).await?;
    let mut kafka = stage.kafka().await;
    kafka.process()?.pause()?;
    load.more(4).await?;
    let noticed = Instant::now();
    load.more(30).await?;
    // Two clients: with each held for as long as intake may wait for the log, it would be a minute.
    assert!(noticed.elapsed() < Duration::from_secs(20), "30 operations took {:?}", noticed.elapsed());
    kafka.process()?.resume()?;
    load.more(10).await?;
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    nothing_is_dead(stage).await
}
