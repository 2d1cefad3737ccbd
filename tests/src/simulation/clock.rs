//! Simulated time as the wall clock of one site: its store's and its processes'.

use twinlog_log::clock::Clock;

/// When every simulation begins, nanoseconds since the Unix epoch.
pub(super) const EPOCH_NS: i64 = 1_795_393_500_000_000_000;

/// The wall clock of a site.
pub(super) struct SiteClock {
    begun: tokio::time::Instant,
    /// How far it is ahead.
    skew_ns: i64,
}

impl SiteClock {
    pub(super) fn new(skew_ns: i64) -> Self {
        Self { begun: tokio::time::Instant::now(), skew_ns }
    }
}

impl Clock for SiteClock {
    fn now_ns(&self) -> i64 {
        EPOCH_NS + self.skew_ns + i64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(i64::MAX - EPOCH_NS)
    }
}
