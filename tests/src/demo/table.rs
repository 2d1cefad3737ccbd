//! The live table: what was written, what crossed, how fast and what waits, per direction.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

/// One direction at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Row {
    /// Changes that clients made at the source.
    pub(super) written: u64,
    /// Replica writes at the target; nothing where Twinlog beside it does not answer.
    pub(super) replicated: Option<u64>,
    /// The mean lag of what crossed since the last look, in seconds; nothing where nothing crossed.
    pub(super) lag: Option<f64>,
    /// Records in the log that are not done; nothing where the broker does not answer.
    pub(super) backlog: Option<i64>,
}

/// Draws the table: in place on a terminal, a line a second elsewhere.
pub(super) struct Table {
    began: Instant,
    terminal: bool,
    drawn: bool,
    /// When a line was printed last, where it is no terminal.
    printed: Option<Instant>,
}

/// Lines of the table that are drawn again.
const LINES: usize = 5;
/// Between two lines where it is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

impl Table {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), terminal: std::io::stdout().is_terminal(), drawn: false, printed: None }
    }

    /// Says what happens now; what was drawn above stays.
    pub(super) fn say(&mut self, what: &str) {
        println!("\n[{:>3} s] {what}", self.began.elapsed().as_secs());
        (self.drawn, self.printed) = (false, None);
    }

    /// Shows the two directions.
    pub(super) fn show(&mut self, east_west: &Row, west_east: &Row) {
        if self.terminal {
            let back = if self.drawn { format!("\x1b[{LINES}A") } else { String::new() };
            let rule = "-".repeat(64);
            print!(
                "{back}{rule}\n{:<14}{:>12}{:>12}{:>12}{:>12}\n{}\n{}\n{rule}\n",
                "direction",
                "written",
                "replicated",
                "lag",
                "backlog",
                line("east > west", east_west),
                line("west > east", west_east),
            );
            self.drawn = true;
        } else if self.printed.is_none_or(|printed| printed.elapsed() >= LINE_EVERY) {
            let seconds = self.began.elapsed().as_secs();
            println!("[{seconds:>3} s] {} | {}", words("east>west", east_west), words("west>east", west_east));
            self.printed = Some(Instant::now());
        }
        // Nothing better can be done where the terminal is gone.
        let _flushed = std::io::stdout().flush();
    }
}

fn line(direction: &str, row: &Row) -> String {
    let [replicated, lag, backlog] = cells(row);
    // The rest of the line is wiped: a shorter text may follow a longer one.
    format!("{direction:<14}{:>12}{replicated:>12}{lag:>12}{backlog:>12}\x1b[K", row.written)
}

fn words(direction: &str, row: &Row) -> String {
    let [replicated, lag, backlog] = cells(row);
    format!("{direction} written {} replicated {replicated} lag {lag} backlog {backlog}", row.written)
}

fn cells(row: &Row) -> [String; 3] {
    let or = |value: Option<String>, absent: &str| value.unwrap_or_else(|| absent.to_owned());
    let lag = row.lag.map(|lag| if lag < 1.0 { format!("{:.0} ms", lag * 1e3) } else { format!("{lag:.1} s") });
    [
        or(row.replicated.map(|many| many.to_string()), "away"),
        or(lag, "-"),
        or(row.backlog.map(|many| many.to_string()), "?"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_words_that_a_person_reads() {
        let row = Row { written: 12, replicated: Some(10), lag: Some(0.0234), backlog: Some(2) };
        assert_eq!(words("a>b", &row), "a>b written 12 replicated 10 lag 23 ms backlog 2");
        let away = Row { written: 12, replicated: None, lag: Some(3.21), backlog: None };
        assert_eq!(words("a>b", &away), "a>b written 12 replicated away lag 3.2 s backlog ?");
    }
}
