//! How a crowd's work ends: equal sites, and every dead letter named.
//!
//! One thing the sites cannot agree on while it lasts: a client at one site removes a version, or replaces a null
//! version, that a client at the other has locked. The lock is not broken, and the change becomes a dead letter; when
//! the lock ends, it is made.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_s3::types::{ObjectLockLegalHoldStatus, ObjectLockMode};
use twinlog_schemas::VersionId;
use twinlog_verify::{Depth, Difference, Report, Scope, VerifyError};

use super::Client;
use crate::{
    compare::{Bucket, Listed},
    deployment::{Deployment, Letter},
    lab_error::LabError,
    refused::Refused,
    site::Site,
    until::until,
};

/// For what reasons a crowd's changes may become dead letters: a lock kept a version from being removed, or a null
/// version from being replaced.
pub const LOCKED: [&str; 2] = ["lock-refuses-removal", "locked-at-target"];

/// More differences are not shown.
const SHOWN: usize = 20;

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Versions that both sites have in the end.
    pub versions: u64,
    /// Bytes of bodies that were compared, at one site.
    pub bytes: u64,
    /// Orders that only ties decide.
    pub ties: u64,
    /// Versions that a lock kept at a site as they were, until it was taken off.
    pub kept: usize,
    /// Dead letters by reason.
    pub letters: BTreeMap<String, usize>,
}

/// Waits until the sites are equal, but for versions that a lock keeps from being removed; takes those locks off, and
/// waits until the sites are equal, in their bodies too.
///
/// # Errors
/// [`LabError::NotInTime`] with what differs, or with a dead letter of another reason.
pub async fn settle(deployment: &Deployment, bucket: &str, within: Duration) -> Result<Settled, LabError> {
    let sides = Site::BOTH.map(|site| deployment.bucket(site, bucket));
    let what = format!("the buckets {bucket} differed for other reasons than locks");
    let kept = until(&what, within, async || {
        let report = match still(deployment, &sides, Depth::Attributes).await? {
            Ok(report) => report,
            Err(waiting) => return Ok(Err(waiting)),
        };
        let letters = [letters(deployment, bucket, Site::East).await?, letters(deployment, bucket, Site::West).await?];
        let mut kept = BTreeSet::new();
        let mut others = Vec::new();
        for difference in &report.differences {
            let sites = kept_by_locks(bucket, difference, &letters);
            if sites.is_empty() && others.len() < SHOWN {
                others.push(difference.told("east", "west").to_string());
            }
            let id = difference.version_id.clone().unwrap_or_else(VersionId::null);
            kept.extend(sites.into_iter().map(|site| (site, difference.key.clone(), id.clone())));
        }
        Ok(if others.is_empty() { Ok(kept) } else { Err(others.join("\n")) })
    })
    .await?;
    for (site, key, id) in &kept {
        free(&sides[site.index()], key.as_str(), id.as_str()).await?;
    }
    let what = format!("the buckets {bucket} differed though no lock was left");
    let report = until(&what, within, async || {
        let report = match still(deployment, &sides, Depth::Bodies { up_to: u64::MAX }).await? {
            Ok(report) => report,
            Err(waiting) => return Ok(Err(waiting)),
        };
        let told: Vec<_> =
            report.differences.iter().take(SHOWN).map(|of| of.told("east", "west").to_string()).collect();
        Ok(if told.is_empty() { Ok(report) } else { Err(told.join("\n")) })
    })
    .await?;
    let mut reasons = BTreeMap::new();
    for site in Site::BOTH {
        for letter in letters(deployment, bucket, site).await? {
            *reasons.entry(letter.reason).or_default() += 1;
        }
    }
    let Report { versions, bytes, ties, .. } = report;
    Ok(Settled { versions, bytes, ties, kept: kept.len(), letters: reasons })
}

/// Compares once nothing waits in the log.
async fn still(deployment: &Deployment, sides: &[Bucket; 2], depth: Depth) -> Result<Result<Report, String>, LabError> {
    let backlog = deployment.progress().backlog().await?;
    if backlog.total() > 0 {
        return Ok(Err(backlog.to_string()));
    }
    let scope = Scope { prefix: String::new(), depth };
    match twinlog_verify::compare([&sides[0], &sides[1]], &scope).await {
        Ok(report) => Ok(Ok(report)),
        Err(VerifyError::Side(refused)) => Err(refused.into()),
        Err(disorder @ VerifyError::Disorder { .. }) => Ok(Err(disorder.to_string())),
    }
}

/// The dead letters of a site that may be about the bucket.
async fn letters(deployment: &Deployment, bucket: &str, site: Site) -> Result<Vec<Letter>, LabError> {
    let mut letters = deployment.progress().letters(site).await?;
    letters.retain(|letter| letter.may_be_of(bucket));
    match letters.iter().find(|letter| !LOCKED.contains(&letter.reason.as_str())) {
        None => Ok(letters),
        Some(Letter { reason, record, message }) => {
            let (reason, record, message) = (reason.clone(), record.clone(), message.clone());
            Err(LabError::Letter { site, reason, record, message })
        }
    }
}

/// At which sites a dead letter says that a lock of this version is why it differs: it is at that site only, or it is
/// the null version.
fn kept_by_locks(bucket: &str, difference: &Difference, letters: &[Vec<Letter>; 2]) -> Vec<Site> {
    let Some(id) = &difference.version_id else { return Vec::new() };
    let told = |site: &Site| {
        let values = [&difference.left, &difference.right];
        let here_only = values[site.index()].is_some() && values[site.other().index()].is_none();
        let key = difference.key.as_str();
        (id.is_null() || difference.what == "the version" && here_only)
            && letters[site.index()].iter().any(|letter| letter.is_of(bucket, key, id.as_str()))
    };
    Site::BOTH.into_iter().filter(told).collect()
}

/// Takes the locks of a version off as a client does, or waits until COMPLIANCE has run out.
async fn free(at: &Bucket, key: &str, id: &str) -> Result<(), LabError> {
    let head = at.client.head_object().bucket(&at.name).key(key).version_id(id).send().await;
    let head = match head.map_err(Refused::doing(format!("HEAD {key:?} version {id}"))) {
        Ok(head) => head,
        // The lock has ended by itself, and the version is gone.
        Err(refused) if matches!(refused.status, Some(404 | 405)) => return Ok(()),
        Err(refused) => return Err(refused.into()),
    };
    let version = Listed {
        key: key.to_owned(),
        id: id.to_owned(),
        marker: false,
        modified_ms: 0,
        latest: false,
        etag: None,
        size: None,
    };
    if head.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On) {
        Client::put_hold(at, &version, false).await?;
    }
    if head.object_lock_mode() == Some(&ObjectLockMode::Governance) {
        Client::release(at, &version).await?;
    }
    Ok(())
}
