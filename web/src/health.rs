//! `/healthz`, `/readyz`, `/metrics`: is it serving, is it to get more work, and how is it doing.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::{Failure, reply};

/// 200 while the process serves, with what it is doing.
pub async fn healthz(State(app): State<App>) -> Response {
    let in_flight = app.counters().in_flight();
    reply::json(
        &json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "requests_in_flight": in_flight }),
    )
}

/// 200 while new work is welcome, 503 once the process is asked to end. Says which database servers are away: what does not lie
/// there goes on.
pub async fn readyz(State(app): State<App>) -> Response {
    if app.is_stopping() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            reply::json(&json!({ "status": "stopping" })),
        )
            .into_response();
    }
    // Nothing is asked of the servers themselves: this answers as long as the process does.
    let away = app.operations()("ready", json!({})).unwrap_or_default();
    match away["away"].as_array() {
        Some(away) if !away.is_empty() => reply::json(&json!({ "status": "ready", "away": away })),
        _ => reply::json(&json!({ "status": "ready" })),
    }
}

/// Prometheus's text form, for administrators, or everybody where the settings say so.
pub async fn metrics(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    if !app.settings().open_metrics {
        let (mut parts, _) = request.into_parts();
        Caller::from_request_parts(&mut parts, &app)
            .await?
            .require_admin()?;
    }
    let own = app.at_door(|app| (app.operations())("metrics", json!({})));
    let own = own.await;
    let mut text = crate::metrics::render();
    // What cannot be asked at present is left out: the rest is worth having then.
    if let Ok(Ok(own)) = &own {
        text.push_str(own["text"].as_str().unwrap_or_default());
    }
    let mut response = text.into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
