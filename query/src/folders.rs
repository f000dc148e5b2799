//! The folders of one namespace as a shard has them: what lies below one of them, without a look at metadata for each.

use std::collections::{HashMap, HashSet};

use indexer::term::{Tag, Terms};
use storage::meta::NamespaceId;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED};

use crate::error::Result;
use crate::part::Part;
use crate::request::Status;

/// Folders (and mounts) by the folder that they lie in.
#[derive(Debug, Default)]
pub struct Folders {
    inside: HashMap<u64, Vec<u64>>,
}

impl Folders {
    /// The folders of `ns` in a shard's commit: the live ones, and for deleted files the deleted ones too.
    pub fn of(part: &Part, ns: NamespaceId, status: Status) -> Result<Self> {
        let mut folders = Folders::default();
        folders.add(part, ns, Tag::Folder)?;
        if status == Status::Deleted {
            folders.add(part, ns, Tag::DeletedCategory("folder"))?;
        }
        Ok(folders)
    }

    fn add(&mut self, part: &Part, ns: NamespaceId, tag: Tag<'_>) -> Result<()> {
        let view = &part.view;
        let term = Terms::of(&view.fields, ns).tag(tag);
        for reader in view.searcher.segment_readers() {
            let segment = &part.commit.part(reader)?.segment;
            let inverted = segment
                .inverted(term.field())
                .filter(|_| segment.space(ns).is_some());
            let Some(inverted) = inverted else { continue };
            let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)?
            else {
                continue;
            };
            let mut doc = postings.doc();
            while doc != TERMINATED {
                let id = segment.file.first(doc).unwrap_or(0);
                if !reader.is_deleted(doc) && !view.exclusions.contains(id) {
                    let above = segment.below.first(doc).unwrap_or(0);
                    self.inside.entry(above).or_default().push(id);
                }
                doc = postings.advance();
            }
        }
        Ok(())
    }

    /// Adds `folder` and all folders below it to `found`.
    pub fn below(&self, folder: u64, found: &mut HashSet<u64>) {
        let mut open = vec![folder];
        while let Some(folder) = open.pop() {
            if found.insert(folder) {
                open.extend(self.inside.get(&folder).into_iter().flatten());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_is_found_once_whatever_the_shape() {
        let mut folders = Folders::default();
        for (above, id) in [(1, 2), (1, 3), (3, 4), (4, 3), (9, 5)] {
            folders.inside.entry(above).or_default().push(id);
        }
        let below = |folder| {
            let mut found = HashSet::new();
            folders.below(folder, &mut found);
            let mut found: Vec<_> = found.into_iter().collect();
            found.sort_unstable();
            found
        };
        assert_eq!(below(1), [1, 2, 3, 4]);
        assert_eq!(below(5), [5]);
    }
}
