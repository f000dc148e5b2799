//! The folders of one namespace as a shard has them: what lies below one of them, without a look at metadata for each.

use std::collections::{HashMap, HashSet};

use indexer::ShardView;
use indexer::term::{Tag, Terms};
use storage::meta::NamespaceId;
use tantivy::columnar::Column;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, SegmentReader, TERMINATED};

use crate::error::Result;
use crate::request::Status;

/// Folders (and mounts) by the folder that they lie in.
#[derive(Debug, Default)]
pub struct Folders {
    inside: HashMap<u64, Vec<u64>>,
}

impl Folders {
    /// The folders of `ns` in a shard's commit: the live ones, and for deleted files the deleted ones too.
    pub fn of(view: &ShardView, ns: NamespaceId, status: Status) -> Result<Self> {
        let mut folders = Folders::default();
        folders.add(view, ns, Tag::Folder)?;
        if status == Status::Deleted {
            folders.add(view, ns, Tag::DeletedCategory("folder"))?;
        }
        Ok(folders)
    }

    fn add(&mut self, view: &ShardView, ns: NamespaceId, tag: Tag<'_>) -> Result<()> {
        let fields = &view.fields;
        let term = Terms::of(fields, ns).tag(tag);
        for segment in view.searcher.segment_readers() {
            let inverted = segment.inverted_index(term.field())?;
            let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)?
            else {
                continue;
            };
            let (file, parent) = (
                column(segment, fields.file)?,
                column(segment, fields.below)?,
            );
            let mut doc = postings.doc();
            while doc != TERMINATED {
                let id = file.first(doc).unwrap_or(0);
                if !segment.is_deleted(doc) && !view.exclusions.contains(id) {
                    let above = parent.first(doc).unwrap_or(0);
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

fn column(segment: &SegmentReader, field: Field) -> tantivy::Result<Column<u64>> {
    let name = segment.schema().get_field_name(field);
    segment.fast_fields().u64(name)
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
