//! Shared links: making, listing, changing and revoking them.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{AuditAction, FileId, LinkChange, LinkSettings, LinkedPlace, Refusal};

use super::error::{create_link, link as shape_error};
use super::link_shape::{key, shape};
use crate::App;
use crate::files::error::{address, path_lookup};
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, Reply, Union};

/// Links on a page.
const PAGE: usize = 200;

/// What to link to.
#[derive(Deserialize)]
pub struct CreateArg {
    path: String,
    #[serde(default)]
    settings: Option<Settings>,
}

/// `SharedLinkSettings`.
#[derive(Deserialize, Default)]
pub struct Settings {
    require_password: Option<bool>,
    link_password: Option<String>,
    expires: Option<Stamp>,
    audience: Option<Union>,
    requested_visibility: Option<Union>,
    allow_download: Option<bool>,
}

/// Whose links.
#[derive(Deserialize)]
pub struct ListArg {
    path: Option<String>,
    cursor: Option<String>,
}

/// Which link, and how it changes.
#[derive(Deserialize)]
pub struct ModifyArg {
    url: String,
    #[serde(default)]
    settings: Settings,
    #[serde(default)]
    remove_expiration: bool,
}

/// Which link.
#[derive(Deserialize)]
pub struct UrlArg {
    url: String,
}

impl Settings {
    /// The password asked for: `Some(None)` takes it away, `None` leaves it.
    fn password(&self) -> Result<Option<Option<String>>, Failure> {
        let tags = [&self.audience, &self.requested_visibility]
            .into_iter()
            .flatten()
            .map(|union| union.tag.as_str());
        let mut wanted = self.require_password;
        for tag in tags {
            match tag {
                "public" => {}
                "password" => wanted = Some(true),
                _ => return Err(settings_error("not_authorized")),
            }
        }
        match (wanted, &self.link_password) {
            (Some(false), _) => Ok(Some(None)),
            (_, Some(password)) => Ok(Some(Some(password.clone()))),
            (Some(true), None) => Err(settings_error("invalid_settings")),
            (None, None) => Ok(None),
        }
    }

    /// When the link ends, milliseconds; refused where that is over already.
    fn expires_ms(&self, app: &App) -> Result<Option<i64>, Failure> {
        match self.expires {
            Some(at) if at.0 <= app.meta().env().clock.now_ms() => {
                Err(settings_error("invalid_settings"))
            }
            at => Ok(at.map(|at| at.0)),
        }
    }
}

fn settings_error(tag: &str) -> Failure {
    Failure::refused(json!({ ".tag": "settings_error", "settings_error": { ".tag": tag } }))
}

/// Makes a link to a file or folder; the error of a second one carries the first.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<CreateArg>,
) -> Answer<Value> {
    let at = address(&arg.path, create_link)?;
    let settings = arg.settings.unwrap_or_default();
    let (password, expires_ms) = (settings.password()?.flatten(), settings.expires_ms(&app)?);
    let allow_download = settings.allow_download.unwrap_or(true);
    let made = app.blocking(move |app| {
        let start = caller.start_of(app).map_err(Failure::from_storage)?;
        let shaped = |linked: &LinkedPlace| shape(app, &linked.link, &linked.place, Some(start));
        let settings = LinkSettings {
            password,
            expires_ms,
            allow_download,
        };
        let linked = app.meta().create_link(caller.actor(), &at, settings);
        if let Err(storage::Error::Refused(Refusal::LinkExists(_))) = linked {
            let there = app
                .meta()
                .link_at(caller.actor(), &at)
                .map_err(|e| Failure::shaped(e, create_link))?;
            return Err(exists(there.as_ref().map(shaped)));
        }
        let linked = linked.map_err(|e| Failure::shaped(e, create_link))?;
        app.record(
            &caller,
            AuditAction::LinkCreated,
            linked.place.path_display.clone(),
        )?;
        Ok(shaped(&linked))
    });
    made.await?.map(Reply)
}

fn exists(there: Option<Value>) -> Failure {
    let mut error = json!({ ".tag": "shared_link_already_exists" });
    if let Some(metadata) = there {
        error["shared_link_already_exists"] = json!({ ".tag": "metadata", "metadata": metadata });
    }
    Failure::refused(error)
}

/// The caller's own links: all, or those to one file or folder.
pub async fn list(State(app): State<App>, caller: Caller, Arg(arg): Arg<ListArg>) -> Answer<Value> {
    let at = arg
        .path
        .as_deref()
        .filter(|path| !path.is_empty())
        .map(|path| address(path, path_lookup))
        .transpose()?;
    let after = match arg.cursor.as_deref().filter(|cursor| !cursor.is_empty()) {
        Some(cursor) => Some(FileId::parse(cursor).ok_or_else(|| Failure::tag("reset"))?),
        None => None,
    };
    let listed = app.blocking(move |app| {
        let start = caller.start_of(app)?;
        let (links, next) = match &at {
            Some(at) => (
                app.meta()
                    .link_at(caller.actor(), at)?
                    .into_iter()
                    .collect(),
                None,
            ),
            None => {
                let page = app.meta().list_links(caller.actor(), after, PAGE)?;
                (page.links, page.next)
            }
        };
        let links: Vec<Value> = links
            .iter()
            .map(|l: &LinkedPlace| shape(app, &l.link, &l.place, Some(start)))
            .collect();
        let mut page = json!({ "links": links, "has_more": next.is_some() });
        if let Some(next) = next {
            page["cursor"] = json!(next.to_string());
        }
        storage::Result::Ok(page)
    });
    listed
        .await?
        .map(Reply)
        .map_err(|e| Failure::shaped(e, path_lookup))
}

/// Changes one of the caller's own links.
pub async fn modify(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ModifyArg>,
) -> Answer<Value> {
    let key = key(&arg.url)?.to_owned();
    let expires_ms = match arg.settings.expires_ms(&app)? {
        Some(at) => Some(Some(at)),
        None => arg.remove_expiration.then_some(None),
    };
    let change = LinkChange {
        password: arg.settings.password()?,
        expires_ms,
        allow_download: arg.settings.allow_download,
    };
    let changed = app.blocking(move |app| {
        let refused = |e| Failure::shaped(e, shape_error);
        let link = app
            .meta()
            .change_link(caller.actor(), &key, &change)
            .map_err(refused)?;
        let view = app.meta().view(caller.id()).map_err(refused)?;
        let place = view
            .place(link.file)
            .map_err(refused)?
            .ok_or_else(|| Failure::tag("shared_link_not_found"))?;
        app.record(
            &caller,
            AuditAction::LinkChanged,
            place.path_display.clone(),
        )?;
        Ok(shape(
            app,
            &link,
            &place,
            Some(caller.start(&view).map_err(refused)?),
        ))
    });
    changed.await?.map(Reply)
}

/// Revokes one of the caller's own links, at once.
pub async fn revoke(State(app): State<App>, caller: Caller, Arg(arg): Arg<UrlArg>) -> Answer<()> {
    let key = key(&arg.url)?.to_owned();
    let done = app.blocking(move |app| {
        app.meta()
            .revoke_link(caller.actor(), &key)
            .map_err(|e| Failure::shaped(e, shape_error))?;
        // The key is a secret as long as it opens something; now it is a name.
        app.record(&caller, AuditAction::LinkRevoked, key)
    });
    done.await?.map(Reply)
}
