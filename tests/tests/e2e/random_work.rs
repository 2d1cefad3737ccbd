//! A crowd of clients at both sites does everything that clients do, on shared keys, drawn from a seed.

use std::time::Duration;

use twinlog_tests::{
    crowd::{Crowd, LOCKED, settle},
    lab::Stage,
    rest::Rest,
    site::Site,
};

use crate::scenario::{Outcome, scenarios};

scenarios!(running: seed_1, seed_2, seed_3);

/// Of one seed, all clients together.
const ACTS: u64 = 600;
const SOON: Duration = Duration::from_secs(400);

/// Scenario: three clients at each site do 600 things together. Guarantees: the sites end equal in every version and
/// attribute, by the tests' own comparison and by `twinlog verify`; nothing is dead but changes that a lock of the other
/// site's clients refused, and those are made when the lock is taken off.
async fn of_seed(stage: &mut Stage, seed: u64) -> Outcome {
    let sites = Site::BOTH.map(|site| stage.at(site));
    let crowd = Crowd { kind: stage.kind(), seed, acts: ACTS, foul: false };
    let tally = crowd.act(&sites, &Rest::default()).await?;
    println!("seed {seed} on {}: {tally}", stage.kind());
    assert_eq!(tally.acts(), ACTS);
    assert!(tally.done.values().sum::<u64>() > ACTS / 2 && tally.unanswered < ACTS / 20, "{tally:?}");
    let settled = settle(&stage.deployment, &stage.bucket, SOON).await?;
    println!("seed {seed} on {}: {settled:?}", stage.kind());
    assert!(settled.letters.keys().all(|reason| LOCKED.contains(&reason.as_str())), "{settled:?}");
    assert!(settled.versions > 100 && settled.bytes > 1_000_000, "{settled:?}");
    let (equal, said) = stage.deployment.verify(&stage.bucket, SOON).await?;
    assert!(equal, "{said}");
    Ok(())
}

async fn seed_1(stage: &mut Stage) -> Outcome {
    of_seed(stage, 1).await
}

async fn seed_2(stage: &mut Stage) -> Outcome {
    of_seed(stage, 2).await
}

async fn seed_3(stage: &mut Stage) -> Outcome {
    of_seed(stage, 3).await
}
