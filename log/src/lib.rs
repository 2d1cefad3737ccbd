//! Kafka behind one contract: topics, producing, consuming by hand-made assignment, lane ownership, and the offset
//! ledger. Real `rdkafka` in [`kafka`], an in-memory log with the same behaviour in [`memory`].

pub mod backoff;
pub mod clock;
#[doc(hidden)]
pub mod conformance;
pub mod contract;
pub mod error;
pub mod fault;
pub mod header;
pub mod kafka;
pub mod lane;
pub mod ledger;
pub mod mark;
pub mod memory;
pub mod outgoing;
pub mod partition;
pub mod record;
pub mod tell;
pub mod topic;

pub use backoff::Backoff;
pub use contract::{Committed, Log, Membership, OwnershipChange, PartitionReader, Pulse, Reader, Watermarks};
pub use error::{LogError, LogErrorKind};
pub use kafka::{KafkaConfig, KafkaLog};
pub use ledger::{Ledger, Received};
pub use mark::Mark;
pub use memory::MemoryLog;
pub use partition::{lane_of, murmur2, partition_of, partition_of_record_key, record_key};
pub use record::{Fetched, Headers, Position, Record};
pub use tell::{Heard, Tell, TellTopic};
pub use topic::{Cleanup, Retention, TopicId, TopicInfo, TopicName, TopicPartition, TopicSpec, Topics};
