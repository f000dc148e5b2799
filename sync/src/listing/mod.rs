//! Folder listings and their cursors: Dropbox's `list_folder` and `continue` over the journal.
//!
//! A cursor is a *walk* still to be done (pages of the first listing, or a folder that appeared) and, per namespace, the
//! journal sequence up to which changes were told. The sequences are those of the first page, so what changes while
//! one lists is told again afterwards; entries always show the present, and applied in order they end in it. A page is read at one
//! moment, journals and folders alike.

mod pager;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use storage::kv::Store;
use storage::meta::{AccountId, Actor, Address, FileId, Meta, NamespaceId, NodeKind, Place, View};
use storage::seal::Sealer;

use crate::error::{Error, Result};
use pager::Pager;

/// Entries on a page unless the caller asks for fewer.
pub const DEFAULT_PAGE: u32 = 1000;
/// Entries on a page at most.
pub const MAX_PAGE: u32 = 2000;

/// What is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Everything below, not only the folder's own entries.
    pub recursive: bool,
    /// Deleted entries are on the first listing too.
    pub include_deleted: bool,
    /// What lies in mounted shared folders belongs to a recursive listing.
    pub include_mounted_folders: bool,
    /// Entries on a page.
    pub limit: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            recursive: false,
            include_deleted: false,
            include_mounted_folders: true,
            limit: DEFAULT_PAGE,
        }
    }
}

/// One entry of a page.
#[derive(Debug, Clone)]
pub enum Listed {
    /// A file or folder as it is now.
    Live(Box<Place>),
    /// Nothing is at this path any more, nor below it.
    Deleted(Gone),
}

/// A path at which nothing is any more.
#[derive(Debug, Clone)]
pub struct Gone {
    /// The name as it was.
    pub name: String,
    /// The path as it was shown.
    pub path_display: String,
    /// The path in lower case.
    pub path_lower: String,
}

/// One page.
#[derive(Debug)]
pub struct Page {
    /// The entries, to be applied in order.
    pub entries: Vec<Listed>,
    /// Where to go on: with more pages, or later with what changes.
    pub cursor: String,
    /// True when there is more to fetch at once.
    pub has_more: bool,
}

/// What a cursor holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Position {
    /// Whose cursor it is.
    pub account: AccountId,
    /// The token it was made with, so that revoking the token ends its longpolls.
    pub token: Option<u64>,
    root: NamespaceId,
    base: Option<FileId>,
    base_lower: String,
    options: Options,
    walk: Vec<Level>,
    heads: Vec<(NamespaceId, u64)>,
}

/// A folder being walked, and the last child that was told.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Level {
    folder: FileId,
    after: Option<String>,
}

/// Makes listings. Cheap to clone.
#[derive(Clone)]
pub struct Listing {
    meta: Meta,
    sealer: Arc<Sealer>,
}

impl Listing {
    /// Listings over `meta`, with cursors authenticated by the store's persisted key.
    pub fn new(meta: Meta, store: &dyn Store) -> Result<Self> {
        let sealer = Arc::new(Sealer::load(store, b"list")?);
        Ok(Listing { meta, sealer })
    }

    /// The first page of the folder at `address`.
    pub fn start(
        &self,
        actor: Actor,
        token: Option<u64>,
        address: &Address,
        options: Options,
    ) -> Result<Page> {
        let (view, mut position, base) = self.begin(actor, token, address, options)?;
        let mut page = Pager::new(&view, &position);
        if position.options.recursive && !base.path_lower.is_empty() {
            page.entries.push(Listed::Live(Box::new(base.clone())));
        }
        position.walk = vec![Level {
            folder: base.node.id,
            after: None,
        }];
        page.fill(&mut position)?;
        self.finish(page, position)
    }

    /// A cursor that tells only what changes from now on.
    pub fn latest(
        &self,
        actor: Actor,
        token: Option<u64>,
        address: &Address,
        options: Options,
    ) -> Result<String> {
        let (_, position, _) = self.begin(actor, token, address, options)?;
        Ok(self.sealer.seal(&position)?)
    }

    /// The next page of `cursor` for `account`. [`Error::Reset`] when it is not a cursor of this account or does not fit any more.
    pub fn resume(&self, account: AccountId, cursor: &str) -> Result<Page> {
        let mut position = self.position(cursor)?;
        if position.account != account {
            return Err(Error::Reset);
        }
        self.advance(&mut position)
    }

    /// What `cursor` holds. [`Error::Reset`] when it was not made here.
    pub fn position(&self, cursor: &str) -> Result<Position> {
        self.sealer.open(cursor).ok_or(Error::Reset)
    }

    /// True when a `resume` at `position` would tell something. Moves `position` past changes that do not concern it.
    pub fn has_changes(&self, position: &mut Position) -> Result<bool> {
        if !position.walk.is_empty() {
            return Ok(true);
        }
        let before = position.clone();
        let page = self.advance(position)?;
        if page.entries.is_empty() && !page.has_more {
            return Ok(false);
        }
        *position = before;
        Ok(true)
    }

    fn advance(&self, position: &mut Position) -> Result<Page> {
        let view = self.meta.view(position.account)?;
        if let Some(base) = position.base {
            let place = view.place(base)?.ok_or(Error::Reset)?;
            if place.path_lower != position.base_lower {
                return Err(Error::Reset);
            }
        }
        let mut page = Pager::new(&view, position);
        page.fill(position)?;
        self.finish(page, position.clone())
    }

    fn begin(
        &self,
        actor: Actor,
        token: Option<u64>,
        address: &Address,
        mut options: Options,
    ) -> Result<(View<'_>, Position, Place)> {
        options.limit = options.limit.clamp(1, MAX_PAGE);
        let view = self.meta.view(actor.account)?;
        let access = view.access()?.into_iter();
        let heads = access.map(|access| Ok((access.ns, view.head(access.ns)?)));
        let heads = heads.collect::<Result<_>>()?;
        let base = view.resolve(actor.root, address)?;
        if matches!(base.node.kind, NodeKind::File(_)) {
            return Err(storage::meta::Refusal::NotFolder.into());
        }
        let position = Position {
            account: actor.account,
            token,
            root: actor.root,
            base: (!base.path_lower.is_empty()).then_some(base.node.id),
            base_lower: base.path_lower.clone(),
            options,
            walk: Vec::new(),
            heads,
        };
        Ok((view, position, base))
    }

    fn finish(&self, page: Pager<'_>, position: Position) -> Result<Page> {
        Ok(Page {
            cursor: self.sealer.seal(&position)?,
            has_more: page.more,
            entries: page.entries,
        })
    }
}

#[cfg(test)]
mod tests;
