//! Folders whose name has a word of the query: what lies below them has the word too.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexer::document::MAX_START;
use storage::meta::{FileId, NamespaceId, View};

use crate::collect::{Matches, Page};
use crate::error::Result;
use crate::folders::Folders;
use crate::parse::Filter;
use crate::plan::{Plan, Word};
use crate::prepared::Prepared;
use crate::request::{Members, Order, Status};
use crate::scope::Area;

/// Folders whose name has a word of the query, at most.
const MAX_NAMED_FOLDERS: usize = 50;

/// True for the first one or two letters of a word: they are looked for in the files' own names alone.
fn is_short(word: &Word) -> bool {
    let short = |token: &str| token.is_ascii() && token.len() <= MAX_START;
    word.prefix && matches!(&word.tokens[..], [(_, token)] if short(token))
}

impl Prepared<'_> {
    /// What lies below folders whose name has a word of the query, by word.
    pub fn named_folders(&self, view: &View<'_>) -> Result<HashMap<usize, Vec<Area>>> {
        let (mut named, mut trees) = (HashMap::new(), HashMap::new());
        for (index, word) in self.planned.words.iter().enumerate() {
            if word.names_only || word.quoted || is_short(word) {
                continue;
            }
            let areas = self.areas(view, self.folders_named(index)?, &mut trees)?;
            if !areas.is_empty() {
                named.insert(index, areas);
            }
        }
        Ok(named)
    }

    /// What lies below some folders, one area for each namespace, by the folders that the index has.
    fn areas(
        &self,
        view: &View<'_>,
        folders: Vec<u64>,
        trees: &mut HashMap<NamespaceId, Folders>,
    ) -> Result<Vec<Area>> {
        let mut found: HashMap<NamespaceId, HashSet<u64>> = HashMap::new();
        let mut whole = Vec::new();
        for folder in folders {
            let place = match self.status {
                Status::Active => view.place(FileId(folder))?,
                Status::Deleted => view.place_deleted(FileId(folder))?,
            };
            let Some(place) = place else { continue };
            let part = self.parts.iter().find(|p| p.namespaces.contains(&place.ns));
            match (place.shared_folder, part) {
                (Some(ns), _) => whole.push(ns),
                (None, Some(part)) => {
                    let tree = match trees.entry(place.ns) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(new) => new.insert(Folders::of(part, place.ns, self.status)?),
                    };
                    tree.below(folder, found.entry(place.ns).or_default());
                }
                (None, None) => {}
            }
        }
        if !found.is_empty() {
            let mounts = view.access()?.into_iter();
            let inside = mounts.filter(|access| {
                let is_in = |mount: FileId| found.values().any(|ids| ids.contains(&mount.0));
                access.mount.is_some_and(is_in)
            });
            whole.extend(inside.map(|access| access.ns));
        }
        let mut areas: Vec<Area> = found
            .into_iter()
            .map(|(ns, folders)| Area {
                ns: Some(ns),
                folders: Arc::new(folders),
                ..Area::default()
            })
            .collect();
        if !whole.is_empty() {
            areas.push(Area {
                whole,
                ..Area::default()
            });
        }
        Ok(areas)
    }

    fn folders_named(&self, word: usize) -> Result<Vec<u64>> {
        let mut keys = Matches::default();
        for part in &self.parts {
            let fields = &part.view.fields;
            let names = match self.status {
                Status::Active => [fields.name, fields.wide_name, fields.tag],
                Status::Deleted => [fields.deleted_name; 3],
            };
            let resolved: Vec<_> = part
                .resolved
                .iter()
                .map(|word| word.only_in(&names))
                .collect();
            let found = &resolved[word];
            let nothing = found.exact.iter().all(Vec::is_empty) && found.expansions.is_empty();
            if nothing && self.planned.words[word].in_names.is_empty() {
                continue;
            }
            let asked = part.asked(self.status);
            let compiler = self.compiler(&asked, part, &resolved);
            let folders = Plan::And(vec![
                Plan::Word(word),
                Plan::Filter(Filter::Category("folder")),
            ]);
            let page = Page {
                commit: &part.commit,
                exclusions: &part.view.exclusions,
                in_folders: false,
                order: Order::Modified,
                after: None,
                limit: MAX_NAMED_FOLDERS,
                members: Members::None,
                facets: false,
                places: false,
                now_ms: 0,
                deadline: self.deadline,
            };
            let found = part.view.searcher.search(&compiler.plan(&folders), &page)?;
            keys.merge(found, MAX_NAMED_FOLDERS);
        }
        Ok(keys.keys.into_iter().map(|key| key.file).collect())
    }
}
