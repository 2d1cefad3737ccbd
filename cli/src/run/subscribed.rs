//! Which enabled buckets the fast door is opened for: those in whose notification configuration Twinlog's subscription
//! stands. `bucket disable` takes the subscription out and leaves the topics, so the topics alone do not tell.
//!
//! A few buckets are asked at a time, one after the other, so that ten thousand of them are no burden to the store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use twinlog_schemas::BucketName;
use twinlog_site::Site;

use super::tasks::Tasks;

/// How often some buckets are asked.
const EVERY: Duration = Duration::from_secs(5);
/// How many are asked at a time.
const AT_A_TIME: usize = 20;

/// Follows `enabled` and leaves out what was found unsubscribed; a bucket that cannot be asked stays in.
pub fn follow(
    tasks: &mut Tasks,
    site: Arc<dyn Site>,
    enabled: watch::Receiver<BTreeSet<BucketName>>,
    stop: CancellationToken,
) -> watch::Receiver<BTreeSet<BucketName>> {
    let (tell, subscribed) = watch::channel(enabled.borrow().clone());
    tasks.add("subscriptions", async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = run(site.as_ref(), enabled, &tell) => {}
        }
        Ok(())
    });
    subscribed
}

async fn run(
    site: &dyn Site,
    mut enabled: watch::Receiver<BTreeSet<BucketName>>,
    tell: &watch::Sender<BTreeSet<BucketName>>,
) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut off = BTreeSet::new();
    let mut last = None;
    loop {
        tokio::select! {
            biased;
            changed = enabled.changed() => if changed.is_err() { return },
            _ = every.tick() => {}
        }
        let buckets = enabled.borrow_and_update().clone();
        for bucket in next(&buckets, last.as_ref()) {
            match site.subscription(&bucket).await {
                Ok(found) if found.present.is_empty() => drop(off.insert(bucket.clone())),
                Ok(_) => drop(off.remove(&bucket)),
                Err(error) => tracing::debug!(%bucket, %error, "subscription not known: left as it was"),
            }
            last = Some(bucket);
        }
        off.retain(|bucket| buckets.contains(bucket));
        let listened: BTreeSet<_> = buckets.difference(&off).cloned().collect();
        tell.send_if_modified(|told| {
            let changed = *told != listened;
            *told = listened;
            changed
        });
    }
}

/// The buckets to ask now: those after the one asked last, round and round.
fn next(buckets: &BTreeSet<BucketName>, last: Option<&BucketName>) -> Vec<BucketName> {
    let (before, after): (Vec<_>, Vec<_>) =
        buckets.iter().cloned().partition(|bucket| last.is_some_and(|l| bucket <= l));
    after.into_iter().chain(before).take(AT_A_TIME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_has_its_turn() {
        let buckets: BTreeSet<BucketName> = (10..60).map(|n| format!("bucket-{n}").parse().expect("a name")).collect();
        let mut asked = BTreeSet::new();
        let mut last = None;
        for _ in 0..3 {
            let turn = next(&buckets, last.as_ref());
            assert_eq!(turn.len(), AT_A_TIME);
            last = turn.last().cloned();
            asked.extend(turn);
        }
        assert_eq!(asked, buckets);
        assert!(next(&BTreeSet::new(), last.as_ref()).is_empty());
    }
}
