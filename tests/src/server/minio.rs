//! How MinIO is told what it is: environment and arguments.
//!
//! It needs no audit webhook: unlike RustFS it sends a notice for every change of retention and legal hold.

use std::process::Command;

use aws_sdk_s3::{Client, error::DisplayErrorContext};

use super::{
    Store,
    store::{Arns, kms_key},
};

/// The webhook with a queue on disk: the sure door.
const SURE: &str = "TWINLOG";
/// The webhook without: the fast door. MinIO's listen stream is none, it holds lines back until 4 KiB are together.
const FAST: &str = "TWINLOGFAST";

/// What it calls its certificate and the key of that.
pub(super) const CERTIFICATE: [&str; 2] = ["public.crt", "private.key"];

pub(super) fn arns() -> Arns {
    // No region is configured (it then is us-east-1), and so none is in the name.
    let arn = |name: &str| format!("arn:minio:sqs::{name}:webhook");
    Arns { sure: arn(SURE), fast: Some(arn(FAST)) }
}

/// Fills in `command` and returns the path that answers when the store is ready.
pub(super) fn configure(command: &mut Command, store: &Store) -> &'static str {
    let options = store.options();
    command
        .env("MINIO_ROOT_USER", &options.root.access_key)
        .env("MINIO_ROOT_PASSWORD", &options.root.secret_key)
        .env("MINIO_BROWSER", "off")
        .env("MINIO_UPDATE", "off")
        // For SSE-S3 and SSE-KMS.
        .env("MINIO_KMS_SECRET_KEY", kms_key(&options.site));
    if let Some(intake) = &options.intake {
        let sure = format!("{}/notices/{}", intake.origin, options.site);
        // The intake tells the doors apart by this.
        let fast = format!("{sure}?door=fast");
        for (target, endpoint) in [(SURE, sure), (FAST, fast)] {
            command
                .env(format!("MINIO_NOTIFY_WEBHOOK_ENABLE_{target}"), "on")
                .env(format!("MINIO_NOTIFY_WEBHOOK_ENDPOINT_{target}"), endpoint)
                .env(format!("MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_{target}"), &intake.notices_token);
        }
        command
            .env(format!("MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_{SURE}"), store.queue().join("notices"))
            // A target without a queue is called before the client gets its answer.
            .env("MINIO_API_SYNC_EVENTS", "on");
    }
    command.args(["server", "--quiet", "--address"]).arg(store.address());
    if store.trust().is_some() {
        command.arg("--certs-dir").arg(store.certificates());
    }
    command.arg(store.data());
    "/minio/health/ready"
}

/// Whether the store has its webhooks: for a moment after it takes requests it refuses a bucket that names them. Its
/// admin API lists them, in plain JSON and signed like any S3 request, and so read as if that were an object.
pub(super) async fn knows_targets(root: &Client, endpoint: &str) -> Result<(), String> {
    let uri = format!("{endpoint}/minio/admin/v3/info");
    let info = root.get_object().bucket("minio").key("admin").customize();
    let info = info.map_request(move |mut request| request.set_uri(uri.clone()).map(|()| request)).send().await;
    let info = info.map_err(|error| DisplayErrorContext(error).to_string())?;
    let info = info.body.collect().await.map_err(|error| error.to_string())?.into_bytes();
    let info = String::from_utf8_lossy(&info);
    let Arns { sure, fast } = arns();
    match [Some(sure), fast].into_iter().flatten().find(|arn| !info.contains(arn)) {
        None => Ok(()),
        Some(arn) => Err(format!("{arn} is not known yet")),
    }
}
