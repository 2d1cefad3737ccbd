//! Markers and removals.

use std::time::Duration;

use twinlog_tests::{compare::list, lab::Stage, server::StoreKind, site::Site};

use super::{
    case::{Body, case},
    deed::{Deed, Subject},
    story::{Story, story},
};
use crate::scenario::{Outcome, scenarios};

scenarios!(running: keys_that_never_existed);

const NOUN: &str = "removals";
const CROSSED: Duration = Duration::from_secs(120);

pub fn stories() -> Vec<Story> {
    let plain = |name| story(case(NOUN, name));
    let parts = |name| story(case(NOUN, name).body(Body::Parts(vec![(1, 7)])));
    vec![
        plain("marked").first(Deed::Mark).marked(),
        plain("marked by list").first(Deed::MarkByList).marked(),
        plain("marked twice").first(Deed::Mark).second(Deed::Mark).marked(),
        plain("marked and unmarked").first(Deed::Mark).second(Deed::Unmark),
        plain("marked by list and unmarked").first(Deed::MarkByList).second(Deed::Unmark),
        plain("marked and unmarked by list").first(Deed::Mark).second(Deed::UnmarkByList),
        plain("removed").first(Deed::Remove).gone(),
        plain("removed by list").first(Deed::RemoveByList).gone(),
        plain("removed twice").first(Deed::Remove).second(Deed::Remove).gone(),
        plain("tagged and removed").first(Deed::Tag(super::tags::tags(&[("a", "1")]))).second(Deed::Remove).gone(),
        plain("marked, then removed below the marker").first(Deed::Mark).second(Deed::Remove).gone(),
        parts("a multipart upload, removed").first(Deed::Remove).gone(),
        parts("a multipart upload, marked").first(Deed::Mark).marked(),
        story(case(NOUN, "an odd key, marked and unmarked").key("removals/a + % b \u{e9}"))
            .first(Deed::Mark)
            .second(Deed::Unmark),
        story(case(NOUN, "an odd key, removed by list").key("removals/a & < b \u{e9}"))
            .first(Deed::RemoveByList)
            .gone(),
    ]
}

/// Scenario: clients delete keys that never were, alone and in a multi-delete, also one key at both sites; then the
/// markers that this made are removed, each at the site where it is a replica. Guarantees: both sites list the same
/// markers, and in the end none. MinIO makes no such marker.
async fn keys_that_never_existed(stage: &mut Stage) -> Outcome {
    let made = usize::from(stage.kind() == StoreKind::RustFs);
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let subject = |key: String| Subject { key, id: "none".to_owned() };
    for bucket in [&east, &west] {
        Deed::Mark.perform(bucket, &subject(format!("{}/never", bucket.label))).await?;
        Deed::MarkByList.perform(bucket, &subject(format!("{}/never by list", bucket.label))).await?;
        Deed::Mark.perform(bucket, &subject("never at both".to_owned())).await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    assert_eq!(compared.versions, 6 * made);
    for (home, away) in [(&east, &west), (&west, &east)] {
        for (key, versions) in list(home).await?.iter().filter(|(key, _)| key.starts_with(&home.label)) {
            assert!(versions.iter().all(|listed| listed.marker), "{key} is no marker at {}", home.label);
            Deed::Unmark.perform(away, &subject(key.clone())).await?;
        }
    }
    for _ in 0..2 * made {
        Deed::UnmarkByList.perform(&east, &subject("never at both".to_owned())).await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    assert_eq!(compared.versions, 0);
    Ok(())
}
