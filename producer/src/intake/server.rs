//! The routes and the server.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::routing::get;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use twinlog_schemas::SiteName;

use super::answer::Answer;
use super::gate::{Admission, Gate};
use super::quarantine::Quarantine;
use super::token::Token;
use crate::inbox::Inbox;
use crate::notice::{self, Door, Piece};

/// The share of the patience for which a body is held at most that probes a log that was away: it may be a client's PUT.
const PROBE: u32 = 5;

/// How intake behaves.
#[derive(Debug, Clone)]
pub struct IntakeConfig {
    /// What stores must send as `Authorization: Bearer`.
    pub token: Token,
    /// The largest body, in bytes. Default 1 MiB.
    pub max_body_bytes: usize,
    /// Bodies worked on at a time; more are answered 503. Default 1,024.
    pub max_in_flight: usize,
    /// How long a body may take to arrive before it is given up with 408. Default 10 s.
    pub body_within: Duration,
    /// How long the log may take before a body is answered 503: below the stores' own time-outs. Default 4 s.
    pub answer_within: Duration,
    /// How long the log may acknowledge nothing at all, while something waits for it, before it is taken for away: then
    /// bodies are answered 503 at once until it is back. Default 1 s.
    pub patience: Duration,
}

impl IntakeConfig {
    /// The defaults with this token.
    #[must_use]
    pub fn with_token(token: Token) -> Self {
        Self {
            token,
            max_body_bytes: 1024 * 1024,
            max_in_flight: 1_024,
            body_within: Duration::from_secs(10),
            answer_within: Duration::from_secs(4),
            patience: Duration::from_secs(1),
        }
    }
}

/// What the routes need.
pub(crate) struct IntakeParts {
    pub site: SiteName,
    pub inbox: Inbox,
    pub quarantine: Arc<Quarantine>,
    pub config: IntakeConfig,
}

struct Intake {
    parts: IntakeParts,
    /// Held by each body until its append has ended, so that what waits in memory stays bounded.
    room: Arc<Semaphore>,
    gate: Arc<Gate>,
}

#[derive(Debug, Default, Deserialize)]
struct Options {
    /// `fast` for a webhook target without queue directory.
    door: Option<String>,
}

/// The routes: `POST /notices/<site>` (`?door=fast`), `POST /audit/<site>`; GET and HEAD of any of them, and of `/`,
/// answer 200, since stores probe their endpoints so.
pub(crate) fn router(parts: IntakeParts) -> Router {
    let limit = DefaultBodyLimit::max(parts.config.max_body_bytes);
    let room = Arc::new(Semaphore::new(parts.config.max_in_flight.max(1)));
    let gate = Arc::new(Gate::new(parts.config.patience));
    let alive = || async { "twinlog intake\n" };
    Router::new()
        .route("/", get(alive))
        .route("/notices/{site}", get(alive).post(notices))
        .route("/audit/{site}", get(alive).post(audit))
        .layer(limit)
        .with_state(Arc::new(Intake { parts, room, gate }))
}

/// Serves the routes until `stop`; requests that are being answered are answered to the end.
pub async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn notices(
    State(intake): State<Arc<Intake>>,
    Path(site): Path<String>,
    Query(options): Query<Options>,
    request: Request,
) -> Answer {
    let door = if options.door.as_deref() == Some(Door::Fast.as_str()) { Door::Fast } else { Door::Sure };
    intake.post(&site, door, request).await
}

async fn audit(State(intake): State<Arc<Intake>>, Path(site): Path<String>, request: Request) -> Answer {
    intake.post(&site, Door::Audit, request).await
}

