//! Time and ids as parameters: nothing in Twinlog asks the operating system directly.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};
use twinlog_schemas::EventId;

/// The wall clock of this process.
pub trait Clock: Send + Sync + 'static {
    /// Nanoseconds since the Unix epoch.
    fn now_ns(&self) -> i64;

    /// Microseconds since the Unix epoch.
    fn now_us(&self) -> i64 {
        self.now_ns() / 1_000
    }

    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64 {
        self.now_ns() / 1_000_000
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ns(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// How long this machine has been up. It goes on while this process is stopped, and where the operating system can
/// tell (Linux) while the machine is suspended.
#[must_use]
pub fn uptime() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(CLOCK);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Makes event ids and jitter from a clock and a seed: the same seed and times give the same ids.
#[derive(Clone)]
pub struct Ids {
    clock: Arc<dyn Clock>,
    random: Arc<Mutex<SmallRng>>,
}

impl Ids {
    /// Ids from this clock and seed; a process in earnest seeds from the operating system.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self { clock, random: Arc::new(Mutex::new(SmallRng::seed_from_u64(seed))) }
    }

    /// A new event id.
    #[must_use]
    pub fn event_id(&self) -> EventId {
        let mut random = [0; 10];
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut random);
        EventId::new(u64::try_from(self.clock.now_ms()).unwrap_or(0), random)
    }

    /// A random number, for seeds of backoff jitter.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }
}
