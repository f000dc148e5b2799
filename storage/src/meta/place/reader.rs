//! Finds nodes by address and by id, and checks the account's membership wherever a namespace begins.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kv::Snapshot;
use crate::meta::ids::{AccountId, FileId, NamespaceId, Rev};
use crate::meta::keys::{self, Membership, NamespaceRow, PastVersion};
use crate::meta::node::{Node, NodeKind, Place, Role, Version};
use crate::meta::path::{Address, fold};
use crate::meta::refusal::Refusal;

/// Most folders that a cache holds.
const CACHED_FOLDERS: usize = 65_536;
/// No node has more folders above it: more means a cycle.
pub(crate) const MAX_DEPTH: usize = 10_000;

/// What a reader has read of folders and memberships; valid for one state of the rows.
#[derive(Default)]
pub(crate) struct Cache {
    folders: RefCell<HashMap<FileId, Option<Arc<Folder>>>>,
    namespaces: RefCell<HashMap<NamespaceId, Option<Arc<Joined>>>>,
}

/// Reads as one account.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'r> {
    pub(crate) rows: &'r dyn Snapshot,
    pub(crate) account: AccountId,
    pub(crate) cache: &'r Cache,
}

/// A namespace that the account is a member of.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) ns: NamespaceId,
    pub(crate) row: NamespaceRow,
    pub(crate) member: Membership,
}

/// A folder (or Root) and where it lies in its namespace.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) node: Node,
    pub(crate) ns: NamespaceId,
    /// Path inside the namespace, empty for its Root.
    pub(crate) display: String,
    pub(crate) lower: String,
    /// Deleted itself, or below a deleted folder.
    pub(crate) dead: bool,
    /// False when purge has begun to remove it.
    pub(crate) kept: bool,
}

/// A path's beginning: what stands before paths inside a namespace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prefix {
    pub(crate) display: String,
    pub(crate) lower: String,
}

