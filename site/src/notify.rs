//! Twinlog's subscription in a bucket's notification configuration.

/// What is subscribed of what is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Event types (and targets) that are subscribed for Twinlog.
    pub present: Vec<String>,
    /// Those that are missing.
    pub missing: Vec<String>,
}

/// What a change of the subscription did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// Nothing: it stood so already.
    Unchanged,
    /// The configuration was written anew; the text says what was added or taken out.
    Changed(String),
}
