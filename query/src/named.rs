//! Folders whose name has a word of the query: what lies below them has the word too.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use indexer::document::MAX_START;
use storage::meta::{FileId, NamespaceId, View};

use crate::collect::{Matches, Page};
use crate::error::Result;
use crate::leg::Weighed;
use crate::parse::Filter;
use crate::part::Part;
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
        let mut named = HashMap::new();
        for (index, word) in self.planned.words.iter().enumerate() {
            if word.names_only || word.quoted || is_short(word) {
                continue;
            }
            let areas = self.areas(view, self.folders_named(index)?)?;
            if !areas.is_empty() {
                named.insert(index, areas);
            }
        }
        Ok(named)
    }

    /// What lies below some folders, one area for each namespace, by the folders that the index has.
    fn areas(&self, view: &View<'_>, folders: Vec<u64>) -> Result<Vec<Area>> {
        let mut wanted: HashMap<NamespaceId, Vec<u64>> = HashMap::new();
        let mut whole = Vec::new();
        for folder in folders {
            let place = match self.status {
                Status::Active => view.place(FileId(folder))?,
                Status::Deleted => view.place_deleted(FileId(folder))?,
            };
            let Some(place) = place else { continue };
            match place.shared_folder {
                Some(ns) => whole.push(ns),
                None => wanted.entry(place.ns).or_default().push(folder),
            }
        }
        let found: HashMap<NamespaceId, HashSet<u64>> = self.below(&wanted)?;
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

    /// All folders below some folders, by namespace.
    fn below(
        &self,
        wanted: &HashMap<NamespaceId, Vec<u64>>,
    ) -> Result<HashMap<NamespaceId, HashSet<u64>>> {
        let found = self.ask(|leg| {
            let mut found = Vec::new();
            for ns in leg.namespaces() {
                if let Some(folders) = wanted.get(ns) {
                    let below = leg.below(*ns, self.status, folders, self.deadline)?;
                    found.push((*ns, below.into_iter().collect()));
                }
            }
            Ok(found)
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    fn folders_named(&self, word: usize) -> Result<Vec<u64>> {
        let found = self.ask(|leg| leg.named(&self.weighed, word, self.deadline))?;
        let mut keys = Matches::default();
        for found in found {
            keys.merge(found, MAX_NAMED_FOLDERS);
        }
        Ok(keys.keys.into_iter().map(|key| key.file).collect())
    }
}

/// Folders of one shard whose name has a word of the query.
pub fn folders(part: &Part, weighed: &Weighed, word: usize, deadline: Instant) -> Result<Matches> {
    let (fields, status) = (&part.view.fields, part.status());
    let names = match status {
        Status::Active => [fields.name, fields.wide_name, fields.tag],
        Status::Deleted => [fields.deleted_name; 3],
    };
    let resolved = part.resolved.iter();
    let resolved: Vec<_> = resolved.map(|word| word.only_in(&names)).collect();
    let Some(found) = resolved.get(word) else {
        return Ok(Matches::default());
    };
    let nothing = found.exact.iter().all(Vec::is_empty) && found.expansions.is_empty();
    if nothing && part.planned(word)?.in_names.is_empty() {
        return Ok(Matches::default());
    }
    let folders = Plan::And(vec![
        Plan::Word(word),
        Plan::Filter(Filter::Category("folder")),
    ]);
    let query = part.compiled_with(weighed, &resolved, |compiler| compiler.plan(&folders))?;
    let page = Page {
        commit: &part.commit,
        exclusions: &part.view.exclusions,
        in_folders: false,
        order: Order::Modified,
        after: None,
        limit: MAX_NAMED_FOLDERS,
        members: Members::None,
        newest: false,
        lately: None,
        facets: false,
        places: false,
        now_ms: 0,
        deadline,
    };
    part.collected(&query, &page)
}
