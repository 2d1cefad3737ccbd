//! Whether a bucket is set up at both ends of a link so that it can be replicated. Pure.

use twinlog_site::{BucketState, DefaultRetention, Versioning};

use crate::config::LinkConfig;
use crate::finding::Finding;

/// A bucket at both ends of a link; `None` where it does not exist.
pub struct Ends<'a> {
    /// The link.
    pub link: &'a LinkConfig,
    /// The bucket's name, for messages.
    pub bucket: &'a str,
    /// At the source.
    pub source: Option<&'a BucketState>,
    /// At the target.
    pub target: Option<&'a BucketState>,
}

impl Ends<'_> {
    /// One finding for each thing that is wrong, or one that says that all is well.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (site, state) in [(&self.link.source, self.source), (&self.link.target, self.target)] {
            match state {
                None => findings.push(self.fail(
                    format!("it does not exist at {site}"),
                    format!("create it at {site}, with versioning{}", self.lock_elsewhere()),
                )),
                Some(state) => findings.extend(self.one_end(site.as_str(), state)),
            }
        }
        if let (Some(source), Some(target)) = (self.source, self.target) {
            findings.extend(self.between(source, target));
        }
        if findings.is_empty() {
            let locked = self.source.is_some_and(|state| state.object_lock);
            let lock = if locked { "object lock on both" } else { "no object lock" };
            findings.push(Finding::ok(self.subject(), format!("versioning on both, {lock}, no other replication")));
        }
        findings
    }

    fn one_end(&self, site: &str, state: &BucketState) -> Vec<Finding> {
        let mut findings = Vec::new();
        let versioning = match state.versioning {
            Versioning::Enabled => None,
            Versioning::Suspended => Some("versioning is suspended"),
            Versioning::Never => Some("it has no versioning"),
        };
        if let Some(what) = versioning {
            let advice = format!(
                "enable versioning of {} at {site}: without it a replica cannot be the same version",
                self.bucket
            );
            findings.push(self.fail(format!("{what} at {site}"), advice));
        }
        if state.own_replication {
            let advice = format!(
                "remove the store's own replication of {} at {site}: both together write everything twice",
                self.bucket
            );
            findings.push(self.fail(format!("the store's own replication is on at {site}"), advice));
        }
        findings
    }

    fn between(&self, source: &BucketState, target: &BucketState) -> Option<Finding> {
        if source.object_lock != target.object_lock {
            let (on, off) = if source.object_lock {
                (&self.link.source, &self.link.target)
            } else {
                (&self.link.target, &self.link.source)
            };
            let what = format!("object lock is on at {on} and off at {off}");
            let advice =
                format!("locked versions cannot be kept at {off}: make the bucket anew there with object lock");
            return Some(self.fail(what, advice));
        }
        if source.default_retention != target.default_retention {
            let (at_source, at_target) = (show(source.default_retention), show(target.default_retention));
            let what = format!(
                "default retention is {at_source} at {} and {at_target} at {}",
                self.link.source, self.link.target
            );
            return Some(self.fail(what, "set the same default retention at both".to_owned()));
        }
        None
    }

    fn lock_elsewhere(&self) -> &'static str {
        let locked = |state: Option<&BucketState>| state.is_some_and(|state| state.object_lock);
        if locked(self.source) || locked(self.target) { " and object lock" } else { "" }
    }

    fn subject(&self) -> String {
        format!("bucket {} {}", self.bucket, self.link.name())
    }

    fn fail(&self, what: String, advice: String) -> Finding {
        Finding::fail(self.subject(), what, advice)
    }
}

fn show(retention: Option<DefaultRetention>) -> String {
    let shown = |retention: DefaultRetention| {
        let mode = format!("{:?}", retention.mode).to_uppercase();
        format!("{mode} {} days", retention.days)
    };
    retention.map_or_else(|| "none".to_owned(), shown)
}
