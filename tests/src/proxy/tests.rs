//! Each fault against an echoing HTTP server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::Ordering;

use axum::{Router, body::Bytes, routing::any};

use super::*;

/// A server that answers with what it got, and how many requests reached it.
async fn echo() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&count);
    let answer = move |body: Bytes| {
        seen.fetch_add(1, Ordering::SeqCst);
        async move { body }
    };
    let router = Router::new().route("/{*path}", any(answer)).layer(axum::extract::DefaultBodyLimit::disable());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, count)
}

struct Bench {
    proxy: Proxy,
    count: Arc<AtomicU64>,
    client: reqwest::Client,
}

impl Bench {
    async fn new() -> Self {
        let (address, count) = echo().await;
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self { proxy: Proxy::start(address).await.unwrap(), count, client }
    }

    async fn put(&self, path: &str, body: Vec<u8>) -> Result<(u16, Bytes), reqwest::Error> {
        let answer = self.client.put(format!("{}/{path}", self.proxy.origin())).body(body).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.bytes().await?))
    }

    fn reached(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn without_faults_everything_goes_through() {
    let bench = Bench::new().await;
    for length in [0, 1, 100_000] {
        let body: Vec<u8> = (0..length).map(|at: u32| at.to_le_bytes()[0]).collect();
        assert_eq!(bench.put("a", body.clone()).await.unwrap(), (200, Bytes::from(body)));
    }
    assert_eq!((bench.proxy.requests(), bench.reached()), (3, 3));
}

#[tokio::test]
async fn a_rejected_request_never_arrives() {
    let bench = Bench::new().await;
    let (puts_of_a, gets) = (bench.proxy.count(Wanted::new("PUT", "/a")), bench.proxy.count(Wanted::new("GET", "")));
    bench.proxy.inject(Wanted::new("PUT", "b"), Fault::Reject);
    assert_eq!(bench.put("a", b"1".to_vec()).await.unwrap().0, 200);
    assert_eq!(bench.put("b", b"1".to_vec()).await.unwrap().0, 503);
    bench.proxy.inject(Wanted::new("PUT", "b"), Fault::Refuse(409, "InvalidBucketState"));
    let (status, body) = bench.put("b", b"1".to_vec()).await.unwrap();
    assert_eq!((status, String::from_utf8_lossy(&body).contains("<Code>InvalidBucketState</Code>")), (409, true));
    assert_eq!(bench.put("b", b"1".to_vec()).await.unwrap().0, 200);
    assert_eq!((bench.reached(), bench.proxy.unused()), (2, 0));
    assert_eq!((puts_of_a.load(Ordering::SeqCst), gets.load(Ordering::SeqCst)), (1, 0));
}

/// Guarantees: the store has acted although the client got no answer.
#[tokio::test]
async fn a_swallowed_answer_leaves_its_effect() {
    let bench = Bench::new().await;
    bench.proxy.inject(Wanted::new("PUT", "a"), Fault::FailAfterWrite);
    assert!(bench.put("a", b"1".to_vec()).await.is_err());
    assert_eq!(bench.reached(), 1);
    assert_eq!(bench.put("a", b"1".to_vec()).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_deaf_proxy_lets_requests_act_and_swallows_their_answers() {
    let bench = Bench::new().await;
    let lines = bench.proxy.lines(Wanted::new("PUT", "/a"));
    bench.proxy.deafen();
    assert!(bench.put("a", b"1".to_vec()).await.is_err());
    assert!(bench.put("b", b"1".to_vec()).await.is_err());
    assert_eq!(bench.reached(), 2);
    bench.proxy.mend();
    assert_eq!(bench.put("a", b"1".to_vec()).await.unwrap().0, 200);
    assert_eq!(lines.so_far(), ["PUT /a HTTP/1.1"; 2]);
    bench.proxy.inject(Wanted::default(), Fault::Reject);
    bench.proxy.withdraw();
    assert_eq!((bench.proxy.unused(), bench.put("a", b"1".to_vec()).await.unwrap().0), (0, 200));
}

#[tokio::test]
async fn a_held_answer_comes_when_mended() {
    let bench = Bench::new().await;
    bench.proxy.inject(Wanted::new("PUT", "a"), Fault::HoldResponse);
    let mut asking = std::pin::pin!(bench.put("a", b"1".to_vec()));
    let reached = async {
        while bench.reached() == 0 {
            tokio::task::yield_now().await;
        }
        // The answer reaches the proxy a moment after the server counted; a mend before that would be lost on it.
        loop {
            bench.proxy.mend();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        answer = &mut asking => assert_eq!(answer.unwrap().0, 200),
        () = reached => {}
    }
}

/// Guarantees: a request that its client gave up reaches the store all the same, later.
#[tokio::test]
async fn a_held_request_arrives_when_mended_though_its_client_is_gone() {
    let bench = Bench::new().await;
    bench.proxy.inject(Wanted::new("PUT", "a"), Fault::HoldRequest);
    let given_up = tokio::time::timeout(Duration::from_millis(300), bench.put("a", vec![1; 50_000])).await;
    assert!(given_up.is_err());
    assert_eq!((bench.reached(), bench.proxy.holding()), (0, 1));
    assert_eq!(bench.put("a", b"1".to_vec()).await.unwrap().0, 200);
    bench.proxy.mend();
    while bench.proxy.holding() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bench.reached(), 2);
}

#[tokio::test]
async fn one_byte_is_flipped_where_it_was_asked_for() {
    let bench = Bench::new().await;
    let body = vec![7_u8; 50_000];
    bench.proxy.inject(Wanted::default(), Fault::CorruptRequest(40_000));
    bench.proxy.inject(Wanted::default(), Fault::CorruptAnswer(0));
    for at in [40_000, 0] {
        let (_, answer) = bench.put("a", body.clone()).await.unwrap();
        let wrong: Vec<usize> = (0..answer.len()).filter(|at| answer[*at] != 7).collect();
        assert_eq!(wrong, [at]);
    }
}

#[tokio::test]
async fn a_cut_ends_what_is_open_and_refuses_what_comes() {
    let bench = Bench::new().await;
    assert_eq!(bench.put("a", b"1".to_vec()).await.unwrap().0, 200);
    bench.proxy.cut();
    assert!(bench.put("a", b"1".to_vec()).await.is_err());
    bench.proxy.mend();
    assert_eq!(bench.put("a", b"1".to_vec()).await.unwrap().0, 200);
    bench.proxy.inject(Wanted::default(), Fault::CutAnswer(300));
    assert!(bench.put("a", vec![1; 50_000]).await.is_err());
}

#[tokio::test]
async fn a_half_closed_request_is_no_request() {
    let bench = Bench::new().await;
    bench.proxy.inject(Wanted::default(), Fault::HalfClose(1_000));
    let outcome = bench.put("a", vec![1; 50_000]).await;
    assert!(outcome.map_or(true, |(status, _)| status != 200));
    assert_eq!(bench.reached(), 0);
}
