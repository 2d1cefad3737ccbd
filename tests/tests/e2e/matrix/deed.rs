//! What a client does to a version that is there.

use aws_sdk_s3::{
    primitives::DateTime,
    types::{
        CompletedMultipartUpload, CompletedPart, Delete, MetadataDirective, ObjectIdentifier, ObjectLockLegalHold,
        ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode, Tag, Tagging, TaggingDirective,
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
    /// The same in a multi-delete.
    UnmarkByList,
    /// Copy the version to this key's sibling as it is.
    Copy(&'static str),
    /// Copy the version to this key's sibling with other metadata and tags.
    CopyAnew(&'static str),
    /// Copy the version over itself with other metadata.
    CopyOntoItself,
    /// Make a multipart upload to this key's sibling, each of its parts a copy of the version or of a range of it.
    CopyParts(&'static str, &'static [Cut]),
    /// One of the changes of tags and locks, with the key alone named: it is done to the key's latest version.
    Unnamed(Box<Deed>),
    /// One of these, which the store must refuse.
    Refused(Box<Deed>),
}

/// What of a version a part is a copy of: its first and last byte, or the whole.
pub type Cut = Option<(usize, usize)>;

/// The version that it is done to.
#[derive(Debug, Clone)]
pub struct Subject {
    pub key: String,
    pub id: String,
}

impl Deed {
    /// Does it.
    pub async fn perform(&self, at: &Bucket, subject: &Subject) -> Result<(), Refused> {
        self.act(at, subject, Some(&subject.id)).await
    }

    /// Does it; changes of tags and locks are done to the version that is named, else to the latest.
    async fn act(&self, at: &Bucket, subject: &Subject, named: Option<&String>) -> Result<(), Refused> {
        let doing = format!("{self:?} of {}", subject.key);
        let (client, name, Subject { key, id }) = (&at.client, &at.name, subject);
        match self {
            Self::Tag(tags) => {
                let tag = |(key, value): &(String, String)| Tag::builder().key(key).value(value).build().unwrap();
                let tagging = Tagging::builder().set_tag_set(Some(tags.iter().map(tag).collect())).build().unwrap();
                let put = client.put_object_tagging().bucket(name).key(key).set_version_id(named.cloned());
                put.tagging(tagging).send().await.map(drop).map_err(Refused::doing(doing))
            }
            Self::Untag => {
                let delete = client.delete_object_tagging().bucket(name).key(key).set_version_id(named.cloned());
                delete.send().await.map(drop).map_err(Refused::doing(doing))
            }
            Self::Retain(mode, until) => {
                let retention = ObjectLockRetention::builder().mode(mode.clone()).retain_until_date(*until).build();
                retain(at, key, named, retention).await
            }
            Self::Lift => retain(at, key, named, ObjectLockRetention::builder().build()).await,
            Self::Hold(on) => {
                let status = if *on { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
                let hold = ObjectLockLegalHold::builder().status(status).build();
                let put = client.put_object_legal_hold().bucket(name).key(key).set_version_id(named.cloned());
                put.legal_hold(hold).send().await.map(drop).map_err(Refused::doing(doing))
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
            Self::Unmark => {
                let marker = latest_marker(at, key).await?;
                let delete = client.delete_object().bucket(name).key(key).version_id(marker);
                delete.send().await.map(drop).map_err(Refused::doing(doing))
            }
            Self::UnmarkByList => by_list(at, key, Some(&latest_marker(at, key).await?)).await,
            Self::Copy(to) => copy(at, subject, &format!("{key}{to}"), Anew::Nothing).await,
            Self::CopyAnew(to) => copy(at, subject, &format!("{key}{to}"), Anew::Everything).await,
            Self::CopyOntoItself => copy(at, subject, key, Anew::Metadata).await,
            Self::CopyParts(to, cuts) => copy_parts(at, subject, &format!("{key}{to}"), cuts).await,
            Self::Unnamed(deed) => Box::pin(deed.act(at, subject, None)).await,
            Self::Refused(deed) => match Box::pin(deed.act(at, subject, named)).await {
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

async fn retain(at: &Bucket, key: &str, named: Option<&String>, retention: ObjectLockRetention) -> Result<(), Refused> {
    let put = at.client.put_object_retention().bucket(&at.name).key(key).set_version_id(named.cloned());
    let sent = put.retention(retention).bypass_governance_retention(true).send().await;
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

/// The id of the newest marker of a key.
async fn latest_marker(at: &Bucket, key: &str) -> Result<String, Refused> {
    let listed = at.client.list_object_versions().bucket(&at.name).prefix(key).send().await;
    let listed = listed.map_err(Refused::doing(format!("listing {key}")))?;
    let marker = listed.delete_markers().iter().find(|marker| marker.key() == Some(key));
    Ok(marker.and_then(|marker| marker.version_id()).unwrap_or("no marker is listed").to_owned())
}

#[derive(PartialEq)]
enum Anew {
    Nothing,
    Metadata,
    Everything,
}

/// A version as the source of a copy.
fn source(at: &Bucket, Subject { key, id }: &Subject) -> String {
    format!("{}/{}?versionId={id}", at.name, key.replace(' ', "%20"))
}

async fn copy(at: &Bucket, subject: &Subject, to: &str, anew: Anew) -> Result<(), Refused> {
    let mut request = at.client.copy_object().bucket(&at.name).key(to).copy_source(source(at, subject));
    if anew != Anew::Nothing {
        request = request.metadata_directive(MetadataDirective::Replace).metadata("copied", "yes").content_type("x/y");
    }
    if anew == Anew::Everything {
        request = request.tagging_directive(TaggingDirective::Replace).tagging("copied=yes");
    }
    request.send().await.map(drop).map_err(Refused::doing(format!("copying {} to {to}", subject.key)))
}

async fn copy_parts(at: &Bucket, subject: &Subject, to: &str, cuts: &[Cut]) -> Result<(), Refused> {
    let (client, name) = (&at.client, &at.name);
    let create = client.create_multipart_upload().bucket(name).key(to).content_type("x/y").tagging("copied=yes");
    let create = create.metadata("copied", "yes").send().await;
    let upload = create.map_err(Refused::doing(format!("beginning {to}")))?;
    let upload = upload.upload_id().unwrap_or_default();
    let mut completed = CompletedMultipartUpload::builder();
    for (number, cut) in (1..).zip(cuts) {
        let part = client.upload_part_copy().bucket(name).key(to).upload_id(upload).part_number(number);
        let part = part.copy_source(source(at, subject));
        let part = part.set_copy_source_range(cut.map(|(first, last)| format!("bytes={first}-{last}")));
        let part = part.send().await.map_err(Refused::doing(format!("copying part {number} of {to}")))?;
        let etag = part.copy_part_result().and_then(|part| part.e_tag()).map(str::to_owned);
        completed = completed.parts(CompletedPart::builder().part_number(number).set_e_tag(etag).build());
    }
    let complete = client.complete_multipart_upload().bucket(name).key(to).upload_id(upload);
    let complete = complete.multipart_upload(completed.build()).send().await;
    complete.map(drop).map_err(Refused::doing(format!("completing {to}")))
}
