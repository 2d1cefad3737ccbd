//! Bodies damaged on the way.

use aws_sdk_s3::primitives::ByteStream;
use rand::{SeedableRng, rngs::SmallRng};
use twinlog_tests::{
    lab::Stage,
    proxy::{Fault, Wanted},
    site::Site,
    workload::body,
};

use super::{MIB, PROXIES, ended_well, upload, way};
use crate::scenario::{Outcome, scenarios};

scenarios!(running: between_twinlog_and_the_target(PROXIES), between_the_source_and_twinlog(PROXIES));

/// Behind the headers, and within the smallest body.
const AT: usize = 1_000;
/// A part up to 8 MiB is sent with its digest, a larger one as it comes.
const OBJECTS: [(&str, &[usize]); 4] = [
    ("inline", &[4_000]),
    ("streamed", &[3 * MIB]),
    ("small-parts", &[5 * MIB, 4_000]),
    ("large-parts", &[9 * MIB; 2]),
];

/// Scenario: bytes of every way a body can go are flipped between Twinlog and the target.
/// Guarantees: none is taken for a success, and when the damage ends, everything is there as it should be.
async fn between_twinlog_and_the_target(stage: &mut Stage) -> Outcome {
    damaged(stage, Site::West, "PUT", "", Fault::CorruptRequest(AT)).await
}

/// Scenario: the same between the source and Twinlog. Guarantees: likewise.
async fn between_the_source_and_twinlog(stage: &mut Stage) -> Outcome {
    damaged(stage, Site::East, "GET", "?x-id=GetObject", Fault::CorruptAnswer(AT)).await
}

async fn damaged(stage: &Stage, at: Site, method: &str, operation: &str, fault: Fault) -> Outcome {
    let east = stage.at(Site::East);
    for (key, sizes) in OBJECTS {
        for _ in 0..3 {
            way(stage, at)?.inject(Wanted::new(method, &format!("/{key}{operation}")), fault);
        }
        match sizes {
            [size] => {
                let bytes = body(&mut SmallRng::seed_from_u64(5), *size);
                let put = east.client.put_object().bucket(&east.name).key(key);
                put.body(ByteStream::from(bytes)).send().await?;
            }
            sizes => {
                let numbered: Vec<_> = (1..).zip(sizes.iter().copied()).collect();
                upload(&east, key, &numbered).await?;
            }
        }
    }
    ended_well(stage, &OBJECTS.map(|(key, _)| key)).await?;
    assert_eq!(way(stage, at)?.unused(), 0, "every damage was done");
    let metrics = stage.deployment.metrics(Site::West).await?;
    let seen = metrics.sum("twinlog_retries_total", &[("reason", "digest")]);
    assert!(seen >= 2.0, "{seen} damages were seen");
    Ok(())
}
