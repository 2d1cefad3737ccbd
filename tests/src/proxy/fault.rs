//! What goes wrong, and with which request.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

/// Which request a fault is for. Empty texts fit everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The method, e.g. `PUT`.
    pub method: String,
    /// What the path and query contain, e.g. `uploadId=`.
    pub path: String,
}

impl Wanted {
    /// A request of this method whose path and query contain `path`.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned() }
    }

    fn fits(&self, line: &str) -> bool {
        let mut words = line.split(' ');
        let method = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default();
        (self.method.is_empty() || self.method == method) && path.contains(&self.path)
    }
}

/// What happens to one request, in the vocabulary of the faults of stores and logs (`twinlog_site::fault`,
/// `twinlog_log::fault`). A wire has two directions, so Corrupt and Cut say besides which; what only a wire can do comes
/// on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The store never sees it; the client gets a 503.
    Reject,
    /// The store never sees it; the client gets this status with an error of S3 by this code.
    Refuse(u16, &'static str),
    /// The store acts, its answer is swallowed, and the connection closes.
    FailAfterWrite,
    /// The store acts and its answer is held until [`super::Proxy::mend`] or the client gives up.
    HoldResponse,
    /// The request reaches the store only after the client gave it up and at [`super::Proxy::mend`]; nobody hears the
    /// answer.
    HoldRequest,
    /// The store acts and its answer comes so much later.
    RespondSlowly(Duration),
    /// A byte of the request's body is flipped, this far behind the end of its headers.
    CorruptRequest(usize),
    /// A byte of the answer's body is flipped, this far behind the end of its headers.
    CorruptAnswer(usize),
    /// The connection closes after so many bytes of the answer.
    CutAnswer(usize),
    /// The client's half is closed towards the store in the middle of the request, so many bytes into it.
    HalfClose(usize),
}

/// First lines of requests, in the order in which they came. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn push(&self, line: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }

    /// Those that came so far.
    #[must_use]
    pub fn so_far(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What holds for all connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) cut: bool,
    pub(super) held: bool,
    pub(super) deaf: bool,
    pub(super) latency: Duration,
    pub(super) bandwidth: Option<u64>,
}

/// Shared by the proxy's handle and its connections.
#[derive(Debug)]
pub(super) struct Faults {
    state: watch::Sender<State>,
    queued: Mutex<VecDeque<(Wanted, Fault)>>,
    requests: AtomicU64,
    counted: Mutex<Vec<(Wanted, Arc<AtomicU64>)>>,
    kept: Mutex<Vec<(Wanted, Lines)>>,
    /// One owner more for each request that is held, or let go and not answered.
    holding: Arc<()>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            state: watch::Sender::new(State::default()),
            queued: Mutex::default(),
            requests: AtomicU64::new(0),
            counted: Mutex::default(),
            kept: Mutex::default(),
            holding: Arc::default(),
        }
    }
}

impl Faults {
    pub(super) fn inject(&self, wanted: Wanted, fault: Fault) {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner).push_back((wanted, fault));
    }

    pub(super) fn unused(&self) -> usize {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    pub(super) fn count(&self, wanted: Wanted) -> Arc<AtomicU64> {
        let counter = Arc::default();
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).push((wanted, Arc::clone(&counter)));
        counter
    }

    pub(super) fn keep(&self, wanted: Wanted) -> Lines {
        let lines = Lines::default();
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push((wanted, lines.clone()));
        lines
    }

    pub(super) fn withdraw(&self) {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A request is held by whoever keeps this.
    pub(super) fn hold_one(&self) -> Arc<()> {
        Arc::clone(&self.holding)
    }

    pub(super) fn holding(&self) -> usize {
        Arc::strong_count(&self.holding) - 1
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        // Even an unchanged state is told: mending lets held answers go.
        self.state.send_modify(change);
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// A request begins with this line: which fault is it for?
    pub(super) fn begins(&self, line: &str) -> Option<Fault> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, counter) in counted.iter().filter(|(wanted, _)| wanted.fits(line)) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        drop(counted);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|(wanted, _)| wanted.fits(line)).for_each(|(_, lines)| lines.push(line));
        drop(kept);
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        let at = queued.iter().position(|(wanted, _)| wanted.fits(line))?;
        queued.remove(at).map(|(_, fault)| fault)
    }
}
