//! What crosses the log: the change event, the fact, the receipt and Twinlog's own notices, with their Avro
//! schemas, their history and their codec. No I/O.
//!
//! Every other crate speaks in these types; the names at the edge ([`SiteName`], [`BucketName`], [`ObjectKey`],
//! [`VersionId`]) are validated when made, so that nothing behind the edge checks them again.

#[cfg(any(test, feature = "arbitrary"))]
pub mod arbitrary;
pub mod change_event;
pub mod cloud_event;
pub mod codec;
pub mod event_id;
pub mod fact;
mod fact_wire;
pub mod name;
pub mod notice;
pub mod object;
pub mod receipt;
pub mod stamp;
pub mod version;

pub use change_event::{ChangeEvent, Told};
pub use cloud_event::{
    BreakerTold, ChangeTold, CloudEvent, ConflictTold, EventType, ExampleTold, HoldTold, LogTold, NotificationTold,
    RetentionTold, ThresholdTold, VanishedTold,
};
pub use codec::{Codec, DecodeError, EncodeError, Published, PublishedSchema, RecordKind, SchemaError};
pub use event_id::EventId;
pub use fact::{Answer, Fact, FactBody, NullRegister, NullState, RegisterRef, Removal, StoreReading};
pub use name::{BucketName, NameError, ObjectKey, SiteName};
pub use notice::{ExamineCause, OwnNotice};
pub use object::{Checksum, ChecksumType, ContentHeaders, Encryption, ObjectState, Part, TimePrecision};
pub use receipt::{Receipt, RetentionWritten, UploadBegun, Wrote};
pub use stamp::{Basis, Category, LocksSeen, Retention, RetentionMode, Stamp, StampRef, Tags};
pub use version::{VersionId, VersionKind, VersionRef};
