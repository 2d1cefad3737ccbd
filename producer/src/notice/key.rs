//! Object keys as stores write them in notices: form-urlencoded, `+` for a space.

use percent_encoding::percent_decode;

/// Decodes a form-urlencoded key; `None` if the bytes are not UTF-8.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let spaced = encoded.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(key in "\\PC{1,40}") {
            let encoded = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(decode(&encoded), Some(key.clone()));
            prop_assert_eq!(decode(&encoded.replace("%20", "+")), Some(key));
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_told() {
        assert_eq!(decode("a%FFb"), None);
    }
}
