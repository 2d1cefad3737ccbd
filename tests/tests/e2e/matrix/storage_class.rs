//! Storage classes: two that both stores keep; any other is a tier's name to them.

use super::case::{Body, Case, case};

const NOUN: &str = "storage class";
const NAME: &str = "x-amz-storage-class";
const REDUCED: &str = "REDUCED_REDUNDANCY";

pub fn cases() -> Vec<Case> {
    let of = |name, class: &str| case(NOUN, name).sends(NAME, class);
    vec![
        of("standard", "STANDARD").lacks("storage class"),
        of("reduced redundancy", REDUCED).shows("storage class", REDUCED),
        of("reduced redundancy of a multipart upload", REDUCED)
            .shows("storage class", REDUCED)
            .body(Body::Parts(vec![(1, 7)])),
        of("infrequent access", "STANDARD_IA").refused_everywhere(400, "InvalidStorageClass"),
        of("archive", "GLACIER").refused_everywhere(400, "InvalidStorageClass"),
    ]
}
