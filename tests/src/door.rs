//! The door between shared stores and the intakes of many tests.
//!
//! A store's webhook endpoint is fixed when it starts, but every test has a Twinlog of its own. So the stores deliver
//! here, and each notice goes on to the intake of the test that leased its bucket, with the intake's status code going
//! back: 503 while a bucket is leased and nobody takes its notices yet, 200 (and dropped) for buckets of nobody. It is
//! also where tests lose, repeat, delay and refuse notices.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    routing::post,
};

use crate::site::Site;

/// What becomes of the notices of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rule {
    /// They go on to the intake.
    #[default]
    Pass,
    /// They are acknowledged and lost.
    Lose,
    /// Each goes on twice.
    Repeat,
    /// They are acknowledged at once and go on after this time.
    Delay(Duration),
    /// They are answered 503, so that the store keeps them.
    Refuse,
}

#[derive(Debug, Default)]
struct Leased {
    /// Set when the test's Twinlog at the site has an intake.
    intakes: HashMap<Site, String>,
    rules: HashMap<Site, Rule>,
    /// What the notices were about that the sites' intakes took: sites, keys, and how often.
    taken: HashMap<(Site, String), u64>,
}

#[derive(Debug, Default)]
struct Book {
    leased: Mutex<HashMap<String, Leased>>,
}

impl Book {
    fn leased(&self) -> MutexGuard<'_, HashMap<String, Leased>> {
        self.leased.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The door. It runs on a thread of its own until the process ends, so that it outlives the runtime of any one test.
#[derive(Debug, Clone)]
pub struct Door {
    address: SocketAddr,
    book: Arc<Book>,
}

impl Door {
    /// Opens it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where no port can be bound or no thread be started.
    pub fn open() -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let book = Arc::new(Book::default());
        let serve = Serve { book: Arc::clone(&book), client: client()? };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("door".to_owned()).spawn(move || {
            runtime.block_on(async move {
                // An error here shows in every test as notices that do not come.
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    let _ended = axum::serve(listener, router(serve)).await;
                }
            });
        })?;
        Ok(Self { address, book })
    }

    /// `http://127.0.0.1:port`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes the notices of a bucket until the lease is dropped.
    #[must_use]
    pub fn lease(&self, bucket: &str) -> Lease {
        self.book.leased().insert(bucket.to_owned(), Leased::default());
        Lease { book: Arc::clone(&self.book), bucket: bucket.to_owned() }
    }
}

/// One test's claim to the notices of one bucket.
#[derive(Debug)]
pub struct Lease {
    book: Arc<Book>,
    bucket: String,
}

impl Lease {
    fn change(&self, change: impl FnOnce(&mut Leased)) {
        if let Some(leased) = self.book.leased().get_mut(&self.bucket) {
            change(leased);
        }
    }

    /// From now on the notices of this bucket at `site` go to the intake at `origin`.
    pub fn deliver(&self, site: Site, origin: impl Into<String>) {
        let origin = origin.into();
        self.change(|leased| drop(leased.intakes.insert(site, origin)));
    }

    /// What becomes of the notices of this bucket at `site` from now on.
    pub fn rule(&self, site: Site, rule: Rule) {
        self.change(|leased| {
            leased.rules.insert(site, rule);
        });
    }

    /// How many notices about a key at a site its intake has taken.
    #[must_use]
    pub fn taken(&self, site: Site, key: &str) -> u64 {
        let leased = self.book.leased();
        let taken = leased.get(&self.bucket).and_then(|leased| leased.taken.get(&(site, key.to_owned())));
        taken.copied().unwrap_or(0)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.book.leased().remove(&self.bucket);
    }
}

#[derive(Clone)]
struct Serve {
    book: Arc<Book>,
    client: reqwest::Client,
}

fn client() -> std::io::Result<reqwest::Client> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build();
    client.map_err(std::io::Error::other)
}

fn router(serve: Serve) -> Router {
    let deliver = post(deliver).head(async || StatusCode::OK).get(async || StatusCode::OK);
    let present = axum::routing::get(async || StatusCode::OK);
    Router::new().route("/", present).route("/{kind}/{site}", deliver).with_state(serve)
}

