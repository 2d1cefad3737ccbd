//! One end of a comparison: who lists versions and reads them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use twinlog_schemas::ObjectKey;
use twinlog_site::{ListFrom, ListedVersion, VersionPage};

/// A bucket at one site.
///
/// An error ends the comparison; it is for what concerns the whole bucket (unreachable, access refused). What concerns
/// one version is [`Described::Unreadable`].
#[async_trait]
pub trait Side: Send + Sync {
    /// Why a bucket cannot be compared.
    type Error;

    /// What differences call it: the site's name.
    fn label(&self) -> &str;

    /// One page of the bucket's versions, as the store lists them.
    async fn page(&self, from: &ListFrom) -> Result<VersionPage, Self::Error>;

    /// Reads an object version whole; its body where it has at most `bodies_up_to` bytes.
    async fn describe(&self, version: &ListedVersion, bodies_up_to: Option<u64>) -> Result<Described, Self::Error>;
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The listings only.
    Listings,
    /// Besides, everything of each version but its body.
    Attributes,
    /// Everything.
    Bodies {
        /// Larger ones are not read, only counted.
        up_to: u64,
    },
}

impl Depth {
    /// The largest body that is read.
    pub(crate) fn bodies_up_to(self) -> Option<u64> {
        match self {
            Self::Bodies { up_to } => Some(up_to),
            Self::Listings | Self::Attributes => None,
        }
    }
}

/// What reading one object version found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// The object.
    Object(Description),
    /// It is not there any more, or not an object.
    Gone,
    /// The store does not let it be read; why.
    Unreadable(String),
}

/// All that can be read of one object version, as names and texts that can be compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// By name; absent where the version has none.
    pub attributes: BTreeMap<String, String>,
    /// Whether the store calls it a replica.
    pub replica: bool,
    /// How many bytes of body were read, where it was.
    pub body_read: Option<u64>,
}

impl Description {
    /// Adds an attribute, where there is one.
    pub fn put(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.attributes.insert(name.to_owned(), value.to_string());
        }
    }
}

/// Why two buckets could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError<E> {
    /// One of them cannot be read.
    #[error(transparent)]
    Side(#[from] E),
    /// A listing does not come in the order of the keys, so that two of them cannot be merged.
    #[error("site {site} lists key {key:?} after {before:?}, against the order that S3 promises: report this")]
    Disorder {
        /// Where.
        site: String,
        /// The key.
        key: ObjectKey,
        /// The one listed before it.
        before: ObjectKey,
    },
}
