//! Random histories of three people with shared folders: the tree answers as the model does, and journals lead replicas to
//! the present. // I2

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::model::{Kind, Model, Spot, Tree, within};
use super::replica::{Replica, whole};
use super::*;
use crate::meta::NamespaceId;

#[derive(Debug, Clone)]
enum Act {
    Upload(Where, u8, bool, bool),
    Folder(Where, bool),
    Delete(Where),
    Move(Where, Where, bool),
    Copy(Where, Where, bool),
    Undelete(usize),
    Share(Where),
    Join(usize, bool),
    Leave(usize),
    Mount(usize),
    Read(usize, usize),
    Purge,
}

/// A path: from the beginning, or below something that is there.
#[derive(Debug, Clone)]
struct Where(Option<usize>, Vec<&'static str>);

fn names(most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(
        prop::sample::select(vec!["a", "A", "b", "c.txt", "É", "d", "e"]),
        0..=most,
    )
}

fn path() -> impl Strategy<Value = Where> {
    prop_oneof![
        1 => names(3).prop_map(|names| Where(None, names)),
        3 => (any::<usize>(), names(1)).prop_map(|(pick, names)| Where(Some(pick), names)),
    ]
}

/// Something that is there, most of the time.
fn there() -> impl Strategy<Value = Where> {
    prop_oneof![
        1 => path(),
        6 => any::<usize>().prop_map(|pick| Where(Some(pick), Vec::new())),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let path2 = || (there(), path(), any::<bool>());
    prop_oneof![
        6 => (path(), 0u8..3, any::<bool>(), any::<bool>()).prop_map(|(p, c, o, r)| Act::Upload(p, c, o, r)),
        3 => (path(), any::<bool>()).prop_map(|(p, r)| Act::Folder(p, r)),
        2 => there().prop_map(Act::Delete),
        5 => path2().prop_map(|(f, t, r)| Act::Move(f, t, r)),
        2 => path2().prop_map(|(f, t, r)| Act::Copy(f, t, r)),
        2 => any::<usize>().prop_map(Act::Undelete),
        4 => there().prop_map(Act::Share),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(n, e)| Act::Join(n, e)),
        1 => any::<usize>().prop_map(Act::Leave),
        1 => any::<usize>().prop_map(Act::Mount),
        2 => (any::<usize>(), 1usize..5).prop_map(|(n, l)| Act::Read(n, l)),
        1 => Just(Act::Purge),
    ]
}

struct Run {
    w: World,
    model: Model,
    replicas: BTreeMap<u64, Replica>,
}

impl Run {
    fn new() -> Run {
        let w = World::new(3);
        let mut model = Model::default();
        for (who, account) in w.accounts.iter().enumerate() {
            let ns = account.root.0;
            model.homes.push(ns);
            model.trees.insert(ns, Tree::new());
            model.owners.insert(ns, who);
            model.members.insert((ns, who), Role::Owner);
        }
        Run {
            w,
            model,
            replicas: BTreeMap::new(),
        }
    }

    fn names(&self, who: usize, at: &Where) -> Vec<String> {
        let paths = self.model.paths(who);
        let mut names = match at.0 {
            Some(pick) if !paths.is_empty() => paths[pick % paths.len()].clone(),
            _ => Vec::new(),
        };
        names.extend(at.1.iter().map(|&name| name.to_owned()));
        names
    }

    /// Runs an act on both; they must answer alike.
    fn act(&mut self, who: usize, act: &Act) {
        let (meta, actor) = (self.w.meta.clone(), self.w.actor(who));
        self.w.clock.advance_ms(1);
        match act {
            Act::Upload(path, content, overwrite, autorename) => {
                let path = &self.names(who, path);
                let mode = if *overwrite {
                    WriteMode::Overwrite
                } else {
                    WriteMode::Add
                };
                let new = NewFile {
                    autorename: *autorename,
                    ..file(*content, mode)
                };
                let real = meta.commit_file(actor, &named(path), &new);
                let expected = self
                    .model
                    .upload(who, path, *content, *overwrite, *autorename);
                self.agree(who, act, real, expected);
            }
            Act::Folder(path, autorename) => {
                let path = &self.names(who, path);
                let real = meta.create_folder(actor, &named(path), *autorename);
                let expected = self.model.folder(who, path, *autorename);
                self.agree(who, act, real, expected);
            }
            Act::Delete(path) => {
                let path = &self.names(who, path);
                let real = meta.delete(actor, &named(path), None).map(drop);
                let expected = self.model.delete(who, path);
                assert_eq!(outcome(real), expected, "{act:?}");
            }
            Act::Move(from, to, autorename) => {
                let (from, to) = (&self.names(who, from), &self.names(who, to));
                let real = meta.relocate(actor, &named(from), &named(to), *autorename);
                let expected = self.model.relocate(who, from, to, *autorename);
                self.agree(who, act, real, expected);
            }
            Act::Copy(from, to, autorename) => {
                let (from, to) = (&self.names(who, from), &self.names(who, to));
                let real = meta.copy(actor, &named(from), &named(to), *autorename);
                let expected = self.model.copy(who, from, to, *autorename);
                self.agree(who, act, real, expected);
            }
            Act::Undelete(pick) => self.undelete(who, *pick),
            Act::Share(path) => self.share(who, &self.names(who, path)),
            Act::Join(pick, editor) => self.join(who, *pick, *editor),
            Act::Leave(pick) => self.leave(who, *pick),
            Act::Mount(pick) => self.mount(who, *pick),
            Act::Read(pick, limit) => drop(self.read(*pick, *limit)),
            Act::Purge => self.purge(),
        }
    }

    /// The same refusal, or the same path; then the model learns the ids.
    fn agree(
        &mut self,
        who: usize,
        act: &Act,
        real: Result<Place>,
        expected: std::result::Result<Spot, Refusal>,
    ) {
        match (outcome(real), expected) {
            (Ok(place), Ok(spot)) => {
                let shown = self.w.view(who).place(place.node.id).unwrap();
                assert_eq!(shown.as_ref(), Some(&place), "{act:?}");
                assert_eq!(place.ns.0, spot.ns, "{act:?}");
                assert!(
                    place.path_lower.ends_with(&spot.path),
                    "{act:?}: {} {}",
                    place.path_lower,
                    spot.path
                );
                self.learn(&spot);
            }
            (real, expected) => {
                assert_eq!(real.map(drop), expected.map(drop), "{who} {act:?}");
            }
        }
    }

    /// Takes ids over, where the model does not know them, and compares where it does.
    fn learn(&mut self, spot: &Spot) {
        let owner = self.model.owners[&spot.ns];
        let view = self.w.view(owner);
        for (path, item) in self.model.trees.get_mut(&spot.ns).unwrap() {
            if !within(path, &spot.path) && !within(&spot.path, path) {
                continue;
            }
            let place = view.resolve(NamespaceId(spot.ns), &at(path)).unwrap();
            if item.id.0 == 0 {
                item.id = place.node.id;
            }
            assert_eq!(item.id, place.node.id, "{path}");
        }
    }

    fn undelete(&mut self, who: usize, pick: usize) {
        if self.model.trash.is_empty() {
            return;
        }
        let pick = pick % self.model.trash.len();
        let (_, path, items) = self.model.trash[pick].clone();
        let (id, name) = (items[""].id, items[""].name.clone());
        let seen_by = |who: usize| self.w.view(who).place_deleted(id).unwrap();
        let readable = seen_by(who);
        // It may have moved with the folder it was deleted in.
        let ns = (0..3).find_map(seen_by).unwrap().ns.0;
        let real = outcome(self.w.meta.undelete(self.w.actor(who), id));
        let role = self.model.members.get(&(ns, who));
        assert_eq!(readable.is_some(), role.is_some());
        match (real, role) {
            (real, None) => {
                assert_eq!((real.map(drop), readable), (Err(Refusal::NotFound), None));
            }
            (Ok(place), Some(role)) => {
                assert!(role.can_write());
                let spot = self.inner(&place);
                let model = self.model.trees.get_mut(&spot.ns).unwrap();
                assert!(!model.contains_key(&spot.path));
                let back = place.node.id == id;
                for (below, mut item) in items {
                    if let (false, Kind::File(contents)) = (back, &mut item.kind) {
                        contents.drain(..contents.len() - 1);
                    }
                    if !back {
                        item.id = crate::meta::FileId(0);
                    }
                    if below.is_empty() {
                        item.name = place.node.name.clone();
                    }
                    model.insert(format!("{}{below}", spot.path), item);
                }
                // Folders that were made again.
                for (i, _) in spot.path.match_indices('/').skip(1) {
                    let at_path = &spot.path[..i];
                    if !model.contains_key(at_path) {
                        let view = self.w.meta.view(self.w.accounts[who].id).unwrap();
                        let above = view
                            .resolve(NamespaceId(spot.ns), &at(at_path))
                            .unwrap()
                            .node;
                        let item = super::model::Item {
                            name: above.name,
                            id: above.id,
                            kind: Kind::Folder,
                        };
                        model.insert(at_path.to_owned(), item);
                    }
                }
                if back {
                    self.model.trash.remove(pick);
                }
                self.learn(&spot);
            }
            (Err(refusal), Some(_)) => {
                let known = [
                    Refusal::NoWritePermission,
                    Refusal::Conflict(crate::meta::ConflictKind::FileAncestor),
                ];
                assert!(known.contains(&refusal), "{refusal:?} {ns} {path} {name}");
            }
        }
    }

    /// Where a place is in its namespace.
    fn inner(&self, place: &Place) -> Spot {
        let owner = self.model.owners[&place.ns.0];
        let inner = self
            .w
            .view(owner)
            .resolve(place.ns, &at(&place.node.id.to_string()))
            .unwrap();
        Spot {
            ns: place.ns.0,
            path: inner.path_lower,
        }
    }

    fn share(&mut self, who: usize, path: &[String]) {
        let Some(spot) = self.model.shareable(who, path) else {
            return;
        };
        let ns = self
            .w
            .meta
            .share_folder(self.w.actor(who), &named(path), Default::default())
            .unwrap();
        let mount = self
            .w
            .view(who)
            .resolve(self.w.actor(who).root, &named(path))
            .unwrap();
        assert_eq!(mount.shared_folder, Some(ns));
        self.model.share(who, &spot, ns.0, mount.node.id);
        // Names that were deleted below the folder belong to the new namespace now.
        for (trash_ns, path, _) in &mut self.model.trash {
            let inside = path
                .strip_prefix(&spot.path)
                .filter(|rest| rest.starts_with('/'));
            if let Some(rest) = inside.map(str::to_owned).filter(|_| *trash_ns == spot.ns) {
                (*trash_ns, *path) = (ns.0, rest);
            }
        }
    }

    fn shared(&self, pick: usize) -> Option<u64> {
        let shared: Vec<_> = self
            .model
            .owners
            .keys()
            .filter(|ns| !self.model.homes.contains(ns))
            .collect();
        (!shared.is_empty()).then(|| *shared[pick % shared.len()])
    }

    fn join(&mut self, who: usize, pick: usize, editor: bool) {
        let Some(ns) = self.shared(pick) else { return };
        let owner = self.model.owners[&ns];
        if self.model.members.contains_key(&(ns, who)) {
            return;
        }
        let role = if editor { Role::Editor } else { Role::Viewer };
        let added = self.w.meta.add_member(
            self.w.actor(owner),
            NamespaceId(ns),
            self.w.accounts[who].id,
            role,
            true,
        );
        added.unwrap();
        self.model.members.insert((ns, who), role);
        self.mounted(who, ns);
    }

    /// The model learns where a Mount is.
    fn mounted(&mut self, who: usize, ns: u64) {
        let access = self.w.view(who).access().unwrap();
        let mount = access.iter().find(|a| a.ns.0 == ns).unwrap().mount.unwrap();
        let place = self.w.view(who).place(mount).unwrap().unwrap();
        let item = super::model::Item {
            name: place.node.name,
            id: mount,
            kind: Kind::Mount(ns),
        };
        let home = self.model.trees.get_mut(&self.model.homes[who]).unwrap();
        assert_eq!(home.insert(place.path_lower, item), None);
    }

    fn leave(&mut self, who: usize, pick: usize) {
        let Some(ns) = self.shared(pick) else { return };
        if self.model.owners[&ns] == who || !self.model.members.contains_key(&(ns, who)) {
            return;
        }
        self.w
            .meta
            .leave(self.w.actor(who), NamespaceId(ns))
            .unwrap();
        self.model.members.remove(&(ns, who));
        self.model.unmount(who, ns);
    }

    fn mount(&mut self, who: usize, pick: usize) {
        let Some(ns) = self.shared(pick) else { return };
        let home = &self.model.trees[&self.model.homes[who]];
        let is_mounted = home.values().any(|item| item.kind == Kind::Mount(ns));
        if self.model.members.contains_key(&(ns, who)) && !is_mounted {
            self.w
                .meta
                .mount(self.w.actor(who), NamespaceId(ns))
                .unwrap();
            self.mounted(who, ns);
        }
    }

    /// A replica applies some entries.
    fn read(&mut self, pick: usize, limit: usize) -> bool {
        let ns = *self
            .model
            .trees
            .keys()
            .nth(pick % self.model.trees.len())
            .unwrap();
        let view = self
            .w
            .meta
            .view(self.w.accounts[self.model.owners[&ns]].id)
            .unwrap();
        let replica = self.replicas.entry(ns).or_default();
        replica.advance(&self.w.meta, &view, NamespaceId(ns), limit)
    }

    fn purge(&mut self) {
        while self
            .w
            .meta
            .purge(crate::meta::env::Clock::now_ms(&*self.w.clock))
            .unwrap()
            .more
        {}
        self.model.trash.clear();
        for tree in self.model.trees.values_mut() {
            for item in tree.values_mut() {
                if let Kind::File(contents) = &mut item.kind {
                    contents.drain(..contents.len() - 1);
                }
            }
        }
    }

    /// Listings, quotas, versions, replicas, invariants.
    fn compare(&mut self) {
        for who in 0..3 {
            let mut expected = Vec::new();
            let home = Spot {
                ns: self.model.homes[who],
                path: String::new(),
            };
            self.model.seen(&home, "", &mut expected);
            let mut real = self.seen(who);
            expected.sort();
            real.sort();
            assert_eq!(real, expected, "what {who} sees");
            assert_eq!(self.w.used(who), self.model.used(who), "what {who} uses");
        }
        for (ns, tree) in self.model.trees.clone() {
            let who = self.model.owners[&ns];
            let actor = Actor {
                root: NamespaceId(ns),
                ..self.w.actor(who)
            };
            for (path, item) in tree {
                let Kind::File(mut contents) = item.kind else {
                    continue;
                };
                contents.reverse();
                let found = self.w.meta.revisions(actor, &at(&path), true, 100).unwrap();
                let real: Vec<_> = found
                    .versions
                    .iter()
                    .map(|r| r.version.content_hash[0])
                    .collect();
                assert_eq!(real, contents, "versions of {ns}:{path}");
            }
        }
        for pick in 0..self.model.trees.len() {
            while self.read(pick, 3) {}
        }
        for (ns, replica) in &self.replicas {
            let view = self.w.view(self.model.owners[ns]);
            assert_eq!(
                replica.copy,
                whole(&view, NamespaceId(*ns)),
                "replica of {ns}"
            );
        }
        self.w.sound();
    }

    fn seen(&self, who: usize) -> Vec<String> {
        let (view, mut lines) = (self.w.view(who), Vec::new());
        let top = view.resolve(self.w.actor(who).root, &at("")).unwrap();
        let visit = &mut |entry: Entry| {
            if let Entry::Live(place) = entry {
                assert_eq!(view.place(place.node.id).unwrap().as_ref(), Some(&place));
                let head = place
                    .node
                    .head()
                    .map(|head| format!(" = {}", head.content_hash[0]));
                lines.push(place.path_display + &head.unwrap_or_default());
            }
            Ok(true)
        };
        view.walk(&top, None, false, visit).unwrap();
        lines
    }
}

fn named(path: &[String]) -> Address {
    Address::Path(path.to_vec())
}

fn outcome<T: std::fmt::Debug>(real: Result<T>) -> std::result::Result<T, Refusal> {
    match real {
        Err(Error::Refused(refusal)) => Err(refusal),
        other => Ok(other.unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn histories_agree_with_the_model_i2(acts in prop::collection::vec((0usize..3, act()), 20..200)) {
        let mut run = Run::new();
        for (i, (who, act)) in acts.iter().enumerate() {
            run.act(*who, act);
            if i % 16 == 15 {
                run.compare();
            }
        }
        run.compare();
    }
}
