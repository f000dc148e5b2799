//! Groups: people of a team under one name, who get and lose access to shared folders together.
//!
//! Who may read what is still said by MEMBER rows alone. Joining a group, leaving it, adding it to a folder and taking it out
//! derive these rows in the same transaction (`grant`), so that the next request, search or longpoll sees it (I6).

use serde::{Deserialize, Serialize};

use super::account::read_account;
use super::grant::{check_room, derive};
use super::group_rows as rows;
use super::ids::{AccountId, GroupId, NamespaceId, TeamId};
use super::path::fold;
use super::{Meta, Refusal, keys};
use crate::error::Result;
use crate::kv::Transaction;
use crate::row;

pub use super::group_rows::GroupMember;

/// Most groups of a store.
pub const MAX_GROUPS: usize = 1000;
/// Most people in a group.
pub const MAX_GROUP_MEMBERS: usize = 1000;
/// Most groups that one account is in.
pub const MAX_GROUPS_OF_ACCOUNT: usize = 100;
/// Most shared folders that a group is in.
pub const MAX_FOLDERS_OF_GROUP: usize = 1000;
/// Longest name, characters.
pub const MAX_NAME_CHARS: usize = 100;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id, random.
    pub id: GroupId,
    /// Whose it is.
    pub team: TeamId,
    /// Unique in its team, however it is capitalised.
    pub name: String,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
}

impl Meta {
    /// Makes an empty group. Refused as `MalformedPath` when the name is empty or too long, `NameTaken`, `TooManyGroups`.
    pub fn create_group(&self, team: TeamId, name: &str) -> Result<Group> {
        let group = Group {
            id: GroupId(self.random_id()),
            team,
            name: clean(name)?,
            created_ms: self.now_ms(),
        };
        self.transact(|txn| {
            if keys::prefixed(&*txn, &rows::groups())?.len() >= MAX_GROUPS {
                return Err(Refusal::TooManyGroups.into());
            }
            put_name(txn, &group)?;
            keys::write(txn, rows::group_key(group.id), &group)
        })?;
        Ok(group)
    }

    /// The group with this id.
    pub fn group(&self, id: GroupId) -> Result<Option<Group>> {
        rows::read_group(&*self.store().snapshot()?, id)
    }

    /// All groups of a team, by id; at most [`MAX_GROUPS`].
    pub fn groups(&self, team: TeamId) -> Result<Vec<Group>> {
        let found = keys::prefixed(&*self.store().snapshot()?, &rows::groups())?;
        let mut groups = Vec::new();
        for (_, value) in &found {
            let group: Group = row::decode("group", value)?;
            groups.extend((group.team == team).then_some(group));
        }
        Ok(groups)
    }

    /// Gives a group another name. Refused as `NotFound`, `MalformedPath` or `NameTaken`.
    pub fn rename_group(&self, id: GroupId, name: &str) -> Result<Group> {
        let name = clean(name)?;
        self.transact(|txn| {
            let before = rows::read_group(&*txn, id)?.ok_or(Refusal::NotFound)?;
            let group = Group {
                name: name.clone(),
                ..before.clone()
            };
            txn.delete(rows::name_key(before.team, &fold(&before.name)));
            put_name(txn, &group)?;
            keys::write(txn, rows::group_key(id), &group)?;
            Ok(group)
        })
    }

    /// Takes a group out of every folder, folder by folder, and removes it. Refused as `NotFound`.
    pub fn delete_group(&self, id: GroupId) -> Result<()> {
        for ns in self.folders_of_group(id)? {
            self.transact(|txn| self.ungrant(txn, ns, id))?;
        }
        self.transact(|txn| {
            let group = rows::read_group(&*txn, id)?.ok_or(Refusal::NotFound)?;
            for ns in rows::folders(&*txn, id)? {
                self.ungrant(txn, ns, id)?; // it was added to one a moment ago
            }
            for (account, _) in rows::members(&*txn, id)? {
                rows::delete_member(txn, id, account);
            }
            txn.delete(rows::name_key(group.team, &fold(&group.name)));
            txn.delete(rows::group_key(id));
            Ok(())
        })
    }

