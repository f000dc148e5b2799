//! `GET /2/firefly/thumbnail`: a picture's small form, for `<img>`; 415 where there is none.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use storage::meta::path::extension;

use crate::App;
use crate::files::download::version_at;
use crate::files::error::{address, path_lookup};
use crate::files::thumbnail::sides;
use crate::frame::caller::Caller;
use crate::frame::{Failure, HeaderArg};
use crate::thumbnail::{self, Encoding, Wanted};

/// Which file, and how large: one of Dropbox's sizes.
#[derive(Deserialize)]
pub struct ThumbnailArg {
    path: String,
    size: Option<String>,
}

/// An address with a version in it always means the same picture.
#[derive(Deserialize)]
pub struct ThumbnailQuery {
    rev: Option<String>,
}

/// The thumbnail, as JPEG.
pub async fn thumbnail(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<ThumbnailArg>,
    Query(query): Query<ThumbnailQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let size = arg.size.as_deref().unwrap_or("w256h256");
    let (width, height) = sides(size).ok_or_else(|| Failure::bad("size: unknown value"))?;
    let at = address(&arg.path, path_lookup)?;
    let found = app.blocking(move |app| version_at(&app.meta().view(caller.id())?, &caller, &at));
    let (place, version) = found.await?.map_err(|e| Failure::shaped(e, path_lookup))?;
    let none = || Failure::UnsupportedMedia("this file has no thumbnail");
    if !thumbnail::is_picture(&extension(&place.node.name)) {
        return Err(none());
    }
    let etag = format!("\"{}-{size}\"", hex::encode(version.content_hash));
    let is_known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|tag| tag.as_bytes() == etag.as_bytes());
    let mut response = if is_known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let wanted = Wanted {
            width,
            height,
            fills: false,
            encoding: Encoding::Jpeg,
        };
        let made = thumbnail::of(&app, &version, wanted).await?;
        Response::new(Body::from(made.map_err(|_| none())?))
    };
    let cache = match query.rev {
        Some(_) => "private, max-age=86400",
        None => "private, no-cache",
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}
