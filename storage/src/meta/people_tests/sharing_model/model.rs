//! Who has what by the rules, and the store that it is compared with.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Bench, bench, everything, file, folder};
use super::op::Op;
use super::{ACCOUNTS, FOLDERS, GROUPS};
use crate::Error;
use crate::meta::account::DEFAULT_TEAM;
use crate::meta::{Account, FileId, GroupId, MemberPolicy, NamespaceId, Role};

/// Where a member has a space mounted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mounted {
    /// Where the folder was when it was shared.
    InPlace,
    /// In the root.
    InRoot,
    No,
}

/// A folder that was shared once.
pub(super) struct Space {
    pub top: (usize, usize),
    pub ns: NamespaceId,
    pub owner: usize,
    pub policy: Option<MemberPolicy>,
    /// Roles that accounts have by themselves.
    pub own: BTreeMap<usize, Role>,
    /// Roles that groups have.
    pub grants: BTreeMap<usize, Role>,
    /// What follows from both.
    pub members: BTreeMap<usize, (Role, Mounted)>,
}

impl Space {
    /// Makes the members what follows from own roles and groups.
    pub fn settle(&mut self, groups: &[BTreeSet<usize>]) {
        for account in 0..ACCOUNTS {
            let by_group = self
                .grants
                .iter()
                .filter(|(group, _)| groups[**group].contains(&account));
            let highest = by_group
                .map(|(_, role)| *role)
                .max()
                .max(self.own.get(&account).copied());
            match highest {
                Some(role) => {
                    self.members
                        .entry(account)
                        .or_insert((role, Mounted::InRoot))
                        .0 = role
                }
                None => drop(self.members.remove(&account)),
            }
        }
    }
}

pub(super) struct Model {
    pub bench: Bench,
    pub accounts: Vec<Account>,
    pub folders: Vec<[FileId; 3]>,
    pub files: Vec<[FileId; 3]>,
    pub spaces: Vec<Space>,
    pub groups: Vec<GroupId>,
    pub grouped: Vec<BTreeSet<usize>>,
}

impl Model {
    pub fn new() -> Model {
        let bench = bench();
        let accounts: Vec<_> = ["ann", "bob", "cid", "dan"]
            .map(|name| bench.account(name))
            .into();
        let folders = accounts
            .iter()
            .map(|a| FOLDERS.map(|path| folder(&bench, a, path)))
            .collect();
        let files = (0..ACCOUNTS)
            .map(|a| {
                [0, 1, 2].map(|f| {
                    file(
                        &bench,
                        &accounts[a],
                        &format!("{}/file", FOLDERS[f]),
                        size(a, f),
                    )
                })
            })
            .collect();
        let groups =
            (0..GROUPS).map(|g| bench.meta.create_group(DEFAULT_TEAM, &format!("group {g}")));
        let groups = groups.map(|made| made.unwrap().id).collect();
        Model {
            groups,
            grouped: vec![BTreeSet::new(); GROUPS],
            bench,
            accounts,
            folders,
            files,
            spaces: Vec::new(),
        }
    }

    /// What the account may do with the file, and whether it lies in its tree.
    pub fn sight(&self, who: usize, of: usize, folder: usize) -> Option<(Role, bool)> {
        match self.holding(of, folder) {
            Some(space) => {
                let (role, mounted) = self.spaces[space].members.get(&who)?;
                Some((*role, *mounted != Mounted::No))
            }
            None => (who == of).then_some((Role::Owner, true)),
        }
    }

    pub fn mounted(&self, who: usize) -> BTreeSet<NamespaceId> {
        let is_mounted =
            |space: &&Space| space.members.get(&who).is_some_and(|m| m.1 != Mounted::No);
        self.spaces
            .iter()
            .filter(is_mounted)
            .map(|space| space.ns)
            .collect()
    }

    /// Compares everything that each account sees with the model.
    pub fn compare(&self) {
        for (who, account) in self.accounts.iter().enumerate() {
            let view = self.bench.meta.view(account.id).unwrap();
            let access: BTreeMap<_, _> = view
                .access()
                .unwrap()
                .iter()
                .map(|a| (a.ns, (a.role, a.mount.is_some())))
                .collect();
            let mut expected: BTreeMap<_, _> = self
                .spaces
                .iter()
                .filter_map(|space| Some((space.ns, space.members.get(&who)?)))
                .map(|(ns, (role, mounted))| (ns, (*role, *mounted != Mounted::No)))
                .collect();
            expected.insert(account.root, (Role::Owner, false));
            assert_eq!(access, expected, "access of {who}");
            let (mut used, mut in_tree) = (0, BTreeSet::new());
            for of in 0..ACCOUNTS {
                for (folder, name) in FOLDERS.iter().enumerate() {
                    let file = self.files[of][folder];
                    let place = view.place(file).unwrap();
                    let seen = place.map(|p| (p.role, p.path_display.starts_with('/')));
                    let sight = self.sight(who, of, folder);
                    assert_eq!(seen, sight, "{who} looks at {of}'s {}", name);
                    let owner = self
                        .holding(of, folder)
                        .map_or(of, |space| self.spaces[space].owner);
                    used += if owner == who { size(of, folder) } else { 0 };
                    in_tree.extend(sight.filter(|(_, in_tree)| *in_tree).map(|_| file));
                }
            }
            assert_eq!(
                self.bench.meta.space_used(account.id).unwrap().used,
                used,
                "usage of {who}"
            );
            let tree = everything(&self.bench, account);
            let files: BTreeSet<_> = tree
                .iter()
                .filter(|p| p.node.is_file())
                .map(|p| p.node.id)
                .collect();
            assert_eq!(files, in_tree, "tree of {who}");
            let mounts: BTreeSet<_> = tree.iter().filter_map(|p| p.shared_folder).collect();
            assert_eq!(mounts, self.mounted(who), "mounts of {who}");
            let paths: BTreeSet<_> = tree.iter().map(|p| &p.path_lower).collect();
            assert_eq!(paths.len(), tree.len(), "paths of {who}");
        }
    }

    pub fn step(&mut self, op: &Op) {
        let before: Vec<_> = (0..ACCOUNTS)
            .map(|who| (self.mounted(who), self.generation(who)))
            .collect();
        let (outcome, made) = match self.run(op) {
            Ok(made) => (Ok(()), made),
            Err(Error::Refused(refusal)) => (Err(refusal), None),
            Err(other) => panic!("{op:?}: {other}"),
        };
        assert_eq!(outcome, self.expect(op, made), "{op:?}");
        self.compare();
        for (who, (mounted, generation)) in before.into_iter().enumerate() {
            let same = mounted == self.mounted(who) || self.generation(who) > generation;
            assert!(same, "{op:?}: the mounts of {who} changed in silence");
        }
    }

    fn generation(&self, who: usize) -> u64 {
        self.bench
            .meta
            .mount_generation(self.accounts[who].id)
            .unwrap()
    }
}

/// Sizes whose sums tell which files they are of.
fn size(account: usize, folder: usize) -> u64 {
    1 << (account * FOLDERS.len() + folder)
}
