//! `/2/firefly/text`: a file's extracted text, a part at a time.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::chunk::BlockHash;
use storage::extraction::TextSource;
use storage::meta::{AuditAction, Place};

use super::index_status::{record_of, word};
use super::member::member_at;
use crate::App;
use crate::files::download::version_at;
use crate::files::error::{address, path_lookup};
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// The most text looked at, bytes.
const MAX_TEXT_BYTES: usize = 16 << 20;
/// Characters of one answer, unless fewer are asked for.
const DEFAULT_LIMIT: usize = 20_000;
/// Characters of one answer at most.
const MAX_LIMIT: usize = 200_000;

/// Which file, and which part.
#[derive(Deserialize)]
pub struct TextArg {
    path: String,
    /// Only what this member of the file has.
    member: Option<String>,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

/// The text from character `offset`.
pub async fn text(State(app): State<App>, caller: Caller, Arg(arg): Arg<TextArg>) -> Answer<Value> {
    let at = address(&arg.path, path_lookup)?;
    let read = app.blocking(move |app| {
        let view = app.meta().view(caller.id())?;
        let (place, version) = version_at(&view, &caller, &at)?;
        if arg.offset == 0 {
            app.note_here(&caller, AuditAction::Download, place.path_display.as_str());
            app.note_opened(&caller, place.node.id);
        }
        let record = record_of(app, &place, &version)?;
        let bytes = match record.as_ref().map(|record| &record.text) {
            None | Some(TextSource::None) => Vec::new(),
            Some(TextSource::Content) => bytes(app, &version.blocks)?,
            Some(TextSource::Blocks { blocks, .. }) => bytes(app, blocks)?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let text = match &arg.member {
            Some(member) => {
                let (_, member) = member_at(app, &place, &version, member)?;
                let (start, end) = (member.range.0 as usize, member.range.1 as usize);
                text.get(start..end.min(text.len())).unwrap_or_default()
            }
            None => &text,
        };
        let limit = arg.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        let part: String = text.chars().skip(arg.offset).take(limit).collect();
        storage::Result::Ok(json!({
            "text": part,
            "total_chars": text.chars().count(),
            "outcome": word(record.as_ref()),
        }))
    });
    read.await?
        .map(Reply)
        .map_err(|e| Failure::shaped(e, path_lookup))
}

/// The first characters of a file's text; empty where there is none. Blocks.
pub fn excerpt(app: &App, place: &Place, chars: usize) -> storage::Result<String> {
    let Some(version) = place.node.head() else {
        return Ok(String::new());
    };
    let record = record_of(app, place, version)?;
    let bytes = match record.map(|record| record.text) {
        None | Some(TextSource::None) => Vec::new(),
        Some(TextSource::Content) => bytes(app, &version.blocks)?,
        Some(TextSource::Blocks { blocks, .. }) => bytes(app, &blocks)?,
    };
    Ok(String::from_utf8_lossy(&bytes)
        .chars()
        .take(chars)
        .collect())
}

fn bytes(app: &App, blocks: &[BlockHash]) -> storage::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for block in blocks {
        bytes.extend(app.blocks().get(block)?);
        if bytes.len() >= MAX_TEXT_BYTES {
            bytes.truncate(MAX_TEXT_BYTES);
            break;
        }
    }
    Ok(bytes)
}
