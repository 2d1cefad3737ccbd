//! The running process, while nothing that it needs is there: alive, not ready and saying why, and stopped cleanly.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use command::{Deployment, Said, example};

const DEADLINE: Duration = Duration::from_secs(60);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process that is ended whatever happens to the test.
struct Running {
    child: Option<Child>,
    metrics: u16,
    _deployment: Deployment,
    _state: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let state = tempfile::TempDir::new().unwrap();
        let metrics = free_port();
        let config = example()
            .replace("/var/lib/twinlog\"", &format!("{}\"", state.path().display()))
            .replace("kafka-1:9092,kafka-2:9092,kafka-3:9092", &format!("127.0.0.1:{}", free_port()))
            .replace("security = \"sasl_tls\"", "security = \"plaintext\"")
            .replace("username = \"twinlog\"\npassword = \"change-me\"\n", "")
            .replace("# listen = \"0.0.0.0:8081\"", &format!("listen = \"127.0.0.1:{}\"", free_port()))
            .replace("# listen = \"0.0.0.0:9464\"", &format!("listen = \"127.0.0.1:{metrics}\""));
        let deployment = Deployment::with(&config);
        let mut command = deployment.command(&["run", "--at", "east"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { child: Some(child), metrics, _deployment: deployment, _state: state }
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics)).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Asks until the answer holds `piece`.
    fn until(&self, path: &str, piece: &str) -> String {
        let begin = Instant::now();
        loop {
            let answer = self.get(path).unwrap_or_default();
            if answer.contains(piece) {
                return answer;
            }
            assert!(begin.elapsed() < DEADLINE, "{path} does not say {piece:?} but {answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn ended(mut self) -> Said {
        self.child.take().unwrap().wait_with_output().unwrap().into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

#[test]
fn without_a_broker_it_is_alive_and_says_what_it_waits_for_and_stops_on_sigterm() {
    let running = Running::start();
    let ready = running.until("/readyz", "WAIT cluster main: ");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains("WAIT control: "), "{ready}");
    assert!(running.until("/livez", "200").ends_with("ok\n"));
    let metrics = running.until("/metrics", "twinlog_build_info{");
    assert!(metrics.contains("twinlog_ready{dependency=\"cluster main\"} 0"), "{metrics}");
    running.signal("-TERM");
    let said = running.ended();
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("stopping") && !said.err.contains("change-me"), "{}", said.err);
}

#[test]
fn an_address_in_use_is_told_with_where_it_is_set() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let config =
        example().replace("# listen = \"0.0.0.0:9464\"", &format!("listen = \"{}\"", taken.local_addr().unwrap()));
    let said = Deployment::with(&config).run(&["run", "--at", "east"]);
    assert_eq!(said.code, Some(64), "{}", said.err);
    assert!(
        said.err.contains("cannot listen on 127.0.0.1:") && said.err.contains("sites.east.metrics.listen"),
        "{}",
        said.err
    );
}
