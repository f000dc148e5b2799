//! Small pages without a script, for shared links.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::words::Words;

/// The page's own style, by its hash, and pictures and files from here; nothing runs.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src 'self'; media-src 'self'; frame-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});
const STYLE: &str = "\
    :root{color-scheme:light dark;--bg:#faf8f4;--card:#fff;--text:#1e2530;--muted:#5b6473;--line:#e6e0d5;--link:#8a4f00}\
    @media(prefers-color-scheme:dark){:root{--bg:#11161d;--card:#171e27;--text:#ece8df;--muted:#9da8b7;--line:#27313d;--link:#ffc061}}\
    body{font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;max-width:52rem;margin:0 auto 4rem;padding:0 1rem;background:var(--bg);color:var(--text)}\
    .brand{display:flex;align-items:center;gap:.75rem;margin:0 0 3rem;padding:1.25rem 0;border-bottom:1px solid var(--line);font-weight:650;font-size:1.1rem;color:var(--text)}\
    .brand svg{width:28px;height:28px;fill:currentColor}.wing{opacity:.26}.light{fill:#f5a524}.halo{fill:#f5a524;opacity:.2}\
    main{position:relative}h1{margin:0 0 .5rem;font-size:1.5rem;line-height:2rem;font-weight:600;overflow-wrap:anywhere;letter-spacing:-.01em}p{color:var(--muted)}a,button,input{font:inherit}\
    ul{list-style:none;margin:1.25rem 0;padding:.25rem;background:var(--card);border:1px solid var(--line);border-radius:12px}\
    li a{display:flex;align-items:center;gap:.75rem;min-height:48px;padding:.25rem .75rem;border-radius:8px;color:inherit;text-decoration:none;overflow-wrap:anywhere}\
    li a:hover{background:var(--bg)}.name{flex:1;font-weight:500}.size{flex:none;color:var(--muted);font-size:.875rem}nav{margin:.5rem 0;color:var(--muted);overflow-wrap:anywhere}nav a{color:var(--link)}\
    .small,.kind{flex:none;width:36px;height:36px;object-fit:cover;border-radius:8px}.kind{fill:none;stroke:var(--link);stroke-width:1.6;stroke-linejoin:round;background:#f5a5241f}.file{stroke:var(--muted);background:var(--bg)}\
    @media(min-width:40rem){.act{position:absolute;top:0;right:0;margin:0}main:has(.act) h1{padding-right:11rem;line-height:2.625rem}}\
    .shown{display:block;max-width:100%;margin:1rem 0;border-radius:8px}video.shown,audio.shown{width:100%}\
    iframe{width:100%;height:75vh;border:1px solid var(--line);border-radius:8px}\
    pre{font:13px/1.5 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;padding:1rem;background:var(--card);border:1px solid var(--line);border-radius:12px}\
    .go,button{display:inline-block;padding:.6rem 1.25rem;border:0;border-radius:8px;background:#f5a524;color:#2a1a00;font-weight:600;text-decoration:none;cursor:pointer}\
    input{padding:.55rem .75rem;margin-right:.5rem;border:1px solid #9c968a;border-radius:8px;background:var(--card);color:inherit}\
    :focus-visible{outline:2px solid #b96f00;outline-offset:2px}";

/// The sign of Firefly, as the page's `Logo.svelte` draws it.
const LOGO: &str = "<svg viewBox=\"0 0 32 32\" aria-hidden=\"true\"><circle class=\"halo\" cx=\"16\" cy=\"21\" r=\"10\"/>\
    <ellipse class=\"wing\" cx=\"9\" cy=\"12.5\" rx=\"7\" ry=\"3.4\" transform=\"rotate(24 9 12.5)\"/>\
    <ellipse class=\"wing\" cx=\"23\" cy=\"12.5\" rx=\"7\" ry=\"3.4\" transform=\"rotate(-24 23 12.5)\"/>\
    <path d=\"M16 3.5a3 3 0 0 1 2.2 5c.8.7 1.3 1.7 1.3 3V15h-7v-3.5c0-1.3.5-2.3 1.3-3a3 3 0 0 1 2.2-5z\"/>\
    <path class=\"light\" d=\"M12.5 16.2h7v5.3c0 3.6-1.8 6.5-3.5 6.5s-3.5-2.9-3.5-6.5z\"/></svg>";

/// A page in the language of `words`, with this title and body; `body` is HTML already.
pub fn page(words: &Words, status: StatusCode, title: &str, body: &str) -> Response {
    let (title, language) = (escape(title), words.code);
    let text = format!(
        "<!doctype html><html lang=\"{language}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\">\
         <title>{title}</title><style>{STYLE}</style></head><body><header class=\"brand\">{LOGO}Firefly</header><main><h1>{title}</h1>{body}</main></body></html>"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(
        header::CONTENT_LANGUAGE,
        HeaderValue::from_static(words.code),
    );
    headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Text made safe in HTML, attributes included.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// Text made safe in a query string.
pub fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                out.push(byte as char)
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Bytes as people read them, in units of 1024 as everywhere on the page.
pub fn size(words: &Words, bytes: u64) -> String {
    let units = [words.bytes, "KB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    if unit == 0 {
        format!("{bytes} {}", words.bytes)
    } else {
        let tenths = usize::from(value < 100.0);
        format!("{value:.tenths$} {}", units[unit]).replace('.', words.point)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::super::words::words_for;
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
        assert_eq!(encode("/ü &x"), "/%C3%BC%20%26x");
        let german = words_for(&HeaderMap::from_iter([(
            header::ACCEPT_LANGUAGE,
            HeaderValue::from_static("de"),
        )]));
        assert_eq!(
            (size(german, 999), size(german, 3 << 19)),
            ("999 Bytes".into(), "1,5 MB".into())
        );
    }
}
