//! Every route of the service, by family.

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower_http::compression::{
    CompressionLayer, CompressionLevel, Predicate, predicate::SizeAbove,
};

use crate::App;
use crate::frame::{Failure, middleware::frame};
use crate::health;

/// Answers shorter than this are not worth compressing, bytes.
const COMPRESS_ABOVE: u64 = 1024;

/// Routes that carry content or wait, so that no time limit may end them.
const STREAMS: [&str; 12] = [
    "/2/files/upload",
    "/2/files/upload_session/start",
    "/2/files/upload_session/append_v2",
    "/2/files/upload_session/append",
    "/2/files/upload_session/finish",
    "/2/files/download",
    "/2/files/download_zip",
    "/2/files/list_folder/longpoll",
    "/2/firefly/preview",
    "/2/sharing/get_shared_link_file",
    "/s/{key}",
    "/t/{link}",
];

/// Whether a route carries content or waits.
pub fn streams(route: &str) -> bool {
    STREAMS.contains(&route)
}

/// The whole service.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(unknown)
        .layer(from_fn_with_state(app.clone(), frame))
        .layer(compression())
        .with_state(app)
}

async fn unknown() -> Failure {
    Failure::NotFound
}

fn compression() -> CompressionLayer<impl Predicate> {
    let text = |_: axum::http::StatusCode,
                _: axum::http::Version,
                headers: &HeaderMap,
                _: &axum::http::Extensions| is_text(headers);
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESS_ABOVE).and(text))
}

/// Text of our own shrinks; content goes as it is, with its length and ranges.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    let partial =
        headers.contains_key(header::CONTENT_RANGE) || headers.contains_key("dropbox-api-result");
    !partial && (kind == "application/json" || kind.starts_with("text/") || kind == "image/svg+xml")
}
