//! A scripted store: just enough of S3 over HTTP/1.1 to keep objects by path, and to go wrong as a test says.
//!
//! Each connection is served by a task of its own; what was kept before a fault stays kept. Dropping the store closes
//! it, and leaves its port refusing.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::way::digest;

/// What goes wrong with a request, in the vocabulary of the other faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused with this status, code and message; nothing was done.
    Reject(u16, &'static str, &'static str),
    /// Done, and the connection ends without an answer.
    FailAfterWrite,
    /// Done, and no answer ever comes.
    HoldResponse,
    /// Not done, and no answer ever comes.
    HoldRequest,
    /// Done, and the answer lies: a byte of the body is another one, or the ETag of what was written.
    Corrupt,
    /// Done, and the answer ends in the middle of its body.
    Cut,
    /// Not done: the connection is reset.
    Reset,
    /// Not done: the store ends its side of the connection, and goes on listening.
    HalfClose,
}

/// Which requests a fault is for.
struct Struck {
    method: &'static str,
    path: String,
    fault: Fault,
    /// How many more; `None` for ever.
    times: Option<u32>,
}

#[derive(Default)]
struct Shared {
    struck: Mutex<Vec<Struck>>,
    kept: Mutex<BTreeMap<String, Vec<u8>>>,
}

pub struct ScriptedStore {
    endpoint: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl ScriptedStore {
    pub async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::<Shared>::default();
        let of_connections = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&of_connections)));
            }
        });
        Self { endpoint, shared, accepting }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A fault for requests of this method whose path and query contain `path`.
    pub fn strike(&self, method: &'static str, path: &str, fault: Fault, times: Option<u32>) {
        self.shared.struck.lock().unwrap().push(Struck { method, path: path.to_owned(), fault, times });
    }

    /// Keeps a body under a key, or, without a key, as what the bucket itself answers.
    pub fn keep(&self, key: &str, body: &[u8]) {
        self.shared.kept.lock().unwrap().insert(path(key), body.to_vec());
    }

    /// What is kept under a key.
    pub fn kept(&self, key: &str) -> Option<Vec<u8>> {
        self.shared.kept.lock().unwrap().get(&path(key)).cloned()
    }
}

fn path(key: &str) -> String {
    format!("/{}/{key}", super::way::BUCKET).trim_end_matches('/').to_owned()
}

impl Drop for ScriptedStore {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn fault(&self, request: &Request) -> Option<Fault> {
        let mut struck = self.struck.lock().unwrap();
        let fits = |one: &Struck| one.method == request.method && request.target.contains(&one.path);
        let one = struck.iter_mut().find(|one| fits(one) && one.times != Some(0))?;
        one.times = one.times.map(|times| times - 1);
        Some(one.fault)
    }

    fn act(&self, request: &Request) -> Answer {
        let path = request.target.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
        let mut kept = self.kept.lock().unwrap();
        match (request.method.as_str(), kept.get(&path)) {
            ("PUT", _) => {
                let etag = digest(&request.body);
                kept.insert(path, request.body.clone());
                Answer { status: 200, etag: Some(etag), body: Vec::new() }
            }
            ("DELETE", _) => {
                kept.remove(&path);
                Answer { status: 204, etag: None, body: Vec::new() }
            }
            (_, Some(body)) => Answer { status: 200, etag: Some(digest(body)), body: body.clone() },
            (_, None) => Answer::refusal(404, "NoSuchKey", "there is no such key"),
        }
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    while let Some(request) = Request::read(&mut stream).await {
        let head = request.method == "HEAD";
        let answer = match shared.fault(&request) {
            None => shared.act(&request).bytes(head),
            Some(Fault::Reject(status, code, message)) => Answer::refusal(status, code, message).bytes(head),
            Some(Fault::Corrupt) => shared.act(&request).corrupted().bytes(head),
            Some(Fault::Cut) => {
                let whole = shared.act(&request).bytes(head);
                let _cut = stream.write_all(&whole[..whole.len() - super::way::BODY.len() / 2]).await;
                return;
            }
            Some(Fault::FailAfterWrite) => {
                shared.act(&request);
                return;
            }
            Some(Fault::HoldResponse) => {
                shared.act(&request);
                return left(stream).await;
            }
            Some(Fault::HoldRequest) => return left(stream).await,
            Some(Fault::HalfClose) => {
                let _closed = stream.shutdown().await;
                return left(stream).await;
            }
            Some(Fault::Reset) => {
                // Closed with unread time of zero: the peer is told so by a reset.
                stream.set_zero_linger().unwrap();
                return;
            }
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Waits until the client has gone.
async fn left(mut stream: TcpStream) {
    let mut rest = [0; 1024];
    while let Ok(1..) = stream.read(&mut rest).await {}
}

struct Request {
    method: String,
    /// Path and query.
    target: String,
    body: Vec<u8>,
}

impl Request {
    /// The next request of a connection; `None` at its end.
    async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            stream.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let mut words = text.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let header =
            |line: &str| line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().to_owned());
        let length = text.lines().find_map(header).map_or(0, |n| n.parse().unwrap());
        while bytes.len() < head + length {
            stream.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
        }
        Some(Self { method, target, body: bytes.split_off(head) })
    }
}

struct Answer {
    status: u16,
    etag: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    fn refusal(status: u16, code: &str, message: &str) -> Self {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>").into_bytes();
        Self { status, etag: None, body }
    }

    fn corrupted(mut self) -> Self {
        match self.body.first_mut() {
            Some(first) => *first ^= 1,
            None => self.etag = Some(digest(b"other bytes")),
        }
        self
    }

    fn bytes(&self, head_only: bool) -> Vec<u8> {
        let etag = self.etag.as_ref().map_or_else(String::new, |etag| format!("ETag: \"{etag}\"\r\n"));
        let length = self.body.len();
        let head = format!(
            "HTTP/1.1 {} Said\r\n{etag}Last-Modified: Sat, 28 Feb 2026 23:20:00 GMT\r\nContent-Length: {length}\r\n\r\n",
            self.status
        );
        let body: &[u8] = if head_only { &[] } else { &self.body };
        [head.as_bytes(), body].concat()
    }
}
