//! What stands in a request's headers.

use axum::extract::FromRequestParts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request};
use futures::FutureExt;
use ipnet::IpNet;
use serde_json::Value;
use web::frame::middleware::Peer;
use web::frame::proxy::client_address;
use web::frame::{HeaderArg, range};

/// Lines of `Dropbox-API-Arg`, `Range`, `X-Forwarded-For`, and the query of a GET, one after the other.
pub fn headers(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    argument(line());
    let mut headers = HeaderMap::new();
    set(&mut headers, "range", line());
    drop(range::wanted(&headers, 1_000));
    drop(range::wanted(&headers, 0));
    set(&mut headers, "x-forwarded-for", line());
    let mut request = Extensions::new();
    request.insert(Peer(([127, 0, 0, 1], 80).into()));
    let trusted = [IpNet::from(std::net::IpAddr::from([127, 0, 0, 1]))];
    client_address(&trusted, &request, &headers);
    query(line());
}

fn argument(line: &[u8]) {
    let mut headers = HeaderMap::new();
    set(&mut headers, "dropbox-api-arg", line);
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.headers = headers;
    // Nothing is waited for: it is in the request's head.
    drop(HeaderArg::<Value>::from_request_parts(&mut parts, &()).now_or_never());
}

fn query(line: &[u8]) {
    let line: String = line.iter().map(|byte| format!("%{byte:02X}")).collect();
    let request = Request::builder().uri(format!("/x?arg={line}")).body(());
    if let Ok(request) = request {
        let (mut parts, ()) = request.into_parts();
        drop(HeaderArg::<Value>::from_request_parts(&mut parts, &()).now_or_never());
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
