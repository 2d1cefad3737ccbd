//! Which buckets a link carries: names, or patterns with `*` and `?`.

use std::fmt;
use std::str::FromStr;

use twinlog_schemas::BucketName;

/// A bucket's name, or a pattern: `*` stands for any characters, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPattern(String);

impl FromStr for BucketPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains(['*', '?']) {
            return BucketName::new(text).map(|name| Self(name.into())).map_err(|error| error.to_string());
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "*?.-".contains(c);
        if text.len() <= 63 && text.chars().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("bucket pattern {text:?} is not allowed: use at most 63 of a-z, 0-9, '.', '-', '*' and '?'"))
    }
}

impl fmt::Display for BucketPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BucketPattern {
    /// Whether the bucket is meant.
    #[must_use]
    pub fn matches(&self, bucket: &BucketName) -> bool {
        matches(self.0.as_bytes(), bucket.as_str().as_bytes())
    }

    /// The bucket, where this is a name and not a pattern.
    #[must_use]
    pub fn name(&self) -> Option<BucketName> {
        BucketName::new(self.0.as_str()).ok()
    }
}

/// Walks both texts once; on a mismatch the last star takes one character more.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while of < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(&c) if c == b'?' || c == name[of] => {
                at += 1;
                of += 1;
            }
            _ => match star {
                Some((star_at, star_of)) => {
                    star = Some((star_at, star_of + 1));
                    at = star_at + 1;
                    of = star_of + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn stars_and_question_marks() {
        let bucket = BucketName::new("photos-2026.raw").unwrap();
        let says = |pattern: &str| pattern.parse::<BucketPattern>().unwrap().matches(&bucket);
        assert!(["*", "photos-*", "*raw", "photos-20??.raw", "*-*.*", "photos-2026.raw", "**"].into_iter().all(says));
        assert!(!["photos", "photos-?", "*x", "hotos*", "photos-2026.raw?"].into_iter().any(says));
    }

    #[test]
    fn bad_names_and_patterns_are_refused_with_the_rule() {
        assert!("Photos".parse::<BucketPattern>().unwrap_err().contains("S3 bucket naming rules"));
        assert!("Photos*".parse::<BucketPattern>().unwrap_err().contains("bucket pattern"));
    }
}
