//! What intake answers: a status and one line that says what is wrong and what to do.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// An answer to a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Every notice of the body is acknowledged by the log.
    Taken,
    /// Wrong token, or none.
    Unauthorised { site: String },
    /// The path names another site.
    OtherSite { asked: String, site: String },
    /// Not notices; kept in the quarantine.
    Malformed { why: String, digest: String },
    /// Larger than the limit, or cut off on the way.
    BadBody { status: StatusCode, why: String },
    /// Not now: the store keeps it and sends it again.
    Later { why: String },
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Taken => (StatusCode::OK, String::new()),
            Self::Unauthorised { site } => (
                StatusCode::UNAUTHORIZED,
                format!(
                    "the Authorization header must be `Bearer <token>` with the intake token of site {site}: set the \
                     auth token of the store's webhook target to the token in Twinlog's configuration (sites.{site}.intake)"
                ),
            ),
            Self::OtherSite { asked, site } => (
                StatusCode::NOT_FOUND,
                format!("this intake is for site {site}, not for {asked:?}: mend the webhook endpoint's path"),
            ),
            Self::Malformed { why, digest } => (
                StatusCode::BAD_REQUEST,
                format!("not taken as a notice, kept in quarantine as sha256 {digest}: {why}"),
            ),
            Self::BadBody { status, why } => (status, why),
            Self::Later { why } => (StatusCode::SERVICE_UNAVAILABLE, why),
        };
        let mut response = (status, text + "\n").into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
