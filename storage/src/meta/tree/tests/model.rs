//! What the tree should be: a map of paths for each namespace, and the rules on it, told a second time.

use std::collections::BTreeMap;

use crate::meta::path::{fold, renamed};
use crate::meta::{ConflictKind, FileId, Refusal, Role};

pub(super) type Ns = u64;
type Answer<T> = Result<T, Refusal>;

/// Something at a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) id: FileId,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Folder,
    Mount(Ns),
    /// Contents, the newest last.
    File(Vec<u8>),
}

/// A namespace's folded paths.
pub(super) type Tree = BTreeMap<String, Item>;

#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) trees: BTreeMap<Ns, Tree>,
    pub(super) owners: BTreeMap<Ns, usize>,
    pub(super) members: BTreeMap<(Ns, usize), Role>,
    pub(super) homes: Vec<Ns>,
    pub(super) trash: Vec<(Ns, String, Tree)>,
}

/// A place in a namespace.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spot {
    pub(super) ns: Ns,
    pub(super) path: String,
}

/// Where something is to be put, and what is there.
pub(super) struct Target {
    folder: Spot,
    missing: Vec<String>,
    name: String,
    existing: Option<Spot>,
}

fn below(path: &str, name: &str) -> String {
    format!("{path}/{}", fold(name))
}

/// True when `path` is `top` or lies below it.
pub(super) fn within(path: &str, top: &str) -> bool {
    path == top
        || path
            .strip_prefix(top)
            .is_some_and(|rest| rest.starts_with('/'))
}

impl Model {
    pub(super) fn item(&self, spot: &Spot) -> &Item {
        &self.trees[&spot.ns][&spot.path]
    }

    fn get(&self, spot: &Spot) -> Option<&Item> {
        self.trees[&spot.ns].get(&spot.path)
    }

    /// The inside of what is at a spot: a Mount's namespace.
    fn inside(&self, spot: Spot) -> Spot {
        match self.get(&spot).map(|item| &item.kind) {
            Some(Kind::Mount(ns)) => Spot {
                ns: *ns,
                path: String::new(),
            },
            _ => spot,
        }
    }

    pub(super) fn lookup(&self, who: usize, path: &[String]) -> Answer<Spot> {
        let mut spot = Spot {
            ns: self.homes[who],
            path: String::new(),
        };
        for name in path {
            spot = self.inside(spot);
            spot.path = below(&spot.path, name);
            self.get(&spot).ok_or(Refusal::NotFound)?;
        }
        Ok(spot)
    }

    fn can_write(&self, who: usize, ns: Ns) -> Answer<()> {
        let role = self.members.get(&(ns, who)).ok_or(Refusal::NotFound)?;
        if role.can_write() {
            Ok(())
        } else {
            Err(Refusal::NoWritePermission)
        }
    }

    pub(super) fn target(&self, who: usize, path: &[String]) -> Answer<Target> {
        let (name, above) = path
            .split_last()
            .ok_or(Refusal::Conflict(ConflictKind::Folder))?;
        let mut folder = Spot {
            ns: self.homes[who],
            path: String::new(),
        };
        let mut missing = Vec::new();
        for (i, part) in above.iter().enumerate() {
            let next = Spot {
                path: below(&folder.path, part),
                ..folder.clone()
            };
            match self.get(&next).map(|item| &item.kind) {
                Some(Kind::File(_)) => return Err(Refusal::Conflict(ConflictKind::FileAncestor)),
                Some(_) => folder = self.inside(next),
                None => {
                    missing = above[i..].to_vec();
                    break;
                }
            }
        }
        let there = Spot {
            path: below(&folder.path, name),
            ..folder.clone()
        };
        let existing = (missing.is_empty() && self.get(&there).is_some()).then_some(there);
        self.can_write(who, folder.ns)?;
        Ok(Target {
            folder,
            missing,
            name: name.clone(),
            existing,
        })
    }

    fn conflict(&self, spot: &Spot) -> Refusal {
        Refusal::Conflict(match self.item(spot).kind {
            Kind::File(_) => ConflictKind::File,
            _ => ConflictKind::Folder,
        })
    }

    fn free(&self, folder: &Spot, name: &str) -> String {
        let taken = |n: &String| self.trees[&folder.ns].contains_key(&below(&folder.path, n));
        let names =
            std::iter::once(name.to_owned()).chain((1..).map(|n| renamed(name, &n.to_string())));
        names.into_iter().find(|n| !taken(n)).unwrap()
    }

    /// Refuses, or renames, when something is there.
    fn room(&self, target: &mut Target, autorename: bool) -> Answer<()> {
        if let Some(existing) = &target.existing {
            if !autorename {
                return Err(self.conflict(existing));
            }
            target.name = self.free(&target.folder, &target.name);
        }
        Ok(())
    }

