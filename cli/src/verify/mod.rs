//! `twinlog verify`: compares buckets at the sites of the links version by version, through S3 only.
//!
//! One bucket of one pair of sites after the other; a result is printed as soon as it is there, so that memory does not
//! grow with what is compared.

pub mod pairs;
mod show;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use twinlog_log::clock::{Clock, SystemClock};
use twinlog_verify::{AtSite, Depth, Report, Scope, VerifyError, until_equal};

use crate::args::VerifyOptions;
use crate::config::Config;
use crate::deployment::{ASKING, Deployment};
use crate::exit::{Exit, Failure};

use pairs::{Pair, pairs};
use show::Verdict;

/// Between two looks at what differs.
const PAUSE: Duration = Duration::from_secs(1);

/// `twinlog verify`.
pub async fn verify(config: Config, options: VerifyOptions) -> Result<Exit, Failure> {
    let deployment = Deployment::connect(Arc::new(config), "twinlog-cli", ASKING).await?;
    let pairs = pairs(&deployment, options.at.as_ref(), options.bucket.as_ref()).await?;
    let deadline = options.wait.map(|wait| Instant::now() + wait);
    let mut equal = true;
    for pair in &pairs {
        let report = compared(&deployment, pair, &options, deadline).await?;
        equal &= report.equal();
        let verdict = Verdict::new(pair, &report);
        if options.json {
            println!("{}", verdict.json()?);
        } else {
            print!("{}", verdict.text());
        }
    }
    Ok(if equal { Exit::Success } else { Exit::Findings })
}

async fn compared(
    deployment: &Deployment,
    pair: &Pair,
    options: &VerifyOptions,
    deadline: Option<Instant>,
) -> Result<Report, Failure> {
    let side = |site| {
        let now_ms = Arc::new(|| SystemClock.now_ns() / 1_000_000);
        Ok::<_, Failure>(AtSite::new(Arc::clone(deployment.site(site)?), pair.bucket.clone(), now_ms))
    };
    let (left, right) = (side(&pair.left)?, side(&pair.right)?);
    let depth = if options.bodies { Depth::Bodies { up_to: u64::MAX } } else { Depth::Attributes };
    let scope = Scope { prefix: options.prefix.clone(), depth };
    let report = until_equal([&left, &right], &scope, async |_| {
        let again = deadline.is_some_and(|deadline| Instant::now() + PAUSE <= deadline);
        if again {
            tokio::time::sleep(PAUSE).await;
        }
        again
    });
    report.await.map_err(|error| match error {
        VerifyError::Side(error) => deployment.site_failed(&error),
        error @ VerifyError::Disorder { .. } => Failure::unavailable(error.to_string()),
    })
}
