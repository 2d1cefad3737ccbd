//! The headers of a dead letter: Twinlog's own, and those of Kafka Connect and Spring, which their tools read.

/// Twinlog's reason code, e.g. `identity-differs`.
pub const REASON: &str = "twinlog-reason";
/// The source site; empty where the record could not be read that far.
pub const SOURCE: &str = "twinlog-source";
/// The bucket; empty likewise.
pub const BUCKET: &str = "twinlog-bucket";
/// The causing record's topic.
pub const TOPIC: &str = "__connect.errors.topic";
/// The causing record's partition, decimal.
pub const PARTITION: &str = "__connect.errors.partition";
/// The causing record's offset, decimal.
pub const OFFSET: &str = "__connect.errors.offset";
/// The error's words.
pub const MESSAGE: &str = "__connect.errors.exception.message";
/// The causing record's time, milliseconds since the Unix epoch as a big-endian number; left out where it had none.
pub const TIMESTAMP: &str = "kafka_dlt-original-timestamp";
