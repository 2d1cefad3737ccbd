//! Ending the processes of a session: those that it recorded, and a Twinlog that a person started again.
//!
//! A process id says nothing by itself: the process may have ended and its number be somebody else's by now. So a
//! process is ours only if it works in the session's own folder, or its command line names something there, or it is
//! the `twinlog run` that the session's state folder tells of.

use std::{
    fs,
    path::Path,
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
        let process = Self::any(pid)?;
        let inside = |path: &Path| path.starts_with(folder);
        let works_inside = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| inside(&cwd));
        let named = process.arguments.iter().any(|argument| inside(Path::new(argument)));
        (works_inside || named).then_some(process)
    }

    /// Every `twinlog run` of the session, however it was started: each writes its id into its state folder.
    #[must_use]
    pub fn twinlogs(folder: &Path) -> Vec<Self> {
        let files = |path: &Path| {
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
        };
        let sites = files(&folder.join("state"));
        let pid_files =
            sites.iter().flat_map(|site| files(site)).filter(|file| file.extension().is_some_and(|end| end == "pid"));
        let pids = pid_files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
        let is_twinlog = |process: &Self| {
            let program = process.arguments.first().is_some_and(|first| Path::new(first).ends_with("twinlog"));
            program && process.arguments.iter().any(|argument| argument == "run")
        };
        pids.filter_map(Self::any).filter(is_twinlog).collect()
    }

    fn any(pid: u32) -> Option<Self> {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        let arguments: Vec<String> = words.filter(|word| !word.is_empty()).collect();
        if arguments.is_empty() { None } else { Some(Self { pid, arguments, started: started(pid)? }) }
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
        let sleep = |folder: &Path| {
            let child = Command::new("sleep").arg("600").current_dir(folder).stdin(Stdio::null()).spawn().unwrap();
            // The parent goes on before the new program's arguments can be read.
            while Running::any(child.id()).is_none() {
                std::thread::yield_now();
            }
            child
        };
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
