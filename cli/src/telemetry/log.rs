//! Log lines: text or JSON, one event per line, on standard error.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::config::{LogFormat, TelemetryConfig};
use crate::exit::Failure;

/// Sets up logging as configured; once per process.
pub fn start(config: &TelemetryConfig) -> Result<(), Failure> {
    let filter: Targets = config
        .level
        .parse()
        .map_err(|error| Failure::config(format!("telemetry.level {:?}: {error}", config.level)))?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let layer = match config.format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    let started = registry().with(layer.with_filter(filter)).try_init();
    started.map_err(|error| Failure::internal(format!("logging cannot be started: {error}")))
}

/// Logging of commands that end by themselves: nothing, unless `RUST_LOG` asks for it. Their results and errors are
/// printed, and would otherwise be told twice.
pub fn quiet() {
    let asked = std::env::var("RUST_LOG").ok().and_then(|filter| filter.parse::<Targets>().ok());
    if let Some(filter) = asked {
        let layer = fmt::layer().with_writer(std::io::stderr).with_filter(filter);
        // A second call in one process (tests) changes nothing.
        let _ = registry().with(layer).try_init();
    }
}
