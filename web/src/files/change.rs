//! What an upload commits: `CommitInfo`.

use serde::Deserialize;
use storage::chunk::Content;
use storage::meta::{NewFile, Rev, RevId, WriteMode};

use crate::frame::stamp::Stamp;
use crate::frame::{Failure, Union};

/// `CommitInfo`, and `UploadArg`, which adds a content hash.
#[derive(Debug, Clone, Deserialize)]
pub struct Commit {
    /// Where to.
    pub path: String,
    mode: Option<Union>,
    #[serde(default)]
    autorename: bool,
    client_modified: Option<Stamp>,
    #[serde(default)]
    strict_conflict: bool,
    /// What the content's hash has to be.
    pub content_hash: Option<String>,
}

impl Commit {
    /// How to treat what is there; a 400 for a mode that is none.
    pub fn mode(&self) -> Result<WriteMode, Failure> {
        let Some(mode) = &self.mode else {
            return Ok(WriteMode::Add);
        };
        match mode.tag.as_str() {
            "add" => Ok(WriteMode::Add),
            "overwrite" => Ok(WriteMode::Overwrite),
            "update" => {
                let rev = mode
                    .text()
                    .ok_or_else(|| Failure::bad("mode: update needs a rev"))?;
                // A rev that is none of ours is nobody's: a conflict, as with any stale one.
                Ok(WriteMode::Update(
                    RevId::parse(rev).map_or(Rev(0), |id| id.rev),
                ))
            }
            other => Err(Failure::bad(format!("mode: unknown value {other:?}"))),
        }
    }

    /// The file to commit, once its content is durable.
    pub fn file(&self, mode: WriteMode, content: Content) -> NewFile {
        NewFile {
            blocks: content.blocks,
            size: content.size,
            content_hash: content.content_hash,
            mode,
            autorename: self.autorename,
            strict_conflict: self.strict_conflict,
            client_modified_ms: self.client_modified.map(|at| at.0),
        }
    }
}

/// Refuses content whose hash is not the one that its sender computed.
pub fn check_hash(wanted: Option<&str>, content_hash: &[u8; 32]) -> Result<(), Failure> {
    match wanted {
        Some(wanted) if !hex::encode(content_hash).eq_ignore_ascii_case(wanted) => {
            Err(Failure::tag("content_hash_mismatch"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(json: &str) -> Option<WriteMode> {
        serde_json::from_str::<Commit>(json)
            .ok()
            .and_then(|commit| commit.mode().ok())
    }

    #[test]
    fn every_form_of_a_mode() {
        assert_eq!(mode(r#"{"path":"/a"}"#), Some(WriteMode::Add));
        assert_eq!(
            mode(r#"{"path":"/a","mode":"overwrite"}"#),
            Some(WriteMode::Overwrite)
        );
        let update =
            r#"{"path":"/a","mode":{".tag":"update","update":"00000000000000070000000000000009"}}"#;
        assert_eq!(mode(update), Some(WriteMode::Update(Rev(7))));
        assert_eq!(
            mode(r#"{"path":"/a","mode":{".tag":"update","update":"123456789"}}"#),
            Some(WriteMode::Update(Rev(0)))
        );
        assert_eq!(mode(r#"{"path":"/a","mode":"append"}"#), None);
    }
}
