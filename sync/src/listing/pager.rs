//! Fills one page: first the walk, then the changes of each namespace.

use std::collections::HashMap;

use storage::journal::Change;
use storage::meta::path::fold;
use storage::meta::{DeletedEntry, Entry, FileId, NamespaceId, NodeKind, Place, View};

use super::{Gone, Level, Listed, Options, Position};
use crate::error::Result;

/// Children read at a time.
const BATCH: usize = 256;
/// Journal entries looked at for one page; a page may be empty while `has_more` is true.
const SCANNED_PER_PAGE: usize = 10_000;

/// Fills one page.
pub(super) struct Pager<'a> {
    view: &'a View<'a>,
    options: Options,
    base_lower: String,
    pub(super) entries: Vec<Listed>,
    pub(super) more: bool,
}

impl<'a> Pager<'a> {
    pub(super) fn new(view: &'a View<'a>, position: &Position) -> Self {
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

    pub(super) fn fill(&mut self, position: &mut Position) -> Result<()> {
        self.walk(&mut position.walk)?;
        if self.more {
            return Ok(());
        }
        self.follow_access(position)?;
        for index in 0..position.heads.len() {
            let (mut heads, mut walk) = (
                std::mem::take(&mut position.heads),
                std::mem::take(&mut position.walk),
            );
            let told = self.tell_changes(&mut heads[index], &mut walk);
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
    fn follow_access(&self, position: &mut Position) -> Result<()> {
        let access = self.view.access()?;
        position
            .heads
            .retain(|(ns, _)| access.iter().any(|a| a.ns == *ns));
        for a in access {
            if !position.heads.iter().any(|(ns, _)| *ns == a.ns) {
                position.heads.push((a.ns, self.view.head(a.ns)?));
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
            // A folder that vanished since the last page, or left the listing, is passed over: its journal tells that it is gone.
            let folder = self.view.place(level.folder)?;
            let children = match folder.filter(|folder| self.reaches(&folder.path_lower)) {
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
    ) -> Result<()> {
        let mut scanned = 0;
        loop {
            // Of the view's own moment: a later change is of what the view does not show yet, and would be passed over for ever.
            let changes = self
                .view
                .changes(head.0, head.1, self.room().clamp(1, 500))?;
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

    /// True when the folder at `path_lower` is the listed one or belongs to the listing. One whose mount is gone does not: its
    /// path starts with its namespace.
    fn reaches(&self, path_lower: &str) -> bool {
        path_lower == self.base_lower || self.covers(path_lower)
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
