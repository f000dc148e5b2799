//! Success: JSON bodies, and JSON in a header that must be ASCII.

use std::io;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::failure::{Failure, InternalDetail};

/// A JSON answer; its Content-Type is exactly `application/json`, which the Python SDK asserts.
pub struct Reply<T>(pub T);

/// What an endpoint returns.
pub type Answer<T> = Result<Reply<T>, Failure>;

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        json(&self.0)
    }
}

/// A 200 response with `value` as its JSON body.
pub fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        Err(error) => {
            // Only a map with keys that are no strings could get here.
            let mut response = axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
            response
                .extensions_mut()
                .insert(InternalDetail(error.to_string()));
            response
        }
    }
}

/// `value` as the `Dropbox-API-Result` header's value: JSON of ASCII alone.
pub fn api_result(value: &impl Serialize) -> Result<HeaderValue, Failure> {
    let mut bytes = Vec::with_capacity(256);
    let mut out = serde_json::Serializer::with_formatter(&mut bytes, Ascii);
    value
        .serialize(&mut out)
        .map_err(|e| Failure::Internal(e.to_string()))?;
    HeaderValue::from_bytes(&bytes).map_err(|e| Failure::Internal(e.to_string()))
}

/// Writes every character outside printable ASCII as `\uXXXX`.
struct Ascii;

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for c in text.chars() {
            if (' '..='~').contains(&c) {
                out.write_all(&[c as u8])?;
                continue;
            }
            for unit in c.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_header_is_ascii_and_reads_back() {
        let value = serde_json::json!({ "name": "Grüße 日本 😀\u{7f}\n\".txt" });
        let header = api_result(&value)
            .map(|h| h.to_str().unwrap_or_default().to_string())
            .unwrap_or_default();
        assert!(
            header.is_ascii() && header.contains("\\ud83d\\ude00"),
            "{header}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&header).unwrap_or_default(),
            value
        );
    }
}