async fn deliver(
    State(serve): State<Serve>,
    Path((kind, site)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let Some(site) = Site::BOTH.into_iter().find(|known| known.name() == site) else { return StatusCode::NOT_FOUND };
    // A probe without a body asks whether anybody is here.
    let Some((bucket, key)) = bucket_and_key(&body) else { return StatusCode::OK };
    let (intake, rule) = match serve.book.leased().get(&bucket) {
        None => return StatusCode::OK,
        Some(leased) => (leased.intakes.get(&site).cloned(), leased.rules.get(&site).copied().unwrap_or_default()),
    };
    let Some(intake) = intake else { return StatusCode::SERVICE_UNAVAILABLE };
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    let onward = Onward { serve, bucket, key, site, url: format!("{intake}/{kind}/{site}{query}"), headers, body };
    match rule {
        Rule::Lose => StatusCode::OK,
        Rule::Refuse => StatusCode::SERVICE_UNAVAILABLE,
        Rule::Pass => onward.send().await,
        Rule::Repeat => {
            onward.send().await;
            onward.send().await
        }
        Rule::Delay(time) => {
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                onward.send().await;
            });
            StatusCode::OK
        }
    }
}

/// A notice on its way to an intake.
struct Onward {
    serve: Serve,
    bucket: String,
    key: String,
    site: Site,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Onward {
    async fn send(&self) -> StatusCode {
        let mut request = self.serve.client.post(&self.url).body(self.body.clone());
        for name in [header::AUTHORIZATION, header::CONTENT_TYPE] {
            if let Some(value) = self.headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let Ok(answer) = request.send().await else { return StatusCode::SERVICE_UNAVAILABLE };
        if answer.status().is_success()
            && let Some(leased) = self.serve.book.leased().get_mut(&self.bucket)
        {
            *leased.taken.entry((self.site, self.key.clone())).or_default() += 1;
        }
        answer.status()
    }
}

/// The bucket and the key that a notice is about; in an audit record the request's name stands for the key.
fn bucket_and_key(body: &[u8]) -> Option<(String, String)> {
    #[derive(serde::Deserialize)]
    struct Envelope {
        #[serde(rename = "Key")]
        key: String,
    }
    let envelope: Envelope = serde_json::from_slice(body).ok()?;
    let (bucket, key) = envelope.key.split_once('/').unwrap_or((&envelope.key, ""));
    Some((bucket.to_owned(), key.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const NOTICE: &str = r#"{"EventName":"s3:ObjectCreated:Put","Key":"mine/a/b","Records":[{}]}"#;

    async fn knock(door: &Door, site: Site) -> u16 {
        let url = format!("{}/notices/{site}?door=fast", door.origin());
        let request = client().unwrap().post(url).header("authorization", "Bearer t").body(NOTICE);
        request.send().await.unwrap().status().as_u16()
    }

    /// An intake that wants the token and the door, and counts.
    async fn intake(count: Arc<AtomicU64>) -> String {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let take = move |RawQuery(query): RawQuery, headers: HeaderMap| {
            let right = headers.get("authorization").is_some_and(|token| token == "Bearer t");
            let count = Arc::clone(&count);
            async move {
                assert_eq!(query.as_deref(), Some("door=fast"));
                count.fetch_add(1, Ordering::SeqCst);
                if right { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED }
            }
        };
        let router = Router::new().route("/notices/east", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        origin
    }

    /// Scenario: a store delivers before, during and after a test's lease. Guarantees: nothing of a leased bucket is
    /// acknowledged unless its intake took it or the test's rule says so.
    #[tokio::test]
    async fn notices_go_where_the_lease_says() {
        let door = Door::open().unwrap();
        assert_eq!(knock(&door, Site::East).await, 200, "a bucket of nobody");
        let lease = door.lease("mine");
        assert_eq!(knock(&door, Site::East).await, 503, "leased, and no intake yet");
        let count = Arc::new(AtomicU64::new(0));
        lease.deliver(Site::East, intake(Arc::clone(&count)).await);
        assert_eq!(knock(&door, Site::East).await, 202);
        assert_eq!(knock(&door, Site::West).await, 503, "the other site has no intake");
        lease.rule(Site::East, Rule::Repeat);
        assert_eq!(knock(&door, Site::East).await, 202);
        assert_eq!((count.load(Ordering::SeqCst), lease.taken(Site::East, "a/b")), (3, 3));
        lease.rule(Site::East, Rule::Refuse);
        assert_eq!(knock(&door, Site::East).await, 503);
        lease.rule(Site::East, Rule::Lose);
        assert_eq!(knock(&door, Site::East).await, 200);
        assert_eq!(count.load(Ordering::SeqCst), 3);
        drop(lease);
        assert_eq!(knock(&door, Site::East).await, 200);
    }
}
