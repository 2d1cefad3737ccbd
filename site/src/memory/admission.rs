//! What the stores refuse of any writer: names and tags.

use twinlog_schemas::{ObjectKey, Tags};

use super::refusal::Refusal;

/// The longest name that common file systems allow.
const LONGEST_SEGMENT: usize = 255;

/// Both stores keep keys as paths: one leading and one trailing slash aside, no segment may be empty, dots or too long.
pub(super) fn key(key: &ObjectKey) -> Result<(), Refusal> {
    let inner = key.as_str().strip_prefix('/').unwrap_or(key.as_str());
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let refused = |segment: &str| matches!(segment, "" | "." | "..") || segment.len() > LONGEST_SEGMENT;
    if inner.split('/').any(refused) { Err(Refusal::NAME) } else { Ok(()) }
}

/// Letters, digits, blanks and `+ - = . _ : / @` are allowed in tags.
pub(super) fn tags(tags: &Tags, ascii_only: bool) -> Result<(), Refusal> {
    let punctuation = |letter: char| matches!(letter, ' ' | '+' | '-' | '=' | '.' | '_' | ':' | '/' | '@');
    let allowed = |letter: char| {
        if letter.is_ascii() || ascii_only {
            letter.is_ascii_alphanumeric() || punctuation(letter)
        } else {
            letter.is_alphanumeric()
        }
    };
    let valid = tags.iter().all(|(name, value)| name.chars().all(allowed) && value.chars().all(allowed));
    if valid { Ok(()) } else { Err(Refusal::TAG) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn keys_are_paths() {
        for good in ["a", "a/b", "d/", "/lead", "a..b", "...", "a b+%"] {
            assert_eq!(key(&ObjectKey::new(good).unwrap()), Ok(()), "{good}");
        }
        for bad in ["a//b", "..", "a/../b", "./k", "a/.", "//", &"x".repeat(256)] {
            assert_eq!(key(&ObjectKey::new(bad).unwrap()), Err(Refusal::NAME), "{bad}");
        }
    }
}
