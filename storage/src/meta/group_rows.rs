//! The rows of groups.
//!
//! All under `GROUP`: `0 group` -> group; `1 team folded-name` -> id; `2 group account` -> member; `3 account group` -> empty;
//! `4 ns group` -> grant; `5 group ns` -> empty; `6 ns account` -> the role that the account has by itself, where a group
//! reaches its membership.

use serde::{Deserialize, Serialize};

use super::group::Group;
use super::ids::{AccountId, GroupId, NamespaceId, TeamId};
use super::keys;
use super::node::Role;
use crate::error::Result;
use crate::keyspace::GROUP;
use crate::kv::{Snapshot, Transaction};
use crate::row;

const BY_ID: u8 = 0;
const BY_NAME: u8 = 1;
const MEMBER: u8 = 2;
const OF_ACCOUNT: u8 = 3;
const GRANT: u8 = 4;
const OF_GROUP: u8 = 5;
const OWN_ROLE: u8 = 6;

/// Somebody in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// May add and remove members.
    pub is_owner: bool,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}

/// What a group may do in a shared folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GrantRow {
    pub(super) role: Role,
    pub(super) since_ms: i64,
}

/// `GROUP 0 group`.
pub(super) fn group_key(group: GroupId) -> Vec<u8> {
    keys::key(GROUP, &[&[BY_ID], &group.0.to_be_bytes()])
}

/// What the rows of all groups start with.
pub(super) fn groups() -> Vec<u8> {
    vec![GROUP, BY_ID]
}

/// `GROUP 1 team folded-name`.
pub(super) fn name_key(team: TeamId, folded: &str) -> Vec<u8> {
    keys::key(
        GROUP,
        &[&[BY_NAME], &team.0.to_be_bytes(), folded.as_bytes()],
    )
}

/// The group's row.
pub(super) fn read_group(rows: &dyn Snapshot, group: GroupId) -> Result<Option<Group>> {
    keys::read(rows, &group_key(group), "group")
}

/// The account's row in the group.
pub(super) fn read_member(
    rows: &dyn Snapshot,
    group: GroupId,
    account: AccountId,
) -> Result<Option<GroupMember>> {
    keys::read(rows, &member_key(group, account), "group member")
}

/// Writes both rows of a group's member.
pub(super) fn put_member(
    txn: &mut dyn Transaction,
    group: GroupId,
    account: AccountId,
    member: &GroupMember,
) -> Result<()> {
    txn.put(pair(OF_ACCOUNT, account.0, group.0), Vec::new().into());
    keys::write(txn, member_key(group, account), member)
}

/// Removes both.
pub(super) fn delete_member(txn: &mut dyn Transaction, group: GroupId, account: AccountId) {
    txn.delete(pair(OF_ACCOUNT, account.0, group.0));
    txn.delete(member_key(group, account));
}

/// Who is in the group, by account.
pub(super) fn members(
    rows: &dyn Snapshot,
    group: GroupId,
) -> Result<Vec<(AccountId, GroupMember)>> {
    let found = keys::prefixed(
        rows,
        &keys::key(GROUP, &[&[MEMBER], &group.0.to_be_bytes()]),
    )?;
    let member = |(key, value): &(Vec<u8>, Vec<u8>)| {
        let account = AccountId(row::u64_at("group member", key, 10)?);
        Ok((account, row::decode("group member", value)?))
    };
    found.iter().map(member).collect()
}

/// The groups that the account is in.
pub(super) fn of_account(rows: &dyn Snapshot, account: AccountId) -> Result<Vec<GroupId>> {
    seconds(rows, OF_ACCOUNT, account.0).map(|ids| ids.into_iter().map(GroupId).collect())
}

/// The group's row in the shared folder.
pub(super) fn read_grant(
    rows: &dyn Snapshot,
    ns: NamespaceId,
    group: GroupId,
) -> Result<Option<GrantRow>> {
    keys::read(rows, &pair(GRANT, ns.0, group.0), "group in a folder")
}

/// Writes both rows of a group's part in a shared folder.
pub(super) fn put_grant(
    txn: &mut dyn Transaction,
    ns: NamespaceId,
    group: GroupId,
    grant: &GrantRow,
) -> Result<()> {
    txn.put(pair(OF_GROUP, group.0, ns.0), Vec::new().into());
    keys::write(txn, pair(GRANT, ns.0, group.0), grant)
}

/// Removes both.
pub(super) fn delete_grant(txn: &mut dyn Transaction, ns: NamespaceId, group: GroupId) {
    txn.delete(pair(OF_GROUP, group.0, ns.0));
    txn.delete(pair(GRANT, ns.0, group.0));
}

/// The groups in a shared folder.
pub(super) fn grants(rows: &dyn Snapshot, ns: NamespaceId) -> Result<Vec<(GroupId, GrantRow)>> {
    let found = keys::prefixed(rows, &keys::key(GROUP, &[&[GRANT], &ns.0.to_be_bytes()]))?;
    let grant = |(key, value): &(Vec<u8>, Vec<u8>)| {
        let group = GroupId(row::u64_at("group in a folder", key, 10)?);
        Ok((group, row::decode("group in a folder", value)?))
    };
    found.iter().map(grant).collect()
}

/// The shared folders that a group is in.
pub(super) fn folders(rows: &dyn Snapshot, group: GroupId) -> Result<Vec<NamespaceId>> {
    seconds(rows, OF_GROUP, group.0).map(|ids| ids.into_iter().map(NamespaceId).collect())
}

/// The role that the account has by itself, where a group reaches its membership; the outer `None`: no group does.
pub(super) fn own_role(
    rows: &dyn Snapshot,
    ns: NamespaceId,
    account: AccountId,
) -> Result<Option<Option<Role>>> {
    keys::read(rows, &pair(OWN_ROLE, ns.0, account.0), "own role")
}

/// Writes it.
pub(super) fn put_own_role(
    txn: &mut dyn Transaction,
    ns: NamespaceId,
    account: AccountId,
    role: Option<Role>,
) -> Result<()> {
    keys::write(txn, pair(OWN_ROLE, ns.0, account.0), &role)
}

/// Removes it: the membership is the account's own alone.
pub(super) fn delete_own_role(txn: &mut dyn Transaction, ns: NamespaceId, account: AccountId) {
    txn.delete(pair(OWN_ROLE, ns.0, account.0));
}

/// All of them in a shared folder, by account.
pub(super) fn own_roles(
    rows: &dyn Snapshot,
    ns: NamespaceId,
) -> Result<Vec<(AccountId, Option<Role>)>> {
    let found = keys::prefixed(rows, &keys::key(GROUP, &[&[OWN_ROLE], &ns.0.to_be_bytes()]))?;
    let own = |(key, value): &(Vec<u8>, Vec<u8>)| {
        let account = AccountId(row::u64_at("own role", key, 10)?);
        Ok((account, row::decode("own role", value)?))
    };
    found.iter().map(own).collect()
}

fn member_key(group: GroupId, account: AccountId) -> Vec<u8> {
    pair(MEMBER, group.0, account.0)
}

fn pair(part: u8, first: u64, second: u64) -> Vec<u8> {
    keys::key(
        GROUP,
        &[&[part], &first.to_be_bytes(), &second.to_be_bytes()],
    )
}

fn seconds(rows: &dyn Snapshot, part: u8, first: u64) -> Result<Vec<u64>> {
    let found = keys::prefixed(rows, &keys::key(GROUP, &[&[part], &first.to_be_bytes()]))?;
    found
        .iter()
        .map(|(key, _)| row::u64_at("group row", key, 10))
        .collect()
}
