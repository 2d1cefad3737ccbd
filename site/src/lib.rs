//! One object store behind one contract: reading a version whole, listing, replica writes, bucket state,
//! notification set-up and the fast door. The dialects RustFS and MinIO on `aws-sdk-s3`, and an in-memory site with
//! the same quirks for simulation. A third dialect is one new file.

pub mod bucket;
pub mod conformance;
pub mod contract;
pub mod dialect;
pub mod error;
pub mod fault;
pub mod leave;
pub mod memory;
pub mod notify;
pub mod reading;
pub mod replica;
pub mod s3;

pub use bucket::{BucketState, DefaultRetention, Versioning};
pub use contract::{BodyStream, NoticeStream, Site};
pub use dialect::{Dialect, DialectName, NotifyTargets};
pub use error::{SiteError, SiteErrorKind};
pub use leave::Leave;
pub use notify::{Subscription, SubscriptionChange};
pub use reading::{BodyWish, ListFrom, ListedVersion, ObjectReading, Reading, VersionPage};
pub use replica::{Body, PartWritten, Precondition, Replica, Upload, UploadChecksum, Written};
pub use s3::{S3Credentials, S3SetUpError, S3Site, S3SiteConfig, S3Timeouts, SecretKey, WallClock};
