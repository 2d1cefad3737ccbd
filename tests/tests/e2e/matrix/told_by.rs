//! By which door a change of a lock crosses: RustFS raises no S3 event for one, so its audit log alone tells of it, by
//! the key and without the version; MinIO raises an event.

use std::time::{Duration, Instant};

use aws_sdk_s3::types::ObjectLockRetentionMode::Governance;
use twinlog_schemas::{FactBody, Told};
use twinlog_tests::{
    compare::{Bucket, describe, list},
    lab::Stage,
    server::StoreKind,
    site::Site,
};

use super::{
    case::case,
    deed::{Deed, Subject},
    retention::days,
    upload::write,
};
use crate::scenario::{Outcome, scenarios};

scenarios!(running: lock_changes_cross_as_they_are_told);

const SOON: Duration = Duration::from_secs(60);

/// A version whose lock changes twice.
struct Locked {
    subject: Subject,
    /// The version beside it under the same key, which is left alone.
    other: String,
    /// Who changes it.
    by: Bucket,
    told: Told,
    deeds: [Deed; 2],
}

/// Scenario: retention and legal hold of versions born at each site change twice, at the site of the birth and at the
/// replica's; each key has another version besides. Guarantees: every change crosses by the store's own word of it
/// alone: its event names that as the cause, and nobody had to ask for an explanation, which is the other way for a
/// change to be found. The other versions stay as they are.
async fn lock_changes_cross_as_they_are_told(stage: &mut Stage) -> Outcome {
    let locked = begin(stage).await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for step in [0, 1] {
        let began = Instant::now();
        for version in &locked {
            version.deeds[step].perform(&version.by, &version.subject).await?;
        }
        stage.deployment.equal(&stage.bucket, 0, SOON).await?;
        println!("{} changes of locks were at both sites after {:?}", locked.len(), began.elapsed());
    }
    for site in Site::BOTH {
        let reader = stage.at(site);
        let listing = list(&reader).await?;
        for Locked { subject: Subject { key, id }, other, told, .. } in &locked {
            for listed in &listing[key] {
                assert!(listed.id == *id || listed.id == *other, "{key} has a version {}", listed.id);
                let shown = describe(&reader, listed, 0).await?.attributes;
                let (retained, held) = (shown.contains_key("retention"), shown.contains_key("legal hold"));
                let retained_wanted = listed.id == *id && *told == Told::Retention;
                assert_eq!((retained, held), (retained_wanted, false), "{key} version {} at {site}", listed.id);
            }
        }
        let asked = stage.deployment.progress().facts(site).await?;
        let asked = asked.iter().filter(|fact| matches!(fact.body, FactBody::Answer(_))).count();
        assert_eq!(asked, 0, "doubts that {site} was asked");
    }
    as_told(stage, &locked).await
}

/// Two versions of a key for each category, birth's site and changer's site; of the first the older one is changed.
async fn begin(stage: &Stage) -> Result<Vec<Locked>, crate::scenario::Failure> {
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let retain = |until| Deed::Retain(Governance, days(until));
    let mut locked = Vec::new();
    for (home, by) in [(&east, &east), (&east, &west), (&west, &west), (&west, &east)] {
        for (told, name, deeds) in [
            (Told::Retention, "retained", [retain(9), retain(3)]),
            (Told::LegalHold, "held", [Deed::Hold(true), Deed::Hold(false)]),
        ] {
            let key = format!("{name} at {} of {}", by.label, home.label);
            let older = write(home, &key, &case("locks", "older")).await?.id;
            let newer = write(home, &key, &case("locks", "newer")).await?.id;
            let (id, other) = if told == Told::Retention { (older, newer) } else { (newer, older) };
            locked.push(Locked { subject: Subject { key, id }, other, by: by.clone(), told, deeds });
        }
    }
    Ok(locked)
}

/// Every change has its event at the site where it was made, of the right version and with the store's word as cause.
async fn as_told(stage: &Stage, locked: &[Locked]) -> Outcome {
    let by = |told| match (stage.kind(), told) {
        (StoreKind::RustFs, Told::Retention) => "audit:PutObjectRetention",
        (StoreKind::RustFs, _) => "audit:PutObjectLegalHold",
        (StoreKind::MinIo, Told::Retention) => "s3:ObjectCreated:PutRetention",
        (StoreKind::MinIo, _) => "s3:ObjectCreated:PutLegalHold",
    };
    let [of_east, of_west] = [
        stage.deployment.progress().changes(Site::East, &stage.bucket).await?,
        stage.deployment.progress().changes(Site::West, &stage.bucket).await?,
    ];
    for Locked { subject, by: client, told, deeds, .. } in locked {
        let events = if client.label == "east" { &of_east } else { &of_west };
        let of_key = events.iter().filter(|event| event.key.as_str() == subject.key && event.told != Told::Born);
        let of_key: Vec<_> =
            of_key.map(|event| (event.version_id.as_str(), event.told, event.cause.as_str())).collect();
        let wanted = (subject.id.as_str(), *told, by(*told));
        // A store may tell of a change twice.
        let as_told = of_key.len() >= deeds.len() && of_key.iter().all(|event| *event == wanted);
        assert!(as_told, "{}: {of_key:?}, wanted {} of {wanted:?}", subject.key, deeds.len());
    }
    Ok(())
}
