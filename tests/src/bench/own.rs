//! The store's own replication of a bucket into another one.

use aws_sdk_s3::types::{
    DeleteMarkerReplication, DeleteMarkerReplicationStatus, Destination, ReplicationConfiguration, ReplicationRule,
    ReplicationRuleFilter, ReplicationRuleStatus,
};

use crate::{
    lab_error::LabError,
    pair::client,
    refused::Refused,
    server::{Store, StoreKind, mc},
};

/// Switches it on, from a bucket of a store into that of another.
///
/// # Errors
/// What the store refused.
pub async fn replicate((east, bucket): (&Store, &str), (west, into): (&Store, &str)) -> Result<(), LabError> {
    match east.kind() {
        StoreKind::RustFs => rustfs((east, bucket), (west, into)).await,
        StoreKind::MinIo => {
            let client = client();
            let host = west.endpoint().trim_start_matches("http://").to_owned();
            let remote = format!("http://{}:{}@{host}/{into}", client.access_key, client.secret_key);
            let from = format!("{}/{bucket}", mc::ALIAS);
            let what = "delete,delete-marker,existing-objects,metadata-sync";
            mc::run(east, &["replicate", "add", &from, "--remote-bucket", &remote, "--replicate", what]).await?;
            Ok(())
        }
    }
}

async fn rustfs((east, bucket): (&Store, &str), (west, into): (&Store, &str)) -> Result<(), LabError> {
    let client = client();
    let target = serde_json::json!({
        "endpoint": west.endpoint().trim_start_matches("http://"),
        "credentials": { "accessKey": client.access_key, "secretKey": client.secret_key },
        "targetbucket": into,
        "secure": false,
        "type": "replication",
    });
    let query = format!("bucket={bucket}");
    east.rustfs_admin("set-remote-target", &query, &target.to_string()).await?;
    let arn = arn(east, &query).await?;
    let rule = ReplicationRule::builder()
        .id("own")
        .priority(1)
        .status(ReplicationRuleStatus::Enabled)
        .filter(ReplicationRuleFilter::builder().prefix("").build())
        .delete_marker_replication(
            DeleteMarkerReplication::builder().status(DeleteMarkerReplicationStatus::Enabled).build(),
        )
        .destination(Destination::builder().bucket(&arn).build().map_err(unfit)?)
        .build()
        .map_err(unfit)?;
    let configuration = ReplicationConfiguration::builder().role("").rules(rule).build().map_err(unfit)?;
    let put = east.root_client().put_bucket_replication().bucket(bucket).replication_configuration(configuration);
    put.send().await.map_err(Refused::doing("PutBucketReplication"))?;
    Ok(())
}

/// The name that the store gave to the target. The admin call is signed like an S3 request, and so sent as one.
async fn arn(east: &Store, query: &str) -> Result<String, LabError> {
    let uri = format!("{}/rustfs/admin/v3/list-remote-targets?{query}&type=replication", east.endpoint());
    let get = east.root_client().get_object().bucket("rustfs").key("admin").customize();
    let answer = get.map_request(move |mut request| request.set_uri(uri.clone()).map(|()| request)).send().await;
    let answer = answer.map_err(Refused::doing("list-remote-targets"))?;
    let page = |why: String| LabError::Page { url: "list-remote-targets".to_owned(), why };
    let text = answer.body.collect().await.map_err(|error| page(error.to_string()))?.into_bytes();
    let targets: serde_json::Value = serde_json::from_slice(&text).map_err(|error| page(error.to_string()))?;
    let arn = targets.get(0).and_then(|target| target.get("arn")).and_then(serde_json::Value::as_str);
    arn.map(str::to_owned).ok_or_else(|| page(format!("no target in {targets}")))
}

fn unfit(error: aws_sdk_s3::error::BuildError) -> LabError {
    LabError::Page { url: "the replication's configuration".to_owned(), why: error.to_string() }
}
