//! `files/download_zip`: a folder as an archive, made while it is sent.

use std::collections::{HashSet, VecDeque};
use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use storage::meta::{AuditAction, Entry, Place, Refusal, Version, View};
use tokio::sync::mpsc;

use super::error::{address, path_lookup};
use super::shape::FolderShape;
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::content::attachment;
use crate::frame::{Failure, HeaderArg, api_result, asking};
use crate::zip::Archive;

/// The most files and folders of an archive.
const MAX_ENTRIES: usize = 10_000;
/// The most content of an archive, bytes: 20 GiB.
const MAX_BYTES: u64 = 20 << 30;
/// Pieces made ahead of the client.
const AHEAD: usize = 2;

/// Which folder.
#[derive(Deserialize)]
pub struct ZipArg {
    path: String,
}

/// What an archive will hold.
pub struct Plan {
    /// The archive's name, without its ending.
    pub name: String,
    members: VecDeque<Member>,
}

struct Member {
    path: String,
    modified_ms: i64,
    version: Option<Version>,
}

/// A folder and all below it.
pub async fn download_zip(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<ZipArg>,
) -> Result<Response, Failure> {
    let at = address(&arg.path, path_lookup)?;
    let reader = caller.clone();
    let planned = app.blocking(move |app| {
        let refused = |e| Failure::shaped(e, path_lookup);
        let view = app.meta().view(reader.id()).map_err(refused)?;
        let place = view.resolve(reader.root, &at).map_err(refused)?;
        let shape = FolderShape::new(&place, None, reader.start(&view).map_err(refused)?);
        Ok((plan(&view, &place)?, shape))
    });
    let (plan, shape) = planned.await??;
    let result = api_result(&json!({ "metadata": shape }))?;
    let mut response = send(&app, plan);
    response
        .headers_mut()
        .insert(HeaderName::from_static("dropbox-api-result"), result);
    app.note(&caller, AuditAction::Download, arg.path).await;
    Ok(response)
}

/// Everything below a folder, within bounds. Blocks.
pub fn plan(view: &View<'_>, folder: &Place) -> Result<Plan, Failure> {
    if folder.node.is_file() {
        return Err(Failure::of_refusal(&Refusal::NotFolder, path_lookup));
    }
    let name = if folder.node.name.is_empty() {
        "Firefly".to_owned()
    } else {
        folder.node.name.clone()
    };
    let mut gathered = Gathered::default();
    gathered.below(view, folder, &name)?;
    gathered.plan(name)
}

/// Files and folders side by side, within the same bounds. Blocks.
pub fn plan_all(view: &View<'_>, places: &[Place], name: String) -> Result<Plan, Failure> {
    let (mut gathered, mut taken) = (Gathered::default(), HashSet::new());
    for place in places {
        // What is named twice, or has the name of another one elsewhere, stays apart.
        let mut top = place.node.name.clone();
        while !taken.insert(top.to_lowercase()) {
            top = format!("{top}_");
        }
        gathered.add(Member {
            path: top.clone(),
            modified_ms: modified_ms(place),
            version: place.node.head().cloned(),
        });
        if !place.node.is_file() {
            gathered.below(view, place, &top)?;
        }
    }
    gathered.plan(name)
}

/// What goes into an archive, as long as it is within bounds.
#[derive(Default)]
struct Gathered {
    members: VecDeque<Member>,
    bytes: u64,
}

impl Gathered {
    /// Takes a member; false when it is one too many.
    fn add(&mut self, mut member: Member) -> bool {
        self.bytes += member.version.as_ref().map_or(0, |version| version.size);
        if member.version.is_none() {
            member.path.push('/');
        }
        // A backslash is part of a name here, and leads out of the folder where some unpack it.
        member.path = member.path.replace('\\', "_");
        self.members.push_back(member);
        self.members.len() <= MAX_ENTRIES && self.bytes <= MAX_BYTES
    }

    /// Takes all below a folder, which is called `top` in the archive.
    fn below(&mut self, view: &View<'_>, folder: &Place, top: &str) -> Result<(), Failure> {
        let rest = view.walk(folder, None, false, &mut |entry| {
            let Entry::Live(place) = entry else {
                return Ok(true);
            };
            let below = place
                .path_display
                .get(folder.path_display.len()..)
                .unwrap_or(&place.path_display);
            Ok(self.add(Member {
                path: format!("{top}{below}"),
                modified_ms: modified_ms(&place),
                version: place.node.head().cloned(),
            }))
        });
        rest.map(|_| ())
            .map_err(|e| Failure::shaped(e, path_lookup))
    }

    fn plan(self, name: String) -> Result<Plan, Failure> {
        match () {
            () if self.members.len() > MAX_ENTRIES => Err(Failure::tag("too_many_files")),
            () if self.bytes > MAX_BYTES => Err(Failure::tag("too_large")),
            () => Ok(Plan {
                name,
                members: self.members,
            }),
        }
    }
}

fn modified_ms(place: &Place) -> i64 {
    let head = place.node.head();
    head.map_or(place.node.created_ms, |version| version.client_modified_ms)
}

/// The archive, made as the client takes it.
pub fn send(app: &App, plan: Plan) -> Response {
    let name = attachment(&format!("{}.zip", plan.name));
    let (pieces, taken) = mpsc::channel(AHEAD);
    asking::spawn(write(app.clone(), plan, pieces));
    let body = futures::stream::unfold(taken, |mut taken| async {
        Some((taken.recv().await?, taken))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/zip"),
    );
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

/// Sends the archive; ends early when the client goes, and breaks the body off when content cannot be read.
async fn write(app: App, mut plan: Plan, pieces: mpsc::Sender<io::Result<Bytes>>) {
    let mut archive = Archive::default();
    while let Some(member) = plan.members.pop_front() {
        if let Err(error) = entry(&app, &mut archive, member, &pieces).await {
            tracing::error!(%error, "an archive breaks off");
            let _ = pieces.send(Err(error)).await;
            return;
        }
        if pieces.is_closed() {
            return;
        }
    }
    // A client that is gone needs no directory.
    let _ = pieces.send(Ok(archive.finish())).await;
}

async fn entry(
    app: &App,
    archive: &mut Archive,
    member: Member,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let size = member.version.as_ref().map_or(0, |version| version.size);
    let (mut entry, head) = archive.begin(member.path, size, member.modified_ms);
    let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the client is gone");
    pieces.send(Ok(head)).await.map_err(gone)?;
    if let Some(version) = member.version.filter(|version| version.size > 0) {
        let blocks = app.blocks().clone();
        let content = sync::transfer::open(blocks, version.blocks, 0..size, app.turn_each());
        futures::pin_mut!(content);
        while let Some(piece) = content.next().await {
            let piece = piece?;
            entry.update(&piece);
            pieces.send(Ok(piece)).await.map_err(gone)?;
        }
    }
    pieces.send(Ok(archive.end(entry))).await.map_err(gone)
}
