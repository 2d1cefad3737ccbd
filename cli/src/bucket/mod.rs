//! `twinlog bucket`: switching the replication of a bucket on and off, steering it, and showing what is on.

mod disable;
mod enable;
mod list;
mod set_up;
mod steer;

use std::sync::Arc;

use twinlog_schemas::BucketName;

#[cfg(test)]
pub use disable::disable as disable_now;
#[cfg(test)]
pub use enable::enable as enable_now;
pub use enable::{SKEW_US, ends, sources, states};
pub use steer::{Steer, control, ids};

use crate::args::{DisableOptions, EnableOptions, Json, SteerOptions};
use crate::config::Config;
use crate::deployment::{ASKING, Deployment};
use crate::exit::{Exit, Failure};
use crate::finding::{any_failed, print};
use crate::wanted;

/// `twinlog bucket enable`.
pub async fn enable(config: Config, options: EnableOptions) -> Result<Exit, Failure> {
    carried(&config, &options.bucket)?;
    if options.print_topics {
        print_topics(&config, &options.bucket);
        return Ok(Exit::Success);
    }
    let deployment = Deployment::connect(Arc::new(config), "twinlog-cli", ASKING).await?;
    let findings = enable::enable(&deployment, &options.bucket).await?;
    print(&findings, options.json)?;
    if !options.json {
        println!("{}", enable::verdict(&deployment.config, &options.bucket, &findings));
    }
    Ok(if any_failed(&findings) { Exit::Findings } else { Exit::Success })
}

/// `twinlog bucket disable`.
pub async fn disable(config: Config, options: DisableOptions) -> Result<Exit, Failure> {
    carried(&config, &options.bucket)?;
    let deployment = Deployment::connect(Arc::new(config), "twinlog-cli", ASKING).await?;
    let findings = disable::disable(&deployment, &options.bucket).await?;
    print(&findings, options.json)?;
    Ok(if any_failed(&findings) { Exit::Findings } else { Exit::Success })
}

/// `twinlog bucket list`.
pub async fn list(config: Config, options: Json) -> Result<Exit, Failure> {
    let deployment = Deployment::connect(Arc::new(config), "twinlog-cli", ASKING).await?;
    let rows = list::list(&deployment).await?;
    if options.json {
        crate::show::json(&rows)?;
    } else {
        print!("{}", list::table(&rows));
    }
    Ok(Exit::Success)
}

/// `twinlog bucket release|pause|resume`.
pub async fn steer(config: Config, what: Steer, options: SteerOptions) -> Result<Exit, Failure> {
    carried(&config, &options.bucket)?;
    let deployment = Deployment::connect(Arc::new(config), "twinlog-cli", ASKING).await?;
    let findings = steer::steer(&deployment, what, &options).await?;
    print(&findings, options.json)?;
    Ok(Exit::Success)
}

fn carried(config: &Config, bucket: &BucketName) -> Result<(), Failure> {
    if config.links_of(bucket).next().is_some() {
        return Ok(());
    }
    let links = config.links.iter().map(|link| {
        let patterns: Vec<String> = link.buckets.iter().map(ToString::to_string).collect();
        format!("{} carries {}", link.name(), patterns.join(", "))
    });
    let links = links.collect::<Vec<_>>().join("; ");
    Err(Failure::config(format!(
        "bucket {bucket} is carried by no link ({links}): add it to the buckets of a [[links]] section"
    )))
}

fn print_topics(config: &Config, bucket: &BucketName) {
    for wanted in wanted::for_bucket(config, bucket) {
        let brokers = config.clusters.get(&wanted.cluster).map_or("", |cluster| cluster.brokers.as_str());
        println!("{}", wanted::kafka_command(brokers, &wanted.spec));
    }
}

#[cfg(test)]
mod tests;
