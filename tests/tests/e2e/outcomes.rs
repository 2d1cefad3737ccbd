//! Requests of which nobody knows whether they acted, and processes that act late: the target ends right all the same.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use rand::{SeedableRng, rngs::SmallRng};
use twinlog_tests::{
    bucket::Lock,
    compare::{Bucket, Depth, compare, list},
    lab::{Own, Stage, StageOptions},
    proxy::{Fault, Proxy, Wanted},
    site::Site,
    until::until,
    workload::body,
};

use crate::scenario::{Outcome, scenarios};

const PROXIED: StageOptions = StageOptions { own: Own::Nothing, lock: Lock::On, proxies: true };

mod by_the_wire {
    use super::*;
    scenarios!(running: answers_are_swallowed(PROXIED), requests_arrive_after_their_time(PROXIED));
}

mod by_the_process {
    use super::*;
    scenarios!(prepared: stopped_between_decision_and_act);
}

const SOON: Duration = Duration::from_secs(300);
const MIB: usize = 1024 * 1024;

/// What is asked of a target for the keys below: a put, an upload's part and completion, a marker, a removal, tags.
fn writes() -> [Wanted; 6] {
    [
        Wanted::new("PUT", "/born?"),
        Wanted::new("PUT", "partNumber="),
        Wanted::new("POST", "uploadId="),
        Wanted::new("DELETE", "/marked?"),
        Wanted::new("DELETE", "/removed?"),
        Wanted::new("PUT", "tagging"),
    ]
}

/// Puts what the changes below are made to; returns the version to be removed.
async fn prepare(stage: &Stage) -> Result<String, crate::scenario::Failure> {
    let Bucket { client, name, .. } = stage.at(Site::East);
    let put =
        async |key: &str| client.put_object().bucket(&name).key(key).body(ByteStream::from_static(b"1")).send().await;
    put("marked").await?;
    put("tagged").await?;
    let removed = put("removed").await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    Ok(removed.version_id.ok_or("a put without a version")?)
}

/// Asks for one of each of [`writes`].
async fn change(stage: &Stage, removed: &str) -> Outcome {
    let Bucket { client, name, .. } = stage.at(Site::East);
    client.put_object().bucket(&name).key("born").body(ByteStream::from_static(b"born")).send().await?;
    upload(&client, &name).await?;
    client.delete_object().bucket(&name).key("marked").send().await?;
    client.delete_object().bucket(&name).key("removed").version_id(removed).send().await?;
    let tag = aws_sdk_s3::types::Tag::builder().key("a").value("1").build()?;
    let tagging = aws_sdk_s3::types::Tagging::builder().tag_set(tag).build()?;
    client.put_object_tagging().bucket(&name).key("tagged").tagging(tagging).send().await?;
    Ok(())
}

