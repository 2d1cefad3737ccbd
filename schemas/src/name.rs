//! Validated names: sites, buckets and object keys.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a name was refused; the message says what was given and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `[a-z0-9-]+`, or longer than 32 characters.
    #[error("site name {0:?} is not allowed: use 1 to 32 characters of a-z, 0-9 and '-'")]
    Site(String),
    /// Against S3's bucket naming rules.
    #[error("bucket name {0:?} is not allowed: {1} (S3 bucket naming rules)")]
    Bucket(String, &'static str),
    /// Empty, or longer than S3's 1,024 bytes.
    #[error("object key of {0} bytes is not allowed: S3 keys have 1 to 1,024 bytes")]
    Key(usize),
    /// Empty, or longer than 1,024 bytes.
    #[error("version id {0:?} is not allowed: it must have 1 to 1,024 visible ASCII characters")]
    Version(String),
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps a name.
            pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
                let name = name.into();
                $check(&name)?;
                Ok(Self(name))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use name;

name!(
    /// A site's name, `[a-z0-9-]+`: part of topic names, and the last tie-break of the merge rules.
    SiteName,
    check_site
);
name!(
    /// A bucket's name by S3's rules: 3 to 63 characters, lower case, digits, `.` and `-`.
    BucketName,
    check_bucket
);
name!(
    /// An object key: 1 to 1,024 bytes of UTF-8, decoded (never percent- or form-encoded).
    ObjectKey,
    check_key
);

fn check_site(name: &str) -> Result<(), NameError> {
    let fits = !name.is_empty() && name.len() <= 32;
    let allowed = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits && allowed { Ok(()) } else { Err(NameError::Site(name.to_owned())) }
}

fn check_bucket(name: &str) -> Result<(), NameError> {
    let refuse = |why| Err(NameError::Bucket(name.to_owned(), why));
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !(3..=63).contains(&name.len()) {
        return refuse("it must have 3 to 63 characters");
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.') {
        return refuse("only a-z, 0-9, '.' and '-' are allowed");
    }
    if !edge(name.bytes().next()) || !edge(name.bytes().last()) {
        return refuse("it must begin and end with a letter or digit");
    }
    if name.contains("..") {
        return refuse("two dots in a row are not allowed");
    }
    if name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok()) {
        return refuse("it must not look like an IPv4 address");
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), NameError> {
    if (1..=1024).contains(&key.len()) { Ok(()) } else { Err(NameError::Key(key.len())) }
}
