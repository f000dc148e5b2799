//! Random sharing by four accounts, themselves and by groups, against a model of who may read what. // I6

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Bench, bench, everything, file, folder};
use crate::Error;
use crate::meta::account::DEFAULT_TEAM;
use crate::meta::{Account, Address, FileId, GroupId, MemberPolicy, NamespaceId, Refusal, Role};

const ACCOUNTS: usize = 4;
const GROUPS: usize = 2;
/// Each account has these folders, with one file in each; the second lies in the first.
const FOLDERS: [&str; 3] = ["/f0", "/f0/sub", "/f1"];

#[derive(Debug, Clone)]
enum Op {
    Share {
        who: usize,
        of: usize,
        folder: usize,
    },
    Add {
        who: usize,
        space: usize,
        member: usize,
        role: Role,
        auto_mount: bool,
    },
    Remove {
        who: usize,
        space: usize,
        member: usize,
    },
    Update {
        who: usize,
        space: usize,
        member: usize,
        role: Role,
    },
    Policy {
        who: usize,
        space: usize,
        policy: MemberPolicy,
    },
    Transfer {
        who: usize,
        space: usize,
        to: usize,
    },
    Unshare {
        who: usize,
        space: usize,
    },
    Mount {
        who: usize,
        space: usize,
    },
    Unmount {
        who: usize,
        space: usize,
    },
    Join {
        group: usize,
        member: usize,
    },
    Part {
        group: usize,
        member: usize,
    },
    Grant {
        who: usize,
        space: usize,
        group: usize,
        role: Role,
    },
    Regrant {
        who: usize,
        space: usize,
        group: usize,
        role: Role,
    },
    Ungrant {
        who: usize,
        space: usize,
        group: usize,
    },
}

/// Where a member has a space mounted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mounted {
    /// Where the folder was when it was shared.
    InPlace,
    /// In the root.
    InRoot,
    No,
}

/// A folder that was shared once.
struct Space {
    top: (usize, usize),
    ns: NamespaceId,
    owner: usize,
    policy: Option<MemberPolicy>,
    /// Roles that accounts have by themselves.
    own: BTreeMap<usize, Role>,
    /// Roles that groups have.
    grants: BTreeMap<usize, Role>,
    /// What follows from both.
    members: BTreeMap<usize, (Role, Mounted)>,
}

