//! `/healthz`, `/readyz`: is it serving, and is it to get more work.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::App;
use crate::frame::reply;

/// 200 while the process serves, with what it is doing.
pub async fn healthz(State(app): State<App>) -> Response {
    let in_flight = app.counters().in_flight();
    reply::json(
        &json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "requests_in_flight": in_flight }),
    )
}

/// 200 while new work is welcome, 503 once the process is asked to end.
pub async fn readyz(State(app): State<App>) -> Response {
    if app.is_stopping() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            reply::json(&json!({ "status": "stopping" })),
        )
            .into_response();
    }
    reply::json(&json!({ "status": "ready" }))
}
