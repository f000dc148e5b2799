//! The page: the built files of `ui/`, embedded in the program.

use std::borrow::Cow;

use rust_embed::RustEmbed;

/// The built page; `build.rs` sets `FIREFLY_UI`.
#[derive(RustEmbed)]
#[folder = "$FIREFLY_UI"]
#[exclude = "*.map"]
struct Page;

/// One embedded file.
pub struct Asset {
    /// The content.
    pub bytes: Cow<'static, [u8]>,
    /// The media type, with a charset where it is text.
    pub mime: &'static str,
    /// A strong entity tag, with its quotes.
    pub etag: String,
}

/// The file at `path` (`assets/index-….js`, with or without a leading slash), if the page has it.
pub fn asset(path: &str) -> Option<Asset> {
    let path = path.trim_start_matches('/');
    let file = Page::get(path)?;
    let etag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    Some(Asset {
        bytes: file.data,
        mime: mime(path),
        etag,
    })
}

/// The page's one document, which every address of the page answers with; `None` only if it was built without one.
pub fn index_html() -> Option<Asset> {
    asset("index.html")
}

/// The media type by a file's ending.
fn mime(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "webmanifest" => "application/json",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_its_document() {
        let index = index_html().map(|page| (page.mime, page.bytes.is_empty()));
        assert_eq!(index, Some(("text/html; charset=utf-8", false)));
    }

    #[test]
    fn paths_outside_the_page_have_no_asset() {
        for path in ["", "/", "../Cargo.toml", "assets", "assets/../index.html/x"] {
            assert!(asset(path).is_none(), "{path}");
        }
    }
}
