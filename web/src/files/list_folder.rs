//! `files/list_folder`, `…/continue`, `…/get_latest_cursor`.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sync::listing::{DEFAULT_PAGE, Listed, MAX_PAGE, Options, Page};

use super::error::{address, path_lookup};
use super::list_link::{self, SharedLinkArg};
use super::shape::{Shape, Start};
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// What to list.
#[derive(Deserialize)]
pub struct ListFolderArg {
    path: String,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    include_deleted: bool,
    #[serde(default = "yes")]
    include_mounted_folders: bool,
    limit: Option<u32>,
    shared_link: Option<SharedLinkArg>,
}

fn yes() -> bool {
    true
}

impl ListFolderArg {
    fn options(&self) -> Result<Options, Failure> {
        if self.shared_link.is_some() {
            return Err(Failure::bad(
                "request body: shared_link: changes through a link are not told",
            ));
        }
        Ok(Options {
            recursive: self.recursive,
            include_deleted: self.include_deleted,
            include_mounted_folders: self.include_mounted_folders,
            limit: self.page_size(),
        })
    }

    fn page_size(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE)
    }
}

/// What a listing answers.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Answered {
    /// Of the caller's own files.
    Own(ListFolderResult),
    /// Of a shared link's folder.
    Linked(Value),
}

/// A page of entries.
#[derive(Serialize)]
pub struct ListFolderResult {
    entries: Vec<Shape>,
    cursor: String,
    has_more: bool,
}

/// Where to go on.
#[derive(Deserialize)]
pub struct ContinueArg {
    cursor: String,
}

/// A cursor alone.
#[derive(Serialize)]
pub struct CursorResult {
    cursor: String,
}

/// The first page of a folder.
pub async fn list_folder(
    State(app): State<App>,
    caller: Caller,
    Arg(mut arg): Arg<ListFolderArg>,
) -> Answer<Answered> {
    if let Some(link) = arg.shared_link.take() {
        if arg.recursive {
            return Err(Failure::bad(
                "request body: recursive: not through a shared link",
            ));
        }
        let limit = arg.page_size() as usize;
        let page = list_link::first(&app, &caller, link, &arg.path, limit).await?;
        return Ok(Reply(Answered::Linked(page)));
    }
    let (at, options) = (address(&arg.path, path_lookup)?, arg.options()?);
    let listed = app.blocking(move |app| {
        let token = Some(caller.token_id().0);
        let page = app.listing().start(caller.actor(), token, &at, options)?;
        sync::Result::Ok(result(page, caller.start_of(app)?))
    });
    let listed = listed
        .await?
        .map_err(|e| Failure::of_sync(e, path_lookup))?;
    Ok(Reply(Answered::Own(listed)))
}

/// The next page, or what changed since.
pub async fn list_folder_continue(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ContinueArg>,
) -> Answer<Answered> {
    if let Some(page) = list_link::next(&app, &caller, &arg.cursor).await? {
        return Ok(Reply(Answered::Linked(page)));
    }
    let listed = app.blocking(move |app| {
        let page = app.listing().resume(caller.id(), &arg.cursor)?;
        sync::Result::Ok(result(page, caller.start_of(app)?))
    });
    let listed = listed
        .await?
        .map_err(|e| Failure::of_sync(e, path_lookup))?;
    Ok(Reply(Answered::Own(listed)))
}

/// A cursor that tells only what changes from now on.
pub async fn get_latest_cursor(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ListFolderArg>,
) -> Answer<CursorResult> {
    let (at, options) = (address(&arg.path, path_lookup)?, arg.options()?);
    let made = app.blocking(move |app| {
        app.listing()
            .latest(caller.actor(), Some(caller.token_id().0), &at, options)
    });
    let cursor = made.await?.map_err(|e| Failure::of_sync(e, path_lookup))?;
    Ok(Reply(CursorResult { cursor }))
}

fn result(page: Page, start: Start) -> ListFolderResult {
    let shape = |listed: &Listed| match listed {
        Listed::Live(place) => Shape::tagged(place, start),
        Listed::Deleted(gone) => {
            Shape::deleted(&gone.name, &gone.path_lower, &gone.path_display, start)
        }
    };
    ListFolderResult {
        entries: page.entries.iter().map(shape).collect(),
        cursor: page.cursor,
        has_more: page.has_more,
    }
}
