//! Ending the processes of a session: those that it recorded, and a Twinlog that a person started again.
//!
//! A process id says nothing by itself: the process may have ended and its number be somebody else's by now. So a
//! process is ours only if its command line, as the system has it, names something in the session's own folder.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long a process may take after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(25);
/// How often to look.
const LOOK: Duration = Duration::from_millis(50);

/// A process that belongs to the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub pid: u32,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// When it started, in the system's ticks: with the id it names one process and no later one.
    started: String,
}

impl Running {
    /// The process of this id, if it is of the session in `folder`: it runs in a folder of the session's, or one of
    /// its arguments is a path there.
    #[must_use]
    pub fn of(pid: u32, folder: &Path) -> Option<Self> {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let line = fs::read(process.join("cmdline")).ok()?;
        let arguments: Vec<String> =
            line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).filter(|word| !word.is_empty()).collect();
        let inside = |path: &Path| path.starts_with(folder);
        let works_inside = fs::read_link(process.join("cwd")).is_ok_and(|cwd| inside(&cwd));
        let named = arguments.iter().any(|argument| inside(Path::new(argument)));
        if arguments.is_empty() || !(works_inside || named) {
            return None;
        }
        Some(Self { pid, arguments, started: started(pid)? })
    }

    /// Every `twinlog run` with this configuration file, however it was started.
    #[must_use]
    pub fn twinlogs(folder: &Path, config: &Path) -> Vec<Self> {
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let is_twinlog = |process: &Self| {
            let has = |word: &str| process.arguments.iter().any(|argument| argument == word);
            let program = process.arguments.first().is_some_and(|first| Path::new(first).ends_with("twinlog"));
            program && has("run") && process.arguments.iter().any(|argument| Path::new(argument) == config)
        };
        pids.filter_map(|pid| Self::of(pid, folder)).filter(is_twinlog).collect()
    }

    /// Whether it still runs.
    #[must_use]
    pub fn alive(&self) -> bool {
        started(self.pid).is_some_and(|started| started == self.started)
    }

    fn signal(&self, signal: i32) {
        if !self.alive() {
            return;
        }
        if let Ok(pid) = libc::pid_t::try_from(self.pid) {
            send(pid, signal);
        }
    }
}

/// Ends processes: asks all, waits, kills what is left. Returns those that had to be killed.
#[must_use]
pub fn end(processes: &[Running]) -> Vec<Running> {
    for process in processes {
        process.signal(libc::SIGTERM);
        // One that was stopped where it stands would not hear.
        process.signal(libc::SIGCONT);
    }
    let deadline = Instant::now() + PATIENCE;
    while processes.iter().any(Running::alive) && Instant::now() < deadline {
        std::thread::sleep(LOOK);
    }
    let left: Vec<Running> = processes.iter().filter(|process| process.alive()).cloned().collect();
    for process in &left {
        process.signal(libc::SIGKILL);
    }
    left
}

/// The start time of a process that is neither gone nor a zombie.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before the last bracket may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    (*fields.first()? != "Z").then(|| fields.get(19).map(ToString::to_string)).flatten()
}

#[expect(unsafe_code, reason = "a signal to a process that is no child of ours has no safe spelling")]
fn send(pid: libc::pid_t, signal: i32) {
    // SAFETY: a system call on two numbers. A process that is gone by now makes it fail, which is as good.
    unsafe { libc::kill(pid, signal) };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::process::{Command, Stdio};

    use super::*;

    /// Scenario: one process of the session, one of somebody else. Guarantees: only the first is ours, and it ends.
    #[test]
    fn only_our_own_processes_are_ended() {
        let folder = tempfile::tempdir().unwrap();
        let sleep = |folder: &Path| Command::new("sleep").arg("600").current_dir(folder).stdin(Stdio::null()).spawn().unwrap();
        let (mut ours, mut other) = (sleep(folder.path()), sleep(Path::new("/")));
        assert_eq!(Running::of(other.id(), folder.path()), None);
        let running = Running::of(ours.id(), folder.path()).unwrap();
        assert!(running.alive());
        assert_eq!(end(std::slice::from_ref(&running)), []);
        assert!(!running.alive());
        ours.wait().unwrap();
        assert_eq!(Running::of(ours.id(), folder.path()), None);
        assert_eq!(other.try_wait().unwrap(), None);
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
