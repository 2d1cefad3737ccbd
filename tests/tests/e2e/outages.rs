//! A process or a server goes away and comes back: it costs time and nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use twinlog_tests::{
    compare::Bucket,
    lab::{Stage, StageOptions},
    refused::Refused,
    site::Site,
    until::until,
    workload::{Mix, Writer},
};

use crate::scenario::{Outcome, scenarios};

const ALONE: StageOptions = StageOptions { alone: true, lock: twinlog_tests::bucket::Lock::On, proxies: false };

scenarios!(
    running:
    twinlog_stopped_while_writes_go_on,
    twinlog_killed_under_load,
    a_store_restarted_under_load(ALONE),
    kafka_restarted_under_load(ALONE),
);

const LATER: Duration = Duration::from_secs(150);

/// Clients at both sites that write until told to stop; a refused write is tried again, as applications do.
struct Load {
    stop: Arc<AtomicBool>,
    written: Arc<std::sync::atomic::AtomicU64>,
    clients: Vec<tokio::task::JoinHandle<Result<(), Refused>>>,
}

impl Load {
    fn begin(stage: &Stage, tolerant: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::default();
        let client = |site: Site| {
            let Bucket { client, name, .. } = stage.at(site);
            let mut writer =
                Writer::new(client, name, Writer::keys("k", 16), Mix::versions(), 21 + site.index() as u64);
            let (stop, written) = (Arc::clone(&stop), Arc::clone(&written));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    match writer.step().await {
                        Ok(_) => drop(std::sync::atomic::AtomicU64::fetch_add(&written, 1, Ordering::SeqCst)),
                        // The store is away: wait for it as a client would.
                        Err(_) if tolerant => tokio::time::sleep(Duration::from_millis(50)).await,
                        Err(refused) => return Err(refused),
                    }
                }
                Ok(())
            })
        };
        let clients = Site::BOTH.map(client).into_iter().collect();
        Self { stop, written, clients }
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
    let load = Load::begin(stage, false);
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
    let load = Load::begin(stage, false);
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

/// Scenario: a store is killed and started again under load. Guarantees: changes wait for it and then cross; none
/// becomes a dead letter.
async fn a_store_restarted_under_load(stage: &mut Stage) -> Outcome {
    let load = Load::begin(stage, true);
    load.more(20).await?;
    let mut west = stage.store(Site::West).await;
    west.process()?.kill()?;
    load.more(20).await?;
    west.start_again().await?;
    load.more(20).await?;
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    nothing_is_dead(stage).await
}

/// Scenario: the broker is stopped and started again under load. Guarantees: notices wait at the stores, and everything
/// crosses afterwards.
async fn kafka_restarted_under_load(stage: &mut Stage) -> Outcome {
    let load = Load::begin(stage, true);
    load.more(20).await?;
    let mut kafka = stage.kafka().await;
    kafka.stop().await?;
    load.more(20).await?;
    kafka.start_again().await?;
    load.more(10).await?;
    load.end().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    nothing_is_dead(stage).await
}
