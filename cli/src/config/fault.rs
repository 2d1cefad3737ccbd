//! What is wrong with a configuration: every fault at once, each with its place.

use std::fmt;

use super::source::Origin;

/// One fault: where, at which key, and what to do about it. Never holds a secret's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it was written.
    pub origin: Origin,
    /// The key, e.g. `sites.east.endpoint`; empty for the file as a whole.
    pub path: String,
    /// What is wrong, and what is right.
    pub message: String,
}

impl Fault {
    /// A fault at `path`.
    pub fn new(origin: Origin, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { origin, path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// All faults of a configuration, in the order of the file; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Sorts the faults by place.
    pub fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by(|a, b| (&a.origin, &a.path).cmp(&(&b.origin, &b.path)));
        faults.dedup();
        Self(faults)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
