//! `/2/firefly/preview`: a file's bytes to be shown inside the page; nothing in them may act.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;
use storage::meta::AuditAction;
use storage::meta::path::extension;

use crate::App;
use crate::files::download::version_at;
use crate::files::error::{address, path_lookup};
use crate::frame::caller::Caller;
use crate::frame::content::{Presentation, outgoing};
use crate::frame::{Failure, HeaderArg};

/// Nothing runs and nothing is loaded; only the page itself may frame it.
const SANDBOX: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox";
/// Browsers' own PDF viewers refuse to work in a sandbox, and bring their own.
const PDF: &str = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; plugin-types application/pdf; frame-ancestors 'self'";

/// Which file.
#[derive(Deserialize)]
pub struct PreviewArg {
    path: String,
}

/// The file's bytes under a type that browsers show; 415 for any other.
pub async fn preview(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<PreviewArg>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let at = address(&arg.path, path_lookup)?;
    let found = app.blocking(move |app| {
        let view = app.meta().view(caller.id())?;
        let found = version_at(&view, &caller, &at)?;
        app.note_here(
            &caller,
            AuditAction::Download,
            found.0.path_display.as_str(),
        );
        app.note_opened(&caller, found.0.node.id);
        storage::Result::Ok(found)
    });
    let (place, version) = found.await?.map_err(|e| Failure::shaped(e, path_lookup))?;
    let unsupported = Failure::UnsupportedMedia("this type has no preview");
    let mime = mime(&extension(&place.node.name)).ok_or(unsupported)?;
    let response = outgoing(
        &app,
        &headers,
        &version,
        Presentation {
            mime,
            attachment: None,
        },
    )
    .await?;
    Ok(confined(response, mime))
}

/// The response with what keeps content from acting: a policy and a sandbox.
pub fn confined(mut response: Response, mime: &str) -> Response {
    let policy = if mime == "application/pdf" {
        PDF
    } else {
        SANDBOX
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The type that a file is shown as; text is always plain text.
pub fn mime(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "svg" => "image/svg+xml",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "aac" => "audio/aac",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "ogv" => "video/ogg",
        "pdf" => "application/pdf",
        "txt" | "text" | "md" | "markdown" | "rst" | "adoc" | "org" | "tex" | "log" | "csv"
        | "tsv" | "json" | "jsonl" | "xml" | "yaml" | "yml" | "toml" | "ini" | "cfg" | "conf"
        | "properties" | "env" | "html" | "htm" | "css" | "scss" | "js" | "mjs" | "cjs" | "ts"
        | "tsx" | "jsx" | "svelte" | "vue" | "rs" | "py" | "rb" | "go" | "java" | "kt"
        | "scala" | "c" | "h" | "cc" | "cpp" | "hpp" | "cs" | "swift" | "php" | "pl" | "lua"
        | "r" | "sql" | "sh" | "bash" | "zsh" | "ps1" | "bat" | "diff" | "patch" | "eml"
        | "ics" | "vcf" | "srt" | "proto" | "graphql" | "tf" | "gradle" | "cmake" | "mk"
        | "dockerfile" | "gitignore" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::mime;

    #[test]
    fn markup_is_shown_as_text() {
        for name in ["html", "xml", "js", "eml"] {
            assert_eq!(mime(name), Some("text/plain; charset=utf-8"));
        }
        assert_eq!(mime("exe"), None);
    }
}