    /// Who is in the group, by account.
    pub fn group_members(&self, id: GroupId) -> Result<Vec<(AccountId, GroupMember)>> {
        rows::members(&*self.store().snapshot()?, id)
    }

    /// The account's part in the group; `None` when it has none.
    pub fn group_member(&self, id: GroupId, account: AccountId) -> Result<Option<GroupMember>> {
        rows::read_member(&*self.store().snapshot()?, id, account)
    }

    /// The groups that the account is in.
    pub fn groups_of(&self, account: AccountId) -> Result<Vec<GroupId>> {
        rows::of_account(&*self.store().snapshot()?, account)
    }

    /// The shared folders that the group is in.
    pub fn folders_of_group(&self, id: GroupId) -> Result<Vec<NamespaceId>> {
        rows::folders(&*self.store().snapshot()?, id)
    }

    /// Puts an account into a group, or changes whether it is an owner of it: it has the group's folders at once. Refused as
    /// `NotFound` (no such group, or no such account of its team), `TooManyMembers`, `TooManyGroups`.
    pub fn join_group(&self, id: GroupId, account: AccountId, is_owner: bool) -> Result<()> {
        self.transact(|txn| {
            let group = rows::read_group(&*txn, id)?.ok_or(Refusal::NotFound)?;
            let joining = read_account(&*txn, account)?;
            joining
                .filter(|joining| joining.team == Some(group.team))
                .ok_or(Refusal::NotFound)?;
            if let Some(known) = rows::read_member(&*txn, id, account)? {
                return rows::put_member(txn, id, account, &GroupMember { is_owner, ..known });
            }
            if rows::members(&*txn, id)?.len() >= MAX_GROUP_MEMBERS {
                return Err(Refusal::TooManyMembers.into());
            }
            if rows::of_account(&*txn, account)?.len() >= MAX_GROUPS_OF_ACCOUNT {
                return Err(Refusal::TooManyGroups.into());
            }
            let since_ms = self.now_ms();
            rows::put_member(txn, id, account, &GroupMember { is_owner, since_ms })?;
            for ns in rows::folders(&*txn, id)? {
                derive(txn, self.env(), ns, account)?;
                check_room(&*txn, ns)?;
            }
            Ok(())
        })
    }

    /// Takes an account out of a group: what it had by the group alone is gone at once. Refused as `NotMember`.
    pub fn leave_group(&self, id: GroupId, account: AccountId) -> Result<()> {
        self.transact(|txn| {
            rows::read_member(&*txn, id, account)?.ok_or(Refusal::NotMember)?;
            rows::delete_member(txn, id, account);
            for ns in rows::folders(&*txn, id)? {
                derive(txn, self.env(), ns, account)?;
            }
            Ok(())
        })
    }

    /// Takes an account out of all its groups, one after the other.
    pub(super) fn leave_groups(&self, account: AccountId) -> Result<()> {
        for group in self.groups_of(account)? {
            self.leave_group(group, account)?;
        }
        Ok(())
    }
}

/// Writes the row that leads from the name to the group; `NameTaken` when it leads to another one.
fn put_name(txn: &mut dyn Transaction, group: &Group) -> Result<()> {
    let key = rows::name_key(group.team, &fold(&group.name));
    if txn.get(&key)?.is_some() {
        return Err(Refusal::NameTaken.into());
    }
    txn.put(key, group.id.0.to_be_bytes().to_vec().into());
    Ok(())
}

fn clean(name: &str) -> Result<String> {
    let name = name.trim();
    let fits = !name.is_empty()
        && name.chars().count() <= MAX_NAME_CHARS
        && !name.chars().any(char::is_control);
    if fits {
        Ok(name.to_owned())
    } else {
        Err(Refusal::MalformedPath("a group's name".into()).into())
    }
}
