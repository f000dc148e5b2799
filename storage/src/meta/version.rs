//! Versions: reading them, restoring them.

use super::Meta;
use super::ids::{FileId, Rev};
use super::node::{Actor, Place, Revisions};
use super::path::Address;
use crate::error::{Error, Result};

impl Meta {
    /// Versions of the file that is, or was last, at `at`, newest first: those of every file of that path, or of this
    /// file alone (`by_id`).
    pub fn revisions(
        &self,
        actor: Actor,
        at: &Address,
        by_id: bool,
        limit: usize,
    ) -> Result<Revisions> {
        let _ = (actor, at, by_id, limit);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// Makes the content of version (`file`, `rev`) the newest at `at`, where that file is or was; a deleted file comes back.
    pub fn restore(&self, actor: Actor, at: &Address, file: FileId, rev: Rev) -> Result<Place> {
        let _ = (actor, at, file, rev);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// Brings a deleted file or folder back to where it was; folders above it are made again, a taken name is avoided.
    pub fn undelete(&self, actor: Actor, file: FileId) -> Result<Place> {
        let _ = (actor, file);
        Err(Error::Engine("not built yet".to_owned()))
    }
}
