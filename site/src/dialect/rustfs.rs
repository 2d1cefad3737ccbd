//! RustFS, as of 1.0.1.

use super::{Dialect, DialectName, NotifyTargets, no_path};
use crate::error::SiteErrorKind;

/// See the module.
#[derive(Debug)]
pub(super) struct RustFs;

impl Dialect for RustFs {
    fn name(&self) -> DialectName {
        DialectName::RustFs
    }

    fn target_arns(&self, targets: &NotifyTargets, region: &str) -> Vec<String> {
        // The fast door is the listen stream, so a fast target would only double the notices.
        vec![format!("arn:rustfs:sqs:{region}:{}:webhook", targets.sure.to_ascii_lowercase())]
    }

    fn event_types(&self) -> &'static [&'static str] {
        // Tagging and lifecycle are not contained in ObjectCreated and ObjectRemoved here.
        &["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:LifecycleExpiration:*"]
    }

    fn has_fast_listen(&self) -> bool {
        true
    }

    fn get_shows_all(&self) -> bool {
        // GET leaves out Expires, the website redirect, the lock, the replication status and the number of tags.
        false
    }

    fn head_tells_code(&self) -> bool {
        false
    }

    fn upload_takes_mtime_on_create(&self) -> bool {
        true
    }

    fn holds_null_markers(&self) -> bool {
        // It answers 500 "File is corrupted" and makes nothing.
        false
    }

    fn holds_null_uploads(&self) -> bool {
        // It completes the upload as another version, of an id of its own.
        false
    }

    fn removes_null_markers(&self) -> bool {
        // It answers 500 and leaves it.
        false
    }

    fn keeps_website_redirect(&self) -> bool {
        true
    }

    fn header_budget(&self) -> Option<usize> {
        None
    }

    fn cannot_hold(&self, key: &str) -> Option<&'static str> {
        no_path(key).or_else(|| key.contains(['\n', '\r', '\0']).then_some("a line break or NUL"))
    }

    fn error_kind(&self, code: &str, message: &str) -> Option<SiteErrorKind> {
        // Retention and legal hold of a version that is not there.
        let absent = ["Version not found:", "Object not found:"].iter().any(|words| message.starts_with(words));
        (code == "InternalError" && absent).then_some(SiteErrorKind::NoSuchVersion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_version_is_no_server_error() {
        let kind = |code, message| RustFs.error_kind(code, message);
        assert_eq!(kind("InternalError", "Version not found: b/k-"), Some(SiteErrorKind::NoSuchVersion));
        assert_eq!(kind("InternalError", "We encountered an internal error, please try again."), None);
    }

    #[test]
    fn arn_is_lower_case_and_has_the_region() {
        let arns = RustFs.target_arns(&NotifyTargets::default(), "eu-west-1");
        assert_eq!(arns, ["arn:rustfs:sqs:eu-west-1:twinlog:webhook"]);
    }
}
