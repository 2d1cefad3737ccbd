//! A TCP proxy of the tests' own between Twinlog and a store: it delays, slows, cuts, half-closes, corrupts and swallows.
//!
//! It knows just enough of HTTP/1.1 to tell requests apart: a request begins where the client sends a method and a path
//! after the store's last answer. Without a fault every byte goes through unchanged. Faults that pick a request are
//! queued and each is used once, by the first request that fits; [`Proxy::cut`] and the speeds hold until changed.

mod fault;
mod late;
mod pipe;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle};

use fault::Faults;
pub use fault::{Fault, Lines, Wanted};

/// A proxy in front of one upstream. Dropping it closes everything.
pub struct Proxy {
    address: SocketAddr,
    faults: Arc<Faults>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 for `upstream` (`host:port`).
    ///
    /// # Errors
    /// Where no port can be bound.
    pub async fn start(upstream: impl Into<String>) -> std::io::Result<Self> {
        Self::start_at(&format!("{}:0", Ipv4Addr::LOCALHOST), upstream).await
    }

    /// As [`Proxy::start`], on an address (`host:port`) that is somebody's to give.
    ///
    /// # Errors
    /// Where it cannot be bound.
    pub async fn start_at(address: &str, upstream: impl Into<String>) -> std::io::Result<Self> {
        let upstream = upstream.into();
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let faults = Arc::new(Faults::default());
        let shared = Arc::clone(&faults);
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((client, _)) = accepted else { continue };
                        connections.spawn(pipe::connection(client, upstream.clone(), Arc::clone(&shared)));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self { address, faults, accepting })
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// `http://host:port`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Queues a fault for the next request that fits.
    pub fn inject(&self, wanted: Wanted, fault: Fault) {
        self.faults.inject(wanted, fault);
    }

    /// Takes back the faults that no request has come for.
    pub fn withdraw(&self) {
        self.faults.withdraw();
    }

    /// How many queued faults were not used yet.
    #[must_use]
    pub fn unused(&self) -> usize {
        self.faults.unused()
    }

    /// Closes every connection and refuses new ones, until [`Proxy::mend`].
    pub fn cut(&self) {
        self.faults.set(|state| state.cut = true);
    }

    /// Nothing comes through in either direction any more, but connections stay: black-holed, until [`Proxy::mend`].
    pub fn hold(&self) {
        self.faults.set(|state| state.held = true);
    }

    /// Requests act and their answers are swallowed, each with its connection, until [`Proxy::mend`]: what
    /// [`Fault::FailAfterWrite`] is for one request, whatever the protocol.
    pub fn deafen(&self) {
        self.faults.set(|state| state.deaf = true);
    }

    /// Ends [`Proxy::cut`], [`Proxy::hold`], [`Proxy::deafen`], latency and bandwidth; requests and answers that were held go on.
    pub fn mend(&self) {
        self.faults.set(|state| *state = fault::State::default());
    }

    /// Delays each chunk of an answer by this much.
    pub fn latency(&self, latency: Duration) {
        self.faults.set(|state| state.latency = latency);
    }

    /// Lets through at most so many bytes a second, per connection and direction.
    pub fn bandwidth(&self, bytes_per_second: u64) {
        self.faults.set(|state| state.bandwidth = Some(bytes_per_second));
    }

    /// Counts the requests that fit, from now on.
    #[must_use]
    pub fn count(&self, wanted: Wanted) -> Arc<AtomicU64> {
        self.faults.count(wanted)
    }

    /// Keeps the first lines of the requests that fit, from now on.
    #[must_use]
    pub fn lines(&self, wanted: Wanted) -> Lines {
        self.faults.keep(wanted)
    }

    /// How many requests are held ([`Fault::HoldRequest`]), or let go and not answered by the store yet.
    #[must_use]
    pub fn holding(&self) -> usize {
        self.faults.holding()
    }

    /// How many requests have begun so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.faults.requests()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[cfg(test)]
mod tests;