    /// Makes what is missing; returns where the name goes. Ids are told afterwards ([`Model::learn`]).
    fn make(&mut self, target: &Target) -> Spot {
        let mut spot = target.folder.clone();
        for name in &target.missing {
            spot.path = below(&spot.path, name);
            let item = Item {
                name: name.clone(),
                id: FileId(0),
                kind: Kind::Folder,
            };
            self.trees
                .get_mut(&spot.ns)
                .unwrap()
                .insert(spot.path.clone(), item);
        }
        spot.path = below(&spot.path, &target.name);
        spot
    }

    fn put(&mut self, spot: &Spot, item: Item) {
        self.trees
            .get_mut(&spot.ns)
            .unwrap()
            .insert(spot.path.clone(), item);
    }

    /// Returns where the file is, and whether it is new.
    pub(super) fn upload(
        &mut self,
        who: usize,
        path: &[String],
        content: u8,
        overwrite: bool,
        autorename: bool,
    ) -> Answer<Spot> {
        let mut target = self.target(who, path)?;
        if let Some(spot) = &target.existing {
            let item = self
                .trees
                .get_mut(&spot.ns)
                .unwrap()
                .get_mut(&spot.path)
                .unwrap();
            if let Kind::File(contents) = &mut item.kind {
                if contents.last() == Some(&content) {
                    return Ok(spot.clone());
                }
                if overwrite {
                    contents.push(content);
                    return Ok(spot.clone());
                }
            }
        }
        self.room(&mut target, autorename)?;
        let spot = self.make(&target);
        self.put(
            &spot,
            Item {
                name: target.name,
                id: FileId(0),
                kind: Kind::File(vec![content]),
            },
        );
        Ok(spot)
    }

    pub(super) fn folder(&mut self, who: usize, path: &[String], autorename: bool) -> Answer<Spot> {
        let mut target = self.target(who, path)?;
        self.room(&mut target, autorename)?;
        let spot = self.make(&target);
        self.put(
            &spot,
            Item {
                name: target.name,
                id: FileId(0),
                kind: Kind::Folder,
            },
        );
        Ok(spot)
    }

    /// Takes a subtree out, with paths relative to its top (whose path is empty).
    fn take(&mut self, spot: &Spot) -> Tree {
        let tree = self.trees.get_mut(&spot.ns).unwrap();
        let paths: Vec<_> = tree
            .keys()
            .filter(|path| within(path, &spot.path))
            .cloned()
            .collect();
        let relative = |path: String| {
            (
                path[spot.path.len()..].to_owned(),
                tree.remove(&path).unwrap(),
            )
        };
        paths.into_iter().map(relative).collect()
    }

    fn graft(&mut self, spot: &Spot, name: &str, items: Tree) {
        for (path, mut item) in items {
            if path.is_empty() {
                item.name = name.to_owned();
            }
            let at = Spot {
                ns: spot.ns,
                path: format!("{}{path}", spot.path),
            };
            self.put(&at, item);
        }
    }

    pub(super) fn delete(&mut self, who: usize, path: &[String]) -> Answer<()> {
        let spot = self.lookup(who, path)?;
        if path.is_empty() {
            return Err(Refusal::CantMoveRoot);
        }
        if let Kind::Mount(_) = self.item(&spot).kind {
            self.take(&spot);
            return Ok(());
        }
        self.can_write(who, spot.ns)?;
        let mut items = self.take(&spot);
        items.retain(|_, item| !matches!(item.kind, Kind::Mount(_)));
        self.trash.push((spot.ns, spot.path, items));
        Ok(())
    }

    fn holds_mount(&self, spot: &Spot) -> bool {
        let tree = &self.trees[&spot.ns];
        tree.iter()
            .any(|(path, item)| within(path, &spot.path) && matches!(item.kind, Kind::Mount(_)))
    }

    /// True when `inner` lies in `outer`, through the account's Mounts.
    fn leads_through(&self, who: usize, inner: &Spot, outer: &Spot) -> bool {
        if inner.ns == outer.ns {
            return within(&inner.path, &outer.path);
        }
        let mut home = self.trees[&self.homes[who]].iter();
        let mount = home.find(|(_, item)| item.kind == Kind::Mount(inner.ns));
        outer.ns == self.homes[who] && mount.is_some_and(|(path, _)| within(path, &outer.path))
    }

    pub(super) fn relocate(
        &mut self,
        who: usize,
        from: &[String],
        to: &[String],
        autorename: bool,
    ) -> Answer<Spot> {
        let from_spot = self.lookup(who, from)?;
        if from.is_empty() {
            return Err(Refusal::CantMoveRoot);
        }
        let mut target = self.target(who, to)?;
        let item = self.item(&from_spot).clone();
        let mount = matches!(item.kind, Kind::Mount(_));
        if target.existing.as_ref() == Some(&from_spot) {
            if item.name == target.name {
                return Err(Refusal::DuplicatedOrNestedPaths);
            }
            if !mount {
                self.can_write(who, from_spot.ns)?;
            }
            self.put(
                &from_spot,
                Item {
                    name: target.name,
                    ..item
                },
            );
            return Ok(from_spot);
        }
        let file = matches!(item.kind, Kind::File(_));
        if !file && self.leads_through(who, &target.folder, &from_spot) {
            return Err(Refusal::CantMoveFolderIntoItself);
        }
        if !mount {
            self.can_write(who, from_spot.ns)?;
        }
        if target.folder.ns != from_spot.ns && !file && self.holds_mount(&from_spot) {
            return Err(Refusal::CantMoveSharedFolder);
        }
        self.room(&mut target, autorename)?;
        let items = self.take(&from_spot);
        let spot = self.make(&target);
        self.graft(&spot, &target.name, items);
        Ok(spot)
    }