impl Space {
    /// Makes the members what follows from own roles and groups.
    fn settle(&mut self, groups: &[BTreeSet<usize>]) {
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

struct Model {
    bench: Bench,
    accounts: Vec<Account>,
    folders: Vec<[FileId; 3]>,
    files: Vec<[FileId; 3]>,
    spaces: Vec<Space>,
    groups: Vec<GroupId>,
    grouped: Vec<BTreeSet<usize>>,
}

type Outcome = Result<(), Refusal>;

impl Model {
    fn new() -> Model {
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

    /// The space whose top is the folder.
    fn topped(&self, of: usize, folder: usize) -> Option<usize> {
        self.spaces
            .iter()
            .position(|space| space.top == (of, folder))
    }

    /// The space that the folder's file lies in.
    fn holding(&self, of: usize, folder: usize) -> Option<usize> {
        let outer = if folder == 1 {
            self.topped(of, 0)
        } else {
            None
        };
        self.topped(of, folder).or(outer)
    }

    fn managed(&self, who: usize, space: usize) -> Result<&Space, Refusal> {
        let space = &self.spaces[space];
        let (role, _) = space.members.get(&who).ok_or(Refusal::NotFound)?;
        match (space.policy, role) {
            (None, _) => Err(Refusal::NotFound),
            (_, Role::Owner) | (Some(MemberPolicy::Editors), Role::Editor) => Ok(space),
            _ => Err(Refusal::NoPermission),
        }
    }

    fn owned(&self, who: usize, space: usize) -> Result<(), Refusal> {
        let space = &self.spaces[space];
        let (role, _) = space.members.get(&who).ok_or(Refusal::NotFound)?;
        match (space.policy, role) {
            (None, _) => Err(Refusal::NotFound),
            (_, Role::Owner) => Ok(()),
            _ => Err(Refusal::NoPermission),
        }
    }

    /// Does the operation for real; what the model expects of it comes from [`Model::expect`].
    fn run(&self, op: &Op) -> crate::Result<Option<NamespaceId>> {
        let meta = &self.bench.meta;
        let actor = |who: usize| self.accounts[who].actor();
        let id = |who: usize| self.accounts[who].id;
        let ns = |space: usize| self.spaces[space].ns;
        match *op {
            Op::Share { who, of, folder } => {
                let at = Address::Id(self.folders[of][folder], Vec::new());
                meta.share_folder(actor(who), &at, MemberPolicy::Owner)
                    .map(Some)
            }
            Op::Add {
                who,
                space,
                member,
                role,
                auto_mount,
            } => meta
                .add_member(actor(who), ns(space), id(member), role, auto_mount)
                .map(|()| None),
            Op::Remove { who, space, member } => meta
                .remove_member(actor(who), ns(space), id(member))
                .map(|()| None),
            Op::Update {
                who,
                space,
                member,
                role,
            } => meta
                .update_member(actor(who), ns(space), id(member), role)
                .map(|()| None),
            Op::Policy { who, space, policy } => meta
                .set_member_policy(actor(who), ns(space), policy)
                .map(|()| None),
            Op::Transfer { who, space, to } => {
                meta.transfer(actor(who), ns(space), id(to)).map(|()| None)
            }
            Op::Unshare { who, space } => meta.unshare(actor(who), ns(space)).map(|()| None),
            Op::Mount { who, space } => meta.mount(actor(who), ns(space)).map(|_| None),
            Op::Unmount { who, space } => meta.unmount(actor(who), ns(space)).map(|()| None),
            Op::Join { group, member } => meta
                .join_group(self.groups[group], id(member), false)
                .map(|()| None),
            Op::Part { group, member } => meta
                .leave_group(self.groups[group], id(member))
                .map(|()| None),
            Op::Grant {
                who,
                space,
                group,
                role,
            } => meta
                .add_group(actor(who), ns(space), self.groups[group], role)
                .map(|()| None),
            Op::Regrant {
                who,
                space,
                group,
                role,
            } => meta
                .update_group(actor(who), ns(space), self.groups[group], role)
                .map(|()| None),
            Op::Ungrant { who, space, group } => meta
                .remove_group(actor(who), ns(space), self.groups[group])
                .map(|()| None),
        }
    }

    /// Does the operation in the model; `made` is the namespace that sharing made.
    fn expect(&mut self, op: &Op, made: Option<NamespaceId>) -> Outcome {
        let outcome = self.expect_own(op, made);
        let grouped = &self.grouped;
        self.spaces
            .iter_mut()
            .for_each(|space| space.settle(grouped));
        outcome
    }

    fn expect_own(&mut self, op: &Op, made: Option<NamespaceId>) -> Outcome {
        match *op {
            Op::Share { who, of, folder } => self.expect_share(who, of, folder, made),
            Op::Add {
                who,
                space,
                member,
                role,
                auto_mount,
            } => {
                self.managed(who, space)?;
                let mounted = if auto_mount {
                    Mounted::InRoot
                } else {
                    Mounted::No
                };
                let space = &mut self.spaces[space];
                space.own.entry(member).or_insert(role);
                space.members.entry(member).or_insert((role, mounted));
                Ok(())
            }
            Op::Remove { who, space, member } => {
                if who == member {
                    self.spaces[space]
                        .members
                        .get(&who)
                        .ok_or(Refusal::NotFound)?;
                } else {
                    self.managed(who, space)?;
                }
                if self.spaces[space].owner == member {
                    return Err(Refusal::NoPermission);
                }
                let space = &mut self.spaces[space];
                let without = match space.members.contains_key(&member) {
                    true => Refusal::MemberByGroup,
                    false => Refusal::NotMember,
                };
                space.own.remove(&member).map(drop).ok_or(without)
            }
            Op::Update {
                who,
                space,
                member,
                role,
            } => {
                if self.managed(who, space)?.owner == member {
                    return Err(Refusal::NoPermission);
                }
                let space = &mut self.spaces[space];
                space.members.get(&member).ok_or(Refusal::NotMember)?;
                space.own.insert(member, role);
                Ok(())
            }
            Op::Policy { who, space, policy } => {
                self.owned(who, space)?;
                self.spaces[space].policy = Some(policy);
                Ok(())
            }
            Op::Transfer { who, space, to } => {
                self.owned(who, space)?;
                let space = &mut self.spaces[space];
                if who != to {
                    space.members.get(&to).ok_or(Refusal::NotMember)?;
                    space.own.insert(to, Role::Owner);
                    space.own.insert(who, Role::Editor);
                    space.owner = to;
                }
                Ok(())
            }
            Op::Unshare { who, space } => {
                self.owned(who, space)?;
                let space = &mut self.spaces[space];
                space.grants.clear();
                space.own.retain(|member, _| *member == who);
                space.members.retain(|member, _| *member == who);
                for (_, mounted) in space.members.values_mut() {
                    if *mounted == Mounted::No {
                        *mounted = Mounted::InRoot;
                    }
                }
                space.policy = None;
                Ok(())
            }
            Op::Mount { who, space } => {
                let row = self.spaces[space]
                    .members
                    .get_mut(&who)
                    .ok_or(Refusal::NotFound)?;
                if row.1 != Mounted::No {
                    return Err(Refusal::AlreadyMounted);
                }
                row.1 = Mounted::InRoot;
                Ok(())
            }
            Op::Unmount { who, space } => {
                let row = self.spaces[space]
                    .members
                    .get_mut(&who)
                    .ok_or(Refusal::NotFound)?;
                row.1 = Mounted::No;
                Ok(())
            }
            Op::Join { group, member } => {
                self.grouped[group].insert(member);
                Ok(())
            }
            Op::Part { group, member } => match self.grouped[group].remove(&member) {
                true => Ok(()),
                false => Err(Refusal::NotMember),
            },
            Op::Grant {
                who,
                space,
                group,
                role,
            } => {
                self.managed(who, space)?;
                self.spaces[space].grants.entry(group).or_insert(role);
                Ok(())
            }
            Op::Regrant {
                who,
                space,
                group,
                role,
            } => {
                self.managed(who, space)?;
                let grant = self.spaces[space].grants.get_mut(&group);
                *grant.ok_or(Refusal::NotMember)? = role;
                Ok(())
            }
            Op::Ungrant { who, space, group } => {
                self.managed(who, space)?;
                let grant = self.spaces[space].grants.remove(&group);
                grant.map(drop).ok_or(Refusal::NotMember)
            }
        }
    }

    fn expect_share(
        &mut self,
        who: usize,
        of: usize,
        folder: usize,
        made: Option<NamespaceId>,
    ) -> Outcome {
        if let Some(space) = self.topped(of, folder) {
            let space = &mut self.spaces[space];
            space.members.get(&who).ok_or(Refusal::NotFound)?;
            if space.policy.is_some() {
                return Err(Refusal::AlreadyShared(space.ns));
            }
            space.policy = Some(MemberPolicy::Owner);
            return Ok(());
        }
        if let Some(space) = self.holding(of, folder) {
            let reads = self.spaces[space].members.contains_key(&who);
            return Err(if reads {
                Refusal::InsideSharedFolder
            } else {
                Refusal::NotFound
            });
        }
        if who != of {
            return Err(Refusal::NotFound);
        }
        let inner = self
            .topped(of, 1)
            .and_then(|inner| self.spaces[inner].members.get(&of));
        if folder == 0 && inner.is_some_and(|(_, mounted)| *mounted == Mounted::InPlace) {
            return Err(Refusal::ContainsSharedFolder);
        }
        let members = BTreeMap::from([(of, (Role::Owner, Mounted::InPlace))]);
        let policy = Some(MemberPolicy::Owner);
        let ns = made.unwrap_or(NamespaceId(0));
        self.spaces.push(Space {
            top: (of, folder),
            ns,
            owner: of,
            policy,
            own: BTreeMap::from([(of, Role::Owner)]),
            grants: BTreeMap::new(),
            members,
        });
        Ok(())
    }

    /// What the account may do with the file, and whether it lies in its tree.
    fn sight(&self, who: usize, of: usize, folder: usize) -> Option<(Role, bool)> {
        match self.holding(of, folder) {
            Some(space) => {
                let (role, mounted) = self.spaces[space].members.get(&who)?;
                Some((*role, *mounted != Mounted::No))
            }
            None => (who == of).then_some((Role::Owner, true)),
        }
    }

    fn mounted(&self, who: usize) -> BTreeSet<NamespaceId> {
        let is_mounted =
            |space: &&Space| space.members.get(&who).is_some_and(|m| m.1 != Mounted::No);
        self.spaces
            .iter()
            .filter(is_mounted)
            .map(|space| space.ns)
            .collect()
    }

    /// Compares everything that each account sees with the model.
    fn compare(&self) {
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

    fn step(&mut self, op: &Op) {
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

/// An operation with its space still to be chosen among those there are.
fn op() -> impl Strategy<Value = Op> {
    let (who, space, role) = (
        0..ACCOUNTS,
        0..64usize,
        prop_oneof![Just(Role::Viewer), Just(Role::Editor)],
    );
    let policy = prop_oneof![Just(MemberPolicy::Owner), Just(MemberPolicy::Editors)];
    let w = || who.clone();
    let s = || space.clone();
    let g = || 0..GROUPS;
    prop_oneof![
        3 => (w(), w(), 0..FOLDERS.len(), any::<bool>()).prop_map(|(who, of, folder, own)| {
            Op::Share { who: if own { of } else { who }, of, folder }
        }),
        6 => (w(), s(), w(), role.clone(), any::<bool>()).prop_map(|(who, space, member, role, auto_mount)| {
            Op::Add { who, space, member, role, auto_mount }
        }),
        2 => (w(), s(), w()).prop_map(|(who, space, member)| Op::Remove { who, space, member }),
        1 => (w(), s()).prop_map(|(who, space)| Op::Remove { who, space, member: who }),
        1 => (w(), s(), w(), role.clone()).prop_map(|(who, space, member, role)| Op::Update { who, space, member, role }),
        1 => (w(), s(), policy).prop_map(|(who, space, policy)| Op::Policy { who, space, policy }),
        2 => (w(), s(), w()).prop_map(|(who, space, to)| Op::Transfer { who, space, to }),
        1 => (w(), s()).prop_map(|(who, space)| Op::Unshare { who, space }),
        2 => (w(), s()).prop_map(|(who, space)| Op::Mount { who, space }),
        2 => (w(), s()).prop_map(|(who, space)| Op::Unmount { who, space }),
        4 => (g(), w()).prop_map(|(group, member)| Op::Join { group, member }),
        2 => (g(), w()).prop_map(|(group, member)| Op::Part { group, member }),
        4 => (w(), s(), g(), role.clone()).prop_map(|(who, space, group, role)| Op::Grant { who, space, group, role }),
        1 => (w(), s(), g(), role).prop_map(|(who, space, group, role)| Op::Regrant { who, space, group, role }),
        2 => (w(), s(), g()).prop_map(|(who, space, group)| Op::Ungrant { who, space, group }),
    ]
}

/// The operation on one of `count` spaces, mostly by its owner; `None` when there is none yet.
fn aimed(op: Op, spaces: &[Space]) -> Option<Op> {
    let aim = |space: usize| (!spaces.is_empty()).then(|| space % spaces.len());
    let by =
        |who: usize, raw: usize, space: usize| if raw >= 20 { spaces[space].owner } else { who };
    Some(match op {
        Op::Share { .. } => op,
        Op::Add {
            who,
            space: raw,
            member,
            role,
            auto_mount,
        } => {
            let space = aim(raw)?;
            Op::Add {
                who: by(who, raw, space),
                space,
                member,
                role,
                auto_mount,
            }
        }
        Op::Remove {
            who,
            space: raw,
            member,
        } => {
            let space = aim(raw)?;
            Op::Remove {
                who: if who == member {
                    who
                } else {
                    by(who, raw, space)
                },
                space,
                member,
            }
        }
        Op::Update {
            who,
            space: raw,
            member,
            role,
        } => {
            let space = aim(raw)?;
            Op::Update {
                who: by(who, raw, space),
                space,
                member,
                role,
            }
        }
        Op::Policy {
            who,
            space: raw,
            policy,
        } => {
            let space = aim(raw)?;
            Op::Policy {
                who: by(who, raw, space),
                space,
                policy,
            }
        }
        Op::Transfer {
            who,
            space: raw,
            to,
        } => {
            let space = aim(raw)?;
            Op::Transfer {
                who: by(who, raw, space),
                space,
                to,
            }
        }
        Op::Unshare { who, space: raw } => {
            let space = aim(raw)?;
            Op::Unshare {
                who: by(who, raw, space),
                space,
            }
        }
        Op::Join { .. } | Op::Part { .. } => op,
        Op::Grant {
            who,
            space: raw,
            group,
            role,
        } => {
            let space = aim(raw)?;
            let who = by(who, raw, space);
            Op::Grant {
                who,
                space,
                group,
                role,
            }
        }
        Op::Regrant {
            who,
            space: raw,
            group,
            role,
        } => {
            let space = aim(raw)?;
            let who = by(who, raw, space);
            Op::Regrant {
                who,
                space,
                group,
                role,
            }
        }
        Op::Ungrant {
            who,
            space: raw,
            group,
        } => {
            let space = aim(raw)?;
            let who = by(who, raw, space);
            Op::Ungrant { who, space, group }
        }
        Op::Mount { who, space } => Op::Mount {
            who,
            space: aim(space)?,
        },
        Op::Unmount { who, space } => Op::Unmount {
            who,
            space: aim(space)?,
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn everybody_reads_what_the_model_says_and_nothing_else(ops in proptest::collection::vec(op(), 1..40)) {
        let mut model = Model::new();
        model.compare();
        for op in ops {
            if let Some(op) = aimed(op, &model.spaces) {
                model.step(&op);
            }
        }
        prop_assert_eq!(model.bench.meta.check_people(100).unwrap(), Vec::<String>::new());
    }
}
