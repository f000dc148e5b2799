//! `files/get_thumbnail`, `…_v2` and `…_batch`: small pictures of pictures, as Dropbox asks for them.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::AuditAction;
use storage::meta::path::extension;

use super::download::version_at;
use super::error::{address, path_lookup};
use super::shape::FileShape;
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::{Arg, Failure, HeaderArg, Reply, Union, api_result, reply};
use crate::thumbnail::{self, Encoding, NoThumbnail, Wanted};

/// Thumbnails of a batch, as Dropbox bounds them.
const MAX_BATCH: usize = 25;

/// What `get_thumbnail` takes.
#[derive(Deserialize)]
pub struct ThumbnailArg {
    path: String,
    #[serde(flatten)]
    how: How,
}

/// What `get_thumbnail_v2` takes.
#[derive(Deserialize)]
pub struct ThumbnailV2Arg {
    resource: Union,
    #[serde(flatten)]
    how: How,
}

/// What `get_thumbnail_batch` takes.
#[derive(Deserialize)]
pub struct ThumbnailBatchArg {
    entries: Vec<ThumbnailArg>,
}

#[derive(Deserialize)]
struct How {
    format: Option<Union>,
    size: Option<Union>,
    mode: Option<Union>,
}

/// A thumbnail; the file's metadata goes in a header.
pub async fn get_thumbnail(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<ThumbnailArg>,
) -> Result<Response, Failure> {
    answer(&app, &caller, &arg.path, &arg.how, |metadata| metadata).await
}

/// The same; the metadata is a `PreviewResult`.
pub async fn get_thumbnail_v2(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<ThumbnailV2Arg>,
) -> Result<Response, Failure> {
    let path = match arg.resource.tag.as_str() {
        "path" => arg.resource.text(),
        _ => return Err(Failure::bad("resource: only a path is supported")),
    };
    let path = path.ok_or_else(|| Failure::bad("resource: path: expected a string"))?;
    answer(
        &app,
        &caller,
        path,
        &arg.how,
        |metadata| json!({ "file_metadata": metadata }),
    )
    .await
}

/// Several, in JSON; one result each.
pub async fn get_thumbnail_batch(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ThumbnailBatchArg>,
) -> reply::Answer<Value> {
    if arg.entries.len() > MAX_BATCH {
        return Err(Failure::tag("too_many_files"));
    }
    let mut entries = Vec::with_capacity(arg.entries.len());
    for entry in &arg.entries {
        let wanted = entry.how.wanted()?;
        entries.push(match made(&app, &caller, &entry.path, wanted).await {
            Ok((metadata, bytes)) => {
                let thumbnail = STANDARD.encode(bytes);
                json!({ ".tag": "success", "metadata": metadata, "thumbnail": thumbnail })
            }
            Err(Failure::Refused(_, error)) => json!({ ".tag": "failure", "failure": error }),
            Err(other) => return Err(other),
        });
    }
    Ok(Reply(json!({ "entries": entries })))
}

async fn answer(
    app: &App,
    caller: &Caller,
    path: &str,
    how: &How,
    result: impl FnOnce(Value) -> Value,
) -> Result<Response, Failure> {
    let wanted = how.wanted()?;
    let (metadata, bytes) = made(app, caller, path, wanted).await?;
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(wanted.encoding.mime()),
    );
    headers.insert(
        HeaderName::from_static("dropbox-api-result"),
        api_result(&result(metadata))?,
    );
    Ok(response)
}

/// A file's metadata and its thumbnail.
async fn made(
    app: &App,
    caller: &Caller,
    path: &str,
    wanted: Wanted,
) -> Result<(Value, Bytes), Failure> {
    let at = address(path, path_lookup)?;
    let reader = caller.clone();
    let found = app.blocking(move |app| {
        let view = app.meta().view(reader.id())?;
        let (place, version) = version_at(&view, &reader, &at)?;
        let shape = FileShape::new(&place, &version, None, reader.start(&view)?);
        storage::Result::Ok((extension(&place.node.name), shape, version))
    });
    let (extension, shape, version) = found.await?.map_err(|e| Failure::shaped(e, path_lookup))?;
    if !thumbnail::is_picture(&extension) {
        return Err(Failure::tag("unsupported_extension"));
    }
    let bytes = thumbnail::of(app, &version, wanted)
        .await?
        .map_err(refused)?;
    app.note(caller, AuditAction::Download, shape.subject())
        .await;
    let metadata = serde_json::to_value(shape).map_err(|e| Failure::Internal(e.to_string()))?;
    Ok((metadata, bytes))
}

fn refused(why: NoThumbnail) -> Failure {
    match why {
        NoThumbnail::Picture(_) => Failure::tag("unsupported_image"),
        NoThumbnail::Encoding(_) => Failure::tag("conversion_error"),
    }
}

impl How {
    fn wanted(&self) -> Result<Wanted, Failure> {
        fn tag<'a>(union: &'a Option<Union>, default: &'a str) -> &'a str {
            union.as_ref().map_or(default, |union| union.tag.as_str())
        }
        let encoding = match tag(&self.format, "jpeg") {
            "jpeg" => Encoding::Jpeg,
            "png" => Encoding::Png,
            "webp" => Encoding::Webp,
            other => return Err(Failure::bad(format!("format: unknown value {other:?}"))),
        };
        let size = tag(&self.size, "w64h64");
        let (width, height) =
            sides(size).ok_or_else(|| Failure::bad(format!("size: unknown value {size:?}")))?;
        let fills = match tag(&self.mode, "strict") {
            "strict" | "original" => false,
            "bestfit" | "fitone_bestfit" => true,
            other => return Err(Failure::bad(format!("mode: unknown value {other:?}"))),
        };
        Ok(Wanted {
            width,
            height,
            fills,
            encoding,
        })
    }
}

/// The sides of Dropbox's sizes, pixels.
pub fn sides(size: &str) -> Option<(u32, u32)> {
    Some(match size {
        "w32h32" => (32, 32),
        "w64h64" => (64, 64),
        "w128h128" => (128, 128),
        "w256h256" => (256, 256),
        "w480h320" => (480, 320),
        "w640h480" => (640, 480),
        "w960h640" => (960, 640),
        "w1024h768" => (1024, 768),
        "w2048h1536" => (2048, 1536),
        "w3200h2400" => (3200, 2400),
        _ => return None,
    })
}
