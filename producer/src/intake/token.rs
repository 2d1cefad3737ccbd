//! The token that a store sends with its notices.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A Bearer token. Kept as a digest, so that comparing takes the same time whatever is sent, and nothing can show it.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The token as configured.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether an `Authorization` header carries this token, in constant time.
    #[must_use]
    pub fn admits(&self, authorization: Option<&[u8]>) -> bool {
        let Some((scheme, sent)) = authorization.and_then(|value| value.split_at_checked(7)) else { return false };
        let sent: [u8; 32] = Sha256::digest(sent).into();
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(sent.ct_eq(&self.0))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_as_bearer_is_admitted() {
        let token = Token::new("s3cret");
        assert!(token.admits(Some(b"Bearer s3cret")));
        assert!(token.admits(Some(b"bearer s3cret")));
        for wrong in [&b"Bearer s3cre"[..], b"Bearer s3crets", b"Bearer ", b"s3cret", b"Basic s3cret", b""] {
            assert!(!token.admits(Some(wrong)), "{wrong:?}");
        }
        assert!(!token.admits(None));
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
