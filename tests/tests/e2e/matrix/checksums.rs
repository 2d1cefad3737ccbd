//! Checksums of every algorithm: single, composite, of the full object, and none where the client sent none.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};

use super::{
    bodies::{INLINE, PART},
    case::{Body, Case, Shown, case},
};

const NOUN: &str = "checksums";

/// The text whose checksums every specification gives, and those, in base64.
const TEXT: &str = "123456789";
const OF_TEXT: [(ChecksumAlgorithm, &str, &str); 5] = [
    (ChecksumAlgorithm::Crc32, "CRC32", "y/Q5Jg=="),
    (ChecksumAlgorithm::Crc32C, "CRC32C", "4waSgw=="),
    (ChecksumAlgorithm::Crc64Nvme, "CRC64NVME", "rosUhgp5mIg="),
    (ChecksumAlgorithm::Sha1, "SHA1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
    (ChecksumAlgorithm::Sha256, "SHA256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
];

pub fn cases() -> Vec<Case> {
    let (composite, full) = (ChecksumType::Composite, ChecksumType::FullObject);
    let parts = || Body::Parts(vec![(1, PART), (2, 1000)]);
    let mut cases = vec![without("none", Body::Whole(10)), without("none of a multipart upload", parts())];
    for (algorithm, name, value) in OF_TEXT {
        let single = case(NOUN, &format!("{name}, single")).body(Body::Text(TEXT));
        cases.push(single.checksum(algorithm.clone(), full.clone()).shows(name, value));
        let streamed = case(NOUN, &format!("{name}, single, streamed")).body(Body::Whole(INLINE + 1));
        cases.push(streamed.checksum(algorithm.clone(), full.clone()).shown(name, Shown::Ending("=".to_owned())));
        if name != "CRC64NVME" {
            let of_parts = case(NOUN, &format!("{name}, composite")).body(parts());
            let of_parts = of_parts.checksum(algorithm.clone(), composite.clone());
            cases.push(of_parts.shown(name, Shown::Ending("-2".to_owned())));
        }
        if name.starts_with("CRC") {
            let whole = case(NOUN, &format!("{name}, full object, of parts")).body(parts());
            cases.push(whole.checksum(algorithm, full.clone()).shown(name, Shown::Ending("=".to_owned())));
        }
    }
    cases
}

/// A store's own replication adds one to its replicas. Ours must not.
fn without(name: &str, body: Body) -> Case {
    OF_TEXT.iter().fold(case(NOUN, name).body(body), |case, (_, name, _)| case.lacks(name))
}
