//! What the rules say to an operation.

use std::collections::BTreeMap;

use super::model::{Model, Mounted, Space};
use super::op::Op;
use crate::meta::{MemberPolicy, NamespaceId, Refusal, Role};

/// How an operation ends.
pub(super) type Outcome = Result<(), Refusal>;

impl Model {
    /// The space whose top is the folder.
    pub fn topped(&self, of: usize, folder: usize) -> Option<usize> {
        self.spaces
            .iter()
            .position(|space| space.top == (of, folder))
    }

    /// The space that the folder's file lies in.
    pub fn holding(&self, of: usize, folder: usize) -> Option<usize> {
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

    /// Does the operation in the model; `made` is the namespace that sharing made.
    pub fn expect(&mut self, op: &Op, made: Option<NamespaceId>) -> Outcome {
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
}
