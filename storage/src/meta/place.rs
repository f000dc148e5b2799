//! Reading: where nodes are, for one account, at one snapshot.

use super::Meta;
use super::ids::{AccountId, FileId, NamespaceId, Rev};
use super::node::{Access, Entry, Place, Version};
use super::path::Address;
use crate::error::{Error, Result};
use crate::kv::Snapshot;

/// Reads as one account at one snapshot. Holds caches: make one per request.
pub struct View<'a> {
    rows: Box<dyn Snapshot + 'a>,
    account: AccountId,
}

/// Where a walk stopped: folded names from where it began.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Position(pub Vec<String>);

impl Meta {
    /// A view of everything committed so far, as `account` may see it.
    pub fn view(&self, account: AccountId) -> Result<View<'_>> {
        Ok(View {
            rows: self.store.snapshot()?,
            account,
        })
    }
}

impl View<'_> {
    /// The node at an address, paths starting in `root`; [`super::Refusal::NotFound`] also where the account may not read.
    pub fn resolve(&self, root: NamespaceId, at: &Address) -> Result<Place> {
        let _ = (&self.rows, self.account, root, at);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// The newest deleted node at a path where nothing lives.
    pub fn resolve_deleted(&self, root: NamespaceId, at: &Address) -> Result<Option<Place>> {
        let _ = (root, at);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// Where the account sees the node; `None` when it is not alive or not readable. // I6
    pub fn place(&self, file: FileId) -> Result<Option<Place>> {
        let _ = file;
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// Where a node was that is deleted (itself or a folder above it), kept still, in a readable namespace.
    pub fn place_deleted(&self, file: FileId) -> Result<Option<Place>> {
        let _ = file;
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// What a folder holds, by folded name, after `after`; a Mount lists what it mounts.
    pub fn children(
        &self,
        of: &Place,
        after: Option<&str>,
        limit: usize,
        include_deleted: bool,
    ) -> Result<Vec<Entry>> {
        let _ = (of, after, limit, include_deleted);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// Visits what lies below a folder, depth-first, parents first, after `from`; stops when `visit` returns false, and
    /// then says where (`None`: all was visited). What lies in mounted folders is visited too.
    pub fn walk(
        &self,
        of: &Place,
        from: Option<&Position>,
        include_deleted: bool,
        visit: &mut dyn FnMut(Entry) -> Result<bool>,
    ) -> Result<Option<Position>> {
        let _ = (of, from, include_deleted, visit);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// The namespaces that the account can read, its own root first.
    pub fn access(&self) -> Result<Vec<Access>> {
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// A version of a file, the head included; `None` when there is none or the file is not readable.
    pub fn version(&self, file: FileId, rev: Rev) -> Result<Option<Version>> {
        let _ = (file, rev);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// The folder and the folders below it (a mounted folder's Root included), at most `limit`.
    pub fn subtree_folders(&self, folder: FileId, limit: usize) -> Result<Vec<FileId>> {
        let _ = (folder, limit);
        Err(Error::Engine("not built yet".to_owned()))
    }
}
