//! Reading: where nodes are, for one account, at one snapshot.
//!
//! `reader` finds nodes and checks access on any rows (a snapshot, or a transaction), `list` lists and walks, `trash`
//! finds what is deleted; [`View`] is all of it over one snapshot.

mod list;
mod reader;
mod trash;

pub(crate) use reader::{Cache, MAX_DEPTH, Reader};

use super::Meta;
use super::ids::{AccountId, FileId, NamespaceId, Rev};
use super::keys;
use super::mount::ancestors;
use super::node::{Access, Entry, Place, Version};
use super::path::Address;
use crate::error::Result;
use crate::kv::Snapshot;

/// Reads as one account at one snapshot. Holds caches: make one per request.
pub struct View<'a> {
    rows: Box<dyn Snapshot + 'a>,
    account: AccountId,
    cache: Cache,
}

/// Where a walk stopped: folded names from where it began.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Position(pub Vec<String>);

impl Meta {
    /// A view of everything committed so far, as `account` may see it.
    pub fn view(&self, account: AccountId) -> Result<View<'_>> {
        let rows = self.store.snapshot()?;
        Ok(View {
            rows,
            account,
            cache: Cache::default(),
        })
    }
}

impl View<'_> {
    /// The snapshot itself, for rows that are not nodes.
    pub(crate) fn rows(&self) -> &dyn Snapshot {
        &*self.rows
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader {
            rows: &*self.rows,
            account: self.account,
            cache: &self.cache,
        }
    }

    /// The node at an address, paths starting in `root`; [`super::Refusal::NotFound`] also where the account may not read.
    pub fn resolve(&self, root: NamespaceId, at: &Address) -> Result<Place> {
        self.reader().resolve(root, at)
    }

    /// The newest deleted node at a path where nothing lives.
    pub fn resolve_deleted(&self, root: NamespaceId, at: &Address) -> Result<Option<Place>> {
        self.reader().resolve_deleted(root, at)
    }

    /// Where the account sees the node; `None` when it is not alive or not readable. A shared folder's Root is seen as its
    /// Mount. // I6
    pub fn place(&self, file: FileId) -> Result<Option<Place>> {
        self.reader().place(file, None)
    }

    /// Where a node was that is deleted (itself or a folder above it), kept still, in a readable namespace.
    pub fn place_deleted(&self, file: FileId) -> Result<Option<Place>> {
        self.reader().place_deleted(file, None)
    }

    /// When a node was deleted, itself or else with a folder above it, milliseconds since 1970; `None` while it lives.
    pub fn deleted_ms(&self, file: FileId) -> Result<Option<i64>> {
        let above = ancestors(&*self.rows, file)?;
        Ok(above
            .iter()
            .find_map(|node| node.deleted)
            .map(|deletion| deletion.at_ms))
    }

    /// False where what was deleted last at a deleted node's path is another node. `root` is where paths begin.
    pub fn is_last_deleted(&self, root: NamespaceId, place: &Place) -> Result<bool> {
        let at = Address::parse(&place.path_display)?;
        let last = self.resolve_deleted(root, &at)?;
        Ok(last.is_none_or(|last| last.node.id == place.node.id))
    }

    /// What a folder holds, by folded name, after `after`, at most `limit`; a Mount lists what it mounts. A deleted folder
    /// lists everything as deleted. A file holds nothing.
    pub fn children(
        &self,
        of: &Place,
        after: Option<&str>,
        limit: usize,
        include_deleted: bool,
    ) -> Result<Vec<Entry>> {
        self.reader().children(of, after, limit, include_deleted)
    }

    /// Visits what lies below a folder, depth-first, parents first, after `from`; stops when `visit` returns false, and
    /// then says at what (`None`: all was visited). What lies in mounted folders is visited too; what lies in deleted
    /// folders is not.
    pub fn walk(
        &self,
        of: &Place,
        from: Option<&Position>,
        include_deleted: bool,
        visit: &mut dyn FnMut(Entry) -> Result<bool>,
    ) -> Result<Option<Position>> {
        self.reader().walk(of, from, include_deleted, visit)
    }

    /// The namespaces that the account can read, its own root first.
    pub fn access(&self) -> Result<Vec<Access>> {
        let mut access: Vec<_> = keys::memberships(&*self.rows, self.account)?
            .into_iter()
            .map(|(ns, m)| Access {
                ns,
                role: m.role,
                mount: m.mount,
                home: m.home,
            })
            .collect();
        access.sort_by_key(|a| !a.home);
        Ok(access)
    }

    /// A version of a file, the head included; `None` when there is none or the file is in no readable namespace. Deleted
    /// files have versions as long as they are kept.
    pub fn version(&self, file: FileId, rev: Rev) -> Result<Option<Version>> {
        self.reader().version(file, rev)
    }

    /// The folder and the folders below it (for a mounted folder its Root), nearest first, at most `limit`. Empty when the
    /// account does not see it.
    pub fn subtree_folders(&self, folder: FileId, limit: usize) -> Result<Vec<FileId>> {
        self.reader().subtree_folders(folder, limit)
    }
}
