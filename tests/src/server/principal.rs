//! Principals of a store besides its root: Twinlog's own above all, which the producer tells clients apart by.

use aws_sdk_s3::{Client, error::DisplayErrorContext, primitives::ByteStream};
use aws_smithy_types::body::SdkBody;

use super::{Credentials, ServerError, Store, StoreKind, mc};

/// What Twinlog needs to be allowed, on every bucket: the policy that operators are given too. The stores spell one
/// action differently, and each refuses a policy with the other's spelling.
#[must_use]
pub fn twinlog_policy(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::RustFs => include_str!("../../../infra/policies/rustfs.json"),
        StoreKind::MinIo => include_str!("../../../infra/policies/minio.json"),
    }
}

impl Store {
    /// An S3 client of this store with the given credentials: path style, no retries, no checksums but those asked for.
    #[must_use]
    pub fn client(&self, who: &Credentials) -> Client {
        super::client::connect(&self.endpoint(), who, self.trust())
    }

    /// An S3 client that is allowed everything.
    #[must_use]
    pub fn root_client(&self) -> Client {
        self.client(&self.options().root)
    }

    /// Makes Twinlog's user, with the policy that operators are given.
    ///
    /// # Errors
    /// As [`Store::add_user`].
    pub async fn add_twinlog(&self, who: &Credentials) -> Result<(), ServerError> {
        self.add_user(who, twinlog_policy(self.kind())).await
    }

    /// Makes a user with a policy of its own.
    ///
    /// # Errors
    /// [`ServerError::Refused`] where the store refuses; [`ServerError::Missing`] without `mc`, for MinIO.
    pub async fn add_user(&self, who: &Credentials, policy: &str) -> Result<(), ServerError> {
        let name = format!("{}-policy", who.access_key);
        match self.kind() {
            StoreKind::RustFs => {
                let user = serde_json::json!({ "secretKey": who.secret_key, "status": "enabled" }).to_string();
                let user_is = format!("accessKey={}", who.access_key);
                let policy_is = format!("policyName={name}&userOrGroup={}&isGroup=false", who.access_key);
                self.rustfs_admin("add-user", &user_is, &user).await?;
                self.rustfs_admin("add-canned-policy", &format!("name={name}"), policy).await?;
                self.rustfs_admin("set-user-or-group-policy", &policy_is, "").await
            }
            StoreKind::MinIo => {
                let file = mc::file(self, &format!("{name}.json"), policy)?;
                mc::run(self, &["admin", "user", "add", mc::ALIAS, &who.access_key, &who.secret_key]).await?;
                mc::run(self, &["admin", "policy", "create", mc::ALIAS, &name, &file]).await?;
                mc::run(self, &["admin", "policy", "attach", mc::ALIAS, &name, "--user", &who.access_key]).await?;
                Ok(())
            }
        }
    }

    /// Gives a user that [`Store::add_user`] has made another policy.
    ///
    /// # Errors
    /// As there.
    pub async fn change_policy(&self, who: &Credentials, policy: &str) -> Result<(), ServerError> {
        let name = format!("{}-policy", who.access_key);
        match self.kind() {
            StoreKind::RustFs => self.rustfs_admin("add-canned-policy", &format!("name={name}"), policy).await,
            StoreKind::MinIo => {
                let file = mc::file(self, &format!("{name}.json"), policy)?;
                mc::run(self, &["admin", "policy", "create", mc::ALIAS, &name, &file]).await.map(drop)
            }
        }
    }

    /// `PUT /rustfs/admin/v3/<call>?<query>`: plain JSON, signed like any S3 request, and so sent as if it were a PUT
    /// of an object, which spares a signer of the tests' own.
    ///
    /// # Errors
    /// [`ServerError::Refused`] with the store's answer.
    pub async fn rustfs_admin(&self, call: &str, query: &str, body: &str) -> Result<(), ServerError> {
        let uri = format!("{}/rustfs/admin/v3/{call}?{query}", self.endpoint());
        let sent = self
            .root_client()
            .put_object()
            .bucket("rustfs")
            .key("admin")
            .body(ByteStream::new(SdkBody::from(body)))
            .customize()
            .map_request(move |mut request| request.set_uri(uri.clone()).map(|()| request))
            .send()
            .await;
        sent.map(|_| ()).map_err(|error| ServerError::Refused {
            what: format!("RustFS's admin call {call}"),
            answer: DisplayErrorContext(error).to_string(),
        })
    }
}
