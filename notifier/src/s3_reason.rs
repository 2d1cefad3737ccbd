//! S3's own names of why a replication failed (`failureReason` of its replication events), for Twinlog's reasons: the
//! one table. Source: "Amazon S3 replication failure reasons" of its user guide. Where none says what is meant there is
//! none: a wrong one would send people to the wrong place.

use twinlog_schemas::SiteName;

/// For the reason of a hold.
#[must_use]
pub fn of_hold(reason: &str) -> Option<&'static str> {
    match reason {
        "target-versioning-off" => Some("DstBucketUnversioned"),
        "object-lock-missing" => Some("DstBucketObjectLockConfigMissing"),
        _ => None,
    }
}

/// For the reason of a dead letter beside `here`. `message` is the error's words: one of a store begins with the
/// operation and names the site.
#[must_use]
pub fn of_letter(reason: &str, message: &str, here: &SiteName) -> Option<&'static str> {
    match reason {
        "customer-key" => Some("SrcObjectNotEligible"),
        "access-denied" => refused(message.split(' ').next()?, message.contains(&format!(" at site {here}: "))),
        _ => None,
    }
}

/// For an operation that is refused at the target, or else at the source.
fn refused(operation: &str, at_target: bool) -> Option<&'static str> {
    if !at_target {
        return match operation {
            "GetObject" => Some("SrcGetObjectNotPermitted"),
            "HeadObject" => Some("SrcHeadObjectNotPermitted"),
            "GetObjectTagging" => Some("SrcGetTaggingNotPermitted"),
            "GetObjectRetention" => Some("SrcGetRetentionNotPermitted"),
            "GetObjectLegalHold" => Some("SrcGetLegalHoldNotPermitted"),
            _ => None,
        };
    }
    match operation {
        "PutObject" => Some("DstPutObjectNotPermitted"),
        "DeleteObject" => Some("DstDelObjNotPermitted"),
        "PutObjectTagging" | "DeleteObjectTagging" => Some("DstPutTaggingNotPermitted"),
        "PutObjectRetention" => Some("DstPutRetentionNotPermitted"),
        "PutObjectLegalHold" => Some("DstPutLegalHoldNotPermitted"),
        "CreateMultipartUpload" => Some("DstMultipartInitNotPermitted"),
        "UploadPart" => Some("DstMultipartUploadNotPermitted"),
        "CompleteMultipartUpload" => Some("DstMultipartCompleteNotPermitted"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_refusal_is_named_by_operation_and_end() {
        let here = SiteName::new("west").unwrap();
        let of = |message: &str| of_letter("access-denied", message, &here);
        assert_eq!(of("PutObject photos/k at site west: AccessDenied"), Some("DstPutObjectNotPermitted"));
        assert_eq!(of("GetObject photos/k at site east: AccessDenied"), Some("SrcGetObjectNotPermitted"));
        assert_eq!(of("PutObject photos/k at site east: AccessDenied"), None);
        assert_eq!(of(""), None);
        assert_eq!(of_letter("identity-differs", "PutObject k at site west: x", &here), None);
    }
}
