//! Arguments: a JSON body, the `Dropbox-API-Arg` header, or `?arg=`.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Failure;

/// The largest JSON argument, bytes (1,000 commits of a batch fit).
pub const MAX_JSON_BYTES: usize = 2 * 1024 * 1024;
/// The largest argument of who is not known yet, bytes.
pub const MAX_STRANGER_BYTES: usize = 16 * 1024;
/// How long a JSON body may take to arrive.
const BODY_LIMIT: Duration = Duration::from_secs(30);

/// The argument of an RPC route: the JSON body.
pub struct Arg<T>(pub T);

/// The argument of an RPC route that anybody may call: the JSON body, which is small.
pub struct StrangerArg<T>(pub T);

/// The argument of a content route: the header `Dropbox-API-Arg` (escaped or raw UTF-8), or `?arg=`.
pub struct HeaderArg<T>(pub T);

/// The argument of a route that takes none: `null`, an empty object, or an empty body.
pub struct Void;

#[derive(Deserialize)]
struct ArgQuery {
    arg: Option<String>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Arg<T> {
    type Rejection = Failure;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Failure> {
        parse(&body(request, MAX_JSON_BYTES).await?, "request body").map(Arg)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for StrangerArg<T> {
    type Rejection = Failure;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Failure> {
        let bytes = body(request, MAX_STRANGER_BYTES).await?;
        parse(&bytes, "request body").map(StrangerArg)
    }
}

impl<S: Send + Sync> FromRequest<S> for Void {
    type Rejection = Failure;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Failure> {
        let bytes = body(request, MAX_JSON_BYTES).await?;
        match bytes.trim_ascii() {
            b"" | b"null" | b"{}" => Ok(Void),
            _ => Err(Failure::bad("request body: expected null")),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for HeaderArg<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        if let Some(value) = parts.headers.get("dropbox-api-arg") {
            return parse(value.as_bytes(), "HTTP header \"Dropbox-API-Arg\"").map(HeaderArg);
        }
        let query = Query::<ArgQuery>::from_request_parts(parts, state).await;
        match query.ok().and_then(|q| q.0.arg) {
            Some(arg) => parse(arg.as_bytes(), "URL parameter \"arg\"").map(HeaderArg),
            None => Err(Failure::bad(
                "Must provide HTTP header \"Dropbox-API-Arg\" or URL parameter \"arg\".",
            )),
        }
    }
}

async fn body(request: Request<Body>, most: usize) -> Result<axum::body::Bytes, Failure> {
    check_json_type(request.headers())?;
    let read = axum::body::to_bytes(request.into_body(), most);
    match tokio::time::timeout(BODY_LIMIT, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Failure::TooLarge),
        Err(_) => Err(Failure::bad("request body: did not arrive in time")),
    }
}

/// Parses a JSON argument, which must be an object (a derived struct would take an array as well).
fn parse<T: DeserializeOwned>(bytes: &[u8], place: &str) -> Result<T, Failure> {
    let bytes = match bytes.trim_ascii() {
        b"" | b"null" => b"{}",
        other => other,
    };
    if bytes.first() != Some(&b'{') {
        return Err(Failure::bad(format!("{place}: expected an object")));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let what = if error.is_data() {
            ""
        } else {
            "could not decode input as JSON: "
        };
        Failure::bad(format!("{place}: {what}{error}"))
    })
}

/// JSON may come as JSON or as Dropbox's text that spares browsers a preflight, with any charset.
fn check_json_type(headers: &HeaderMap) -> Result<(), Failure> {
    match media_type(headers).as_str() {
        "" | "application/json" | "text/plain" | "application/octet-stream" => Ok(()),
        other => Err(Failure::bad(format!(
            "Bad HTTP \"Content-Type\" header: {other:?}. Expecting \"application/json\"."
        ))),
    }
}

/// Refuses the content types that forms have, and which no client means for an upload.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), Failure> {
    let form = ["application/x-www-form-urlencoded", "multipart/form-data"];
    let kind = media_type(headers);
    if form.contains(&kind.as_str()) {
        let wanted =
            "Expecting \"application/octet-stream\" or \"text/plain; charset=dropbox-cors-hack\"";
        return Err(Failure::bad(format!(
            "Bad HTTP \"Content-Type\" header: {kind:?}. {wanted}."
        )));
    }
    Ok(())
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    value
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Path {
        path: String,
    }

    fn request(kind: &str, body: &[u8]) -> Request<Body> {
        let request = Request::builder().header(header::CONTENT_TYPE, kind);
        request.body(Body::from(body.to_vec())).unwrap_or_default()
    }

    async fn arg(kind: &str, body: &str) -> Result<String, String> {
        let read = Arg::<Path>::from_request(request(kind, body.as_bytes()), &()).await;
        read.map(|a| a.0.path).map_err(|e| format!("{e:?}"))
    }

    async fn header_arg(value: &[u8]) -> Option<String> {
        let built = Request::builder().header("Dropbox-API-Arg", value).body(());
        let mut parts = built.unwrap_or_default().into_parts().0;
        HeaderArg::<Path>::from_request_parts(&mut parts, &())
            .await
            .ok()
            .map(|a| a.0.path)
    }

    #[tokio::test]
    async fn json_bodies_of_every_accepted_type() {
        for kind in [
            "application/json",
            "application/json; charset=utf-8",
            "text/plain; charset=dropbox-cors-hack",
        ] {
            assert_eq!(
                arg(kind, r#"{"path":"/ü","new":1}"#).await.as_deref(),
                Ok("/ü"),
                "{kind}"
            );
        }
        assert!(
            arg("application/x-www-form-urlencoded", "{}")
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn malformed_arguments_are_bad_requests() {
        for body in [
            "{",
            r#"{"path": 7}"#,
            r#"["/x"]"#,
            "[1]",
            "null",
            "",
            "{}",
            "{}x",
        ] {
            let seen = arg("application/json", body).await;
            assert!(
                seen.as_ref().is_err_and(|e| e.starts_with("BadRequest")),
                "{body}: {seen:?}"
            );
        }
    }

    #[tokio::test]
    async fn void_is_null_or_nothing() {
        for (body, good) in [
            ("", true),
            ("null", true),
            (" null\n", true),
            ("{}", true),
            ("7", false),
        ] {
            let read = Void::from_request(request("application/json", body.as_bytes()), &()).await;
            assert_eq!(read.is_ok(), good, "{body}");
        }
    }

    #[tokio::test]
    async fn header_arguments_are_escaped_or_raw() {
        assert_eq!(
            header_arg(br#"{"path":"/\u00fc\ud83d\ude00"}"#)
                .await
                .as_deref(),
            Some("/ü😀")
        );
        assert_eq!(
            header_arg("{\"path\":\"/ü😀\"}".as_bytes())
                .await
                .as_deref(),
            Some("/ü😀")
        );
        assert_eq!(header_arg(b"{").await, None);
    }

    #[tokio::test]
    async fn the_query_may_carry_the_argument() {
        let built = Request::builder()
            .uri("/2/files/download?arg=%7B%22path%22%3A%22%2F%C3%BC%22%7D&dl=1")
            .body(());
        let mut parts = built.unwrap_or_default().into_parts().0;
        let read = HeaderArg::<Path>::from_request_parts(&mut parts, &()).await;
        assert_eq!(read.ok().map(|a| a.0.path).as_deref(), Some("/ü"));
    }
}
