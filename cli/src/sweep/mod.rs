//! `twinlog sweep`: finds what no notice told, bucket by bucket, and asks for it.
//!
//! One bucket of one pair of sites after the other. What the sites have said of their versions is read from the log into
//! an index of the command's own; what differs is asked for by notices, so that it takes the way of any change, and a
//! sweep that is interrupted or repeated does no harm.

mod around;
mod known;
mod marks;
mod pair;
mod records;
mod show;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use twinlog_log::clock::{Clock, SystemClock};
use twinlog_sweep::Missing;

pub use around::{Told, Tools};
pub use marks::{begun, take_back};
pub use pair::{How, sweep_pair};

use crate::args::SweepOptions;
use crate::bucket::ids;
use crate::config::Config;
use crate::deployment::{ASKING, Deployment};
use crate::exit::{Exit, Failure};
use crate::verify::pairs::pairs;

use known::Known;
use show::Shower;

/// `twinlog sweep`. Findings (exit 1) where versions vanished.
pub async fn sweep(config: Config, options: SweepOptions) -> Result<Exit, Failure> {
    let deployment = Deployment::connect(Arc::new(config), "twinlog-cli", ASKING).await?;
    let pairs = pairs(&deployment, options.at.as_ref(), options.bucket.as_ref()).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = ids(&clock);
    let known = Known::open(&deployment, &pairs, &ids)?;
    known.caught_up(&deployment).await?;
    let tools = Tools { index: known.index(), tail: known.tail(), clock, ids };
    let how = how(&options);
    if let Some(by) = &options.by {
        eprintln!("decided by {by}: {}", how.decided());
    }
    let (mut swept, mut vanished) = (BTreeMap::new(), false);
    for pair in pairs {
        let shower = Shower::new(&pair, &options);
        let done = sweep_pair(&deployment, &pair, &tools, &how, &|told| shower.told(&told)).await?;
        vanished |= done.vanished() > 0;
        println!("{}", shower.account(&done)?);
        swept.insert(pair, done.begun_us);
    }
    if how.is_whole() {
        take_back(&deployment, &swept).await?;
    }
    known.close().await;
    Ok(if vanished { Exit::Findings } else { Exit::Success })
}

fn how(options: &SweepOptions) -> How {
    How {
        prefix: options.prefix.clone(),
        attributes: !options.listings_only,
        settle: options.settle,
        missing: match (options.create_missing, options.remove) {
            (true, _) => Missing::Created,
            (_, true) => Missing::Removed,
            _ => Missing::Listed,
        },
        by: options.by.clone(),
        rate: options.rate,
        dry_run: options.dry_run,
        from_start: options.from_start,
        fills: true,
    }
}
