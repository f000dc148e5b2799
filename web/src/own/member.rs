//! `/2/firefly/member/…`: an attachment, a message of a mailbox or a file in an archive, unpacked where nothing in it can act.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;
use storage::extraction::{Member, MemberKind};
use storage::meta::path::extension;
use storage::meta::{AuditAction, Place, Refusal, Version};

use super::index_status::record_of;
use super::preview::{confined, mime};
use crate::App;
use crate::files::download::{DownloadQuery, version_at};
use crate::files::error::{address, path_lookup};
use crate::frame::asking::{self, Who};
use crate::frame::caller::Caller;
use crate::frame::content::attachment;
use crate::frame::{Failure, HeaderArg};
use crate::turns::Turns;

/// Members opened at once, two of them for one account: each holds its file in memory.
const AT_ONCE: usize = 3;
/// The largest file that is opened, bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Why a member is not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unopened {
    /// There is no such member.
    Missing,
    /// It, or its file, is over the limits.
    TooLarge,
    /// It is encrypted or damaged: what was found.
    Unreadable(String),
}

/// Gives the bytes of the member of a number in a file of this name and content. Blocks.
pub type Open = Arc<dyn Fn(&str, &[u8], u32) -> Result<Vec<u8>, Unopened> + Send + Sync>;

/// Opens members, a few at a time.
pub struct Opener {
    turns: Arc<Turns<Who>>,
    open: Open,
}

impl Opener {
    /// An opener that asks `open`.
    pub fn new(open: Open) -> Self {
        Opener {
            turns: Turns::new("members", AT_ONCE),
            open,
        }
    }
}

/// Which member of which file.
#[derive(Deserialize)]
pub struct MemberArg {
    path: String,
    member: String,
}

/// The member's bytes under a type that browsers show; 415 for any other.
pub async fn preview(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<MemberArg>,
) -> Result<Response, Failure> {
    let (member, bytes) = opened(&app, caller, arg).await?;
    let mime = match member.kind {
        MemberKind::Message => Some("text/plain; charset=utf-8"),
        _ => mime(&extension(&member.name)),
    };
    let mime = mime.ok_or(Failure::UnsupportedMedia("this type has no preview"))?;
    Ok(confined(response(bytes, mime), mime))
}

/// The member's bytes, of no stated type.
pub async fn download(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<MemberArg>,
    Query(query): Query<DownloadQuery>,
) -> Result<Response, Failure> {
    let (member, bytes) = opened(&app, caller, arg).await?;
    let mut response = response(bytes, "application/octet-stream");
    if query.is_saved()
        && let Ok(value) = HeaderValue::from_str(&attachment(&file_name(&member)))
    {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// The member at a path of a file; refused as not found when there is none. Blocks.
pub fn member_at(
    app: &App,
    place: &Place,
    version: &Version,
    path: &str,
) -> storage::Result<(u32, Member)> {
    let record = record_of(app, place, version)?;
    let members = record.and_then(|record| record.members);
    let found = members.map(|members| members.find(path, app.blocks()));
    found
        .transpose()?
        .flatten()
        .ok_or_else(|| Refusal::NotFound.into())
}

async fn opened(app: &App, caller: Caller, arg: MemberArg) -> Result<(Member, Vec<u8>), Failure> {
    let at = address(&arg.path, path_lookup)?;
    let _turn = app.opener().turns.wait(asking::who()).await;
    let opened = app.blocking(move |app| {
        let view = app.meta().view(caller.id())?;
        let (place, version) = version_at(&view, &caller, &at)?;
        let (number, member) = member_at(app, &place, &version, &arg.member)?;
        let subject = format!("{}#{}", place.path_display, member.path);
        app.note_here(&caller, AuditAction::Download, &subject);
        if version.size > MAX_FILE_BYTES {
            return storage::Result::Ok(Err(Unopened::TooLarge));
        }
        let mut bytes = Vec::with_capacity(version.size as usize);
        for block in &version.blocks {
            bytes.extend(app.blocks().get(block)?);
        }
        let opened = (app.opener().open)(&place.node.name, &bytes, number);
        Ok(opened.map(|opened| (member, opened)))
    });
    match opened.await?.map_err(|e| Failure::shaped(e, path_lookup))? {
        Ok(opened) => Ok(opened),
        Err(Unopened::Missing) => Err(Failure::of_refusal(&Refusal::NotFound, path_lookup)),
        Err(Unopened::TooLarge) => Err(Failure::tag("too_large")),
        Err(Unopened::Unreadable(why)) => Err(Failure::refused(
            serde_json::json!({ ".tag": "unreadable", "unreadable": why }),
        )),
    }
}

/// The name to save it under.
fn file_name(member: &Member) -> String {
    match member.kind {
        MemberKind::Message if !member.name.ends_with(".eml") => format!("{}.eml", member.name),
        _ => member.name.clone(),
    }
}

fn response(bytes: Vec<u8>, mime: &'static str) -> Response {
    let length = bytes.len();
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none")); // content: never compressed
    response
}
