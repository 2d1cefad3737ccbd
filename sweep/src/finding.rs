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
    /// It is at one site only, and a person says that it was removed at the other.
    GivenUp {
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
    /// What may come of it.
    pub leave: Leave,
}

/// What may come of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// What the site holds, or knows to be removed, is told anew.
    ToLook,
    /// Besides, a target that lacks the version gets it.
    ToCreate,
    /// Besides, the version's absence is told as its removal.
    ToRemove,
}

impl Finding {
    /// Who is asked to look again. Nobody, of what vanished: that is for a person to say.
    #[must_use]
    pub fn asks(&self) -> Vec<Ask> {
        let ask = |site: &SiteName, leave| Ask { site: site.clone(), version_id: self.version_id.clone(), leave };
        match &self.what {
            What::Differs { sites } => sites.iter().map(|site| ask(site, Leave::ToLook)).collect(),
            What::Missing { at } => vec![ask(at, Leave::ToCreate)],
            What::Left { gone_at } => vec![ask(gone_at, Leave::ToLook)],
            What::GivenUp { gone_at } => vec![ask(gone_at, Leave::ToRemove)],
            What::Vanished { .. } => Vec::new(),
        }
    }
}
