//! Set-ups that cannot work are refused before anything runs, in words that say what, where and what to do.

use twinlog_tests::{
    bucket::{self, Lock},
    lab::{Own, Stage, StageOptions},
    lab_error::LabError,
    site::Site,
};

use crate::scenario::{Outcome, scenarios};

const UNVERSIONED: StageOptions = StageOptions { lock: Lock::Unversioned, own: Own::Nothing, proxies: false };
const VERSIONED: StageOptions = StageOptions { lock: Lock::Off, own: Own::Nothing, proxies: false };

scenarios!(
    prepared:
    a_bucket_without_versioning(UNVERSIONED),
    lock_on_one_side_only(VERSIONED),
    no_such_bucket(VERSIONED),
);

/// What a refused command said.
async fn said(stage: &Stage, arguments: &[&str]) -> String {
    match stage.deployment.run(arguments).await {
        Err(LabError::Command { said, .. }) => said,
        Ok(said) => panic!("{arguments:?} was not refused: {said}"),
        Err(error) => panic!("{arguments:?} could not be run: {error}"),
    }
}

async fn a_bucket_without_versioning(stage: &mut Stage) -> Outcome {
    let said = said(stage, &["bucket", "enable", &stage.bucket]).await;
    assert!(said.contains(&stage.bucket) && said.contains("versioning") && said.contains("east"), "{said}");
    Ok(())
}

async fn lock_on_one_side_only(stage: &mut Stage) -> Outcome {
    let (west, name) = (stage.at(Site::West).client, &stage.bucket);
    west.delete_bucket().bucket(name).send().await?;
    bucket::make(&west, name, Lock::On).await?;
    let said = said(stage, &["bucket", "enable", name]).await;
    assert!(said.contains(name.as_str()) && said.contains("lock") && said.contains("west"), "{said}");
    Ok(())
}

async fn no_such_bucket(stage: &mut Stage) -> Outcome {
    let (west, name) = (stage.at(Site::West).client, &stage.bucket);
    west.delete_bucket().bucket(name).send().await?;
    let said = said(stage, &["bucket", "enable", name]).await;
    assert!(said.contains(name.as_str()) && said.contains("west"), "{said}");
    Ok(())
}
