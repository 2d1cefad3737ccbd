//! Encryption: the class that a client asked for, or that the bucket gives, with the target's own keys.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{
        ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule,
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};
use twinlog_tests::{
    compare::{Bucket, describe, list},
    lab::Stage,
    refused::Refused,
    server::StoreKind,
    site::Site,
    until::until,
};

use super::{
    births::born,
    bodies::{INLINE, PART},
    case::{Body, Case, Shown, case, faults},
    upload::write,
};
use crate::scenario::{Outcome, scenarios};

scenarios!(running: encrypted_by_the_client, encrypted_by_default_at_one_end, encrypted_with_a_customers_key);

const NOUN: &str = "encryption";
const SSE: &str = "x-amz-server-side-encryption";
const CROSSED: Duration = Duration::from_secs(120);

/// Bodies of every way that a body goes.
pub fn bodies() -> [(&'static str, Body); 5] {
    [
        ("empty", Body::Whole(0)),
        ("small", Body::Whole(100)),
        ("streamed", Body::Whole(INLINE + 70_000)),
        ("multipart", Body::Parts(vec![(1, PART + 3), (2, PART), (4, 100_000)])),
        ("small multipart", Body::Parts(vec![(1, 1000)])),
    ]
}

/// Scenario: objects that clients encrypt with the store's keys, at each site. Guarantees: the replica is of the same
/// class, under the target's own key, and is read in clear.
async fn encrypted_by_the_client(stage: &mut Stage) -> Outcome {
    let classes = [("AES256", "SSE-S3"), ("aws:kms", "SSE-KMS")];
    let cases: Vec<Case> = classes
        .into_iter()
        .flat_map(|(class, name)| {
            bodies().into_iter().map(move |(size, body)| {
                case(NOUN, &format!("{name}, {size}")).body(body).sends(SSE, class).shows("encryption", class)
            })
        })
        .collect();
    born(stage, &cases).await
}

/// Scenario: the bucket encrypts by default at west only, and plain objects are born at both sites. Guarantees: what is
/// born at east is encrypted at west, what is born at west is so at both, and all else is the same.
async fn encrypted_by_default_at_one_end(stage: &mut Stage) -> Outcome {
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build()?;
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build()?;
    let put = west.client.put_bucket_encryption().bucket(&west.name);
    put.server_side_encryption_configuration(configuration).send().await?;
    let cases: Vec<Case> = bodies().into_iter().map(|(size, body)| case(NOUN, size).body(body)).collect();
    let mut wanted = Vec::new();
    for home in [&east, &west] {
        for case in &cases {
            let key = format!("{}/{}", home.label, case.key);
            let born = write(home, &key, case).await?;
            let listing = list(home).await?;
            let at_home = describe(home, &listing[&key][0], 0).await?.attributes;
            wanted.push((home.label.clone(), key, born, at_home));
        }
    }
    until("not all crossed", CROSSED, async || {
        let backlog = stage.deployment.progress().backlog().await?;
        let there = list(&east).await?.len().min(list(&west).await?.len());
        Ok(if backlog.total() == 0 && there == wanted.len() { Ok(()) } else { Err(format!("{there} keys; {backlog}")) })
    })
    .await?;
    let mut wrong = Vec::new();
    for reader in [&east, &west] {
        let listing = list(reader).await?;
        for (home, key, born, at_home) in &wanted {
            let listed = listing[key].iter().find(|listed| listed.id == born.id).ok_or("another version id")?;
            let mut shows: BTreeMap<String, Shown> =
                at_home.iter().map(|(name, value)| (name.clone(), Shown::Value(value.clone()))).collect();
            shows.insert("body".to_owned(), Shown::Value(born.body.clone()));
            if home == "east" && reader.label == "west" {
                shows.insert("encryption".to_owned(), Shown::Value("AES256".to_owned()));
                if stage.kind() == StoreKind::MinIo
                    && let Some(Shown::Value(parts)) = shows.get_mut("parts")
                {
                    *parts = on_disk(parts);
                }
            }
            let described = describe(reader, listed, u64::MAX).await?;
            wrong.extend(
                faults(&shows, &described.attributes).iter().map(|f| format!("{key} at {}: {f}", reader.label)),
            );
        }
    }
    assert!(wrong.is_empty(), "{} rows are not as they were written:\n  {}", wrong.len(), wrong.join("\n  "));
    Ok(())
}

/// MinIO shows the sizes that encrypted parts take on its disks: 32 bytes more for every 64 KiB begun.
fn on_disk(parts: &str) -> String {
    let stored = |part: &str| {
        let (number, size) = part.split_once(':').unwrap();
        let size: usize = size.parse().unwrap();
        format!("{number}:{}", size + size.div_ceil(64 * 1024) * 32)
    };
    parts.split(' ').map(stored).collect::<Vec<_>>().join(" ")
}

/// Scenario: as [`sealed_crosses_as_a_letter`]. MinIO refuses a customer's key over a connection in clear.
async fn encrypted_with_a_customers_key(stage: &mut Stage) -> Outcome {
    if stage.kind() == StoreKind::MinIo {
        let refused = seal(&stage.at(Site::East), "sealed").await.err();
        let refused = refused.ok_or("MinIO takes customers' keys in clear by now")?;
        assert_eq!((refused.status, refused.code.as_deref()), (Some(400), Some("InvalidRequest")), "{refused}");
        return Ok(());
    }
    sealed_crosses_as_a_letter(stage).await
}

/// Scenario: an object that only its client can read is written, and a plain version over it. Guarantees: it becomes a
/// dead letter that names the reason; the plain one crosses; and once the sealed one is removed, both ends are equal.
pub async fn sealed_crosses_as_a_letter(stage: &Stage) -> Outcome {
    const KEY: &str = "sealed";
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let sealed = seal(&east, KEY).await?;
    let plain = write(&east, KEY, &case(NOUN, "plain")).await?;
    let letters = [("bucket", stage.bucket.as_str()), ("reason", "customer-key")];
    until("no dead letter, or no plain version", CROSSED, async || {
        let letters = stage.deployment.metrics(Site::West).await?.sum("twinlog_dead_letters_total", &letters);
        let ids: Vec<String> =
            list(&west).await?.get(KEY).into_iter().flatten().map(|listed| listed.id.clone()).collect();
        let ended = letters > 0.0 && ids == [plain.id.clone()];
        Ok(if ended { Ok(()) } else { Err(format!("{letters} dead letters, {ids:?} at west")) })
    })
    .await?;
    east.client.delete_object().bucket(&east.name).key(KEY).version_id(sealed).send().await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    Ok(())
}

/// The id of a version that is encrypted with a key of the client's.
async fn seal(at: &Bucket, key: &str) -> Result<String, Refused> {
    let secret = [7_u8; 32];
    let put = at.client.put_object().bucket(&at.name).key(key).sse_customer_algorithm("AES256");
    let put = put.sse_customer_key(BASE64_STANDARD.encode(secret));
    let put = put.sse_customer_key_md5(BASE64_STANDARD.encode(Md5::digest(secret)));
    let sent = put.body(ByteStream::from_static(b"sealed")).send().await;
    let answer = sent.map_err(Refused::doing("PUT with a customer's key"))?;
    Ok(answer.version_id().unwrap_or("null").to_owned())
}
