//! MinIO, as of February 2026.

use super::{Dialect, DialectName, NotifyTargets, no_path};
use crate::error::SiteErrorKind;

/// See the module.
#[derive(Debug)]
pub(super) struct MinIo;

impl Dialect for MinIo {
    fn name(&self) -> DialectName {
        DialectName::MinIo
    }

    fn target_arns(&self, targets: &NotifyTargets, region: &str) -> Vec<String> {
        [Some(&targets.sure), targets.fast.as_ref()]
            .into_iter()
            .flatten()
            .map(|name| format!("arn:minio:sqs:{region}:{name}:webhook"))
            .collect()
    }

    fn event_types(&self) -> &'static [&'static str] {
        // ObjectCreated contains tagging, retention and legal hold here; `s3:ObjectTagging:*` is refused.
        &["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleDelMarkerExpiration:Delete"]
    }

    fn has_fast_listen(&self) -> bool {
        // Nothing is flushed before 4 KiB are together: the webhook without queue directory is the fast door.
        false
    }

    fn get_shows_all(&self) -> bool {
        true
    }

    fn head_tells_code(&self) -> bool {
        true
    }

    fn upload_takes_mtime_on_create(&self) -> bool {
        false
    }

    fn holds_null_markers(&self) -> bool {
        true
    }

    fn holds_null_uploads(&self) -> bool {
        true
    }

    fn removes_null_markers(&self) -> bool {
        // It writes the marker anew, with the present time.
        false
    }

    fn keeps_website_redirect(&self) -> bool {
        false
    }

    fn header_budget(&self) -> Option<usize> {
        // It refuses 8 KiB of headers; the rest is for what the client and the signature add.
        Some(6 * 1024)
    }

    fn cannot_hold(&self, key: &str) -> Option<&'static str> {
        no_path(key)
    }

    fn error_kind(&self, code: &str, message: &str) -> Option<SiteErrorKind> {
        Some(match code {
            "XMinioInvalidObjectName" | "XMinioInvalidResourceName" | "XMinioParentIsObject" => {
                SiteErrorKind::NameRefused
            }
            "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" => SiteErrorKind::StorageFull,
            "XMinioServerNotInitialized" | "XMinioServerBusy" => SiteErrorKind::Throttled,
            "InvalidArgument" if message.contains("versioning not enabled") => SiteErrorKind::BucketState,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_codes() {
        let kind = |code, message| MinIo.error_kind(code, message);
        assert_eq!(kind("XMinioInvalidObjectName", ""), Some(SiteErrorKind::NameRefused));
        assert_eq!(kind("XMinioStorageFull", ""), Some(SiteErrorKind::StorageFull));
        let unversioned =
            "Invalid arguments provided for b/k: (VersionID specified , but versioning not enabled on bucket=b)";
        assert_eq!(kind("InvalidArgument", unversioned), Some(SiteErrorKind::BucketState));
        assert_eq!(kind("InvalidArgument", "Invalid version id specified"), None);
    }

    #[test]
    fn each_target_has_an_arn() {
        let mut targets = NotifyTargets::default();
        assert_eq!(MinIo.target_arns(&targets, ""), ["arn:minio:sqs::TWINLOG:webhook"]);
        targets.fast = Some("FAST".to_owned());
        assert_eq!(MinIo.target_arns(&targets, ""), ["arn:minio:sqs::TWINLOG:webhook", "arn:minio:sqs::FAST:webhook"]);
    }
}
