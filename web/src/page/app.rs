//! The page and its assets.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::assets::{Asset, asset, index_html};
use crate::frame::Failure;

/// The page runs its own scripts and talks to its own server, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; frame-src 'self'; media-src 'self'; \
    manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What a built file may do when it is a worker: pdf.js decodes pictures, with WebAssembly, and fetches nothing itself.
const WORKER_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; frame-ancestors 'none'";

/// The page's document, at every address of the page.
pub async fn index(headers: HeaderMap) -> Result<Response, Failure> {
    let page = index_html().ok_or(Failure::NotFound)?;
    let mut response = answer(page, &headers, "no-cache");
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    Ok(response)
}

/// A built file; its name holds a hash of its content, so browsers may keep it.
pub async fn built(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    let asset = asset(&format!("assets/{path}")).ok_or(Failure::NotFound)?;
    let cache = "public, max-age=31536000, immutable";
    let mut response = answer(asset, &headers, cache);
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(WORKER_POLICY),
    );
    Ok(response)
}

fn answer(asset: Asset, headers: &HeaderMap, cache: &'static str) -> Response {
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|tag| tag.as_bytes() == asset.etag.as_bytes());
    let body = if known {
        Body::empty()
    } else {
        Body::from(asset.bytes)
    };
    let mut response = Response::new(body);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.mime));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&asset.etag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
