//! The bound of what all transfers of a process buffer at a time.

use tokio::sync::{Semaphore, SemaphorePermit};

const UNIT: u64 = 4096;

/// Bytes that may be in memory at a time, shared by all transfers.
#[derive(Debug)]
pub struct Budget {
    units: Semaphore,
    total: u32,
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let total = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        Self { units: Semaphore::new(total as usize), total }
    }

    /// Waits until so many bytes may be buffered; more than the whole budget counts as the whole.
    pub async fn take(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.total);
        self.units.acquire_many(units).await.ok()
    }
}
