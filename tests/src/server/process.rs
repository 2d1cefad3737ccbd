//! A child process that does not outlive its owner.
//!
//! Dropping a [`Process`] kills it and waits for it. A test run that is itself killed drops nothing, so a
//! [`Life::Bound`] child asks the kernel to be killed with its parent. The kernel ties that wish to the *thread* that
//! spawned the child, and a test's threads come and go: all children are therefore spawned by one guardian thread that
//! ends only with the process.

use std::{
    fs::OpenOptions,
    io::{Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    time::Duration,
};

use super::ServerError;

/// How much of a log's end goes into an error, in bytes.
const TAIL: u64 = 4096;
/// How often a process that was asked to end is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What becomes of a child when its parent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It is killed with the parent, however that ends.
    Bound,
    /// It runs in a session of its own, so that a terminal's Ctrl-C does not reach it, and may be left running with
    /// [`Process::detach`]; until then dropping it kills it.
    Session,
}

/// A running child, its standard output and error going to a log file.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    /// Set by [`Process::detach`] only; from then on dropping leaves the child alone.
    left_running: bool,
}

impl Process {
    /// Starts `command` with its output appended to `log`.
    ///
    /// # Errors
    /// [`ServerError::Io`] where the log cannot be opened or the program not be started.
    pub fn spawn(name: &str, mut command: Command, log: &Path, life: Life) -> Result<Self, ServerError> {
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let out = open(log).map_err(ServerError::io(format!("opening {}", log.display())))?;
        let err = out.try_clone().map_err(ServerError::io(format!("opening {}", log.display())))?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = guardian_spawn(command, life).map_err(ServerError::io(format!("starting {name}")))?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child, left_running: false })
    }

    /// The child's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it was called when it was spawned.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log; says so where they cannot be read.
    #[must_use]
    pub fn log_tail(&self) -> String {
        read_tail(&self.log).unwrap_or_else(|error| format!("(unreadable: {error})"))
    }

    /// How it ended, or nothing while it runs.
    ///
    /// # Errors
    /// [`ServerError::Io`] where the system will not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, ServerError> {
        self.child.try_wait().map_err(ServerError::io(format!("looking at {}", self.name)))
    }

    /// Sends a signal, for instance `libc::SIGTERM`.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] where it has ended.
    pub fn signal(&mut self, signal: i32) -> Result<(), ServerError> {
        // A child that was waited for has no process id any more, and its number may be somebody else's.
        if self.ended()?.is_some() {
            return Err(ServerError::NotRunning { name: self.name.clone() });
        }
        send_signal(self.child.id(), signal).map_err(ServerError::io(format!("signalling {}", self.name)))
    }

    /// Stops it where it stands (SIGSTOP): it keeps its connections and answers nothing.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] where it has ended.
    pub fn pause(&mut self) -> Result<(), ServerError> {
        self.signal(libc::SIGSTOP)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] where it has ended.
    pub fn resume(&mut self) -> Result<(), ServerError> {
        self.signal(libc::SIGCONT)
    }

    /// Kills it (SIGKILL) and waits until it is gone. Does nothing to one that has ended.
    ///
    /// # Errors
    /// [`ServerError::Io`] where the system refuses.
    pub fn kill(&mut self) -> Result<ExitStatus, ServerError> {
        let what = || format!("killing {}", self.name);
        self.child.kill().map_err(ServerError::io(what()))?;
        self.child.wait().map_err(ServerError::io(what()))
    }

    /// Asks it to end (SIGTERM) and waits; kills it where it has not ended `within` that time.
    ///
    /// # Errors
    /// [`ServerError::Io`] where the system refuses.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus, ServerError> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        self.signal(libc::SIGTERM)?;
        let ended = async {
            loop {
                if let Some(status) = self.ended()? {
                    return Ok(status);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        match tokio::time::timeout(within, ended).await {
            Ok(status) => status,
            Err(_) => self.kill(),
        }
    }

    /// Leaves it running when this process ends, and returns its process id. Meant for [`Life::Session`]; a
    /// [`Life::Bound`] child dies with this process all the same.
    #[must_use]
    pub fn detach(mut self) -> u32 {
        self.left_running = true;
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.left_running {
            return;
        }
        // An error here can only mean that it is gone already.
        let _gone = self.kill();
    }
}

/// A request to the guardian: what to spawn, for how long, and where the answer goes.
type Order = (Command, Life, mpsc::SyncSender<std::io::Result<Child>>);

fn guardian_spawn(command: Command, life: Life) -> std::io::Result<Child> {
    static GUARDIAN: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let guardian = GUARDIAN.get_or_init(|| {
        let (orders, waiting) = mpsc::channel::<Order>();
        // The sender is a static: the loop never ends, and neither does the thread.
        std::thread::spawn(move || {
            for (command, life, answer) in waiting {
                let _asker_gone = answer.send(spawn_here(command, life));
            }
        });
        orders
    });
    let gone = || std::io::Error::other("the guardian thread is gone");
    let (answer, reply) = mpsc::sync_channel(1);
    guardian.send((command, life, answer)).map_err(|_| gone())?;
    reply.recv().map_err(|_| gone())?
}

#[expect(unsafe_code, reason = "what a child does between fork and exec has no safe spelling")]
fn spawn_here(mut command: Command, life: Life) -> std::io::Result<Child> {
    let parent = std::process::id();
    let prepare = move || {
        // SAFETY: between fork and exec only async-signal-safe calls are allowed; these are system calls on plain
        // numbers, and the error values made from them do not allocate.
        unsafe {
            match life {
                Life::Bound => {
                    if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                        return Err(std::io::Error::last_os_error());
                    }
                    // The parent may have died before the wish was made.
                    if u32::try_from(libc::getppid()) != Ok(parent) {
                        return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
                    }
                }
                Life::Session => {
                    if libc::setsid() == -1 {
                        return Err(std::io::Error::last_os_error());
                    }
                }
            }
        }
        Ok(())
    };
    // SAFETY: as above, `prepare` touches no memory but its own two captured numbers.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

#[expect(unsafe_code, reason = "the standard library sends SIGKILL only")]
fn send_signal(pid: u32, signal: i32) -> std::io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(std::io::Error::other)?;
    // SAFETY: a system call on two numbers.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn read_tail(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
