//! One connection: bytes from the client to the store and back, with the faults that apply.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use super::{
    fault::{Fault, Faults, State},
    late,
};

const CHUNK: usize = 16 * 1024;
/// What the client gets for a request that the store never sees; nothing where the fault lets it through.
fn refusal(fault: Option<Fault>) -> Option<String> {
    let (status, body) = match fault {
        Some(Fault::Reject) => (503, String::new()),
        Some(Fault::Refuse(status, code)) => {
            (status, format!("<Error><Code>{code}</Code><Message>by the proxy</Message></Error>"))
        }
        _ => return None,
    };
    let (kind, length) = ("content-type: application/xml", body.len());
    Some(format!("HTTP/1.1 {status} Refused\r\n{kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"))
}

/// What the two directions of a connection know of each other.
#[derive(Debug, Clone, Copy, Default)]
struct Exchange {
    /// The fault of the request that is under way.
    fault: Option<Fault>,
    /// Whether bytes of an answer came since the request began; the next bytes of the client then begin another one.
    answering: bool,
    /// Counts requests, so that the answering direction sees where one begins.
    number: u64,
    /// Whether the client is to be told that it is refused, and be gone.
    rejected: bool,
}

/// Serves one connection to its end.
pub(super) async fn connection(client: TcpStream, upstream: String, faults: Arc<Faults>) {
    let mut state = faults.watch();
    if state.borrow_and_update().cut {
        return;
    }
    let Ok(store) = TcpStream::connect(&upstream).await else { return };
    // Without this, latency of the proxy's own would be measured.
    let _best_effort = (client.set_nodelay(true), store.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_store, to_store) = store.into_split();
    let exchange = Arc::new(watch::Sender::new(Exchange::default()));
    let cut = async {
        // The sender lives as long as the proxy; its end is a cut too.
        let _gone = state.wait_for(|state| state.cut).await;
    };
    let up = Direction::new(from_client, to_store, &faults, &exchange).up(upstream);
    let down = Direction::new(from_store, to_client, &faults, &exchange).down();
    // Whichever direction ends first (a half-close aside) ends the connection: dropping the halves closes it.
    tokio::select! {
        () = cut => {}
        () = up => {}
        () = down => {}
    }
}

struct Direction {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    faults: Arc<Faults>,
    state: watch::Receiver<State>,
    exchange: Arc<watch::Sender<Exchange>>,
    /// Bytes of the present request or answer that went by.
    passed: usize,
    /// Where its body begins, once its headers went by.
    body_at: Option<usize>,
    /// The last bytes, in which the end of the headers may begin.
    tail: Vec<u8>,
}

impl Direction {
    fn new(
        from: OwnedReadHalf,
        to: OwnedWriteHalf,
        faults: &Arc<Faults>,
        exchange: &Arc<watch::Sender<Exchange>>,
    ) -> Self {
        let (state, exchange) = (faults.watch(), Arc::clone(exchange));
        Self { from, to, faults: Arc::clone(faults), state, exchange, passed: 0, body_at: None, tail: Vec::new() }
    }

    async fn up(mut self, upstream: String) {
        let mut chunk = vec![0; CHUNK];
        let mut first = true;
        while let Ok(length @ 1..) = self.from.read(&mut chunk).await {
            let bytes = &mut chunk[..length];
            if (first || self.exchange.borrow().answering) && self.begins(bytes) {
                first = false;
            }
            let fault = self.exchange.borrow().fault;
            if refusal(fault).is_some() {
                self.exchange.send_modify(|exchange| exchange.rejected = true);
                return std::future::pending().await;
            }
            if fault == Some(Fault::HoldRequest) {
                tokio::spawn(late::deliver(bytes.to_vec(), self.from, upstream, self.faults));
                return std::future::pending().await;
            }
            if let Some(Fault::CorruptRequest(at)) = fault {
                self.corrupt(bytes, at);
            }
            self.measure(bytes);
            let cut = match fault {
                Some(Fault::HalfClose(after)) if self.passed > after => length.saturating_sub(self.passed - after),
                _ => length,
            };
            if !self.forward(&chunk[..cut]).await {
                return;
            }
            if cut < length {
                let _closed = self.to.shutdown().await;
                return std::future::pending().await;
            }
        }
    }

