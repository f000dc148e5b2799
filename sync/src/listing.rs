//! Folder listings and their cursors: Dropbox's `list_folder` and `continue` over the journal.
//!
//! A cursor is a *walk* still to be done (pages of the first listing, or a folder that appeared) and, per namespace, the
//! journal sequence up to which changes were told. The sequences are read before the walk starts, so what changes while
//! one lists is told again afterwards; entries always show the present, and applied in order they end in it.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use storage::journal::{Change, Journal};
use storage::kv::Store;
use storage::meta::path::fold;
use storage::meta::{
    AccountId, Actor, Address, DeletedEntry, Entry, FileId, Meta, NamespaceId, NodeKind, Place,
    View,
};
use storage::seal::Sealer;

use crate::error::{Error, Result};

/// Entries on a page unless the caller asks for fewer.
pub const DEFAULT_PAGE: u32 = 1000;
/// Entries on a page at most.
pub const MAX_PAGE: u32 = 2000;
/// Children read at a time.
const BATCH: usize = 256;
/// Journal entries looked at for one page; a page may be empty while `has_more` is true.
const SCANNED_PER_PAGE: usize = 10_000;

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
    journal: Journal,
    sealer: Arc<Sealer>,
}

impl Listing {
    /// Listings over `meta`, with cursors authenticated by the store's persisted key.
    pub fn new(meta: Meta, journal: Journal, store: &dyn Store) -> Result<Self> {
        let sealer = Arc::new(Sealer::load(store, b"list")?);
        Ok(Listing {
            meta,
            journal,
            sealer,
        })
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
        page.fill(&mut position, &self.journal)?;
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
        page.fill(position, &self.journal)?;
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
        // Heads first, then the view: what commits in between is told twice rather than never.
        let heads = self.heads(actor.account)?;
        let view = self.meta.view(actor.account)?;
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

    /// The journal heads of every namespace the account can read, its root first.
    fn heads(&self, account: AccountId) -> Result<Vec<(NamespaceId, u64)>> {
        let view = self.meta.view(account)?;
        let spaces = view
            .access()?
            .iter()
            .map(|access| access.ns)
            .collect::<Vec<_>>();
        let heads = spaces
            .into_iter()
            .map(|ns| Ok((ns, self.journal.head(ns)?)));
        heads.collect()
    }

    fn finish(&self, page: Pager<'_>, position: Position) -> Result<Page> {
        Ok(Page {
            cursor: self.sealer.seal(&position)?,
            has_more: page.more,
            entries: page.entries,
        })
    }
}

/// Fills one page.
struct Pager<'a> {
    view: &'a View<'a>,
    options: Options,
    base_lower: String,
    entries: Vec<Listed>,
    more: bool,
}

impl<'a> Pager<'a> {
    fn new(view: &'a View<'a>, position: &Position) -> Self {
        Pager {
            view,
            options: position.options.clone(),
            base_lower: position.base_lower.clone(),
            entries: Vec::new(),
            more: false,
        }
    }

    fn room(&self) -> usize {
        (self.options.limit as usize).saturating_sub(self.entries.len())
    }

