//! `files/get_preview`: there are no conversions yet, and the answer says so in Dropbox's words.

use serde::Deserialize;
use serde_json::json;

use crate::frame::caller::Caller;
use crate::frame::{Failure, HeaderArg};

/// Any argument.
#[derive(Deserialize)]
pub struct AnyArg {}

/// No preview: `unsupported_extension`.
pub async fn get_preview(_: Caller, _: HeaderArg<AnyArg>) -> Failure {
    Failure::refused(json!({ ".tag": "unsupported_extension" }))
}
