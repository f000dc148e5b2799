//! What limits a search and is known from metadata: the folders of `in:` and the request's own, people, and shared links.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use storage::meta::{AccountId, Address, NamespaceId, Place, Refusal, View};

use crate::error::{Error, Result};
use crate::leg::Leg;
use crate::parse::{Clause, Filter, Shared};
use crate::people::People;
use crate::request::Status;
use crate::scope::{self, Area};

/// Folders that one limit may hold; more are not looked through, and the answer says so.
const MAX_FOLDERS: usize = 20_000;
/// The name under which the request's own folder stands among the limits. No path can be it.
pub const BELOW: &str = "\0";

/// What the filters of a search stand for that the index cannot tell.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Limits {
    /// The areas of filters that stand for one; none when there is no such folder or person.
    pub areas: HashMap<Filter, Option<Area>>,
    /// Whom the names behind `by:` may mean.
    pub authors: HashMap<String, BTreeSet<AccountId>>,
    /// What the account made shared links to, by id.
    pub linked: Vec<u64>,
}

impl Limits {
    /// True when the search is limited to folders.
    pub fn has_folders(&self) -> bool {
        let mut filters = self.areas.keys();
        filters.any(|filter| matches!(filter, Filter::In(_)))
    }

    /// Remarks on folders and people, for a person.
    pub fn warnings(&self) -> Vec<String> {
        let said = self
            .areas
            .iter()
            .filter_map(|(filter, area)| match (filter, area) {
                (Filter::In(text), None) => Some(format!("there is no folder {text}")),
                (Filter::In(text), Some(area)) if area.is_cut => Some(format!(
                    "{text} has very many folders; not all were searched"
                )),
                (Filter::Owner(text) | Filter::Shared(Shared::With(text)), None) => {
                    Some(format!("nobody called {text} shares a folder with you"))
                }
                _ => None,
            });
        let nobody = self.authors.iter().filter(|(_, people)| people.is_empty());
        let nobody =
            nobody.map(|(text, _)| format!("nobody called {text} shares a folder with you"));
        let mut said: Vec<_> = said.chain(nobody).collect();
        said.sort_unstable();
        said
    }
}

/// Where limits are looked up, for one search.
pub struct Lookup<'a> {
    /// Who searches, and who shares what with whom.
    pub people: People<'a>,
    /// What the account sees.
    pub view: &'a View<'a>,
    /// Where its paths begin.
    pub root: NamespaceId,
    /// The namespaces that are searched.
    pub namespaces: &'a [NamespaceId],
    /// The shards, and the namespaces in each.
    pub legs: &'a [Box<dyn Leg>],
    /// When to stop.
    pub deadline: Instant,
    /// Live or deleted files.
    pub status: Status,
    /// Shared folders and where they are mounted, looked up once.
    pub mounts: OnceCell<Vec<(NamespaceId, String)>>,
}

impl Lookup<'_> {
    /// The areas of the folders and people that the request and the query name. The request's own folder must be there.
    pub fn limits(&self, clause: &Clause, below: Option<&Address>) -> Result<Limits> {
        let mut limits = Limits::default();
        if let Some(address) = below {
            let area = self.below(address)?;
            limits
                .areas
                .insert(Filter::In(BELOW.to_owned()), Some(area));
        }
        let mut filters = HashSet::new();
        filters_of(clause, &mut filters);
        filters.remove(&Filter::In(BELOW.to_owned()));
        for filter in filters {
            let area = match filter {
                Filter::In(text) => self.folder(text)?,
                Filter::Owner(who) => self.people.owned_by(who, self.namespaces)?,
                Filter::Shared(how) => self.people.shared(how, self.namespaces)?,
                Filter::By(who) => {
                    let people = self.people.called(who)?;
                    limits.authors.insert(who.clone(), people);
                    continue;
                }
                Filter::HasLink => {
                    limits.linked = self.people.linked()?;
                    continue;
                }
                _ => continue,
            };
            let known = match filter {
                Filter::Shared(Shared::No) => Filter::Shared(Shared::Yes),
                other => other.clone(),
            };
            limits.areas.insert(known, area);
        }
        Ok(limits)
    }

    /// The area of `in:text`; none when there is no such folder.
    fn folder(&self, text: &str) -> Result<Option<Area>> {
        let found = scope::address(text).and_then(|address| self.below(&address));
        match found {
            Ok(area) => Ok(Some(area)),
            Err(Error::Storage(storage::Error::Refused(_))) => Ok(None),
            Err(error) => Err(error),
        }
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
        let leg = self
            .legs
            .iter()
            .find(|leg| leg.namespaces().contains(&place.ns));
        if let Some(leg) = leg {
            let below = leg.below(place.ns, Status::Deleted, &[place.node.id.0], self.deadline)?;
            folders.extend(below);
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

fn filters_of<'c>(clause: &'c Clause, found: &mut HashSet<&'c Filter>) {
    match clause {
        Clause::Filter(filter) => {
            found.insert(filter);
        }
        Clause::And(sides) | Clause::Or(sides) => {
            sides.iter().for_each(|side| filters_of(side, found));
        }
        Clause::Not(side) => filters_of(side, found),
        _ => {}
    }
}
