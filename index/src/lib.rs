//! What all facts together say of each version: the state of convergence, in every process.
//!
//! [`merge`] holds the rules of joining stamps and registers, pure and in any order the same. [`VersionState`] is what
//! is known of one version, and answers what the plan asks. An [`Index`] keeps those states: [`MemoryIndex`] for tests
//! and simulation, [`StoredIndex`] on disk with bounded memory. It is a cache of the facts topics: lost, it is read
//! again from Kafka. Reading the topics is left to others; nothing here knows Kafka, keeps time or talks to a network.

pub mod error;
mod had;
pub mod index;
mod key;
pub mod memory;
pub mod merge;
pub mod position;
#[cfg(test)]
mod properties;
pub mod said;
pub mod state;
pub mod stored;
pub mod written;

pub use error::IndexError;
pub use index::{Expired, Index, Merge};
pub use memory::MemoryIndex;
pub use merge::{RetentionRegisters, effective_retention};
pub use position::{Partition, Position, resume_at};
pub use said::{Answered, Said};
pub use state::VersionState;
pub use stored::{Opened, Rebuilt, StoredConfig, StoredIndex};
pub use written::{Put, Written};
