//! The folders that limit a search: `in:` and the request's own.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexer::ShardView;
use storage::meta::{Address, NamespaceId, Place, Refusal, View};

use crate::error::{Error, Result};
use crate::folders::Folders;
use crate::parse::{Clause, Filter};
use crate::request::Status;
use crate::scope::{self, Area};

/// Folders that one limit may hold; more are not looked through, and the answer says so.
const MAX_FOLDERS: usize = 20_000;
/// The name under which the request's own folder stands among the limits. No path can be it.
pub const BELOW: &str = "\0";

/// The areas of limiting folders by their text; none when there is no such folder.
pub type Limits = HashMap<String, Option<Area>>;

/// Where limits are looked up, for one search.
pub struct Lookup<'a> {
    /// What the account sees.
    pub view: &'a View<'a>,
    /// Where its paths begin.
    pub root: NamespaceId,
    /// The namespaces that are searched.
    pub namespaces: &'a [NamespaceId],
    /// The shards' commits and the namespaces in each.
    pub parts: &'a [(ShardView, Vec<NamespaceId>)],
    /// Live or deleted files.
    pub status: Status,
    /// Shared folders and where they are mounted, looked up once.
    pub mounts: OnceCell<Vec<(NamespaceId, String)>>,
}

impl Lookup<'_> {
    /// The areas of the folders that the request and the query name. The request's own must be there.
    pub fn limits(&self, clause: &Clause, below: Option<&Address>) -> Result<Limits> {
        let mut limits = HashMap::new();
        if let Some(address) = below {
            limits.insert(BELOW.to_owned(), Some(self.below(address)?));
        }
        let mut named = HashSet::new();
        folders_of(clause, &mut named);
        named.remove(BELOW);
        for text in named {
            let found = scope::address(&text).and_then(|address| self.below(&address));
            let area = match found {
                Ok(area) => Some(area),
                Err(Error::Storage(storage::Error::Refused(_))) => None,
                Err(error) => return Err(error),
            };
            limits.insert(text, area);
        }
        Ok(limits)
    }

    /// What lies below `address`.
    fn below(&self, address: &Address) -> Result<Area> {
        let place = self.place(address)?;
        if place.node.is_file() {
            return Err(Refusal::NotFolder.into());
        }
        if place.path_lower.is_empty() {
            return Ok(Area {
                whole: self.namespaces.to_vec(),
                ..Area::default()
            });
        }
        if let Some(ns) = place.shared_folder {
            return Ok(Area {
                whole: vec![ns],
                ..Area::default()
            });
        }
        let mut area = match self.status {
            Status::Active => self.live(&place)?,
            Status::Deleted => self.dead(&place)?,
        };
        let inside = format!("{}/", place.path_lower);
        let mounted = self.mounts()?.iter();
        let below = mounted.filter(|(_, path)| path.starts_with(&inside));
        area.whole.extend(below.map(|(ns, _)| *ns));
        Ok(area)
    }

    /// The folder; for deleted files also one that is deleted itself.
    fn place(&self, address: &Address) -> Result<Place> {
        let live = self.view.resolve(self.root, address);
        match (live, self.status) {
            (Err(storage::Error::Refused(Refusal::NotFound)), Status::Deleted) => {
                let deleted = self.view.resolve_deleted(self.root, address)?;
                deleted.ok_or_else(|| Refusal::NotFound.into())
            }
            (live, _) => Ok(live?),
        }
    }

    /// By metadata, so that a folder that was moved a moment ago is looked for where it is.
    fn live(&self, place: &Place) -> Result<Area> {
        let folders = self.view.subtree_folders(place.node.id, MAX_FOLDERS)?;
        let is_cut = folders.len() >= MAX_FOLDERS;
        let ids = folders.into_iter().map(|folder| folder.0);
        Ok(Area {
            ns: Some(place.ns),
            is_cut,
            folders: Arc::new(ids.chain([place.node.id.0]).collect()),
            ..Area::default()
        })
    }

    /// By the index, which has deleted folders too.
    fn dead(&self, place: &Place) -> Result<Area> {
        let mut folders = HashSet::from([place.node.id.0]);
        let part = self.parts.iter().find(|(_, mine)| mine.contains(&place.ns));
        if let Some((view, _)) = part {
            folders.clear();
            Folders::of(view, place.ns, Status::Deleted)?.below(place.node.id.0, &mut folders);
        }
        Ok(Area {
            ns: Some(place.ns),
            folders: Arc::new(folders),
            ..Area::default()
        })
    }

    fn mounts(&self) -> Result<&[(NamespaceId, String)]> {
        if let Some(known) = self.mounts.get() {
            return Ok(known);
        }
        let mut mounts = Vec::new();
        for access in self.view.access()? {
            let Some(mount) = access.mount else { continue };
            let place = self.view.place(mount)?;
            mounts.extend(place.map(|place| (access.ns, place.path_lower)));
        }
        Ok(self.mounts.get_or_init(|| mounts))
    }
}

fn folders_of(clause: &Clause, named: &mut HashSet<String>) {
    match clause {
        Clause::Filter(Filter::In(text)) => {
            named.insert(text.clone());
        }
        Clause::And(sides) | Clause::Or(sides) => {
            sides.iter().for_each(|side| folders_of(side, named))
        }
        Clause::Not(side) => folders_of(side, named),
        _ => {}
    }
}
