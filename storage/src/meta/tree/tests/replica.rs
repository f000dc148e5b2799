//! A reader of a namespace's journal, as a list cursor's client is one: entries in order, each looked up in the present tree.

use std::collections::BTreeMap;

use super::model::within;
use crate::journal::{Change, Journal};
use crate::meta::path::fold;
use crate::meta::{Address, Entry, FileId, Meta, NamespaceId, Place, Rev, View};

/// Folded paths, with the head's rev for files.
pub(super) type Copy = BTreeMap<String, (FileId, Option<Rev>)>;

#[derive(Default)]
pub(super) struct Replica {
    pub(super) copy: Copy,
    seen: u64,
}

impl Replica {
    /// Applies at most `limit` entries; true when there may be more.
    pub(super) fn advance(
        &mut self,
        meta: &Meta,
        view: &View<'_>,
        ns: NamespaceId,
        limit: usize,
    ) -> bool {
        let changes = Journal::new(meta.store().clone())
            .changes(ns, self.seen, limit)
            .unwrap();
        for (seq, change) in &changes {
            assert_eq!(*seq, self.seen + 1, "a gap");
            self.seen = *seq;
            match change {
                Change::Upsert { file } => {
                    if let Some(place) = present(view, ns, *file) {
                        self.insert(&place);
                    }
                }
                Change::Appeared { file } => {
                    if let Some(place) = present(view, ns, *file) {
                        self.insert(&place);
                        self.copy.extend(below(view, ns, &place));
                    }
                }
                Change::Gone { parent, name, .. } => {
                    if let Some(parent) = present(view, ns, *parent) {
                        let path = format!("{}/{}", parent.path_lower, fold(name));
                        self.copy.retain(|at, _| !within(at, &path));
                    }
                }
                Change::Extracted { .. } | Change::Purged { .. } => panic!("not for journals"),
            }
        }
        changes.len() == limit
    }

    /// A file replaces what is there and drops children, a folder keeps them.
    fn insert(&mut self, place: &Place) {
        if place.path_lower.is_empty() {
            return;
        }
        if place.node.is_file() {
            self.copy.retain(|at, _| !within(at, &place.path_lower));
        }
        self.copy.insert(place.path_lower.clone(), value(place));
    }
}

/// The namespace as it is.
pub(super) fn whole(view: &View<'_>, ns: NamespaceId) -> Copy {
    below(
        view,
        ns,
        &view.resolve(ns, &Address::Path(Vec::new())).unwrap(),
    )
}

fn value(place: &Place) -> (FileId, Option<Rev>) {
    (place.node.id, place.node.head().map(|head| head.rev))
}

/// Where a live node is in the namespace, by paths that begin there.
fn present(view: &View<'_>, ns: NamespaceId, file: FileId) -> Option<Place> {
    view.resolve(ns, &Address::Id(file, Vec::new()))
        .ok()
        .filter(|place| place.ns == ns)
}

fn below(view: &View<'_>, ns: NamespaceId, of: &Place) -> Copy {
    let mut copy = Copy::new();
    let visit = &mut |entry: Entry| {
        match entry {
            Entry::Live(place) if place.ns == ns => {
                copy.insert(place.path_lower.clone(), value(&place));
            }
            _ => {}
        }
        Ok(true)
    };
    assert_eq!(view.walk(of, None, false, visit).unwrap(), None);
    copy
}
