//! How RustFS is told what it is: environment and arguments.

use std::process::Command;

use super::{
    Store,
    store::{Arns, REGION, kms_key},
};

/// The webhooks' name; RustFS spells it in lower case in the ARN.
const TARGET: &str = "TWINLOG";

/// What it calls its certificate and the key of that.
pub(super) const CERTIFICATE: [&str; 2] = ["rustfs_cert.pem", "rustfs_key.pem"];

pub(super) fn arns() -> Arns {
    Arns { sure: format!("arn:rustfs:sqs:{REGION}:{}:webhook", TARGET.to_lowercase()), fast: None }
}

/// Fills in `command` and returns the path that answers when the store is ready.
pub(super) fn configure(command: &mut Command, store: &Store) -> &'static str {
    let options = store.options();
    command
        .env("RUSTFS_ACCESS_KEY", &options.root.access_key)
        .env("RUSTFS_SECRET_KEY", &options.root.secret_key)
        .env("RUSTFS_REGION", REGION)
        .env("RUSTFS_CONSOLE_ENABLE", "false")
        // The benchmark's comparison: its own replication refuses a peer on a loopback address without it.
        .env("RUSTFS_REPLICATION_ALLOW_LOOPBACK_TARGET", "true")
        .env("RUSTFS_OBS_LOGGER_LEVEL", "warn")
        // For SSE-S3 and SSE-KMS; keys of customers travel in clear here.
        .env("RUSTFS_KMS_ENABLE", "true")
        .env("RUSTFS_KMS_BACKEND", "static")
        .env("RUSTFS_KMS_STATIC_SECRET_KEY", kms_key(&options.site))
        .env("RUSTFS_SSE_C_REQUIRE_TLS", "false");
    if let Some(intake) = &options.intake {
        command
            // Without it no webhook may point at a loopback or private address.
            .env("RUSTFS_OUTBOUND_ALLOW_ORIGINS", &intake.origin)
            // Also opens the listen stream, the fast door.
            .env("RUSTFS_NOTIFY_ENABLE", "true")
            .env(format!("RUSTFS_NOTIFY_WEBHOOK_ENABLE_{TARGET}"), "on")
            .env(
                format!("RUSTFS_NOTIFY_WEBHOOK_ENDPOINT_{TARGET}"),
                format!("{}/notices/{}", intake.origin, options.site),
            )
            .env(format!("RUSTFS_NOTIFY_WEBHOOK_AUTH_TOKEN_{TARGET}"), &intake.notices_token)
            .env(format!("RUSTFS_NOTIFY_WEBHOOK_QUEUE_DIR_{TARGET}"), store.queue().join("notices"))
            // Lock changes raise no notice, so the audit log tells of them.
            .env("RUSTFS_AUDIT_ENABLE", "true")
            .env(format!("RUSTFS_AUDIT_WEBHOOK_ENABLE_{TARGET}"), "on")
            .env(format!("RUSTFS_AUDIT_WEBHOOK_ENDPOINT_{TARGET}"), format!("{}/audit/{}", intake.origin, options.site))
            .env(format!("RUSTFS_AUDIT_WEBHOOK_AUTH_TOKEN_{TARGET}"), &intake.audit_token)
            .env(format!("RUSTFS_AUDIT_WEBHOOK_QUEUE_DIR_{TARGET}"), store.queue().join("audit"));
    }
    if store.trust().is_some() {
        command.env("RUSTFS_TLS_PATH", store.certificates());
    }
    command.arg("--address").arg(store.address()).arg(store.data());
    "/health/ready"
}
