//! A bucket whose ends are not set up alike is held, loudly, and goes on by itself.

use std::time::Duration;

use twinlog_schemas::Told;
use twinlog_site::fault::Fault;
use twinlog_site::memory::{BucketSetup, Quirks};
use twinlog_site::{Reading, Site, SiteErrorKind, Versioning};

use super::lab::{Lab, Setup, both};
use crate::observe::Outcome;

fn direction(lab: &Lab) -> crate::hold::Direction {
    (lab.east.name().clone(), lab.bucket.clone())
}

#[tokio::test(start_paused = true)]
async fn suspended_versioning_holds_until_it_is_mended() {
    for quirks in both() {
        let lab = Lab::with(Setup { quirks, ..Setup::default() }).await;
        let version = lab.put_body("hello");
        let birth = lab.event(&version, Told::Born).await;
        lab.west.set_versioning(&lab.bucket, Versioning::Suspended).unwrap();
        let mending = async {
            tokio::time::sleep(Duration::from_secs(120)).await;
            assert_eq!(lab.holds.reason(&direction(&lab)).as_deref(), Some("target-versioning-off"));
            assert_eq!(lab.at_target(&version).await, Reading::Absent, "nothing is written while held");
            lab.west.set_versioning(&lab.bucket, Versioning::Enabled).unwrap();
        };
        tokio::join!(lab.apply(&birth), mending);
        assert_eq!(lab.seen.last().0, Outcome::Applied);
        lab.assert_same(&version).await;
        assert_eq!(lab.holds.all().len(), 0);
        assert_eq!(lab.seen.told().holds, [Some("target-versioning-off".to_owned()), None]);
        assert!(lab.letters().is_empty());
    }
}

/// Scenario: versioning is suspended after the guard has looked.
/// Guarantee: the next look holds the bucket; MinIO refuses by itself meanwhile.
#[tokio::test(start_paused = true)]
async fn the_guard_looks_again_and_again() {
    let lab = Lab::with(Setup { quirks: Quirks::minio(), ..Setup::default() }).await;
    let first = lab.put_body("hello");
    lab.born(&first).await;
    lab.west.set_versioning(&lab.bucket, Versioning::Suspended).unwrap();
    let second = lab.put_body("again");
    let birth = lab.event(&second, Told::Born).await;
    let mending = async {
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert!(lab.holds.reason(&direction(&lab)).is_some());
        lab.west.set_versioning(&lab.bucket, Versioning::Enabled).unwrap();
    };
    tokio::join!(lab.apply(&birth), mending);
    lab.assert_same(&second).await;
    assert!(lab.letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_gone_holds_until_it_is_back() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    let birth = lab.event(&version, Told::Born).await;
    lab.west.delete_bucket(&lab.bucket);
    let mending = async {
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(lab.holds.reason(&direction(&lab)).as_deref(), Some("no-such-bucket"));
        lab.west.create_bucket(&lab.bucket, BucketSetup::REPLICATED);
    };
    tokio::join!(lab.apply(&birth), mending);
    lab.assert_same(&version).await;
}

/// Scenario: the target refuses a write though the set-up looks right: credentials, or access to the bucket.
/// Guarantee: the bucket is held and probed with the refused record itself.
#[tokio::test(start_paused = true)]
async fn a_refused_write_holds_and_is_the_probe() {
    for kind in [SiteErrorKind::AccessDenied, SiteErrorKind::Credentials, SiteErrorKind::ClockSkew] {
        let lab = Lab::new().await;
        let version = lab.put_body("hello");
        for _ in 0..3 {
            lab.target.push("put_object", Fault::Reject(kind));
        }
        lab.born(&version).await;
        lab.assert_same(&version).await;
        let holds = lab.seen.told().holds.clone();
        assert_eq!(holds.iter().filter(|hold| hold.is_some()).count(), 3, "{kind:?}: {holds:?}");
        assert!(lab.letters().is_empty() && lab.holds.all().is_empty());
    }
}