    /// A subtree as a copy would have it: heads only, Mounts as folders with what they show.
    fn copied(&self, who: usize, spot: &Spot, prefix: &str, into: &mut Tree) {
        for (path, item) in &self.trees[&spot.ns] {
            if !within(path, &spot.path) {
                continue;
            }
            let to = format!("{prefix}{}", &path[spot.path.len()..]);
            let kind = match &item.kind {
                Kind::File(contents) => Kind::File(contents[contents.len() - 1..].to_vec()),
                _ => Kind::Folder,
            };
            into.insert(
                to.clone(),
                Item {
                    kind,
                    id: FileId(0),
                    name: item.name.clone(),
                },
            );
            let Kind::Mount(ns) = item.kind else { continue };
            if self.members.contains_key(&(ns, who)) {
                let top = Spot {
                    ns,
                    path: String::new(),
                };
                self.copied(who, &top, &to, into);
            }
        }
    }

    pub(super) fn copy(
        &mut self,
        who: usize,
        from: &[String],
        to: &[String],
        autorename: bool,
    ) -> Answer<Spot> {
        let from = self.lookup(who, from)?;
        let mut target = self.target(who, to)?;
        self.room(&mut target, autorename)?;
        let mut items = Tree::new();
        self.copied(who, &from, "", &mut items);
        let spot = self.make(&target);
        let top = Item {
            name: String::new(),
            id: FileId(0),
            kind: Kind::Folder,
        };
        items.entry(String::new()).or_insert(top);
        self.graft(&spot, &target.name, items);
        Ok(spot)
    }

    /// The folder becomes namespace `ns`, mounted where it was.
    pub(super) fn share(&mut self, who: usize, spot: &Spot, ns: Ns, mount: FileId) {
        let mut items = self.take(spot);
        let top = items.remove("").unwrap();
        self.trees.insert(ns, items);
        self.owners.insert(ns, who);
        self.members.insert((ns, who), Role::Owner);
        self.put(
            spot,
            Item {
                name: top.name,
                id: mount,
                kind: Kind::Mount(ns),
            },
        );
    }

    pub(super) fn unmount(&mut self, who: usize, ns: Ns) {
        let home = self.homes[who];
        self.trees
            .get_mut(&home)
            .unwrap()
            .retain(|_, item| item.kind != Kind::Mount(ns));
    }

    /// A folder that may be shared.
    pub(super) fn shareable(&self, who: usize, path: &[String]) -> Option<Spot> {
        let spot = self.lookup(who, path).ok().filter(|_| !path.is_empty())?;
        let plain = self.item(&spot).kind == Kind::Folder && spot.ns == self.homes[who];
        (plain && !self.holds_mount(&spot)).then_some(spot)
    }

    /// Bytes of the heads in what an account owns.
    pub(super) fn used(&self, who: usize) -> u64 {
        let own = self.owners.iter().filter(|(_, owner)| **owner == who);
        let items = own.flat_map(|(ns, _)| self.trees[ns].values());
        let head = |item: &Item| match &item.kind {
            Kind::File(contents) => contents.last().copied(),
            _ => None,
        };
        items
            .filter_map(head)
            .map(|content| 10 * (u64::from(content) + 1))
            .sum()
    }

    /// The names of everything that an account sees.
    pub(super) fn paths(&self, who: usize) -> Vec<Vec<String>> {
        let (mut lines, home) = (Vec::new(), self.homes[who]);
        self.seen(
            &Spot {
                ns: home,
                path: String::new(),
            },
            "",
            &mut lines,
        );
        let path = |line: &String| line.split(" = ").next().unwrap().to_owned();
        let names = |path: String| path.split('/').skip(1).map(str::to_owned).collect();
        lines.iter().map(path).map(names).collect()
    }

    /// Every display path that an account sees, with the head's content, depth-first.
    pub(super) fn seen(&self, spot: &Spot, prefix: &str, into: &mut Vec<String>) {
        let mut display: BTreeMap<&str, String> = BTreeMap::from([("", prefix.to_owned())]);
        for (path, item) in &self.trees[&spot.ns] {
            let above = &path[..path.rfind('/').unwrap_or(0)];
            let shown = format!("{}/{}", display[above], item.name);
            let head = match &item.kind {
                Kind::File(contents) => format!(" = {}", contents.last().unwrap()),
                _ => String::new(),
            };
            into.push(format!("{shown}{head}"));
            if let Kind::Mount(ns) = item.kind {
                self.seen(
                    &Spot {
                        ns,
                        path: String::new(),
                    },
                    &shown,
                    into,
                );
            }
            display.insert(path, shown);
        }
    }
}
