//! The frame around every request: its id, its time limit, panics, security headers, metrics and the log line.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use storage::meta::Ended;
use storage::trace::Id;
use tracing::Instrument;

use super::asking::Asking;
use super::failure::{BadRequestDetail, Failure, InternalDetail};
use super::proxy::client_address;
use super::tie::Tie;
use crate::App;
use crate::line::Line;
use crate::router::streams;

/// How long a route that carries no content may take.
const TIME_LIMIT: Duration = Duration::from_secs(120);
/// Answers slower than this are logged by name, seconds.
const SLOW_S: f64 = 2.0;
/// What an answer that is not a page may load and who may frame it: nothing and nobody.
const CLOSED_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// A browser that came over https does not come without for half a year.
const STAY_ENCRYPTED: &str = "max-age=15552000";

/// The header with a request's id: taken over from whoever stands in front, and told in every answer.
const ID_HEADER: &str = "x-request-id";

/// The connection's other end, put into every request by [`crate::serve()`].
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Runs one request inside the frame.
pub async fn frame(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let given = request.headers().get(ID_HEADER);
    let given = given.and_then(|given| Id::read(given.to_str().ok()?));
    let id = given.unwrap_or_else(Id::random);
    let path = request.uri().path().to_string();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("other", MatchedPath::as_str);
    let in_flight = app.counters().begin();
    let line = request.extensions().get::<Line>().cloned();
    let tie = Tie::new(line, request.version());
    let address = client_address(
        &app.settings().trusted_proxies,
        request.extensions(),
        request.headers(),
    );
    let asking = Asking::new(id.clone(), address);
    let work = asking.scope(guarded(route, next.run(request)));
    let answered = tie.answer(work.instrument(id.span())).await;
    let id = id.as_str();
    let mut response = match answered {
        Ok(response) => tie.stream(response),
        Err(ended) => Failure::Unauthorized(ended_tag(ended)).into_response(),
    };
    name_function(&mut response, &path);
    finish(&mut response, id, app.settings().is_https());
    let took_s = begun.elapsed().as_secs_f64();
    crate::metrics::request(route, response.status(), took_s);
    log(&response, id, route, took_s);
    drop(in_flight);
    response
}

/// What a caller hears whose access ended while it waited.
fn ended_tag(ended: Ended) -> &'static str {
    match ended {
        Ended::Suspended => "user_suspended",
        Ended::Revoked => "invalid_access_token",
    }
}

/// `work` with its panics made a 500 and, for routes that carry no content, a time limit.
async fn guarded(route: &str, work: impl Future<Output = Response>) -> Response {
    let work = AssertUnwindSafe(work).catch_unwind();
    let outcome = match streams(route) {
        true => Ok(work.await),
        false => tokio::time::timeout(TIME_LIMIT, work).await,
    };
    match outcome {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Failure::Internal("panicked".into()).into_response(),
        Err(_) => Failure::Busy.into_response(),
    }
}

/// Puts the API function's name before the detail of a 400, as Dropbox does.
fn name_function(response: &mut Response, path: &str) {
    let Some(function) = path.strip_prefix("/2/") else {
        return;
    };
    if let Some(BadRequestDetail(detail)) = response.extensions_mut().remove() {
        let text = format!("Error in call to API function \"{function}\": {detail}");
        *response.body_mut() = Body::from(text);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
}

fn finish(response: &mut Response, id: &str, https: bool) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-dropbox-request-id", id.clone());
        headers.insert(ID_HEADER, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if https {
        let stay = HeaderValue::from_static(STAY_ENCRYPTED);
        headers.insert(header::STRICT_TRANSPORT_SECURITY, stay);
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CLOSED_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

fn log(response: &Response, id: &str, route: &str, took_s: f64) {
    let status = response.status();
    if let Some(InternalDetail(detail)) = response.extensions().get() {
        tracing::error!(id, route, %detail, "request failed");
    } else if status == StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(id, route, took_s, "request refused: busy");
    } else if took_s > SLOW_S && !streams(route) {
        tracing::info!(id, route, status = status.as_u16(), took_s, "slow request");
    } else {
        tracing::debug!(id, route, status = status.as_u16(), took_s, "request");
    }
}
