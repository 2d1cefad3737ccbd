//! Hundreds of versions of one key.

use std::time::Duration;

use aws_sdk_s3::{primitives::ByteStream, types::ObjectIdentifier};
use futures::{StreamExt, TryStreamExt, stream};
use twinlog_tests::{compare::list, lab::Stage, site::Site};

use super::deed::remove_list;
use crate::scenario::{Outcome, scenarios};

scenarios!(running: hundreds_of_versions);

/// Written at each site.
const EACH: usize = 150;
const CROSSED: Duration = Duration::from_secs(120);

/// Scenario: clients at both sites overwrite one key hundreds of times at once; then one removes half of all versions by
/// their ids in one multi-delete, the other's half has been born elsewhere; then both delete the key by list.
/// Guarantees: both sites list the same versions in the same order.
async fn hundreds_of_versions(stage: &mut Stage) -> Outcome {
    const KEY: &str = "overwritten again and again";
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    for bucket in [&east, &west] {
        let puts = (0..EACH).map(|number| {
            let put = bucket.client.put_object().bucket(&bucket.name).key(KEY);
            put.body(ByteStream::from(format!("{number} of {}", bucket.label).into_bytes())).send()
        });
        stream::iter(puts).buffer_unordered(4).try_for_each(async |_| Ok(())).await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    assert_eq!(compared.versions, 2 * EACH);
    let ids: Vec<String> = list(&east).await?[KEY].iter().map(|listed| listed.id.clone()).collect();
    let object = |id: &String| ObjectIdentifier::builder().key(KEY).version_id(id).build().unwrap();
    remove_list(&west, ids.iter().step_by(2).map(object).collect()).await?;
    for bucket in [&east, &west] {
        remove_list(bucket, vec![ObjectIdentifier::builder().key(KEY).build()?]).await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    assert_eq!(compared.versions, EACH + 2);
    let left = list(&west).await?;
    for removed in ids.iter().step_by(2) {
        assert!(left[KEY].iter().all(|listed| listed.id != *removed), "{removed} was removed and is listed");
    }
    Ok(())
}
