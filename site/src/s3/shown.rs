//! What the headers of GET and HEAD show of a version.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{ObjectLockLegalHoldStatus, ObjectLockMode, ServerSideEncryption};
use aws_smithy_types::DateTime;
use twinlog_schemas::{Checksum, ChecksumType, Encryption, Retention, RetentionMode};

/// The output of GET and that of HEAD have the same members under the same names, but no trait in common.
macro_rules! shown {
    ($output:expr) => {{
        let output = &$output;
        $crate::reading::ObjectReading {
            size: u64::try_from(output.content_length().unwrap_or_default()).unwrap_or_default(),
            etag: $crate::s3::unquoted(output.e_tag().unwrap_or_default()),
            modified_s_ms: output.last_modified().map_or(0, $crate::s3::shown::millis),
            headers: twinlog_schemas::ContentHeaders {
                content_type: output.content_type().map(str::to_owned),
                cache_control: output.cache_control().map(str::to_owned),
                content_disposition: output.content_disposition().map(str::to_owned),
                content_encoding: output.content_encoding().map(str::to_owned),
                content_language: output.content_language().map(str::to_owned),
                expires: output.expires_string().map(str::to_owned),
                website_redirect: output.website_redirect_location().map(str::to_owned),
            },
            user_metadata: $crate::s3::shown::user_metadata(output.metadata()),
            tags: twinlog_schemas::Tags::new(),
            retention: $crate::s3::shown::retention(output.object_lock_mode(), output.object_lock_retain_until_date()),
            legal_hold: $crate::s3::shown::held(output.object_lock_legal_hold_status()),
            storage_class: output.storage_class().map(|class| class.as_str().to_owned()),
            encryption: $crate::s3::shown::encryption(output.server_side_encryption(), output.sse_customer_algorithm()),
            checksums: $crate::s3::shown::checksums!(output, output.checksum_type()),
            parts: Vec::new(),
            replication_status: output.replication_status().map(|status| status.as_str().to_owned()),
            body: None,
        }
    }};
}
pub(super) use shown;

/// The checksums of anything that has the SDK's members for them.
macro_rules! checksums {
    ($output:expr, $kind:expr) => {{
        let output = &$output;
        $crate::s3::shown::named_checksums(
            &[
                ("CRC32", output.checksum_crc32()),
                ("CRC32C", output.checksum_crc32_c()),
                ("CRC64NVME", output.checksum_crc64_nvme()),
                ("SHA1", output.checksum_sha1()),
                ("SHA256", output.checksum_sha256()),
            ],
            $kind,
        )
    }};
}
pub(super) use checksums;

/// Milliseconds since the Unix epoch.
pub(super) fn millis(time: &DateTime) -> i64 {
    time.to_millis().unwrap_or(i64::MAX)
}

/// A time of milliseconds as the SDK has it.
pub(super) fn date_time(ms: i64) -> DateTime {
    DateTime::from_millis(ms)
}

/// User metadata in the order of its names, lower case.
pub(super) fn user_metadata(shown: Option<&std::collections::HashMap<String, String>>) -> BTreeMap<String, String> {
    shown.into_iter().flatten().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}

/// Retention, where both of its headers are there.
pub(super) fn retention(mode: Option<&ObjectLockMode>, until: Option<&DateTime>) -> Option<Retention> {
    let mode = match mode? {
        ObjectLockMode::Compliance => RetentionMode::Compliance,
        ObjectLockMode::Governance => RetentionMode::Governance,
        _ => return None,
    };
    Some(Retention { mode, until_ms: millis(until?) })
}

/// Whether the legal hold is on.
pub(super) fn held(status: Option<&ObjectLockLegalHoldStatus>) -> bool {
    status == Some(&ObjectLockLegalHoldStatus::On)
}

/// The encryption class.
pub(super) fn encryption(sse: Option<&ServerSideEncryption>, customer: Option<&str>) -> Encryption {
    match (customer, sse) {
        (Some(_), _) => Encryption::SseC,
        (None, None) => Encryption::None,
        (None, Some(ServerSideEncryption::Aes256)) => Encryption::SseS3,
        (None, Some(ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)) => Encryption::SseKms,
        (None, Some(_)) => Encryption::Unknown,
    }
}

/// Those of the checksums that are there. A store that does not say what a value is of writes `…-N` for composites.
pub(super) fn named_checksums(
    named: &[(&str, Option<&str>)],
    kind: Option<&aws_sdk_s3::types::ChecksumType>,
) -> Vec<Checksum> {
    let kind_of = |value: &str| match kind {
        Some(aws_sdk_s3::types::ChecksumType::Composite) => ChecksumType::Composite,
        Some(aws_sdk_s3::types::ChecksumType::FullObject) => ChecksumType::FullObject,
        _ if value.contains('-') => ChecksumType::Composite,
        _ => ChecksumType::FullObject,
    };
    let present = named.iter().filter_map(|(algorithm, value)| Some((*algorithm, (*value)?)));
    present
        .map(|(algorithm, value)| Checksum {
            algorithm: algorithm.to_owned(),
            value: value.to_owned(),
            kind: kind_of(value),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composites_are_known_by_their_dash() {
        let found = named_checksums(&[("CRC32", Some("AAAA-3")), ("SHA1", None), ("SHA256", Some("BBBB"))], None);
        let kinds: Vec<_> = found.iter().map(|checksum| (checksum.algorithm.as_str(), checksum.kind)).collect();
        assert_eq!(kinds, [("CRC32", ChecksumType::Composite), ("SHA256", ChecksumType::FullObject)]);
    }

    #[test]
    fn half_a_retention_is_none() {
        assert_eq!(retention(Some(&ObjectLockMode::Governance), None), None);
        let until = DateTime::from_millis(5_000);
        let whole = retention(Some(&ObjectLockMode::Compliance), Some(&until));
        assert_eq!(whole, Some(Retention { mode: RetentionMode::Compliance, until_ms: 5_000 }));
    }

    #[test]
    fn customer_keys_come_first() {
        assert_eq!(encryption(Some(&ServerSideEncryption::Aes256), Some("AES256")), Encryption::SseC);
        assert_eq!(encryption(Some(&ServerSideEncryption::AwsKms), None), Encryption::SseKms);
        assert_eq!(encryption(None, None), Encryption::None);
    }
}
