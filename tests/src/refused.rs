//! A store's refusal of a client's request, in words.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A request that a store did not answer with success, or that never reached it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {answer}")]
pub struct Refused {
    /// What was asked.
    pub doing: String,
    /// The store's error code, where it named one.
    pub code: Option<String>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The error's words.
    pub answer: String,
}

impl Refused {
    /// For `map_err`: what the client was doing when this answer came.
    pub fn doing<E>(doing: impl Into<String>) -> impl FnOnce(SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let doing = doing.into();
        move |error| Self {
            doing,
            code: error.code().map(str::to_owned),
            status: error.raw_response().map(|answer| answer.status().as_u16()),
            answer: words(&error),
        }
    }

    /// A request that could not even be written.
    #[must_use]
    pub fn unbuilt(what: &str, error: &dyn std::error::Error) -> Self {
        Self { doing: format!("building {what}"), code: None, status: None, answer: error.to_string() }
    }

    /// Whether a lock on a version is why; the stores say so in different words.
    #[must_use]
    pub fn locked(&self) -> bool {
        let answer = self.answer.to_lowercase();
        self.code.as_deref() == Some("AccessDenied")
            || ["worm", "lock", "legal hold", "retention", "retain"].iter().any(|word| answer.contains(word))
    }

    /// Whether the store says "come again": RustFS where it did not get the lock of a key within 5 s, and did nothing. A
    /// client does something else then.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.status == Some(503)
    }

    /// Whether no answer came at all, so that the request may or may not have acted.
    #[must_use]
    pub fn unanswered(&self) -> bool {
        self.status.is_none()
    }
}

fn words<E>(error: &SdkError<E>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match (error.raw_response(), error.code()) {
        (Some(answer), Some(code)) => {
            format!("{} {code}: {}", answer.status().as_u16(), error.message().unwrap_or("(no message)"))
        }
        (Some(answer), None) => format!("{} without an error code", answer.status().as_u16()),
        (None, _) => DisplayErrorContext(error).to_string(),
    }
}
