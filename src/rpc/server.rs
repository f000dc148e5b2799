//! Answers other processes, and whoever asks how this one is: `/healthz`, `/readyz`, `/metrics`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use storage::trace::Id;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::call::{Answer, Call};
use super::client::now_ms;
use super::key::ClusterKey;
use super::listener::{Listener, Peer};
use super::{
    DEADLINE_HEADER, MAC_HEADER, MAX_BYTES, PATH, REQUEST_HEADER, SENT_HEADER, VERSION_HEADER,
    is_spoken, version_text,
};

/// Calls that are worked on at once; more wait.
const MAX_CALLS: usize = 256;
/// The longest that a call may take whatever its sender says.
const MAX_LEFT: Duration = Duration::from_secs(600);
/// Answers slower than this are logged, milliseconds.
const SLOW_MS: f64 = 1_000.0;
/// How long calls may go on after the process is asked to end.
const DRAIN: Duration = Duration::from_secs(5);

/// Said to calls in clear.
const PLAIN_REFUSED: &str = "calls in clear are answered only while a process of an earlier release, which cannot encrypt, is in the cluster";

/// Answers calls. Blocks.
pub trait Answers: Send + Sync + 'static {
    /// Answers one.
    fn answer(&self, call: Call<'static>, deadline: Instant) -> Answer;

    /// True when a call may come in clear: while a process that cannot encrypt is in the cluster. Asked for calls that are signed alone.
    fn takes_plain(&self) -> bool;

    /// What `/healthz` says, JSON; false when the process cannot do what it is there for.
    fn health(&self) -> (bool, serde_json::Value);
}

#[derive(Clone)]
struct Desk {
    answers: Arc<dyn Answers>,
    key: ClusterKey,
    turns: Arc<Semaphore>,
    ended: watch::Receiver<bool>,
}

/// Serves until `ended` says so, then drains.
pub async fn serve(
    tcp: TcpListener,
    key: ClusterKey,
    answers: Arc<dyn Answers>,
    ended: watch::Receiver<bool>,
) -> Result<()> {
    let listener = Listener::new(tcp, TlsAcceptor::from(key.server.clone()));
    let desk = Desk {
        answers,
        key,
        turns: Arc::new(Semaphore::new(MAX_CALLS)),
        ended: ended.clone(),
    };
    let router = Router::new()
        .route(PATH, post(take))
        .layer(DefaultBodyLimit::max(MAX_BYTES))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(|| async { web::metrics::render() }))
        .with_state(desk)
        .into_make_service_with_connect_info::<Peer>();
    let mut asked = ended.clone();
    let ending = async move {
        asked.wait_for(|ended| *ended).await.ok();
    };
    let mut late = ended;
    let cut = async move {
        late.wait_for(|ended| *ended).await.ok();
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(ending) => served.context("serve calls"),
        () = cut => Ok(()),
    }
}

async fn take(
    State(desk): State<Desk>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let (version, mac) = (text(VERSION_HEADER), text(MAC_HEADER));
    if !is_spoken(version) {
        let said = format!("this process speaks {}, not {version:?}", version_text());
        return (StatusCode::UPGRADE_REQUIRED, said).into_response();
    }
    let sent_ms = text(SENT_HEADER).parse().unwrap_or(0);
    if !desk.key.verifies(version, (sent_ms, now_ms()), &body, mac) {
        return (
            StatusCode::UNAUTHORIZED,
            "not signed with this cluster's key",
        )
            .into_response();
    }
    let left_ms = text(DEADLINE_HEADER).parse().unwrap_or(0);
    let deadline = Instant::now() + Duration::from_millis(left_ms).min(MAX_LEFT);
    let request = Id::read(text(REQUEST_HEADER)).unwrap_or_else(Id::random);
    let Ok(turn) = desk.turns.clone().acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let answered = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        if !peer.is_encrypted && !desk.answers.takes_plain() {
            tracing::warn!(peer = %peer.address, "a call in clear is refused");
            return Err((StatusCode::FORBIDDEN, PLAIN_REFUSED.to_owned()));
        }
        let call: Call<'static> = rmp_serde::from_slice(&body)
            .map_err(|error| (StatusCode::BAD_REQUEST, format!("the call: {error}")))?;
        let answer = request.during(|| {
            let begun = Instant::now();
            let answer = desk.answers.answer(call, deadline);
            let took_ms = begun.elapsed().as_secs_f64() * 1000.0;
            match took_ms < SLOW_MS {
                true => tracing::debug!(took_ms, "answered a process of the cluster"),
                false => tracing::info!(took_ms, "answered a process of the cluster slowly"),
            }
            answer
        });
        rmp_serde::to_vec_named(&answer)
            .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    });
    match answered.await {
        Ok(Ok(bytes)) => bytes.into_response(),
        Ok(Err(refused)) => refused.into_response(),
        Err(error) => {
            tracing::error!(%error, "a call of another process failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn healthz(State(desk): State<Desk>) -> Response {
    let looked = tokio::task::spawn_blocking(move || desk.answers.health()).await;
    let (is_well, health) = looked.unwrap_or((false, serde_json::Value::Null));
    let status = match is_well {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, health.to_string()).into_response()
}

async fn readyz(State(desk): State<Desk>) -> Response {
    match *desk.ended.borrow() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopping").into_response(),
        false => "ready".into_response(),
    }
}
