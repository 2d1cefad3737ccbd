//! What differs between stores: everything that is known of one store stands in its one file.
//!
//! A dialect is pure knowledge and does no I/O. A further store is one new file here and one arm in
//! [`DialectName::dialect`].

mod minio;
mod rustfs;

use std::fmt;
use std::str::FromStr;

use crate::error::SiteErrorKind;

/// The names that the store's webhook targets have in its own configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyTargets {
    /// The target with a queue directory: slow and durable.
    pub sure: String,
    /// The target without one: fast, for stores whose listen stream is not. `None` leaves the door shut.
    pub fast: Option<String>,
}

impl Default for NotifyTargets {
    fn default() -> Self {
        Self { sure: "TWINLOG".to_owned(), fast: None }
    }
}

/// One store's peculiarities.
pub trait Dialect: fmt::Debug + Send + Sync + 'static {
    /// The name by which the configuration chooses it.
    fn name(&self) -> DialectName;

    /// The ARNs that a bucket's notification configuration must name for these targets.
    fn target_arns(&self, targets: &NotifyTargets, region: &str) -> Vec<String>;

    /// The event types to subscribe to, as the store accepts them.
    fn event_types(&self) -> &'static [&'static str];

    /// Whether the store has a listen stream that delivers at once.
    fn has_fast_listen(&self) -> bool;

    /// Whether GET shows all that HEAD shows; if not, a version is read by a HEAD and, for its bytes, a GET, unless it
    /// is known to be plain.
    fn get_shows_all(&self) -> bool;

    /// Whether an answer without body names its error code; if not, a missing version and a missing bucket look alike.
    fn head_tells_code(&self) -> bool;

    /// Whether a multipart upload takes the modification time when it is created (and not only when completed).
    fn upload_takes_mtime_on_create(&self) -> bool;

    /// Whether a delete marker can be the null version of a key whose bucket is versioned.
    fn holds_null_markers(&self) -> bool;

    /// Whether a replica's multipart upload can become the null version of a key whose bucket is versioned.
    fn holds_null_uploads(&self) -> bool;

    /// Whether DeleteObject removes a null version that is a marker; if not, DeleteObjects does.
    fn removes_null_markers(&self) -> bool;

    /// Whether the website redirect is stored at all.
    fn keeps_website_redirect(&self) -> bool;

    /// How many bytes of headers a request may have before the tags are better sent after it.
    fn header_budget(&self) -> Option<usize>;

    /// Why the store cannot hold this key, where it is known that it cannot. Consulted when a request was refused with
    /// an answer that does not say so; a store may be less strict than this says.
    fn cannot_hold(&self, key: &str) -> Option<&'static str>;

    /// Error codes that only this store has.
    fn error_kind(&self, code: &str, message: &str) -> Option<SiteErrorKind>;
}

/// The stores that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DialectName {
    /// RustFS.
    RustFs,
    /// MinIO.
    MinIo,
}

impl DialectName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::RustFs, Self::MinIo];

    /// The dialect of this name.
    #[must_use]
    pub fn dialect(self) -> &'static dyn Dialect {
        match self {
            Self::RustFs => &rustfs::RustFs,
            Self::MinIo => &minio::MinIo,
        }
    }

    /// As the configuration spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RustFs => "rustfs",
            Self::MinIo => "minio",
        }
    }
}

impl fmt::Display for DialectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No store of that name is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("dialect {0:?} is not known: use rustfs or minio")]
pub struct UnknownDialect(String);

impl FromStr for DialectName {
    type Err = UnknownDialect;
    fn from_str(name: &str) -> Result<Self, UnknownDialect> {
        Self::ALL.into_iter().find(|known| known.as_str() == name).ok_or_else(|| UnknownDialect(name.to_owned()))
    }
}

/// Why a store that keeps keys as paths of a file system cannot hold this key.
fn no_path(key: &str) -> Option<&'static str> {
    /// The longest name that common file systems allow.
    const LONGEST_SEGMENT: usize = 255;
    // One leading slash is stripped and one trailing slash makes a folder; any other empty segment is refused.
    let inner = key.strip_prefix('/').unwrap_or(key);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    for segment in inner.split('/') {
        match segment {
            "" => return Some("an empty path segment"),
            "." | ".." => return Some("a path segment of dots"),
            long if long.len() > LONGEST_SEGMENT => return Some("a path segment over 255 bytes"),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in DialectName::ALL {
            assert_eq!(name.as_str().parse(), Ok(name));
            assert_eq!(name.dialect().name(), name);
        }
        assert!("s3".parse::<DialectName>().is_err());
    }

    #[test]
    fn keys_that_are_no_path() {
        for good in ["a", "a/b", "d/", "/lead", "a..b", "...", "a b+%"] {
            assert_eq!(no_path(good), None, "{good}");
        }
        let long = "x".repeat(256);
        for bad in ["a//b", "..", "a/../b", "./k", "a/./b", "/", "//", long.as_str()] {
            assert!(no_path(bad).is_some(), "{bad}");
        }
    }
}
