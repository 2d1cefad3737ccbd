//! What the notifier tells whoever counts. Calls are cheap and never block; receivers go by their names, never by
//! addresses, which may hold secrets.

/// How one attempt to deliver ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The receiver has it.
    Delivered,
    /// It failed and is tried again.
    Again,
    /// It was given up: the receiver refuses it, or did not take it for too long.
    GivenUp,
}

impl Sent {
    /// The label value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Again => "again",
            Self::GivenUp => "given-up",
        }
    }
}

/// Takes counts.
pub trait Observer: Send + Sync + 'static {
    /// A notification of this kind was put together.
    fn told(&self, kind: &'static str);
    /// An attempt at a receiver ended.
    fn sent(&self, receiver: &str, how: Sent);
    /// Records that the log had deleted before the notifier read them.
    fn gap(&self, topic: &str, records: i64);
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ignore;

impl Observer for Ignore {
    fn told(&self, _: &'static str) {}
    fn sent(&self, _: &str, _: Sent) {}
    fn gap(&self, _: &str, _: i64) {}
}
