//! Notices come twice, late and by one door only: the store is the truth, so it makes no difference.

use std::time::Duration;

use twinlog_tests::{
    bucket::Lock,
    compare::Bucket,
    door::Rule,
    lab::{Own, Stage, StageOptions},
    server::StoreKind,
    site::Site,
    workload::{Mix, Writer},
};

use crate::scenario::{Outcome, scenarios};

const PROXIED: StageOptions = StageOptions { own: Own::Nothing, lock: Lock::On, proxies: true };

scenarios!(running: notices_repeated, notices_late, the_sure_door_alone(PROXIED));

const SOON: Duration = Duration::from_secs(90);

async fn write(stage: &Stage, steps: usize) -> Outcome {
    let run = async |site: Site| {
        let Bucket { client, name, .. } = stage.at(site);
        let mut writer = Writer::new(client, name, Writer::keys("k", 10), Mix::tags(), 31 + site.index() as u64);
        for _ in 0..steps {
            writer.step().await?;
        }
        Ok::<_, twinlog_tests::refused::Refused>(())
    };
    futures::try_join!(run(Site::East), run(Site::West))?;
    Ok(())
}

/// Scenario: every webhook delivers twice. Guarantees: nothing is there twice, nothing is lost.
async fn notices_repeated(stage: &mut Stage) -> Outcome {
    for site in Site::BOTH {
        stage.lease.rule(site, Rule::Repeat);
    }
    write(stage, 40).await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    Ok(())
}

/// Scenario: every webhook of one site delivers seconds late, after later operations have been told. Guarantees: late
/// news of an old state changes nothing.
async fn notices_late(stage: &mut Stage) -> Outcome {
    stage.lease.rule(Site::East, Rule::Delay(Duration::from_secs(3)));
    write(stage, 40).await?;
    stage.lease.rule(Site::East, Rule::Pass);
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    Ok(())
}

/// Scenario: the fast door is shut: RustFS's listen stream is cut, MinIO's direct webhook is refused while its queue
/// keeps the other's notices. Guarantees: the sure door brings everything.
async fn the_sure_door_alone(stage: &mut Stage) -> Outcome {
    match (stage.kind(), &stage.proxies) {
        (StoreKind::RustFs, Some(proxies)) => {
            for proxy in proxies {
                proxy.cut();
            }
        }
        _ => {
            for site in Site::BOTH {
                stage.lease.rule(site, Rule::Refuse);
            }
        }
    }
    write(stage, 40).await?;
    for proxy in stage.proxies.iter().flatten() {
        proxy.mend();
    }
    for site in Site::BOTH {
        stage.lease.rule(site, Rule::Pass);
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    Ok(())
}
