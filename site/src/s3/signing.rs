//! What is added to a request before it is signed: headers of the stores' own, query parameters, and the expiry that
//! makes a write harmless once its sender is gone.

use std::time::Duration;

use aws_runtime::auth::{HttpSignatureType, PayloadSigningOverride, SigV4OperationSigningConfig};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::service_clock_skew::ServiceClockSkewInterceptor;
use aws_runtime::user_agent::UserAgentInterceptor;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, disable_interceptor};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::headers::HeaderLines;
use crate::leave::{Leave, Withheld};

/// Changes one request before it is signed.
#[derive(Debug, Default)]
pub(super) struct Amend {
    headers: HeaderLines,
    query: Option<String>,
    target: Option<String>,
    expires_in: Option<Duration>,
    leave: Option<Leave>,
}

impl Amend {
    /// Headers only.
    pub(super) fn headers(headers: HeaderLines) -> Self {
        Self { headers, ..Self::default() }
    }

    /// A read that the store answers itself.
    pub(super) fn local_read() -> Self {
        Self::headers(super::headers::local_read())
    }

    /// A write that is refused once it is older than `expires_in` by the store's clock, and that is sent only if there is
    /// leave once it is signed. The signature stands in the query and covers every header; the body is covered by
    /// Content-MD5.
    pub(super) fn expiring_write(headers: HeaderLines, expires_in: Duration, leave: Leave) -> Self {
        Self { headers, expires_in: Some(expires_in), leave: Some(leave), ..Self::default() }
    }

    /// Adds a query parameter; the value must be fit for a URL.
    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.query = Some(format!("{name}={value}"));
        self
    }

    /// Replaces path and query altogether.
    pub(super) fn target(path_and_query: String) -> Self {
        Self { target: Some(path_and_query), ..Self::default() }
    }
}

impl Intercept for Amend {
    fn name(&self) -> &'static str {
        "Amend"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // They add headers that a signature in the query leaves out, and stores refuse headers that are not signed.
        const WHY: &str = "signed in the query";
        bag.interceptor_state().store_put(disable_interceptor::<UserAgentInterceptor>(WHY));
        bag.interceptor_state().store_put(disable_interceptor::<InvocationIdInterceptor>(WHY));
        bag.interceptor_state().store_put(disable_interceptor::<RequestInfoInterceptor>(WHY));
        bag.interceptor_state().store_put(disable_interceptor::<ServiceClockSkewInterceptor>(WHY));
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        for (name, value) in &self.headers {
            request.headers_mut().try_insert(name.clone(), value.clone())?;
        }
        if let Some(target) = &self.target {
            let uri = rebase(request.uri(), target)?;
            request.set_uri(uri)?;
        }
        if let Some(query) = &self.query {
            let joint = if request.uri().contains('?') { '&' } else { '?' };
            let uri = format!("{}{joint}{query}", request.uri());
            request.set_uri(uri)?;
        }
        if let Some(expires_in) = self.expires_in {
            let mut signing =
                bag.load::<SigV4OperationSigningConfig>().cloned().ok_or("the request is not signed with SigV4")?;
            signing.signing_options.expires_in = Some(expires_in);
            signing.signing_options.signature_type = HttpSignatureType::HttpRequestQueryParams;
            bag.interceptor_state().store_put(signing);
            bag.interceptor_state().store_put(PayloadSigningOverride::unsigned_payload());
        }
        Ok(())
    }

    fn read_after_signing(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.leave.as_ref().is_none_or(Leave::is_given) { Ok(()) } else { Err(Withheld.into()) }
    }
}

/// The same scheme and host with another path and query.
fn rebase(uri: &str, target: &str) -> Result<String, BoxError> {
    let host = uri.find("://").map(|at| at + 3).ok_or("the request has no host")?;
    let path = uri[host..].find(['/', '?']).map_or(uri.len(), |at| host + at);
    Ok(format!("{}{target}", &uri[..path]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn rebasing_keeps_the_host() {
        assert_eq!(rebase("http://h:1/b/k?x-id=GetObject", "/b?events=e").unwrap(), "http://h:1/b?events=e");
        assert_eq!(rebase("https://h", "/").unwrap(), "https://h/");
        assert!(rebase("/b/k", "/").is_err());
    }
}
