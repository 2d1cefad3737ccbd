//! How each operation is asked of the store.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::{ByteStream, DateTime},
    types::{
        CompletedMultipartUpload, CompletedPart, Delete, MetadataDirective, ObjectIdentifier, ObjectLockLegalHold,
        ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode, Tag, Tagging,
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use md5::{Digest, Md5};
use rand::Rng;

use super::{Known, Operation, Writer, body};
use crate::refused::Refused;

const MIB: usize = 1024 * 1024;
const DAY: Duration = Duration::from_secs(86_400);

impl Writer {
    /// Performs one operation; returns how many versions it made, changed or removed.
    pub(super) async fn perform(&mut self, operation: Operation) -> Result<u64, Refused> {
        match operation {
            Operation::PutSmall => self.put(1..=16 * 1024, operation).await,
            Operation::PutEmpty => self.put(0..=0, operation).await,
            Operation::PutLarge => self.put(64 * 1024..=2 * MIB, operation).await,
            Operation::PutTagged | Operation::PutRetained | Operation::PutHeld => self.put(1..=2048, operation).await,
            Operation::Multipart => self.multipart().await,
            Operation::Copy => self.copy().await,
            Operation::Delete => self.delete().await,
            Operation::Remove => self.remove().await,
            Operation::MultiDelete => self.multi_delete().await,
            Operation::Tag => self.tag(true).await,
            Operation::Untag => self.tag(false).await,
            Operation::Retain => self.retain().await,
            Operation::Hold => self.hold().await,
        }
    }

    async fn put(&mut self, sizes: std::ops::RangeInclusive<usize>, operation: Operation) -> Result<u64, Refused> {
        let key = self.a_key();
        let size = self.rng.random_range(sizes);
        let bytes = body(&mut self.rng, size);
        let request = self.client.put_object().bucket(&self.bucket).key(&key).content_md5(digest(&bytes));
        let mut request = self.described(request).body(ByteStream::from(bytes));
        match operation {
            Operation::PutTagged => {
                let many = self.rng.random_range(1..=10);
                let tags: Vec<String> =
                    (0..many).map(|tag| format!("tag{tag}=value+{}", self.rng.random::<u16>())).collect();
                request = request.tagging(tags.join("&"));
            }
            Operation::PutRetained => {
                request =
                    request.object_lock_mode(ObjectLockMode::Governance).object_lock_retain_until_date(after(DAY));
            }
            Operation::PutHeld => request = request.object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On),
            _ => {}
        }
        let answer = request.send().await.map_err(Refused::doing(format!("PUT {key}")))?;
        self.learn(&key, answer.version_id(), true, operation == Operation::PutHeld);
        Ok(1)
    }

    /// Some content headers and user metadata, drawn anew for each object.
    fn described(&mut self, mut request: PutObjectFluentBuilder) -> PutObjectFluentBuilder {
        let headers: u8 = self.rng.random();
        if headers & 1 != 0 {
            request = request.content_type("text/plain; charset=utf-8");
        }
        if headers & 2 != 0 {
            request = request.cache_control("max-age=60, private");
        }
        if headers & 4 != 0 {
            request = request.content_disposition("attachment; filename=\"a b.txt\"").content_language("de, en");
        }
        if headers & 8 != 0 {
            request = request.metadata("colour", format!("blue {}", self.rng.random::<u32>())).metadata("x-y-z", "1");
        }
        request
    }

    async fn multipart(&mut self) -> Result<u64, Refused> {
        let key = self.a_key();
        let numbers: [i32; 3] = if self.rng.random() { [1, 2, 3] } else { [2, 7, 9] };
        let sizes = [5 * MIB, 5 * MIB + self.rng.random_range(1..MIB), self.rng.random_range(1..MIB)];
        let create = self.client.create_multipart_upload().bucket(&self.bucket).key(&key);
        let create = create.content_type("application/x-parts").metadata("parts", "odd");
        let upload = create.send().await.map_err(Refused::doing(format!("creating an upload of {key}")))?;
        let id = upload.upload_id().unwrap_or_default().to_owned();
        let mut completed = CompletedMultipartUpload::builder();
        for (number, size) in numbers.into_iter().zip(sizes) {
            let part = self.client.upload_part().bucket(&self.bucket).key(&key).upload_id(&id).part_number(number);
            let part = part.body(ByteStream::from(body(&mut self.rng, size)));
            let part = part.send().await.map_err(Refused::doing(format!("part {number} of {key}")))?;
            completed = completed.parts(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
        }
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(&key).upload_id(&id);
        let complete = complete.multipart_upload(completed.build());
        let answer = complete.send().await.map_err(Refused::doing(format!("completing the upload of {key}")))?;
        self.learn(&key, answer.version_id(), true, false);
        Ok(1)
    }

    async fn copy(&mut self) -> Result<u64, Refused> {
        let key = self.a_key();
        let Some(source) = self.a_version(false, |known| known.object) else { return Ok(0) };
        let from = format!("{}/{}?versionId={}", self.bucket, source.key, source.id);
        let mut request = self.client.copy_object().bucket(&self.bucket).key(&key).copy_source(from);
        if self.rng.random() {
            request = request.metadata_directive(MetadataDirective::Replace).metadata("copied", "yes");
        }
        match request.send().await.map_err(Refused::doing(format!("copying {} to {key}", source.key))) {
            Ok(answer) => {
                self.learn(&key, answer.version_id(), true, false);
                Ok(1)
            }
            Err(refused) => gone_meanwhile(refused),
        }
    }

    async fn delete(&mut self) -> Result<u64, Refused> {
        let key = self.a_key();
        let request = self.client.delete_object().bucket(&self.bucket).key(&key);
        let answer = request.send().await.map_err(Refused::doing(format!("DELETE {key}")))?;
        self.learn(&key, answer.version_id(), false, false);
        Ok(u64::from(answer.delete_marker().unwrap_or(false)))
    }

    async fn remove(&mut self) -> Result<u64, Refused> {
        let Some(Known { key, id, .. }) = self.a_version(true, |known| !known.held) else { return Ok(0) };
        let request = self.client.delete_object().bucket(&self.bucket).key(&key).version_id(&id);
        let request = request.bypass_governance_retention(true);
        request.send().await.map_err(Refused::doing(format!("removing a version of {key}")))?;
        self.ledger.removed(&key, &id);
        Ok(1)
    }

    async fn multi_delete(&mut self) -> Result<u64, Refused> {
        let Some(Known { key, id, .. }) = self.a_version(true, |known| !known.held) else { return Ok(0) };
        let named = |key: &str, id: Option<&str>| {
            ObjectIdentifier::builder().key(key).set_version_id(id.map(str::to_owned)).build()
        };
        let (first, second) = (self.a_key(), self.a_key());
        let mut objects = vec![named(&key, Some(&id))];
        // No key twice in one request: which of the two comes first would be the store's choice.
        objects.extend([&first, &second].into_iter().enumerate().filter_map(|(at, other)| {
            (*other != key && (at == 0 || *other != first)).then(|| named(other, None).ok().map(Ok)).flatten()
        }));
        let objects = objects.into_iter().collect::<Result<Vec<_>, _>>();
        let delete = objects.and_then(|objects| Delete::builder().set_objects(Some(objects)).build());
        let delete = delete.map_err(|error| Refused {
            doing: "building a multi-delete".to_owned(),
            code: None,
            status: None,
            answer: error.to_string(),
        })?;
        let many = delete.objects().len() as u64;
        let request =
            self.client.delete_objects().bucket(&self.bucket).bypass_governance_retention(true).delete(delete);
        let answer = request.send().await.map_err(Refused::doing("a multi-delete"))?;
        if !answer.errors().iter().any(|error| error.key() == Some(&key)) {
            self.ledger.removed(&key, &id);
        }
        for made in answer.deleted().iter().filter(|deleted| deleted.version_id().is_none()) {
            let (key, id) = (made.key().unwrap_or_default(), made.delete_marker_version_id());
            // Of a key without versions MinIO names a marker that it did not make.
            if let Some(id) = id
                && self.is_marker(key, id).await?
            {
                self.learn(key, Some(id), false, false);
            }
        }
        Ok(many)
    }

    /// Whether a marker is there. No other writer knows it yet, and could remove it.
    async fn is_marker(&self, key: &str, id: &str) -> Result<bool, Refused> {
        let head = self.client.head_object().bucket(&self.bucket).key(key).version_id(id).send().await;
        match head.map_err(Refused::doing(format!("HEAD {key} version {id}"))) {
            Err(Refused { status: Some(405), .. }) => Ok(true),
            Ok(_) | Err(Refused { status: Some(404), .. }) => Ok(false),
            Err(refused) => Err(refused),
        }
    }

    async fn tag(&mut self, some: bool) -> Result<u64, Refused> {
        let Some(Known { key, id, .. }) = self.a_version(false, |known| known.object) else { return Ok(0) };
        let doing = Refused::doing(format!("tagging {key}"));
        let outcome = if some {
            let value = self.rng.random::<u32>().to_string();
            let tag = Tag::builder().key("changed").value(value).build();
            let tagging = tag.and_then(|tag| Tagging::builder().tag_set(tag).build());
            let Ok(tagging) = tagging else { return Ok(0) };
            let request =
                self.client.put_object_tagging().bucket(&self.bucket).key(&key).version_id(id).tagging(tagging);
            request.send().await.map(drop).map_err(doing)
        } else {
            let request = self.client.delete_object_tagging().bucket(&self.bucket).key(&key).version_id(id);
            request.send().await.map(drop).map_err(Refused::doing(format!("untagging {key}")))
        };
        outcome.map_or_else(gone_meanwhile, |()| Ok(1))
    }

    async fn retain(&mut self) -> Result<u64, Refused> {
        let Some(Known { key, id, .. }) = self.a_version(false, |known| known.object) else { return Ok(0) };
        let days = self.rng.random_range(2..30);
        let retention = ObjectLockRetention::builder()
            .mode(ObjectLockRetentionMode::Governance)
            .retain_until_date(after(DAY * days))
            .build();
        let request = self.client.put_object_retention().bucket(&self.bucket).key(&key).version_id(id);
        let request = request.retention(retention).bypass_governance_retention(true);
        let outcome = request.send().await.map_err(Refused::doing(format!("retaining {key}")));
        outcome.map_or_else(gone_meanwhile, |_| Ok(1))
    }

    async fn hold(&mut self) -> Result<u64, Refused> {
        let Some(Known { key, id, .. }) = self.a_version(false, |known| known.object && !known.held) else {
            return Ok(0);
        };
        for status in [ObjectLockLegalHoldStatus::On, ObjectLockLegalHoldStatus::Off] {
            let hold = ObjectLockLegalHold::builder().status(status).build();
            let request =
                self.client.put_object_legal_hold().bucket(&self.bucket).key(&key).version_id(&id).legal_hold(hold);
            let outcome = request.send().await.map_err(Refused::doing(format!("holding {key}")));
            if let Err(refused) = outcome {
                return gone_meanwhile(refused);
            }
        }
        Ok(2)
    }
}

/// The other site's writer may have removed the version, and the removal been replicated: not this writer's fault.
fn gone_meanwhile(refused: Refused) -> Result<u64, Refused> {
    if refused.status == Some(404) { Ok(0) } else { Err(refused) }
}

fn digest(bytes: &Bytes) -> String {
    BASE64_STANDARD.encode(Md5::digest(bytes))
}

/// A time from now, in whole seconds as S3 has it.
fn after(time: Duration) -> DateTime {
    DateTime::from_secs(DateTime::from(SystemTime::now() + time).secs())
}
