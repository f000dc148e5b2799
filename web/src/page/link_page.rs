//! What a shared link's page holds: a file as it can be looked at, or a folder to walk through.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use storage::meta::path::extension;
use storage::meta::{Entry, OpenedLink, Place, Version};

use super::html::{encode, escape, page, size};
use super::words::Words;
use crate::App;
use crate::frame::Failure;
use crate::frame::content::{Presentation, outgoing};
use crate::own::preview::{confined, mime};
use crate::own::text::excerpt;
use crate::thumbnail::{self, Encoding, Wanted};

/// Entries of a folder that are shown.
const MAX_SHOWN: usize = 1_000;
/// Characters of a file's text that are shown.
const MAX_TEXT_CHARS: usize = 20_000;

/// A file's bytes to be shown in its page; they cannot act. 415 where browsers show nothing.
pub async fn view(
    app: &App,
    headers: &HeaderMap,
    opened: &OpenedLink,
    version: &Version,
) -> Result<Response, Failure> {
    let none = Failure::UnsupportedMedia("this type has no preview");
    let kind = mime(&extension(&opened.place.node.name)).filter(|_| opened.link.allow_download);
    let mime = kind.ok_or(none)?;
    let how = Presentation {
        mime,
        attachment: None,
    };
    Ok(confined(outgoing(app, headers, version, how).await?, mime))
}

/// A picture's small form, which may be looked at also where nothing may be downloaded. 415 where there is none.
pub async fn small(app: &App, opened: &OpenedLink, version: &Version) -> Result<Response, Failure> {
    let none = || Failure::UnsupportedMedia("this file has no thumbnail");
    if !thumbnail::is_picture(&extension(&opened.place.node.name)) {
        return Err(none());
    }
    let wanted = Wanted {
        width: 1024,
        height: 768,
        fills: false,
        encoding: Encoding::Jpeg,
    };
    let made = thumbnail::of(app, version, wanted).await?;
    let mut response = Response::new(Body::from(made.map_err(|_| none())?));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    Ok(response)
}

/// The page of a file.
pub async fn file_page(
    app: &App,
    words: &Words,
    opened: OpenedLink,
    key: &str,
    path: &str,
) -> Result<Response, Failure> {
    let name = opened.place.node.name.clone();
    let bytes = opened.place.node.head().map_or(0, |version| version.size);
    let mut body = format!("{}<p>{}</p>", crumbs(words, key, path), size(words, bytes));
    if opened.link.allow_download {
        let href = address(key, path, "&dl=1");
        body.push_str(&format!(
            "<p class=\"act\"><a class=\"go\" href=\"{href}\" download>{}</a></p>",
            words.download
        ));
    }
    body.push_str(&shown(app, opened, key, path).await?);
    Ok(page(words, StatusCode::OK, &name, &body))
}

/// What of the file can be looked at in the page.
async fn shown(app: &App, opened: OpenedLink, key: &str, path: &str) -> Result<String, Failure> {
    let name = escape(&opened.place.node.name);
    let extension = extension(&opened.place.node.name);
    let kind = mime(&extension).filter(|_| opened.link.allow_download);
    let bytes = address(key, path, "&view=1");
    Ok(match kind.and_then(|kind| kind.split_once('/')) {
        Some(("image", _)) => format!("<img class=\"shown\" src=\"{bytes}\" alt=\"{name}\">"),
        Some(("audio", _)) => format!("<audio class=\"shown\" controls src=\"{bytes}\"></audio>"),
        Some(("video", _)) => format!("<video class=\"shown\" controls src=\"{bytes}\"></video>"),
        Some(("application", "pdf")) => {
            format!("<iframe src=\"{bytes}\" title=\"{name}\"></iframe>")
        }
        _ if thumbnail::is_picture(&extension) => {
            let small = address(key, path, "&small=1");
            format!("<img class=\"shown\" src=\"{small}\" alt=\"{name}\">")
        }
        _ => {
            let read = app.blocking(move |app| excerpt(app, &opened.place, MAX_TEXT_CHARS));
            let text = read.await?.map_err(Failure::from_storage)?;
            match text.trim() {
                "" => String::new(),
                text => format!("<pre tabindex=\"0\">{}</pre>", escape(text)),
            }
        }
    })
}

