//! Whether the process is ready: one line per dependency.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use tokio::sync::watch;

use super::meters::Metrics;
use super::names;

/// The start itself: dependencies come to the board one after the other, and the first may be ready before the last one
/// is known.
const START: &str = "start";

/// The board on which every dependency reports. Cheap to clone.
#[derive(Clone)]
pub struct Readiness {
    board: watch::Sender<BTreeMap<String, Line>>,
    gauge: Gauge<f64>,
}

/// What a dependency reported last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    ready: bool,
    says: String,
    /// Whether the process is ready without it.
    optional: bool,
}

/// How far the process depends on something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Always.
    Always,
    /// Until it was ready once: later it may be away without the process being taken out of service.
    Once,
    /// It is only shown.
    Never,
}

/// Where one dependency reports.
#[derive(Clone)]
pub struct Reported {
    name: String,
    need: Need,
    readiness: Readiness,
}

impl Readiness {
    /// The board of a process that is starting: not ready, whatever reports, until it is told that all is [started].
    ///
    /// [started]: Self::started
    pub fn new(metrics: &Metrics) -> Self {
        let starting = Self { board: watch::Sender::new(BTreeMap::new()), gauge: metrics.gauge(names::READY) };
        starting.needs(START);
        starting
    }

    /// Every dependency is on the board by now.
    pub fn started(&self) {
        self.dependency(START, Need::Always).ready("everything runs");
    }

    /// A dependency without which the process is not ready; it is not until it reports so.
    pub fn needs(&self, name: &str) -> Reported {
        self.dependency(name, Need::Always)
    }

    /// A dependency that the process waits for at its start, and that may be away later.
    pub fn needs_once(&self, name: &str) -> Reported {
        self.dependency(name, Need::Once)
    }

    /// A dependency that is shown, and without which the process is ready all the same.
    pub fn shows(&self, name: &str) -> Reported {
        self.dependency(name, Need::Never)
    }

    fn dependency(&self, name: &str, need: Need) -> Reported {
        let reported = Reported { name: name.to_owned(), need, readiness: self.clone() };
        reported.not_ready("not yet");
        reported
    }

    /// Whether every dependency that is needed is ready, and one line for each.
    pub fn report(&self) -> (bool, String) {
        let board = self.board.borrow();
        let ready = board.values().all(|line| line.ready || line.optional);
        let mut text = String::new();
        for (name, line) in board.iter() {
            let word = match (line.ready, line.optional) {
                (true, _) => "ok  ",
                (false, true) => "warn",
                (false, false) => "WAIT",
            };
            // Writing into a String does not fail.
            let _ = writeln!(text, "{word} {name}: {}", line.says);
        }
        (ready, text)
    }
}

impl Reported {
    /// It is ready.
    pub fn ready(&self, says: impl Into<String>) {
        self.report(true, says.into());
    }

    /// It is not, and why.
    pub fn not_ready(&self, says: impl Into<String>) {
        self.report(false, says.into());
    }

    /// What it is called on the board.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn report(&self, ready: bool, says: String) {
        self.readiness.gauge.record(f64::from(u8::from(ready)), &[KeyValue::new(names::DEPENDENCY, self.name.clone())]);
        let changed = self.readiness.board.send_if_modified(|board| {
            let before = board.get(&self.name);
            let optional = match self.need {
                Need::Always => false,
                Need::Once => ready || before.is_some_and(|before| before.optional),
                Need::Never => true,
            };
            // That something is not ready at the start is no change.
            let changed = before.map_or(ready, |before| before.ready != ready);
            board.insert(self.name.clone(), Line { ready, says: says.clone(), optional });
            changed
        });
        if changed {
            tracing::info!(dependency = %self.name, ready, says, "readiness");
        }
    }
}
