//! Bringing the index up to date: what capture asks of whoever reads facts and receipts into it.

use async_trait::async_trait;

/// Reads facts and receipts into the index, beside capture.
#[async_trait]
pub trait Freshness: Send + Sync + 'static {
    /// Returns once the index holds everything that stood in this site's own facts and receipts when this was called.
    /// Waits as long as it takes: the one writer of facts must know its own to the end before it writes.
    async fn own(&self);

    /// The same of every site's facts, as far as the other sites can be reached within a time that the implementation
    /// bounds; of this site's own as [`Freshness::own`].
    async fn all(&self);
}

/// For an index into which everything is merged at once: simulation and tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlwaysFresh;

#[async_trait]
impl Freshness for AlwaysFresh {
    async fn own(&self) {}

    async fn all(&self) {}
}
