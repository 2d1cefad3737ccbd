//! Stores that are served over TLS, each with a certificate of an authority of its own.

use twinlog_tests::{lab::Stage, lab_error::LabError};

use super::{
    births::born,
    case::{Case, case},
    encryption::{bodies, sealed_crosses_as_a_letter},
};
use crate::scenario::{Outcome, scenarios};

scenarios!(over_tls: everything_over_tls);

/// Scenario: Twinlog is told of no authority, then of each site's for the other, then rightly; then objects of every way
/// that a body goes are born at both sites, and one that is encrypted with a customer's key, which MinIO takes over TLS
/// only. Guarantees: a store that cannot be trusted is refused in words that name `ca_file`; else all is as in clear.
async fn everything_over_tls(stage: &mut Stage) -> Outcome {
    let [east, west] = &stage.deployment.parts().sites;
    let (east, west) = (east.trust.clone(), west.trust.clone());
    for untrusted in [[None, None], [west.clone(), east.clone()]] {
        stage.deployment.trusting(untrusted)?;
        match stage.deployment.run(&["bucket", "enable", &stage.bucket]).await {
            Err(LabError::Command { code, said, .. }) => {
                assert_eq!(code, Some(69), "{said}");
                assert!(said.contains("ca_file") && said.contains("[sites."), "{said}");
            }
            other => panic!("a store that is not to be trusted was used: {other:?}"),
        }
    }
    stage.deployment.trusting([east, west])?;
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start_both().await?;
    let cases: Vec<Case> = bodies().into_iter().map(|(size, body)| case("over TLS", size).body(body)).collect();
    born(stage, &cases).await?;
    sealed_crosses_as_a_letter(stage).await
}
