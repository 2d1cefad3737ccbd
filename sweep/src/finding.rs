//! What a sweep found of one version, and who is to look again.

use twinlog_schemas::{SiteName, VersionId};

/// One version in which two sites differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The version.
    pub version_id: VersionId,
    /// What is the matter.
    pub what: What,
}

/// How two sites differ in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Both have it, and not the same: in kind, time, ETag or attributes.
    Differs {
        /// Both sites.
        sites: [SiteName; 2],
    },
    /// It never came to the other site.
    Missing {
        /// Where it is.
        at: SiteName,
    },
    /// It was removed, and is there still.
    Left {
        /// Where it is gone.
        gone_at: SiteName,
    },
    /// It is at one site only, and nothing says whether it was removed at the other or never came there.
    Vanished {
        /// Where it is.
        at: SiteName,
    },
}

/// That a site's capture is to look at a version again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The site.
    pub site: SiteName,
    /// The version.
    pub version_id: VersionId,
    /// Leave to create it where a target lacks it.
    pub may_create: bool,
}

impl Finding {
    /// Who is asked to look again. Nobody, of what vanished: that is for a person to say.
    #[must_use]
    pub fn asks(&self) -> Vec<Ask> {
        let ask =
            |site: &SiteName, may_create| Ask { site: site.clone(), version_id: self.version_id.clone(), may_create };
        match &self.what {
            What::Differs { sites } => sites.iter().map(|site| ask(site, false)).collect(),
            What::Missing { at } => vec![ask(at, true)],
            What::Left { gone_at } => vec![ask(gone_at, false)],
            What::Vanished { .. } => Vec::new(),
        }
    }
}