    /// Whether a request begins with these bytes; its fault is looked up.
    fn begins(&mut self, bytes: &[u8]) -> bool {
        const METHODS: [&[u8]; 5] = [b"GET ", b"PUT ", b"POST ", b"HEAD ", b"DELETE "];
        if !METHODS.iter().any(|method| bytes.starts_with(method)) {
            return false;
        }
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let fault = self.faults.begins(&String::from_utf8_lossy(line));
        let number = self.exchange.borrow().number + 1;
        self.exchange.send_replace(Exchange { fault, number, ..Exchange::default() });
        (self.passed, self.body_at) = (0, None);
        self.tail.clear();
        true
    }

    async fn down(mut self) {
        let mut chunk = vec![0; CHUNK];
        let mut exchange = self.exchange.subscribe();
        let mut number = 0;
        loop {
            let read = tokio::select! {
                read = self.from.read(&mut chunk) => read,
                true = async { exchange.wait_for(|exchange| exchange.rejected).await.is_ok() } => {
                    let refusal = refusal(exchange.borrow().fault).unwrap_or_default();
                    let _told = self.to.write_all(refusal.as_bytes()).await;
                    return;
                }
            };
            let Ok(length @ 1..) = read else { return };
            let now = *self.exchange.borrow();
            if now.number != number {
                number = now.number;
                (self.passed, self.body_at) = (0, None);
                self.tail.clear();
            }
            let (latency, deaf) = (self.state.borrow().latency, self.state.borrow().deaf);
            if deaf {
                return;
            }
            tokio::time::sleep(latency).await;
            let bytes = &mut chunk[..length];
            match now.fault {
                Some(Fault::FailAfterWrite) => return,
                Some(Fault::HoldResponse) if !now.answering && !self.held().await => return,
                Some(Fault::RespondSlowly(time)) if !now.answering => tokio::time::sleep(time).await,
                Some(Fault::CorruptAnswer(at)) => self.corrupt(bytes, at),
                _ => {}
            }
            self.measure(bytes);
            self.exchange.send_modify(|exchange| exchange.answering = true);
            let cut = match now.fault {
                Some(Fault::CutAnswer(after)) if self.passed > after => length.saturating_sub(self.passed - after),
                _ => length,
            };
            if !self.forward(&chunk[..cut]).await || cut < length {
                return;
            }
        }
    }

    /// Waits until the proxy is mended; false if that will never be.
    async fn held(&mut self) -> bool {
        self.state.mark_unchanged();
        self.state.changed().await.is_ok()
    }

    /// Flips the byte that stands `at` behind the headers, if it is among these.
    fn corrupt(&self, bytes: &mut [u8], at: usize) {
        let body_at = self.body_at.or_else(|| Some(self.passed + self.end_of_headers(bytes)?));
        let within = body_at.and_then(|body_at| (body_at + at).checked_sub(self.passed));
        if let Some(byte) = within.and_then(|within| bytes.get_mut(within)) {
            *byte ^= 0x55;
        }
    }

    /// Where in these bytes the body begins.
    fn end_of_headers(&self, bytes: &[u8]) -> Option<usize> {
        let seen: Vec<u8> = self.tail.iter().chain(bytes).copied().collect();
        let end = seen.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        end.checked_sub(self.tail.len())
    }

    fn measure(&mut self, bytes: &[u8]) {
        if self.body_at.is_none() {
            self.body_at = self.end_of_headers(bytes).map(|at| self.passed + at);
            self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(3)..]);
            let keep = self.tail.len().saturating_sub(3);
            self.tail.drain(..keep);
        }
        self.passed += bytes.len();
    }

    /// Sends on, as fast as the proxy is allowed to; false where the other end is gone.
    async fn forward(&mut self, bytes: &[u8]) -> bool {
        if self.state.wait_for(|state| !state.held).await.is_err() {
            return false;
        }
        let bandwidth = self.state.borrow().bandwidth;
        if let Some(rate) = bandwidth {
            #[expect(clippy::cast_precision_loss, reason = "a chunk is small")]
            tokio::time::sleep(Duration::from_secs_f64(bytes.len() as f64 / rate.max(1) as f64)).await;
        }
        self.to.write_all(bytes).await.is_ok()
    }
}
