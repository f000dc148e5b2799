//! Content in and out: request bodies as bounded streams, files as responses.

use std::io;
use std::ops::Range;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::{Stream, StreamExt};
use storage::meta::Version;

use super::{Failure, range};
use crate::App;

/// The most content one call may carry, bytes: 150 MiB.
pub const MAX_CONTENT_BYTES: u64 = 150 << 20;
/// How much of a refused body is read, bytes.
const MAX_DRAINED_BYTES: usize = 16 << 20;
/// A client that sends nothing for so long is gone.
const READ_STALL: Duration = Duration::from_secs(60);

/// The body of an upload, as it arrives. Refuses at once what says that it is too long.
pub fn incoming(
    headers: &HeaderMap,
    body: Body,
) -> Result<impl Stream<Item = io::Result<Bytes>>, Failure> {
    super::arg::check_content_type(headers)?;
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_CONTENT_BYTES) {
        return Err(Failure::tag("payload_too_large"));
    }
    let pieces = Box::pin(body.into_data_stream());
    Ok(futures::stream::unfold(pieces, |mut pieces| async move {
        let piece = match tokio::time::timeout(READ_STALL, pieces.next()).await {
            Ok(piece) => piece?.map_err(io::Error::other),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client sends nothing",
            )),
        };
        Some((piece, pieces))
    }))
}

/// Reads a refused body to its end, within a bound, so that a client that sends first and reads afterwards hears why.
pub async fn refuse(body: Body, failure: Failure) -> Failure {
    let mut pieces = body.into_data_stream();
    let mut left = MAX_DRAINED_BYTES;
    while let Ok(Some(Ok(piece))) = tokio::time::timeout(READ_STALL, pieces.next()).await {
        left = left.saturating_sub(piece.len());
        if left == 0 {
            break;
        }
    }
    failure
}

/// How content is presented.
#[derive(Debug, Clone, Copy)]
pub struct Presentation<'a> {
    /// The media type.
    pub mime: &'static str,
    /// Saved under this name instead of shown.
    pub attachment: Option<&'a str>,
}

impl Presentation<'_> {
    /// Bytes of no stated type, which is what API clients get.
    pub const BYTES: Presentation<'static> = Presentation {
        mime: "application/octet-stream",
        attachment: None,
    };
}

/// A version's bytes, or the range of them that the request wants (206). A block that cannot be read is a plain 500 when it is
/// the first one wanted; later ones cut the body off.
pub async fn outgoing(
    app: &App,
    headers: &HeaderMap,
    version: &Version,
    how: Presentation<'_>,
) -> Result<Response, Failure> {
    let etag = format!("\"{}\"", hex::encode(version.content_hash));
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|v| v.as_bytes() == etag.as_bytes())
    {
        return Ok(with(
            Response::new(Body::empty()),
            StatusCode::NOT_MODIFIED,
            &[(header::ETAG, &etag)],
        ));
    }
    let changed = headers
        .get(header::IF_RANGE)
        .is_some_and(|v| v.as_bytes() != etag.as_bytes());
    let part = if changed {
        None
    } else {
        range::wanted(headers, version.size)?
    };
    let status = if part.is_some() {
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    let wanted = part.clone().unwrap_or(0..version.size);
    let length = (wanted.end - wanted.start).to_string();
    let mut response = Response::new(bytes(app, version, wanted).await?);
    response = with(
        response,
        status,
        &[
            (header::CONTENT_TYPE, how.mime),
            (header::CONTENT_LENGTH, &length),
            (header::ACCEPT_RANGES, "bytes"),
            (header::ETAG, &etag),
        ],
    );
    if let Some(part) = part {
        response = with(
            response,
            status,
            &[(
                header::CONTENT_RANGE,
                &range::content_range(&part, version.size),
            )],
        );
    }
    if let Some(name) = how.attachment {
        response = with(
            response,
            status,
            &[(header::CONTENT_DISPOSITION, &attachment(name))],
        );
    }
    Ok(response)
}

/// A version's bytes in `range`, read as the client takes them; the first block is there before anything is promised.
async fn bytes(app: &App, version: &Version, range: Range<u64>) -> Result<Body, Failure> {
    if range.is_empty() {
        return Ok(Body::empty());
    }
    let (blocks, names) = (app.blocks().clone(), version.blocks.clone());
    let pieces = sync::transfer::open(blocks, names, range, app.turn_each());
    let mut pieces = Box::pin(pieces);
    let first = match pieces.next().await {
        Some(piece) => piece.map_err(|error| Failure::Internal(format!("content: {error}")))?,
        None => Bytes::new(),
    };
    let first = futures::stream::iter([Ok(first)]);
    Ok(Body::from_stream(first.chain(pieces)))
}

fn with(
    mut response: Response,
    status: StatusCode,
    headers: &[(header::HeaderName, &str)],
) -> Response {
    *response.status_mut() = status;
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
    response
}

/// `Content-Disposition` that saves under `name`, whatever characters it has.
pub fn attachment(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || " ._-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    let mut escaped = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                escaped.push(byte as char)
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{escaped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_can_be_saved() {
        let header = attachment("Grüße \"x\"\r\n.txt");
        assert_eq!(
            header,
            "attachment; filename=\"Gr__e _x___.txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%22x%22%0D%0A.txt"
        );
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_the_body() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, (MAX_CONTENT_BYTES + 1).into());
        assert!(matches!(
            incoming(&headers, Body::empty()),
            Err(Failure::Refused(..))
        ));
        headers.insert(header::CONTENT_LENGTH, MAX_CONTENT_BYTES.into());
        assert!(incoming(&headers, Body::empty()).is_ok());
    }
}
