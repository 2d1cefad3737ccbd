//! Births: every case of every noun, written at both sites at once.

use std::time::Duration;

use futures::{StreamExt, stream};
use twinlog_tests::{
    compare::{Bucket, Listing, describe, list},
    lab::Stage,
    server::StoreKind,
    site::Site,
};

use super::{
    bodies,
    case::{Case, Shown, faults},
    checksums, headers, keys, legal_hold, metadata, retention, storage_class, tags,
    upload::{Born, write},
};
use crate::scenario::{Outcome, scenarios};

scenarios!(running: everything_born);

/// Cases under way at a time, at each site.
const AT_A_TIME: usize = 8;
/// Generous: the machine may be busy with other tests.
const CROSSED: Duration = Duration::from_secs(180);

fn cases(kind: StoreKind) -> Vec<Case> {
    let nouns = [
        bodies::cases(),
        headers::cases(kind),
        metadata::cases(kind),
        tags::cases(),
        retention::cases(),
        legal_hold::cases(),
        checksums::cases(),
        storage_class::cases(),
        keys::cases(),
    ];
    nouns.concat()
}

/// Scenario: one version of every kind is born at each site. Guarantees: a client reads at both sites what was written
/// at one of them, and where the store refuses a kind it does so with the answer that SEMANTICS.md lists.
async fn everything_born(stage: &mut Stage) -> Outcome {
    let cases = cases(stage.kind());
    born(stage, &cases).await
}

/// Writes these cases at both sites, waits until they have crossed, and reads each at both.
pub async fn born(stage: &Stage, cases: &[Case]) -> Outcome {
    let kind = stage.kind();
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let (of_east, of_west) = futures::join!(write_all(kind, &east, cases), write_all(kind, &west, cases));
    let mut wrong: Vec<String> = of_east.wrong.iter().chain(&of_west.wrong).cloned().collect();
    assert!(wrong.is_empty(), "{} rows could not be written:\n  {}", wrong.len(), wrong.join("\n  "));
    stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    for reader in [&east, &west] {
        let listing = list(reader).await?;
        for written in [&of_east, &of_west] {
            wrong.extend(read_all(reader, &listing, cases, written).await);
        }
    }
    assert!(wrong.is_empty(), "{} rows are not as they were written:\n  {}", wrong.len(), wrong.join("\n  "));
    for site in Site::BOTH {
        assert_eq!(stage.deployment.progress().written_to(&format!("dead.{site}")).await?, 0, "dead letters of {site}");
    }
    Ok(())
}

/// What was written at one site.
struct Written {
    home: String,
    /// In the order of the cases; nothing where the store refused as it should.
    born: Vec<Option<Born>>,
    wrong: Vec<String>,
}

async fn write_all(kind: StoreKind, home: &Bucket, cases: &[Case]) -> Written {
    let writing = stream::iter(cases).map(async |case| {
        let key = format!("{}/{}", home.label, case.key);
        (write(home, &key, case).await, case)
    });
    let outcomes: Vec<_> = writing.buffered(AT_A_TIME).collect().await;
    let mut written = Written { home: home.label.clone(), born: Vec::new(), wrong: Vec::new() };
    for (outcome, case) in outcomes {
        let at = format!("{} at {}", case.name, home.label);
        match (&outcome, case.refusal(kind)) {
            (Ok(_), None) => {}
            (Ok(_), Some(refusal)) => written.wrong.push(format!("{at}: not refused any more: {refusal:?}")),
            (Err(refused), None) => written.wrong.push(format!("{at}: {refused}")),
            (Err(refused), Some(refusal)) => {
                let answer = (refused.status, refused.code.as_deref());
                if answer != (Some(refusal.status), Some(refusal.code)) {
                    written.wrong.push(format!("{at}: refused with {answer:?}, wanted {refusal:?}"));
                }
            }
        }
        written.born.push(outcome.ok());
    }
    written
}

async fn read_all(reader: &Bucket, listing: &Listing, cases: &[Case], written: &Written) -> Vec<String> {
    let rows = cases.iter().zip(&written.born).filter_map(|(case, born)| Some((case, born.as_ref()?)));
    let reading = stream::iter(rows).map(async |(case, born)| {
        let key = format!("{}/{}", written.home, case.key);
        let name = format!("{} of {} at {}", case.name, written.home, reader.label);
        let listed = listing.get(&key).and_then(|of_key| of_key.iter().find(|listed| listed.id == born.id));
        let Some(listed) = listed else { return vec![format!("{name}: {key:?} version {} is not listed", born.id)] };
        // Both ends' bodies were found equal before: it is enough to read one of them.
        let bodies_up_to = if reader.label == written.home { 0 } else { u64::MAX };
        let described = match describe(reader, listed, bodies_up_to).await {
            Ok(described) => described,
            Err(refused) => return vec![format!("{name}: {refused}")],
        };
        let mut wanted = case.shows.clone();
        if bodies_up_to > 0 {
            wanted.insert("body".to_owned(), Shown::Value(born.body.clone()));
        }
        let wrong = faults(&wanted, &described.attributes);
        wrong.into_iter().map(|fault| format!("{name}: {fault}")).collect()
    });
    reading.buffered(AT_A_TIME).collect::<Vec<_>>().await.concat()
}
