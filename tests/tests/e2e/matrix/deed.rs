//! What a client does to a version that is there.

use aws_sdk_s3::{
    primitives::DateTime,
    types::{
        Delete, MetadataDirective, ObjectIdentifier, ObjectLockLegalHold, ObjectLockLegalHoldStatus,
        ObjectLockRetention, ObjectLockRetentionMode, Tag, Tagging, TaggingDirective,
    },
};
use twinlog_tests::{compare::Bucket, refused::Refused};

use super::tags::Tags;

/// One request.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Replace the tags.
    Tag(Tags),
    /// Remove all tags.
    Untag,
    /// Set the retention, with bypass of GOVERNANCE.
    Retain(ObjectLockRetentionMode, DateTime),
    /// Lift the retention, with bypass of GOVERNANCE.
    Lift,
    /// Set the legal hold.
    Hold(bool),
    /// Remove the version by its id, with bypass of GOVERNANCE.
    Remove,
    /// The same in a multi-delete.
    RemoveByList,
    /// Delete the key: a marker is made.
    Mark,
    /// The same in a multi-delete.
    MarkByList,
    /// Remove the key's latest marker by its id.
    Unmark,
    /// Copy the version to this key's sibling as it is.
    Copy(&'static str),
    /// Copy the version to this key's sibling with other metadata and tags.
    CopyAnew(&'static str),
    /// Copy the version over itself with other metadata.
    CopyOntoItself,
    /// One of these, which the store must refuse.
    Refused(Box<Deed>),
}

/// The version that it is done to.
#[derive(Debug, Clone)]
pub struct Subject {
    pub key: String,
    pub id: String,
}

impl Deed {
    /// Does it.
    pub async fn perform(&self, at: &Bucket, subject: &Subject) -> Result<(), Refused> {
        let doing = format!("{self:?} of {}", subject.key);
        let (client, name, Subject { key, id }) = (&at.client, &at.name, subject);
        match self {
            Self::Tag(tags) => {
                let tag = |(key, value): &(String, String)| Tag::builder().key(key).value(value).build().unwrap();
                let tagging = Tagging::builder().set_tag_set(Some(tags.iter().map(tag).collect())).build().unwrap();
                let put = client.put_object_tagging().bucket(name).key(key).version_id(id).tagging(tagging);
                put.send().await.map(drop).map_err(Refused::doing(doing))
            }
            Self::Untag => {
                let delete = client.delete_object_tagging().bucket(name).key(key).version_id(id);
                delete.send().await.map(drop).map_err(Refused::doing(doing))
            }
            Self::Retain(mode, until) => {
                let retention = ObjectLockRetention::builder().mode(mode.clone()).retain_until_date(*until).build();
                retain(at, subject, retention).await
            }
            Self::Lift => retain(at, subject, ObjectLockRetention::builder().build()).await,
            Self::Hold(on) => {
                let status = if *on { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
                let hold = ObjectLockLegalHold::builder().status(status).build();
                let put = client.put_object_legal_hold().bucket(name).key(key).version_id(id).legal_hold(hold);
                put.send().await.map(drop).map_err(Refused::doing(doing))
            }
            Self::Remove => {
                let delete = client.delete_object().bucket(name).key(key).version_id(id);
                delete.bypass_governance_retention(true).send().await.map(drop).map_err(Refused::doing(doing))
            }
            Self::RemoveByList => by_list(at, key, Some(id)).await,
            Self::Mark => {
                client.delete_object().bucket(name).key(key).send().await.map(drop).map_err(Refused::doing(doing))
            }
            Self::MarkByList => by_list(at, key, None).await,
            Self::Unmark => unmark(at, key).await,
            Self::Copy(to) => copy(at, subject, &format!("{key}{to}"), Anew::Nothing).await,
            Self::CopyAnew(to) => copy(at, subject, &format!("{key}{to}"), Anew::Everything).await,
            Self::CopyOntoItself => copy(at, subject, key, Anew::Metadata).await,
            Self::Refused(deed) => match Box::pin(deed.perform(at, subject)).await {
                Err(refused) if refused.status.is_some_and(|status| (400..500).contains(&status)) => Ok(()),
                Err(other) => Err(other),
                Ok(()) => Err(Refused {
                    doing: format!("{deed:?} of {key}"),
                    code: None,
                    status: None,
                    answer: "the store did not refuse".to_owned(),
                }),
            },
        }
    }
}

async fn retain(at: &Bucket, Subject { key, id }: &Subject, retention: ObjectLockRetention) -> Result<(), Refused> {
    let put = at.client.put_object_retention().bucket(&at.name).key(key).version_id(id).retention(retention);
    let sent = put.bypass_governance_retention(true).send().await;
    sent.map(drop).map_err(Refused::doing(format!("retaining {key}")))
}

async fn by_list(at: &Bucket, key: &str, id: Option<&String>) -> Result<(), Refused> {
    let object = ObjectIdentifier::builder().key(key).set_version_id(id.cloned()).build().unwrap();
    remove_list(at, vec![object]).await
}

/// DeleteObjects; a refusal of one of them is one of all.
pub async fn remove_list(at: &Bucket, objects: Vec<ObjectIdentifier>) -> Result<(), Refused> {
    let delete = Delete::builder().set_objects(Some(objects)).build().unwrap();
    let sent =
        at.client.delete_objects().bucket(&at.name).delete(delete).bypass_governance_retention(true).send().await;
    let answer = sent.map_err(Refused::doing("a multi-delete"))?;
    match answer.errors().first() {
        None => Ok(()),
        Some(error) => Err(Refused {
            doing: "a multi-delete".to_owned(),
            code: error.code().map(str::to_owned),
            status: None,
            answer: format!("{error:?}"),
        }),
    }
}

async fn unmark(at: &Bucket, key: &str) -> Result<(), Refused> {
    let listed = at.client.list_object_versions().bucket(&at.name).prefix(key).send().await;
    let listed = listed.map_err(Refused::doing(format!("listing {key}")))?;
    let marker = listed.delete_markers().iter().find(|marker| marker.key() == Some(key));
    let id = marker.and_then(|marker| marker.version_id()).unwrap_or("no marker is listed");
    let delete = at.client.delete_object().bucket(&at.name).key(key).version_id(id);
    delete.send().await.map(drop).map_err(Refused::doing(format!("removing the marker {id} of {key}")))
}

#[derive(PartialEq)]
enum Anew {
    Nothing,
    Metadata,
    Everything,
}

async fn copy(at: &Bucket, Subject { key, id }: &Subject, to: &str, anew: Anew) -> Result<(), Refused> {
    let from = format!("{}/{}?versionId={id}", at.name, key.replace(' ', "%20"));
    let mut request = at.client.copy_object().bucket(&at.name).key(to).copy_source(from);
    if anew != Anew::Nothing {
        request = request.metadata_directive(MetadataDirective::Replace).metadata("copied", "yes").content_type("x/y");
    }
    if anew == Anew::Everything {
        request = request.tagging_directive(TaggingDirective::Replace).tagging("copied=yes");
    }
    request.send().await.map(drop).map_err(Refused::doing(format!("copying {key} to {to}")))
}
