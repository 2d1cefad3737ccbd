//! Bodies that must not move.

use std::time::Duration;

use twinlog_tests::{
    bucket::Lock,
    lab::{Own, Stage, StageOptions},
    proxy::{Fault, Wanted},
    site::Site,
};

use super::{bodies::PART, case::Body, case::case, deed::Deed, deed::Subject, upload::write};
use crate::scenario::{Outcome, scenarios};

const PROXIES: StageOptions = StageOptions { lock: Lock::On, own: Own::Nothing, proxies: true };

scenarios!(running: a_change_of_tags_moves_no_body(PROXIES));

const SOON: Duration = Duration::from_secs(60);

/// Scenario: an object of two large parts is tagged and held, at home and at the replica's site. Guarantees:
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