impl Reader<'_> {
    /// The node at an address; `NotFound` also where the account may not read.
    pub(crate) fn resolve(&self, root: NamespaceId, at: &Address) -> Result<Place> {
        let (mut place, names) = self.start(root, at)?;
        for name in names {
            place = self.step(&place, name)?.ok_or(Refusal::NotFound)?;
        }
        Ok(place)
    }

    /// Where an address begins, and the names that follow.
    pub(crate) fn start<'n>(
        &self,
        root: NamespaceId,
        at: &'n Address,
    ) -> Result<(Place, &'n [String])> {
        let (file, names) = match at {
            Address::Path(names) => (self.top(root)?, &names[..]),
            Address::Namespace(ns, names) => (self.top(*ns)?, &names[..]),
            Address::Id(file, names) => (*file, &names[..]),
            Address::Rev(rev) => (rev.file, &[][..]),
        };
        let place = self.place(file, Some(root))?.ok_or(Refusal::NotFound)?;
        Ok((place, names))
    }

    /// The Root of a namespace that the account may read.
    fn top(&self, ns: NamespaceId) -> Result<FileId> {
        Ok(self.joined(ns)?.ok_or(Refusal::NotFound)?.row.root)
    }

    /// The child of a live folder.
    pub(crate) fn step(&self, of: &Place, name: &str) -> Result<Option<Place>> {
        let Some(folder) = self.inside(of)? else {
            return Ok(None);
        };
        let Some(child) = keys::get_child(self.rows, folder, &fold(name))? else {
            return Ok(None);
        };
        self.child_place(of, child.id)
    }

    /// The place of a child that lies in `of` by its row.
    pub(crate) fn child_place(&self, of: &Place, child: FileId) -> Result<Option<Place>> {
        let node = keys::get_node(self.rows, child)?.ok_or_else(|| Error::Corrupt {
            what: format!("child row of {child}"),
            detail: format!("no such node below {}", of.path_display),
        })?;
        self.below(of, node)
    }

    /// The place of a node that lies in `of`; `None` for a Mount of what the account may not read.
    pub(crate) fn below(&self, of: &Place, node: Node) -> Result<Option<Place>> {
        let shared_folder = match node.kind {
            NodeKind::Mount { ns } => Some(ns),
            _ => None,
        };
        let role = match shared_folder {
            Some(ns) => match self.joined(ns)? {
                Some(joined) => joined.member.role,
                None => return Ok(None),
            },
            None => of.role,
        };
        Ok(Some(Place {
            ns: of.shared_folder.unwrap_or(of.ns),
            path_display: format!("{}/{}", of.path_display, node.name),
            path_lower: format!("{}/{}", of.path_lower, fold(&node.name)),
            role,
            shared_folder,
            parent_shared: of.shared_folder.or(of.parent_shared),
            node,
        }))
    }

    /// The id that what lies in the place has as its parent: a Mount's is the mounted Root. `None` for files.
    pub(crate) fn inside(&self, place: &Place) -> Result<Option<FileId>> {
        Ok(match place.node.kind {
            NodeKind::File(_) => None,
            NodeKind::Folder | NodeKind::Root { .. } => Some(place.node.id),
            NodeKind::Mount { ns } => self.joined(ns)?.map(|joined| joined.row.root),
        })
    }

    /// Where the account sees a live node. `root`: paths in this namespace are relative to it; elsewhere, and without
    /// it, they are as in the account's own root. // I6
    pub(crate) fn place(&self, file: FileId, root: Option<NamespaceId>) -> Result<Option<Place>> {
        let Some(node) = self.node(file)? else {
            return Ok(None);
        };
        if node.deleted.is_some() {
            return Ok(None);
        }
        let Some(parent) = node.parent else {
            return self.root_place(node, root);
        };
        match self.folder(parent)? {
            Some(above) if !above.dead => self.locate(node, &above, root),
            _ => Ok(None),
        }
    }

    /// The place of a node below a folder; `None` where the account is no member.
    pub(crate) fn locate(
        &self,
        node: Node,
        above: &Folder,
        root: Option<NamespaceId>,
    ) -> Result<Option<Place>> {
        let Some(joined) = self.joined(above.ns)? else {
            return Ok(None);
        };
        let prefix = self.prefix(&joined, root)?;
        let shared = (!joined.row.home).then_some(joined.ns);
        let of = Place {
            node: above.node.clone(),
            ns: above.ns,
            path_display: prefix.display + &above.display,
            path_lower: prefix.lower + &above.lower,
            role: joined.member.role,
            shared_folder: None,
            parent_shared: shared,
        };
        self.below(&of, node)
    }

    /// A namespace's Root is seen as the Mount that shows it, except where paths begin with it.
    fn root_place(&self, node: Node, root: Option<NamespaceId>) -> Result<Option<Place>> {
        let NodeKind::Root { ns } = node.kind else {
            return Ok(None);
        };
        let Some(joined) = self.joined(ns)? else {
            return Ok(None);
        };
        if let Some(mount) = joined.member.mount.filter(|_| root != Some(ns)) {
            return self.place(mount, root);
        }
        let prefix = self.prefix(&joined, root)?;
        Ok(Some(Place {
            node,
            ns,
            path_display: prefix.display,
            path_lower: prefix.lower,
            role: joined.member.role,
            shared_folder: (!joined.row.home).then_some(ns),
            parent_shared: None,
        }))
    }

    /// What stands before the paths of a namespace.
    fn prefix(&self, joined: &Joined, root: Option<NamespaceId>) -> Result<Prefix> {
        if joined.member.home || root == Some(joined.ns) {
            return Ok(Prefix::default());
        }
        let mounted = joined
            .member
            .mount
            .map(|mount| self.place(mount, root))
            .transpose()?;
        Ok(match mounted.flatten() {
            Some(mount) => Prefix {
                display: mount.path_display,
                lower: mount.path_lower,
            },
            None => {
                let display = format!("ns:{}", joined.ns);
                Prefix {
                    lower: display.clone(),
                    display,
                }
            }
        })
    }

    /// The namespace, if the account may read it.
    pub(crate) fn joined(&self, ns: NamespaceId) -> Result<Option<Arc<Joined>>> {
        if let Some(known) = self.cache.namespaces.borrow().get(&ns) {
            return Ok(known.clone());
        }
        let joined = match keys::get_membership(self.rows, ns, self.account)? {
            Some(member) => {
                keys::get_namespace(self.rows, ns)?.map(|row| Arc::new(Joined { ns, row, member }))
            }
            None => None,
        };
        self.cache
            .namespaces
            .borrow_mut()
            .insert(ns, joined.clone());
        Ok(joined)
    }

    /// A node's row, from the cache where it is a known folder.
    pub(crate) fn node(&self, file: FileId) -> Result<Option<Node>> {
        if let Some(Some(known)) = self.cache.folders.borrow().get(&file) {
            return Ok(Some(known.node.clone()));
        }
        keys::get_node(self.rows, file)
    }

    /// A folder and where it lies, dead ones included; `None` when there is no such folder or nothing above it.
    pub(crate) fn folder(&self, file: FileId) -> Result<Option<Arc<Folder>>> {
        let (mut chain, mut next) = (Vec::new(), file);
        let mut known: Option<Arc<Folder>> = loop {
            if let Some(found) = self.cache.folders.borrow().get(&next) {
                break found.clone();
            }
            if chain.len() > MAX_DEPTH {
                let what = format!("tree above {file}");
                return Err(Error::Corrupt {
                    what,
                    detail: "no end".to_owned(),
                });
            }
            let Some(node) = keys::get_node(self.rows, next)? else {
                break None;
            };
            let parent = node.parent;
            chain.push(node);
            match parent {
                Some(parent) => next = parent,
                None => break None,
            }
        };
        for node in chain.into_iter().rev() {
            let id = node.id;
            known = self.folder_below(known, node)?.map(Arc::new);
            let mut folders = self.cache.folders.borrow_mut();
            if folders.len() >= CACHED_FOLDERS {
                folders.clear();
            }
            folders.insert(id, known.clone());
        }
        Ok(known)
    }

    fn folder_below(&self, above: Option<Arc<Folder>>, node: Node) -> Result<Option<Folder>> {
        let died = node.deleted.is_some();
        let kept = self.is_kept(&node)?;
        Ok(match (&node.kind, above) {
            (NodeKind::Root { ns }, _) => Some(Folder {
                ns: *ns,
                display: String::new(),
                lower: String::new(),
                dead: died,
                kept,
                node,
            }),
            (NodeKind::Folder, Some(above)) => Some(Folder {
                ns: above.ns,
                display: format!("{}/{}", above.display, node.name),
                lower: format!("{}/{}", above.lower, fold(&node.name)),
                dead: died || above.dead,
                kept: kept && above.kept,
                node,
            }),
            _ => None,
        })
    }

    /// False for a deleted node whose tombstone is gone: purge has begun.
    pub(crate) fn is_kept(&self, node: &Node) -> Result<bool> {
        let (Some(deletion), Some(parent)) = (node.deleted, node.parent) else {
            return Ok(true);
        };
        let key = keys::tombstone(parent, &fold(&node.name), deletion.at_ms, node.id);
        Ok(self.rows.get(&key)?.is_some())
    }

    /// A version of a file, dead or alive, in a readable namespace.
    pub(crate) fn version(&self, file: FileId, rev: Rev) -> Result<Option<Version>> {
        let Some(node) = self.node(file)? else {
            return Ok(None);
        };
        let Some(head) = node.head() else {
            return Ok(None);
        };
        let above = node
            .parent
            .map(|parent| self.folder(parent))
            .transpose()?
            .flatten();
        let readable = match above {
            Some(above) => above.kept && self.is_kept(&node)? && self.joined(above.ns)?.is_some(),
            None => false,
        };
        if !readable {
            return Ok(None);
        }
        if head.rev == rev {
            return Ok(Some(head.clone()));
        }
        let past: Option<PastVersion> =
            keys::read(self.rows, &keys::version(file, rev), "version")?;
        Ok(past.map(|past| past.version))
    }

    /// The role of the account in a namespace it reads.
    pub(crate) fn role(&self, ns: NamespaceId) -> Result<Role> {
        Ok(self.joined(ns)?.ok_or(Refusal::NotFound)?.member.role)
    }
}
