//! How far a command is, on one line of the terminal: nothing where standard error is none.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line is drawn.
const EVERY: Duration = Duration::from_millis(100);
/// Signs of the bar.
const WIDTH: usize = 24;

/// The line.
pub struct Progress {
    shown: bool,
    drawn: Option<Instant>,
}

impl Progress {
    /// Draws on standard error, if that is a terminal.
    pub fn on_terminal() -> Self {
        Self { shown: std::io::stderr().is_terminal(), drawn: None }
    }

    /// So many letters are done of so many at most, and `what` came of them.
    pub fn at(&mut self, done: u64, all: u64, what: &str) {
        let now = Instant::now();
        if !self.shown || self.drawn.is_some_and(|drawn| now.duration_since(drawn) < EVERY) {
            return;
        }
        self.drawn = Some(now);
        // A terminal that is gone does not stop the work.
        let _written = write!(std::io::stderr(), "\r\x1b[2K{} {what}", bar(done, all));
        let _flushed = std::io::stderr().flush();
    }

    /// Clears the line.
    pub fn end(&mut self) {
        if self.drawn.take().is_some() {
            let _written = write!(std::io::stderr(), "\r\x1b[2K");
            let _flushed = std::io::stderr().flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn bar(done: u64, all: u64) -> String {
    let (done, all) = (done.min(all), all.max(1));
    let filled = usize::try_from(u128::from(done) * WIDTH as u128 / u128::from(all)).unwrap_or(WIDTH);
    format!("[{}{}] {done} of at most {all}", "#".repeat(filled), ".".repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills() {
        assert_eq!(bar(0, 0), "[........................] 0 of at most 1");
        assert_eq!(bar(1, 2), "[############............] 1 of at most 2");
        assert_eq!(bar(9, 2), "[########################] 2 of at most 2");
    }
}
