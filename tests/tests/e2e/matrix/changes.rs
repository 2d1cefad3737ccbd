//! Changes: every story of every noun, of versions born at each site, told at the site of the birth ("here") and at the
//! replica's ("there").

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, stream};
use twinlog_tests::{
    compare::{Bucket, Listed, Listing, describe, list},
    lab::Stage,
    site::Site,
};

use super::{
    case::{Shown, faults},
    copies,
    deed::Subject,
    legal_hold, removals, retention,
    story::{End, Story},
    tags,
    upload::write,
};
use crate::scenario::{Outcome, scenarios};

scenarios!(running: everything_changed);

/// Requests under way at a time.
const AT_A_TIME: usize = 8;
/// Generous: the machine may be busy with other tests.
const CROSSED: Duration = Duration::from_secs(180);

/// A story that is being told.
struct Tale {
    story: Story,
    /// `noun/name` of where born, and done where.
    name: String,
    /// Who does the deeds.
    by: Bucket,
    subject: Subject,
}

/// Scenario: versions born at each site are tagged, retained, held, copied, marked and removed, by clients at the site
/// of their birth and at the replica's. Guarantees: both sites end alike, each as the last client left it. On RustFS
/// changes of locks raise no notice but an audit record.
async fn everything_changed(stage: &mut Stage) -> Outcome {
    let mut wrong = Vec::new();
    let tales = begin(stage, &mut wrong).await;
    assert!(wrong.is_empty(), "{} births failed:\n  {}", wrong.len(), wrong.join("\n  "));
    stage.deployment.equal(&stage.bucket, 0, CROSSED).await?;
    for step in [0, 1] {
        let doing = stream::iter(&tales).map(async |tale| {
            let deed = tale.story.deeds[step].as_ref()?;
            let refused = deed.perform(&tale.by, &tale.subject).await.err()?;
            Some(format!("{}: {refused}", tale.name))
        });
        wrong.extend(doing.buffered(AT_A_TIME).collect::<Vec<_>>().await.into_iter().flatten());
        assert!(wrong.is_empty(), "{} deeds failed:\n  {}", wrong.len(), wrong.join("\n  "));
        let bodies_up_to = if step == 0 { 0 } else { u64::MAX };
        stage.deployment.equal(&stage.bucket, bodies_up_to, CROSSED).await?;
    }
    for site in Site::BOTH {
        let reader = stage.at(site);
        let listing = list(&reader).await?;
        let reading = stream::iter(&tales).map(|tale| ended(tale, &reader, &listing));
        wrong.extend(reading.buffered(AT_A_TIME).collect::<Vec<_>>().await.concat());
        assert_eq!(stage.deployment.progress().written_to(&format!("dead.{site}")).await?, 0, "dead letters of {site}");
    }
    assert!(wrong.is_empty(), "{} rows ended otherwise:\n  {}", wrong.len(), wrong.join("\n  "));
    Ok(())
}

/// Every birth, at each site, once for each place of the deeds.
async fn begin(stage: &Stage, wrong: &mut Vec<String>) -> Vec<Tale> {
    let nouns = [tags::stories(), retention::stories(), legal_hold::stories(), removals::stories(), copies::stories()];
    let stories: Vec<Story> = nouns.concat();
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let places = [(&east, &east, "here"), (&east, &west, "there"), (&west, &west, "here"), (&west, &east, "there")];
    let all = places.into_iter().flat_map(|place| stories.iter().map(move |story| (place, story)));
    let writing = stream::iter(all).map(async |((home, by, place), story)| {
        let key = format!("{}/{place}/{}", home.label, story.case.key);
        let name = format!("{} of {}, done {place}", story.case.name, home.label);
        match write(home, &key, &story.case).await {
            Err(refused) => Err(format!("{name}: {refused}")),
            Ok(born) => Ok(Tale { story: story.clone(), name, by: by.clone(), subject: Subject { key, id: born.id } }),
        }
    });
    let mut tales = Vec::new();
    for outcome in writing.buffered(AT_A_TIME).collect::<Vec<_>>().await {
        match outcome {
            Ok(tale) => tales.push(tale),
            Err(failure) => wrong.push(failure),
        }
    }
    tales
}

/// How a tale ended at this site, if not as it should.
async fn ended(tale: &Tale, reader: &Bucket, listing: &Listing) -> Vec<String> {
    let name = format!("{} at {}", tale.name, reader.label);
    let Subject { key, id } = &tale.subject;
    let versions = listing.get(key).map(Vec::as_slice).unwrap_or_default();
    let this = versions.iter().find(|listed| listed.id == *id);
    let latest_is_marker = versions.iter().any(|listed| listed.latest && listed.marker);
    let mut wrong = match (&tale.story.end, this) {
        (End::Gone, None) => Vec::new(),
        (End::Gone, Some(_)) => vec!["is still there".to_owned()],
        (_, None) => vec!["is gone".to_owned()],
        (End::Marked, Some(_)) if latest_is_marker => Vec::new(),
        (End::Marked, Some(_)) => vec!["stands under no marker".to_owned()],
        (End::There(_), Some(_)) if latest_is_marker => vec!["stands under a marker".to_owned()],
        (End::There(shows), Some(listed)) => shown(reader, listed, shows).await,
    };
    for (end, shows) in &tale.story.siblings {
        let sibling = listing.get(&format!("{key}{end}")).and_then(|versions| {
            // The latest one is the copy, also where it is one onto itself.
            versions.iter().find(|listed| listed.latest && listed.id != *id)
        });
        match sibling {
            None => wrong.push(format!("has no copy {end:?}")),
            Some(listed) => wrong.extend(shown(reader, listed, shows).await),
        }
    }
    wrong.into_iter().map(|fault| format!("{name}: {fault}")).collect()
}

async fn shown(reader: &Bucket, listed: &Listed, shows: &BTreeMap<String, Shown>) -> Vec<String> {
    match describe(reader, listed, 0).await {
        Ok(described) => faults(shows, &described.attributes),
        Err(refused) => vec![refused.to_string()],
    }
}
