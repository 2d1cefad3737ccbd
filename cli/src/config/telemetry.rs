//! `[telemetry]`: how the process speaks about itself.

use super::section::Section;

/// `[telemetry]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// `format`: `text` or `json`, one event per line on standard error. Default `text`.
    pub format: LogFormat,
    /// `level`: `error`, `warn`, `info`, `debug` or `trace`, or a filter such as `info,twinlog_consumer=debug`.
    /// Object keys are logged from `debug` on only. Default `info`.
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl TelemetryConfig {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let format = section.choice("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]);
        let origin = section.origin_of("level");
        let level = section.text("level").unwrap_or_else(|| "info".to_owned());
        if let Err(error) = level.parse::<tracing_subscriber::filter::Targets>() {
            let message = format!(
                "{level:?} is not a level: write error, warn, info, debug or trace, or a filter such as \"info,twinlog_consumer=debug\" ({error})"
            );
            section.fault_at(origin, "level", message);
        }
        section.end();
        Self { format: format.unwrap_or(LogFormat::Text), level }
    }
}
