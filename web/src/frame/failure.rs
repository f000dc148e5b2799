//! The error forms that the API's clients know.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Why a request is not answered with success.
#[derive(Debug)]
pub enum Failure {
    /// 400, text: the request itself is malformed.
    BadRequest(String),
    /// 401: who calls is not known; the tag of Dropbox's `AuthError`.
    Unauthorized(&'static str),
    /// 409 (or 403, 404): the endpoint's own error union.
    Refused(StatusCode, Value),
    /// 422: the `Dropbox-API-Path-Root` header names a root that is not the caller's.
    PathRoot(Value),
    /// 429: a reason tag, and seconds after which to try again.
    TooMany(&'static str, u32),
    /// 404, text: no such route or page.
    NotFound,
    /// 413, text: the body is over the route's limit.
    TooLarge,
    /// 415, text: no such conversion or content.
    UnsupportedMedia(&'static str),
    /// 416: no byte of the wanted range is there; the content's size.
    Unsatisfiable(u64),
    /// 503: over a limit of this process, try again.
    Busy,
    /// 500: a defect or a lost backend; logged with the request id.
    Internal(String),
}

/// The detail of a 400; the frame puts the function's name before it.
#[derive(Clone)]
pub struct BadRequestDetail(pub String);

/// What went wrong inside; the frame logs it with the request id.
#[derive(Clone)]
pub struct InternalDetail(pub String);

impl Failure {
    /// A 409 with the endpoint's error union.
    pub fn refused(error: Value) -> Self {
        Failure::Refused(StatusCode::CONFLICT, error)
    }

    /// A 409 whose error union is a tag alone.
    pub fn tag(tag: &str) -> Self {
        Failure::refused(json!({ ".tag": tag }))
    }

    /// A 400 that says what is wrong with the argument.
    pub fn bad(detail: impl Into<String>) -> Self {
        Failure::BadRequest(detail.into())
    }
}

/// The tags of an error union from the outside in, as clients read them: `path/not_found/..`.
pub fn summary(error: &Value) -> String {
    let mut summary = String::new();
    let mut at = Some(error);
    while let Some(tag) = at.and_then(|union| union[".tag"].as_str()) {
        summary.push_str(tag);
        summary.push('/');
        // A union's value stands under its tag, or beside it where it is a struct with a `reason`.
        at = at.and_then(|union| union.get(tag).or_else(|| union.get("reason")));
    }
    summary.push_str("..");
    summary
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::BadRequest(detail) => {
                let mut response = text(StatusCode::BAD_REQUEST, detail.clone());
                response.extensions_mut().insert(BadRequestDetail(detail));
                response
            }
            Failure::Unauthorized(tag) => union(StatusCode::UNAUTHORIZED, json!({ ".tag": tag })),
            Failure::Refused(status, error) => union(status, error),
            Failure::PathRoot(error) => union(StatusCode::UNPROCESSABLE_ENTITY, error),
            Failure::TooMany(reason, seconds) => too_many(reason, seconds),
            Failure::NotFound => text(StatusCode::NOT_FOUND, "not found"),
            Failure::TooLarge => text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
            Failure::UnsupportedMedia(what) => text(StatusCode::UNSUPPORTED_MEDIA_TYPE, what),
            Failure::Unsatisfiable(size) => unsatisfiable(size),
            Failure::Busy => {
                with_retry_after(text(StatusCode::SERVICE_UNAVAILABLE, "busy, try again"), 1)
            }
            Failure::Internal(detail) => {
                let mut response = union(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    json!({ ".tag": "internal_error" }),
                );
                response.extensions_mut().insert(InternalDetail(detail));
                response
            }
        }
    }
}

fn union(status: StatusCode, error: Value) -> Response {
    let body = json!({ "error_summary": summary(&error), "error": error });
    let mut response = super::reply::json(&body);
    *response.status_mut() = status;
    response
}

fn text(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

fn too_many(reason: &str, seconds: u32) -> Response {
    let error = json!({ "reason": { ".tag": reason }, "retry_after": seconds });
    let body = json!({ "error_summary": format!("{reason}/.."), "error": error });
    let mut response = super::reply::json(&body);
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    with_retry_after(response, seconds)
}

fn with_retry_after(mut response: Response, seconds: u32) -> Response {
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, seconds.into());
    response
}

fn unsatisfiable(size: u64) -> Response {
    let mut response = text(StatusCode::RANGE_NOT_SATISFIABLE, "range not satisfiable");
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seen(failure: Failure) -> (u16, String, String) {
        let response = failure.into_response();
        let status = response.status().as_u16();
        let kind = response.headers()[header::CONTENT_TYPE]
            .to_str()
            .unwrap_or_default()
            .to_string();
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap_or_default();
        (status, kind, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn refusals_have_a_summary_of_their_tags() {
        let error = json!({ ".tag": "path", "path": { ".tag": "conflict", "conflict": { ".tag": "file" } } });
        let (status, kind, body) = seen(Failure::refused(error)).await;
        assert_eq!((status, kind.as_str()), (409, "application/json"));
        assert!(
            body.contains(r#""error_summary":"path/conflict/file/..""#),
            "{body}"
        );
    }

    #[test]
    fn a_summary_looks_through_an_uploads_reason() {
        let error = json!({ ".tag": "path", "reason": { ".tag": "conflict", "conflict": { ".tag": "file" } } });
        assert_eq!(summary(&error), "path/conflict/file/..");
        assert_eq!(summary(&json!({ ".tag": "reset" })), "reset/..");
    }

    #[tokio::test]
    async fn a_401_is_exactly_application_json() {
        let (status, kind, body) = seen(Failure::Unauthorized("invalid_access_token")).await;
        assert_eq!((status, kind.as_str()), (401, "application/json"));
        assert!(body.contains(r#"".tag":"invalid_access_token""#), "{body}");
    }

    #[tokio::test]
    async fn a_429_says_when_to_come_back() {
        let response = Failure::TooMany("too_many_requests", 7).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        let (_, _, body) = seen(Failure::TooMany("too_many_requests", 7)).await;
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        assert_eq!(body["error"]["reason"][".tag"], "too_many_requests");
        assert_eq!(body["error"]["retry_after"], 7);
    }
}
