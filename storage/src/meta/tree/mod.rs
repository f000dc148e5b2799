//! Writing: one transaction per operation, with its journal entries, references, quota and queue rows. // I1, I2

use super::Meta;
use super::ids::Rev;
use super::node::{Actor, NewFile, Place};
use super::path::Address;
use crate::error::{Error, Result};

pub mod edit;

impl Meta {
    /// Writes a file; parents are made. The same content where it is already is answered with what is there.
    pub fn commit_file(&self, actor: Actor, at: &Address, file: &NewFile) -> Result<Place> {
        let _ = (actor, at, file);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// Makes a folder; parents are made.
    pub fn create_folder(&self, actor: Actor, at: &Address, autorename: bool) -> Result<Place> {
        let _ = (actor, at, autorename);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// Deletes a node and all below it, into the trash; a Mount is unmounted. Returns the place as it was.
    pub fn delete(&self, actor: Actor, at: &Address, parent_rev: Option<Rev>) -> Result<Place> {
        let _ = (actor, at, parent_rev);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// Moves or renames, also across namespaces; a rename of the case only is done.
    pub fn relocate(
        &self,
        actor: Actor,
        from: &Address,
        to: &Address,
        autorename: bool,
    ) -> Result<Place> {
        let _ = (actor, from, to, autorename);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// Copies a file's head, or a folder with heads only, at most 10,000 nodes ([`super::Refusal::TooManyFiles`]).
    pub fn copy(
        &self,
        actor: Actor,
        from: &Address,
        to: &Address,
        autorename: bool,
    ) -> Result<Place> {
        let _ = (actor, from, to, autorename);
        Err(Error::Engine("not built yet".to_owned()))
    }
}
