//! What a replicated object costs: requests at both ends, counted by proxies; and bodies that must not move.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use futures::{StreamExt, TryStreamExt, stream};
use twinlog_tests::{
    bucket::Lock,
    lab::{Alone, Stage, StageOptions},
    proxy::{Fault, Wanted},
    server::StoreKind,
    site::Site,
};

use super::{bodies::PART, case::Body, case::case, deed::Deed, deed::Subject, upload::write};
use crate::scenario::{Outcome, scenarios};

const PROXIES: StageOptions = StageOptions { lock: Lock::On, alone: Alone::Nothing, proxies: true };

scenarios!(running: a_small_object_costs_one_read_and_one_write(PROXIES), a_change_of_tags_moves_no_body(PROXIES));

const SOON: Duration = Duration::from_secs(60);
const OBJECTS: u64 = 100;
/// Looks at both ends' set-up, clocks and listings, which come by time and not by object.
const BESIDES: u64 = 20;

/// Scenario: a hundred small untagged objects. Guarantees: one write each at the target and nothing besides, one read
/// each at the source (on RustFS two, because its GET shows less than its HEAD).
async fn a_small_object_costs_one_read_and_one_write(stage: &mut Stage) -> Outcome {
    let east = stage.at(Site::East);
    let put =
        |key: String| east.client.put_object().bucket(&east.name).key(key).body(ByteStream::from_static(b"s")).send();
    put("warm".to_owned()).await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    let count = |stage: &Stage| stage.proxies.as_ref().map(|proxies| [0, 1].map(|at: usize| proxies[at].requests()));
    let before = count(stage).ok_or("no proxies")?;
    stream::iter((0..OBJECTS).map(|number| put(number.to_string()))).buffered(4).try_for_each(async |_| Ok(())).await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    let after = count(stage).ok_or("no proxies")?;
    let [reads, writes] = [after[0] - before[0], after[1] - before[1]];
    println!("{OBJECTS} small objects: {reads} requests at the source, {writes} at the target");
    let each = if stage.kind() == StoreKind::RustFs { 2 } else { 1 };
    assert!((OBJECTS..=OBJECTS + BESIDES).contains(&writes), "{writes} requests at the target");
    assert!((each * OBJECTS..=each * OBJECTS + BESIDES).contains(&reads), "{reads} requests at the source");
    Ok(())
}

/// Scenario: an object of two large parts is tagged, retained and held, at home and at the replica's site. Guarantees:
/// the changes cross, and no body, nor a part of one, is read or written for them.
async fn a_change_of_tags_moves_no_body(stage: &mut Stage) -> Outcome {
    const KEY: &str = "large";
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let born = write(&east, KEY, &case("requests", KEY).body(Body::Parts(vec![(1, PART), (2, PART)]))).await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    let bodies = [
        Wanted::new("GET", "large?x-id=GetObject"),
        Wanted::new("PUT", "large?x-id=PutObject"),
        Wanted::new("PUT", "large?x-id=UploadPart"),
        Wanted::new("POST", "large?uploads"),
    ];
    let proxies = stage.proxies.as_ref().ok_or("no proxies")?;
    for proxy in proxies {
        for wanted in &bodies {
            proxy.inject(wanted.clone(), Fault::Reject);
        }
    }
    let subject = Subject { key: KEY.to_owned(), id: born.id };
    let tags = |value: &str| Deed::Tag(super::tags::tags(&[("changed", value)]));
    for (at, deed) in [(&east, tags("at home")), (&west, Deed::Hold(true)), (&west, tags("away"))] {
        deed.perform(at, &subject).await?;
        stage.deployment.equal(&stage.bucket, 0, SOON).await?;
    }
    for proxy in stage.proxies.as_ref().ok_or("no proxies")? {
        assert_eq!(proxy.unused(), bodies.len(), "a body was asked for or sent");
    }
    Ok(())
}