/// The page of a folder.
pub async fn folder_page(
    app: &App,
    words: &Words,
    opened: OpenedLink,
    key: &str,
    path: &str,
) -> Result<Response, Failure> {
    let (account, folder) = (opened.actor.account, opened.place.clone());
    let listed = app.blocking(move |app| {
        app.meta()
            .view(account)?
            .children(&folder, None, MAX_SHOWN, false)
    });
    let entries = listed.await?.map_err(Failure::from_storage)?;
    let mut places: Vec<&Place> = entries.iter().filter_map(live).collect();
    places.sort_by_key(|place| place.node.is_file());
    let mut body = crumbs(words, key, path);
    if places.is_empty() {
        body.push_str(&format!("<p>{}</p>", words.empty_folder));
    } else {
        let rows: String = places
            .iter()
            .map(|place| row(words, place, key, path))
            .collect();
        body.push_str(&format!("<ul>{rows}</ul>"));
    }
    if opened.link.allow_download && !places.is_empty() {
        let href = address(key, path, "&dl=1");
        body.push_str(&format!(
            "<p class=\"act\"><a class=\"go\" href=\"{href}\" download>{}</a></p>",
            words.download_all
        ));
    }
    if entries.len() == MAX_SHOWN {
        body.push_str(&format!("<p>{}</p>", words.more));
    }
    Ok(page(words, StatusCode::OK, &opened.place.node.name, &body))
}

fn live(entry: &Entry) -> Option<&Place> {
    match entry {
        Entry::Live(place) => Some(place),
        Entry::Deleted(_) => None,
    }
}

fn row(words: &Words, place: &Place, key: &str, path: &str) -> String {
    let name = escape(&place.node.name);
    let below = format!("{}/{}", path.trim_end_matches('/'), place.node.name);
    let picture = match thumbnail::is_picture(&extension(&place.node.name)) && place.node.is_file()
    {
        true => format!(
            "<img class=\"small\" loading=\"lazy\" alt=\"\" src=\"{}\">",
            address(key, &below, "&small=1")
        ),
        false => kind(place.node.is_file()).to_owned(),
    };
    let detail = match place.node.head() {
        Some(version) => format!("<span class=\"size\">{}</span>", size(words, version.size)),
        None => String::new(),
    };
    let href = address(key, &below, "");
    format!("<li><a href=\"{href}\">{picture}<span class=\"name\">{name}</span>{detail}</a></li>")
}

/// The sign of a folder or a file.
fn kind(is_file: bool) -> &'static str {
    match is_file {
        true => {
            "<svg class=\"kind file\" viewBox=\"-4 -4 32 32\" aria-hidden=\"true\"><path d=\"M6.5 3.5h7L18 8v12.5H6.5zM13.5 3.5V8H18\"/></svg>"
        }
        false => {
            "<svg class=\"kind\" viewBox=\"-4 -4 32 32\" aria-hidden=\"true\"><path d=\"M3.5 7.5a2 2 0 0 1 2-2h4l2.5 2.500h6.500a2 2 0 0 1 2 2v6.500a2 2 0 0 1-2 2h-13a2 2 0 0 1-2-2z\"/></svg>"
        }
    }
}

/// The way back up to what the link leads to.
fn crumbs(words: &Words, key: &str, path: &str) -> String {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let Some((_, above)) = names.split_last() else {
        return String::new();
    };
    let mut crumbs = format!(
        "<a href=\"{}\">{}</a>",
        address(key, "", ""),
        words.everything
    );
    let mut at = String::new();
    for name in above {
        at = format!("{at}/{name}");
        let href = address(key, &at, "");
        crumbs.push_str(&format!(" › <a href=\"{href}\">{}</a>", escape(name)));
    }
    let label = words.folders_above;
    format!("<nav aria-label=\"{label}\">{crumbs}</nav>")
}

fn address(key: &str, path: &str, more: &str) -> String {
    escape(&format!("/s/{}?path={}{more}", encode(key), encode(path)))
}
