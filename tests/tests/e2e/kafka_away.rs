//! Kafka goes away from one process alone, while everybody else reaches it.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use twinlog_tests::{
    deployment::{Half, Member, Pace},
    lab::Stage,
    load::Load,
    site::Site,
    until::until,
    workload::Mix,
};

use crate::scenario::{Outcome, scenarios};

scenarios!(prepared: kafka_away_from_the_consumer);

const SOON: Duration = Duration::from_secs(60);
const LATER: Duration = Duration::from_secs(300);

/// Scenario: under load at both sites the consumer beside west, and nobody else, is cut off from Kafka, then its packets
/// vanish, each time until it has lost its place in the group. Guarantees: what is written at east waits, and crosses once
/// the way is whole; the producer beside it goes on; nothing is a dead letter, and the sites end equal.
async fn kafka_away_from_the_consumer(stage: &mut Stage) -> Outcome {
    let way = stage.way_to_kafka().await?;
    stage.deployment.change(|parts| parts.pace = Pace::Brief)?;
    stage.deployment.enable(&stage.bucket).await?;
    let mut east = stage.deployment.member("east", Site::East, None)?;
    let mut producer = stage.deployment.member("producer", Site::West, Some(Half::Producer))?;
    let mut consumer = stage.deployment.member_with("consumer", Site::West, Some(Half::Consumer), |parts| {
        parts.sites[Site::West.index()].brokers = Some(way.proxy.address());
    })?;
    for member in [&mut east, &mut producer, &mut consumer] {
        member.start()?;
        member.ready().await?;
    }
    let load = Load::begin(&Site::BOTH.map(|site| stage.at(site)), &Mix::tags(), 5);
    for (number, how) in ["cut off", "black-holed"].into_iter().enumerate() {
        load.more(10).await?;
        if number == 0 {
            way.proxy.cut()
        } else {
            way.proxy.hold()
        }
        out_of_the_group(&consumer, number + 1).await?;
        load.more(10).await?;
        let (waits, goes) = (format!("from east, {how}"), format!("from west, {how}"));
        put(stage, Site::East, &waits).await?;
        put(stage, Site::West, &goes).await?;
        arrives(stage, Site::East, &goes).await?;
        assert!(!stage.at(Site::West).has(&waits).await?, "{waits}: it crossed without Kafka");
        way.proxy.mend();
        arrives(stage, Site::West, &waits).await?;
    }
    load.end().await?;
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, LATER).await?;
    assert_eq!(stage.deployment.progress().written_to("dead.west").await?, 0, "dead letters at west");
    println!("Kafka away from the consumer on {}: {} versions EQUAL", stage.kind(), compared.versions);
    for mut member in [consumer, producer, east] {
        member.stop().await?;
    }
    Ok(())
}

/// Waits until the process's Kafka client has said so often that the group has not answered for a whole session.
async fn out_of_the_group(member: &Member, times: usize) -> Outcome {
    until("the consumer did not notice", SOON, async || {
        let said = std::fs::read_to_string(member.log()).unwrap_or_default().matches("session timed out").count();
        Ok(if said >= times { Ok(()) } else { Err(format!("{said} sessions have ended, not {times}")) })
    })
    .await?;
    Ok(())
}

async fn put(stage: &Stage, site: Site, key: &str) -> Outcome {
    let at = stage.at(site);
    at.client.put_object().bucket(&at.name).key(key).body(ByteStream::from_static(b"probe")).send().await?;
    Ok(())
}

async fn arrives(stage: &Stage, site: Site, key: &str) -> Outcome {
    until("an object did not cross", LATER, async || {
        Ok(if stage.at(site).has(key).await? { Ok(()) } else { Err(format!("{key} is not at {site}")) })
    })
    .await?;
    Ok(())
}
