//! The signature of a delivery: `t=<seconds since the Unix epoch>,v1=<hex>`, where `v1` is HMAC-SHA256 under the shared
//! secret over the decimal seconds, a dot, and the body.
//!
//! Who receives it computes the same over the bytes as they came, compares in constant time, and refuses what is older
//! than a few minutes, so that a recorded delivery cannot be sent again later. In Python:
//!
//! ```python
//! import hashlib, hmac, time
//! def is_genuine(secret: bytes, header: str, body: bytes) -> bool:
//!     parts = dict(part.split("=", 1) for part in header.split(","))
//!     expected = hmac.new(secret, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
//!     return hmac.compare_digest(expected, parts["v1"]) and abs(time.time() - int(parts["t"])) < 300
//! ```

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header's name.
pub const HEADER: &str = "twinlog-signature";

/// The header's value.
#[must_use]
pub fn sign(secret: &[u8], seconds: i64, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    let mac = mac.chain_update(format!("{seconds}.")).chain_update(body);
    format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Guarantees: others compute the same. `printf '1700000000.{"id":"1"}' | openssl dgst -sha256 -hmac secret`.
    #[test]
    fn it_is_what_openssl_says() {
        let expected = "086f6aff7bd084c98679825129c5a64dbad88c760016d6d2c0fb123f27951d54";
        assert_eq!(sign(b"secret", 1_700_000_000, br#"{"id":"1"}"#), format!("t=1700000000,v1={expected}"));
    }

    proptest! {
        #[test]
        fn another_time_secret_or_body_has_another_signature(secret in proptest::collection::vec(any::<u8>(), 1..80), at in 0i64..4_000_000_000, body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let signed = sign(&secret, at, &body);
            let mut other = secret.clone();
            other[0] ^= 1;
            prop_assert_ne!(&signed, &sign(&other, at, &body));
            prop_assert_ne!(&signed, &sign(&secret, at + 1, &body));
            let longer = [body.as_slice(), b"x"].concat();
            prop_assert_ne!(&signed, &sign(&secret, at, &longer));
        }
    }
}