async fn upload(client: &Client, bucket: &str) -> Outcome {
    let mut rng = SmallRng::seed_from_u64(5);
    let upload = client.create_multipart_upload().bucket(bucket).key("parts").send().await?;
    let id = upload.upload_id().unwrap_or_default();
    let mut completed = CompletedMultipartUpload::builder();
    for (number, size) in [(1, 5 * MIB), (2, 1_000)] {
        let part = client.upload_part().bucket(bucket).key("parts").upload_id(id).part_number(number);
        let part = part.body(ByteStream::from(body(&mut rng, size))).send().await?;
        completed = completed.parts(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
    }
    let complete = client.complete_multipart_upload().bucket(bucket).key("parts").upload_id(id);
    complete.multipart_upload(completed.build()).send().await?;
    Ok(())
}

/// The versions that have to be there after [`change`]: an object and its marker, one object of each other key.
async fn as_changed(stage: &Stage) -> Outcome {
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    assert_eq!(compared.versions, 5, "{compared}");
    assert!(list(&stage.at(Site::West)).await?["marked"][0].marker, "the marker is not there");
    for site in Site::BOTH {
        assert_eq!(stage.deployment.progress().written_to(&format!("dead.{site}")).await?, 0, "dead letters at {site}");
    }
    Ok(())
}

async fn injected(proxy: &Proxy, what: &str) -> Outcome {
    let stands = || format!("{} requests have not come to be {what}", proxy.unused());
    until("the faults were not used", SOON, async || Ok(if proxy.unused() == 0 { Ok(()) } else { Err(stands()) }))
        .await?;
    Ok(())
}

/// Scenario: the target does what it was asked, and its answer is lost: of a put, an upload's part and completion, a
/// marker, a removal, a change of tags. Guarantees: each is there once, and none is dead.
async fn answers_are_swallowed(stage: &mut Stage) -> Outcome {
    let removed = prepare(stage).await?;
    let west = &stage.proxies.as_ref().ok_or("no proxies")?[1];
    for wanted in writes() {
        west.inject(wanted, Fault::FailAfterWrite);
    }
    change(stage, &removed).await?;
    injected(west, "swallowed").await?;
    as_changed(stage).await
}

/// Scenario: the same requests are held on their way until Twinlog has given them up and asked again, and reach the
/// target after that. Guarantees: what comes late changes nothing; a marker that came twice would have removed itself.
async fn requests_arrive_after_their_time(stage: &mut Stage) -> Outcome {
    let removed = prepare(stage).await?;
    let west = &stage.proxies.as_ref().ok_or("no proxies")?[1];
    for wanted in writes() {
        west.inject(wanted, Fault::HoldRequest);
    }
    change(stage, &removed).await?;
    injected(west, "held").await?;
    as_changed(stage).await?;
    assert_eq!(west.holding(), writes().len(), "requests that were held to the end");
    west.mend();
    until("held requests were not answered", SOON, async || {
        Ok(if west.holding() == 0 { Ok(()) } else { Err(format!("{} are under way", west.holding())) })
    })
    .await?;
    as_changed(stage).await
}

/// Scenario: the consumer at west looked for a marker's place and at a version to be removed, asked the source for a
/// body, and sent an upload's last part; before the answers come it is stopped (SIGSTOP). Another takes over, makes the
/// marker, removes the version, writes the object, completes the upload, and removes both again when the client does.
/// Then the first gets its answers and wakes. Guarantees: what it had decided it does not do any more: the marker stays,
/// the removed versions stay removed.
async fn stopped_between_decision_and_act(stage: &mut Stage) -> Outcome {
    let upstream = |site: Site| stage.deployment.parts().sites[site.index()].endpoint.replace("http://", "");
    let (east_way, west_way) = (Proxy::start(upstream(Site::East)).await?, Proxy::start(upstream(Site::West)).await?);
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start(Site::East)?;
    stage.deployment.ready(Site::East).await?;
    let ways = [east_way.origin(), west_way.origin()];
    let mut sleeper = stage.deployment.another_consumer(Site::West, ways).await?;

    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let put = |key: &str, size: usize| {
        let body = body(&mut SmallRng::seed_from_u64(6), size);
        east.client.put_object().bucket(&east.name).key(key).body(ByteStream::from(body))
    };
    put("marked", 10).send().await?;
    let removed = put("removed", 10).send().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;

    west_way.inject(Wanted::new("HEAD", "/marked"), Fault::HoldResponse);
    west_way.inject(Wanted::new("HEAD", "/removed"), Fault::HoldResponse);
    west_way.inject(Wanted::new("PUT", "partNumber=2"), Fault::HoldResponse);
    east_way.inject(Wanted::new("GET", "/late"), Fault::HoldResponse);
    east.client.delete_object().bucket(&east.name).key("marked").send().await?;
    let late = put("late", 2 * MIB).send().await?;
    upload(&east.client, &east.name).await?;
    east.client.delete_object().bucket(&east.name).key("removed").set_version_id(removed.version_id).send().await?;
    injected(&west_way, "held").await?;
    injected(&east_way, "held").await?;
    sleeper.process()?.pause()?;

    stage.deployment.start(Site::West)?;
    let lists = async |versions: usize| {
        until("the other did not take over", SOON, async || {
            let shallow = compare(&east, &west, Depth::Listings).await?;
            let done = shallow.equal() && shallow.versions == versions;
            Ok(if done { Ok(()) } else { Err(shallow.to_string()) })
        })
        .await
    };
    lists(4).await?;
    east.client.delete_object().bucket(&east.name).key("late").set_version_id(late.version_id).send().await?;
    let parts = &list(&east).await?["parts"][0].id;
    east.client.delete_object().bucket(&east.name).key("parts").version_id(parts).send().await?;
    lists(2).await?;

    west_way.mend();
    east_way.mend();
    sleeper.process()?.resume()?;
    sleeper.ready().await?;
    quiet([&east_way, &west_way]).await?;
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    assert_eq!(compared.versions, 2, "{compared}");
    assert!(list(&west).await?["marked"][0].marker, "the marker is not there");
    for site in Site::BOTH {
        assert_eq!(stage.deployment.progress().written_to(&format!("dead.{site}")).await?, 0, "dead letters at {site}");
    }
    Ok(())
}

/// Waits until no request has begun for two seconds.
async fn quiet(proxies: [&Proxy; 2]) -> Outcome {
    const STILL: Duration = Duration::from_secs(2);
    let requests = || proxies.map(Proxy::requests);
    let (mut seen, mut since) = (requests(), std::time::Instant::now());
    until("requests went on", SOON, async || {
        if requests() != seen {
            (seen, since) = (requests(), std::time::Instant::now());
        }
        Ok(if since.elapsed() >= STILL { Ok(()) } else { Err(format!("{seen:?} requests so far")) })
    })
    .await?;
    Ok(())
}
