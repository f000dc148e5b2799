//! What a block server answers: questions of stores that have the cluster's key, and how it is.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use storage::block::served::{BlockServer, MAX_FRAME_BYTES, PATH};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::{Error, Result};

/// Questions at once; more wait. Each holds its bytes in memory.
const MAX_QUESTIONS: usize = 32;

#[derive(Clone)]
struct Door {
    server: Arc<BlockServer>,
    turns: Arc<Semaphore>,
}

/// Serves until `shutdown` is done; what was asked by then is answered.
pub async fn serve(
    server: Arc<BlockServer>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let door = Door {
        server,
        turns: Arc::new(Semaphore::new(MAX_QUESTIONS)),
    };
    let router = Router::new()
        .route(PATH, post(answer))
        .layer(DefaultBodyLimit::max(MAX_FRAME_BYTES))
        .route("/healthz", get(async || "{\"status\":\"ok\"}\n"))
        .route("/readyz", get(async || "{\"status\":\"ok\"}\n"))
        .route("/metrics", get(metrics))
        .with_state(door);
    let serving = axum::serve(listener, router).with_graceful_shutdown(shutdown);
    serving
        .await
        .map_err(|error| Error::io("serving blocks", error))
}

async fn answer(State(door): State<Door>, question: Bytes) -> Response {
    let Ok(_turn) = door.turns.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let server = door.server.clone();
    let answered = tokio::task::spawn_blocking(move || server.answer(&question)).await;
    match answered {
        Ok(Some(Ok(answer))) => answer.into_response(),
        Ok(None) => StatusCode::FORBIDDEN.into_response(),
        Ok(Some(Err(error))) => {
            tracing::error!(%error, "a question is not answered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Room on its disk, in Prometheus's text form.
async fn metrics(State(door): State<Door>) -> String {
    match door.server.free_bytes() {
        Some(free) => format!("firefly_block_server_free_bytes {free}\n"),
        None => String::new(),
    }
}