impl Intake {
    async fn post(&self, asked: &str, door: Door, request: Request) -> Answer {
        let (config, inbox, site) = (&self.parts.config, &self.parts.inbox, &self.parts.site);
        if !config.token.admits(request.headers().get(AUTHORIZATION).map(|value| value.as_bytes())) {
            inbox.observer.unauthorised();
            tracing::warn!(door = door.as_str(), "notice refused: wrong or missing token");
            return Answer::Unauthorised { site: site.to_string() };
        }
        if asked != site.as_str() {
            return Answer::OtherSite { asked: asked.chars().take(64).collect(), site: site.to_string() };
        }
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            inbox.observer.refused(door);
            return Answer::Later { why: format!("{} bodies are in flight already", config.max_in_flight) };
        };
        match timeout(config.body_within, Bytes::from_request(request, &())).await {
            Ok(Ok(body)) => self.take(&body, door, room).await,
            Ok(Err(rejection)) => self.bad_body(&rejection, door),
            Err(_) => {
                inbox.observer.refused(door);
                let why = format!("the body did not come within {:?}: send it again", config.body_within);
                Answer::BadBody { status: StatusCode::REQUEST_TIMEOUT, why }
            }
        }
    }

    async fn take(&self, body: &[u8], door: Door, room: OwnedSemaphorePermit) -> Answer {
        let pieces = match notice::split(body, Some(door)) {
            Ok(pieces) => pieces,
            Err(error) => return self.malformed(body, door, error.to_string()).await,
        };
        let wanted = self.parts.inbox.wanted(pieces, door).await;
        if wanted.is_empty() {
            return Answer::Taken;
        }
        let why = match self.gate.admit() {
            Admission::Shut => "it acknowledges nothing".to_owned(),
            admission => match self.append(wanted, door, room, admission).await {
                Ok(()) => return Answer::Taken,
                Err(why) => {
                    tracing::warn!(door = door.as_str(), error = %why, "notice not taken: the store has to send it again");
                    why
                }
            },
        };
        self.parts.inbox.observer.refused(door);
        Answer::Later { why: format!("the log is away, send it again: {why}") }
    }

    /// Appends, and waits as long as it makes sense. The append goes on by itself when it is no longer waited for: it
    /// is what tells that the log is back.
    async fn append(
        &self,
        wanted: Vec<Piece>,
        door: Door,
        room: OwnedSemaphorePermit,
        admission: Admission,
    ) -> Result<(), String> {
        let (inbox, gate, began) = (self.parts.inbox.clone(), Arc::clone(&self.gate), Instant::now());
        let append = tokio::spawn(async move {
            let outcome = inbox.append(wanted, door).await;
            gate.ended(admission, &outcome);
            drop(room);
            outcome
        });
        let config = &self.parts.config;
        let probe = admission == Admission::Probe;
        let within = if probe { config.patience / PROBE } else { config.answer_within };
        tokio::select! {
            biased;
            outcome = append => outcome.map_err(|bug| bug.to_string())?.map_err(|error| error.to_string()),
            () = self.gate.shut(began), if !probe => Err("it acknowledges nothing".to_owned()),
            () = sleep(within) => Err("it did not acknowledge in time".to_owned()),
        }
    }

    async fn malformed(&self, body: &[u8], door: Door, why: String) -> Answer {
        let inbox = &self.parts.inbox;
        let digest = hex::encode(Sha256::digest(body));
        inbox.observer.malformed(door);
        match self.parts.quarantine.keep(body, &digest, inbox.clock.now_us()).await {
            Ok(dropped) => {
                (0..dropped).for_each(|_| inbox.observer.quarantine_overflowed());
                tracing::warn!(door = door.as_str(), error = %why, sha256 = %digest, "malformed notice quarantined");
                Answer::Malformed { why, digest }
            }
            Err(error) => {
                tracing::error!(%error, sha256 = %digest, "malformed notice cannot be kept in the quarantine folder");
                Answer::Later { why: format!("{why}; and the quarantine folder cannot be written: {error}") }
            }
        }
    }

    /// A body that is too large is never seen whole, so it cannot be kept: loud, for a person has to raise the limit.
    fn bad_body(&self, rejection: &BytesRejection, door: Door) -> Answer {
        self.parts.inbox.observer.malformed(door);
        let limit = self.parts.config.max_body_bytes;
        tracing::error!(door = door.as_str(), error = %rejection.body_text(), limit, "body of a notice not read");
        let why = format!("{} (at most {limit} bytes are taken)", rejection.body_text());
        Answer::BadBody { status: rejection.status(), why }
    }
}
