//! Whether a write may still go out.

use std::fmt;
use std::sync::Arc;

/// Asked of every write after it was signed, before it is sent. Asked in this order nothing can come in between: a
/// process that is stopped after the answer sends what was signed while the answer held, and that expires.
#[derive(Clone)]
pub struct Leave(Arc<dyn Fn() -> bool + Send + Sync>);

impl Leave {
    /// Leave for as long as this says so.
    pub fn while_true(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    /// Leave for whoever has nobody beside it that writes.
    #[must_use]
    pub fn always() -> Self {
        Self::while_true(|| true)
    }

    pub(crate) fn is_given(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Leave").field(&self.is_given()).finish()
    }
}

/// A write that was signed and not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sent: it is not known that the lanes of this process are still its own")]
pub(crate) struct Withheld;
