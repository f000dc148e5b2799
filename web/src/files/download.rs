//! `files/download`: a file's bytes, or a range of them, with its metadata in a header.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::Response;
use serde::Deserialize;
use storage::meta::{Address, AuditAction, Place, Refusal, Version, View};

use super::error::{address, path_lookup};
use super::shape::FileShape;
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::content::{Presentation, outgoing};
use crate::frame::{Failure, HeaderArg, api_result};

/// Which file.
#[derive(Deserialize)]
pub struct DownloadArg {
    path: String,
    rev: Option<String>,
}

/// How a browser wants it.
#[derive(Deserialize)]
pub struct DownloadQuery {
    dl: Option<String>,
}

impl DownloadQuery {
    /// Whether it is to be saved, not shown.
    pub fn is_saved(&self) -> bool {
        self.dl.as_deref() == Some("1")
    }
}

/// The file's bytes.
pub async fn download(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<DownloadArg>,
    Query(query): Query<DownloadQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let path = arg.rev.map_or(arg.path, |rev| format!("rev:{rev}"));
    let at = address(&path, path_lookup)?;
    let reader = caller.clone();
    let found = app.blocking(move |app| {
        let view = app.meta().view(reader.id())?;
        let (place, version) = version_at(&view, &reader, &at)?;
        let shape = FileShape::new(&place, &version, None, reader.start(&view)?);
        storage::Result::Ok((shape, place.node.name, version))
    });
    let (shape, name, version) = found.await?.map_err(|e| Failure::shaped(e, path_lookup))?;
    let attachment = query.is_saved().then_some(name.as_str());
    let how = Presentation {
        attachment,
        ..Presentation::BYTES
    };
    let mut response = outgoing(&app, &headers, &version, how).await?;
    response.headers_mut().insert(
        HeaderName::from_static("dropbox-api-result"),
        api_result(&shape)?,
    );
    app.note(&caller, AuditAction::Download, shape.subject())
        .await;
    Ok(response)
}

/// The file at an address, and the version that it names: the head, or with `rev:` an older one, also of a file that
/// was deleted.
pub fn version_at(
    view: &View<'_>,
    caller: &Caller,
    at: &Address,
) -> storage::Result<(Place, Version)> {
    if let Address::Rev(id) = at {
        let place = match view.place(id.file)? {
            Some(place) => Some(place),
            None => view.place_deleted(id.file)?,
        };
        let version = view.version(id.file, id.rev)?;
        return place.zip(version).ok_or_else(|| Refusal::NotFound.into());
    }
    let place = view.resolve(caller.root, at)?;
    let version = place.node.head().cloned().ok_or(Refusal::NotFile)?;
    Ok((place, version))
}
