//! Acts that change versions: tags, retention, legal hold.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    primitives::DateTime,
    types::{
        ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode, Tag, Tagging,
    },
};
use rand::{Rng, rngs::SmallRng};

use super::{
    Act,
    client::{Came, Client},
};
use crate::{
    compare::{Bucket, Listed},
    refused::Refused,
};

pub(super) const DAY: Duration = Duration::from_secs(86_400);

impl Client {
    pub(super) async fn tag(&self, act: Act, rng: &mut SmallRng) -> Result<Came, Refused> {
        let Some(Listed { key, id, .. }) = self.object(rng).await? else { return Ok(Came::Idle) };
        let doing = format!("{act:?} {key:?} version {id}");
        if act == Act::Untag {
            let untag = self.at.client.delete_object_tagging().bucket(&self.at.name).key(key).version_id(id);
            untag.send().await.map_err(Refused::doing(doing))?;
            return Ok(Came::Done);
        }
        let many = rng.random_range(1..=3);
        let tag =
            |number: i32, value: u16| Tag::builder().key(format!("changed{number}")).value(value.to_string()).build();
        let tags = (0..many).map(|number| tag(number, rng.random())).collect::<Result<Vec<_>, _>>();
        let tagging = tags.and_then(|tags| Tagging::builder().set_tag_set(Some(tags)).build());
        let tagging = tagging.map_err(|error| Refused::unbuilt("tags", &error))?;
        let tag = self.at.client.put_object_tagging().bucket(&self.at.name).key(key).version_id(id).tagging(tagging);
        tag.send().await.map_err(Refused::doing(doing))?;
        Ok(Came::Done)
    }

    pub(super) async fn retain(&self, act: Act, rng: &mut SmallRng) -> Result<Came, Refused> {
        let Some(version) = self.object(rng).await? else { return Ok(Came::Idle) };
        let seconds = Duration::from_secs(rng.random_range(2..6));
        let time = if act == Act::Govern && rng.random() { DAY * rng.random_range(1..30) } else { seconds };
        let mode = match act {
            Act::Govern => ObjectLockRetentionMode::Governance,
            Act::Comply => ObjectLockRetentionMode::Compliance,
            _ => return Self::release(&self.at, &version).await,
        };
        let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(until(time)).build();
        Self::put_retention(&self.at, &version, retention).await
    }

    /// Takes GOVERNANCE retention off.
    pub(super) async fn release(at: &Bucket, version: &Listed) -> Result<Came, Refused> {
        Self::put_retention(at, version, ObjectLockRetention::builder().build()).await
    }

    async fn put_retention(at: &Bucket, version: &Listed, retention: ObjectLockRetention) -> Result<Came, Refused> {
        let Listed { key, id, .. } = version;
        let retain = at.client.put_object_retention().bucket(&at.name).key(key).version_id(id);
        let retain = retain.retention(retention).bypass_governance_retention(true);
        retain.send().await.map_err(Refused::doing(format!("retaining {key:?} version {id}")))?;
        Ok(Came::Done)
    }

    pub(super) async fn hold(&self, act: Act, rng: &mut SmallRng) -> Result<Came, Refused> {
        let Some(version) = self.object(rng).await? else { return Ok(Came::Idle) };
        Self::put_hold(&self.at, &version, act == Act::Hold).await
    }

    /// Sets the legal hold or takes it off.
    pub(super) async fn put_hold(at: &Bucket, version: &Listed, on: bool) -> Result<Came, Refused> {
        let Listed { key, id, .. } = version;
        let status = if on { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
        let hold = ObjectLockLegalHold::builder().status(status).build();
        let hold = at.client.put_object_legal_hold().bucket(&at.name).key(key).version_id(id).legal_hold(hold);
        hold.send().await.map_err(Refused::doing(format!("legal hold of {key:?} version {id}")))?;
        Ok(Came::Done)
    }
}

/// A time from now, in whole seconds as S3 has it.
pub(super) fn until(time: Duration) -> DateTime {
    DateTime::from_secs(DateTime::from(SystemTime::now() + time).secs())
}