    fn fill(&mut self, position: &mut Position, journal: &Journal) -> Result<()> {
        self.walk(&mut position.walk)?;
        if self.more {
            return Ok(());
        }
        self.follow_access(position, journal)?;
        for index in 0..position.heads.len() {
            let (mut heads, mut walk) = (
                std::mem::take(&mut position.heads),
                std::mem::take(&mut position.walk),
            );
            let told = self.tell_changes(&mut heads[index], &mut walk, journal);
            (position.heads, position.walk) = (heads, walk);
            told?;
            if self.more {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Namespaces that the account lost leave the cursor; new ones join at their present head, because their mount's own
    /// change tells everything in them.
    fn follow_access(&self, position: &mut Position, journal: &Journal) -> Result<()> {
        let access = self.view.access()?;
        position
            .heads
            .retain(|(ns, _)| access.iter().any(|a| a.ns == *ns));
        for a in access {
            if !position.heads.iter().any(|(ns, _)| *ns == a.ns) {
                position.heads.push((a.ns, journal.head(a.ns)?));
            }
        }
        Ok(())
    }

    /// Tells children of the folders on the stack, depth first, until the page is full.
    fn walk(&mut self, stack: &mut Vec<Level>) -> Result<()> {
        while let Some(level) = stack.last_mut() {
            if self.room() == 0 {
                self.more = true;
                return Ok(());
            }
            // A folder that vanished since the last page is passed over: its deletion is told by its journal.
            let children = match self.view.place(level.folder)? {
                Some(folder) => {
                    let after = level.after.as_deref();
                    self.view.children(
                        &folder,
                        after,
                        self.room().min(BATCH),
                        self.options.include_deleted,
                    )?
                }
                None => Vec::new(),
            };
            if children.is_empty() {
                stack.pop();
                continue;
            }
            let mut below = None;
            for child in children {
                level.after = Some(folded_name(&child));
                below = self.child(child);
                if below.is_some() {
                    break; // what lies in a folder comes right after it; the rest of the batch is read again
                }
            }
            stack.extend(below);
        }
        Ok(())
    }

    /// Tells one child; returns the level to walk next when it is a folder that the listing goes into.
    fn child(&mut self, child: Entry) -> Option<Level> {
        match child {
            Entry::Live(place) => {
                let into = self.options.recursive && self.descends(&place);
                let level = into.then_some(Level {
                    folder: place.node.id,
                    after: None,
                });
                self.entries.push(Listed::Live(Box::new(place)));
                level
            }
            Entry::Deleted(DeletedEntry {
                name,
                path_display,
                path_lower,
                ..
            }) => {
                self.entries.push(Listed::Deleted(Gone {
                    name,
                    path_display,
                    path_lower,
                }));
                None
            }
        }
    }

    fn descends(&self, place: &Place) -> bool {
        match place.node.kind {
            NodeKind::File(_) => false,
            NodeKind::Mount { .. } => self.options.include_mounted_folders,
            _ => true,
        }
    }

    /// Tells the changes of one namespace after its head, until the page is full or a folder has to be walked.
    fn tell_changes(
        &mut self,
        head: &mut (NamespaceId, u64),
        stack: &mut Vec<Level>,
        journal: &Journal,
    ) -> Result<()> {
        let mut scanned = 0;
        loop {
            let changes = journal.changes(head.0, head.1, self.room().clamp(1, 500))?;
            if changes.is_empty() {
                return Ok(());
            }
            if self.room() == 0 || scanned >= SCANNED_PER_PAGE {
                self.more = true;
                return Ok(());
            }
            scanned += changes.len();
            let last = last_upserts(&changes);
            for (sequence, change) in changes {
                head.1 = sequence;
                self.change(sequence, change, &last, stack)?;
                self.walk(stack)?;
                if self.more {
                    return Ok(());
                }
            }
        }
    }

    fn change(
        &mut self,
        sequence: u64,
        change: Change,
        last: &HashMap<FileId, u64>,
        stack: &mut Vec<Level>,
    ) -> Result<()> {
        match change {
            Change::Upsert { file } if last.get(&file) == Some(&sequence) => {
                self.appeared(file, None)
            }
            Change::Appeared { file } => self.appeared(file, Some(stack)),
            Change::Gone { parent, name, .. } => self.gone(parent, &name),
            Change::Upsert { .. } | Change::Extracted { .. } | Change::Purged { .. } => Ok(()),
        }
    }

    fn appeared(&mut self, file: FileId, stack: Option<&mut Vec<Level>>) -> Result<()> {
        let Some(place) = self.view.place(file)? else {
            return Ok(());
        };
        if !self.covers(&place.path_lower) {
            return Ok(());
        }
        if let Some(stack) = stack
            && self.options.recursive
            && self.descends(&place)
        {
            stack.push(Level {
                folder: place.node.id,
                after: None,
            });
        }
        self.entries.push(Listed::Live(Box::new(place)));
        Ok(())
    }

    fn gone(&mut self, parent: FileId, name: &str) -> Result<()> {
        let Some(folder) = self.view.place(parent)? else {
            return Ok(());
        };
        let path_display = format!("{}/{name}", folder.path_display);
        let path_lower = format!("{}/{}", folder.path_lower, fold(name));
        if self.covers(&path_lower) {
            self.entries.push(Listed::Deleted(Gone {
                name: name.to_owned(),
                path_display,
                path_lower,
            }));
        }
        Ok(())
    }

    /// True when something at `path_lower` belongs to the listing.
    fn covers(&self, path_lower: &str) -> bool {
        let below = path_lower
            .strip_prefix(self.base_lower.as_str())
            .and_then(|rest| rest.strip_prefix('/'));
        below.is_some_and(|rest| self.options.recursive || !rest.contains('/'))
    }
}

/// What a listing goes on after.
fn folded_name(entry: &Entry) -> String {
    let path = match entry {
        Entry::Live(place) => &place.path_lower,
        Entry::Deleted(deleted) => &deleted.path_lower,
    };
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The last sequence at which each file was upserted: earlier ones would tell the same present state.
fn last_upserts(changes: &[(u64, Change)]) -> HashMap<FileId, u64> {
    let upserts = changes
        .iter()
        .filter_map(|(sequence, change)| match change {
            Change::Upsert { file } => Some((*file, *sequence)),
            _ => None,
        });
    upserts.collect()
}
