//! `/metrics`, `/livez` and `/readyz` of the process beside a site.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::meters::Metrics;
use super::readiness::Readiness;

/// What the routes show.
#[derive(Clone)]
pub struct Shown {
    /// The metrics.
    pub metrics: Metrics,
    /// The backlog, brought up to date by a scrape; not there while the process is starting.
    pub backlog: Arc<OnceLock<Backlog>>,
    /// The board of dependencies.
    pub readiness: Readiness,
}

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, shown: Shown, stop: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, router(shown)).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// The routes.
pub fn router(shown: Shown) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(shown)
}

async fn metrics(State(shown): State<Shown>) -> Response {
    if let Some(backlog) = shown.backlog.get() {
        backlog.refresh().await;
    }
    match shown.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(failure) => (StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()).into_response(),
    }
}

async fn readyz(State(shown): State<Shown>) -> Response {
    let (ready, text) = shown.readiness.report();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}
