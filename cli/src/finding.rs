//! What a check or a command has to say: one line each, for people or as JSON.

use std::fmt;

use serde::Serialize;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Something was made so.
    Done,
    /// Worth a look; nothing is lost by it.
    Warn,
    /// Replication does not work so, or not safely.
    Fail,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How serious.
    pub level: Level,
    /// What it is about, e.g. `site east` or `bucket photos east>west`.
    pub subject: String,
    /// What was found or done.
    pub what: String,
    /// What to do about it; empty where there is nothing to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

impl Finding {
    /// All well.
    pub fn ok(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject: subject.into(), what: what.into(), advice: String::new() }
    }

    /// Something was changed.
    pub fn done(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self { level: Level::Done, ..Self::ok(subject, what) }
    }

    /// Worth a look.
    pub fn warn(subject: impl Into<String>, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warn, advice: advice.into(), ..Self::ok(subject, what) }
    }

    /// Does not work.
    pub fn fail(subject: impl Into<String>, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Fail, ..Self::warn(subject, what, advice) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok  ",
            Level::Done => "done",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        write!(f, "{level} {}: {}", self.subject, self.what)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, " - {}", self.advice) }
    }
}

/// Whether any finding is a failure.
pub fn any_failed(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Fail)
}

/// Prints findings, one per line, or as one JSON array.
pub fn print(findings: &[Finding], json: bool) -> Result<(), crate::exit::Failure> {
    if json {
        return crate::show::json(findings);
    }
    for finding in findings {
        println!("{finding}");
    }
    Ok(())
}
