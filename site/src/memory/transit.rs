//! How long a request is under way, and requests that arrive after their sender gave up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::store::Store;

/// The way of one write request from its sender to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Transit {
    /// How long the request is under way. Longer than the write expiry: the store refuses it when it arrives.
    pub delay: Duration,
    /// How long the sender waits for the answer; a request that is under way longer times out with an unknown outcome,
    /// and still acts when it arrives. `None` waits for ever.
    pub patience: Option<Duration>,
    /// A load balancer on the way sends the request a second time, as some do where the first answer is lost; the sender
    /// gets the answer to the second.
    pub twice: bool,
}

/// Decides the transit of each write, by its S3 operation.
pub type TransitPlan = Arc<dyn Fn(&'static str) -> Transit + Send + Sync>;

type Act = Box<dyn FnOnce(&mut Store, i64) + Send>;

/// Requests under way, by their time of arrival: they act then, whether their sender still waits or not.
#[derive(Default)]
pub(super) struct LateRequests {
    under_way: BTreeMap<(i64, u64), Act>,
    sent: u64,
}

impl LateRequests {
    pub(super) fn send(&mut self, arrives_ns: i64, act: Act) {
        self.sent += 1;
        self.under_way.insert((arrives_ns, self.sent), act);
    }

    /// The next request that has arrived by `now_ns`, with its time of arrival.
    pub(super) fn arrived(&mut self, now_ns: i64) -> Option<(i64, Act)> {
        let entry = self.under_way.first_entry()?;
        let (at, _) = *entry.key();
        (at <= now_ns).then(|| (at, entry.remove()))
    }
}
