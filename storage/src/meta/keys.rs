//! Keys and rows of the tree, of namespaces and of membership: the one place that knows their encoding.

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, FileId, NamespaceId, Rev, TeamId};
use super::node::{Node, Role, Version};
use super::sharing::MemberPolicy;
use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::{Pair, Snapshot, Transaction};
use crate::row;

/// A namespace: `NAMESPACE ns`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceRow {
    /// The top node.
    pub root: FileId,
    /// Whose quota its files count against.
    pub owner: AccountId,
    /// The owner's team, which shares extraction results.
    pub team: Option<TeamId>,
    /// True for an account's own root, false for a shared folder.
    pub home: bool,
    /// While a folder is shared: who may change its members. `None` for homes, and for folders that are shared no more.
    pub policy: Option<MemberPolicy>,
    /// When it was made.
    pub created_ms: i64,
}

/// A membership: `MEMBER 0 ns account` and `MEMBER 1 account ns`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// What the member may do.
    pub role: Role,
    /// The Mount node in the member's own root.
    pub mount: Option<FileId>,
    /// True where the namespace is the member's own root.
    pub home: bool,
    /// Since when.
    pub joined_ms: i64,
}

/// A version that is not the head: `VERSION file rev`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastVersion {
    /// The version.
    pub version: Version,
    /// When a newer one took its place.
    pub superseded_ms: i64,
}

/// A child's row: what lies under a name, `CHILD parent folded-name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    /// The node.
    pub id: FileId,
    /// Its kind.
    pub kind: ChildKind,
}

/// The kind of a child, so that walking folders need not read files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A mounted shared folder.
    Mount,
}

/// `NODE file`.
pub fn node(file: FileId) -> Vec<u8> {
    key(keyspace::NODE, &[&file.0.to_be_bytes()])
}

/// `CHILD parent folded-name`.
pub fn child(parent: FileId, folded: &str) -> Vec<u8> {
    key(
        keyspace::CHILD,
        &[&parent.0.to_be_bytes(), folded.as_bytes()],
    )
}

/// `TOMBSTONE parent folded-name 0 !at file`: the newest deletion of a name comes first.
pub fn tombstone(parent: FileId, folded: &str, at_ms: i64, file: FileId) -> Vec<u8> {
    let newest_first = (!(at_ms as u64)).to_be_bytes();
    key(
        keyspace::TOMBSTONE,
        &[
            &parent.0.to_be_bytes(),
            folded.as_bytes(),
            &[0],
            &newest_first,
            &file.0.to_be_bytes(),
        ],
    )
}

/// What all tombstones of one name start with.
pub fn tombstones_of(parent: FileId, folded: &str) -> Vec<u8> {
    key(
        keyspace::TOMBSTONE,
        &[&parent.0.to_be_bytes(), folded.as_bytes(), &[0]],
    )
}

/// `VERSION file rev`.
pub fn version(file: FileId, rev: Rev) -> Vec<u8> {
    key(
        keyspace::VERSION,
        &[&file.0.to_be_bytes(), &rev.0.to_be_bytes()],
    )
}

/// What all past versions of a file start with.
pub fn versions_of(file: FileId) -> Vec<u8> {
    key(keyspace::VERSION, &[&file.0.to_be_bytes()])
}

/// `EXPIRY at file rev`: what purge looks at, oldest first; rev 0 stands for the deleted node itself.
pub fn expiry(at_ms: i64, file: FileId, rev: Rev) -> Vec<u8> {
    key(
        keyspace::EXPIRY,
        &[
            &(at_ms as u64).to_be_bytes(),
            &file.0.to_be_bytes(),
            &rev.0.to_be_bytes(),
        ],
    )
}

/// `NAMESPACE ns`.
pub fn namespace(ns: NamespaceId) -> Vec<u8> {
    key(keyspace::NAMESPACE, &[&ns.0.to_be_bytes()])
}

/// `MEMBER 0 ns account`.
pub fn member(ns: NamespaceId, account: AccountId) -> Vec<u8> {
    key(
        keyspace::MEMBER,
        &[&[0], &ns.0.to_be_bytes(), &account.0.to_be_bytes()],
    )
}

/// What all members of a namespace start with.
pub fn members_of(ns: NamespaceId) -> Vec<u8> {
    key(keyspace::MEMBER, &[&[0], &ns.0.to_be_bytes()])
}

/// `MEMBER 1 account ns`.
pub fn membership(account: AccountId, ns: NamespaceId) -> Vec<u8> {
    key(
        keyspace::MEMBER,
        &[&[1], &account.0.to_be_bytes(), &ns.0.to_be_bytes()],
    )
}

/// What all memberships of an account start with.
pub fn memberships_of(account: AccountId) -> Vec<u8> {
    key(keyspace::MEMBER, &[&[1], &account.0.to_be_bytes()])
}

/// The counter that grows whenever the account's set of namespaces, roles or mounts changes: `MEMBER 2 account`.
pub fn mount_generation(account: AccountId) -> Vec<u8> {
    key(keyspace::MEMBER, &[&[2], &account.0.to_be_bytes()])
}

/// The row of `file`.
pub fn get_node(rows: &dyn Snapshot, file: FileId) -> Result<Option<Node>> {
    read(rows, &node(file), "node")
}

/// Writes the node's row.
pub fn put_node(txn: &mut dyn Transaction, row: &Node) -> Result<()> {
    write(txn, node(row.id), row)
}

/// The row of `ns`.
pub fn get_namespace(rows: &dyn Snapshot, ns: NamespaceId) -> Result<Option<NamespaceRow>> {
    read(rows, &namespace(ns), "namespace")
}

/// Writes the namespace's row.
pub fn put_namespace(txn: &mut dyn Transaction, ns: NamespaceId, row: &NamespaceRow) -> Result<()> {
    write(txn, namespace(ns), row)
}

/// The membership of `account` in `ns`; `None`: it may not read it.
pub fn get_membership(
    rows: &dyn Snapshot,
    ns: NamespaceId,
    account: AccountId,
) -> Result<Option<Membership>> {
    read(rows, &member(ns, account), "membership")
}

/// Writes a membership, both ways, and bumps the account's mount generation.
pub fn put_membership(
    txn: &mut dyn Transaction,
    ns: NamespaceId,
    account: AccountId,
    row: &Membership,
) -> Result<()> {
    write(txn, member(ns, account), row)?;
    write(txn, membership(account, ns), row)?;
    txn.add(&mount_generation(account), 1, None);
    Ok(())
}

/// Removes a membership, both ways, and bumps the account's mount generation.
pub fn delete_membership(txn: &mut dyn Transaction, ns: NamespaceId, account: AccountId) {
    txn.delete(member(ns, account));
    txn.delete(membership(account, ns));
    txn.add(&mount_generation(account), 1, None);
}

/// All memberships of `account`, by namespace. In a transaction this reads a range.
pub fn memberships(
    rows: &dyn Snapshot,
    account: AccountId,
) -> Result<Vec<(NamespaceId, Membership)>> {
    prefixed(rows, &memberships_of(account))?
        .iter()
        .map(|(key, value)| {
            Ok((
                NamespaceId(row::u64_at("membership", key, 10)?),
                row::decode("membership", value)?,
            ))
        })
        .collect()
}

/// All members of `ns`, by account. In a transaction this reads a range.
pub fn members(rows: &dyn Snapshot, ns: NamespaceId) -> Result<Vec<(AccountId, Membership)>> {
    prefixed(rows, &members_of(ns))?
        .iter()
        .map(|(key, value)| {
            Ok((
                AccountId(row::u64_at("member", key, 10)?),
                row::decode("member", value)?,
            ))
        })
        .collect()
}

/// What lies in `parent` under the folded name.
pub fn get_child(rows: &dyn Snapshot, parent: FileId, folded: &str) -> Result<Option<Child>> {
    rows.get(&child(parent, folded))?
        .map(|value| Child::decode(&value))
        .transpose()
}

impl Child {
    /// The row's value: id, kind.
    pub fn encode(self) -> Vec<u8> {
        let mut value = self.id.0.to_be_bytes().to_vec();
        value.push(self.kind as u8);
        value
    }

    /// Reads the row's value.
    pub fn decode(value: &[u8]) -> Result<Child> {
        let id = FileId(row::u64_at("child", value, 0)?);
        let kind = match value.get(8) {
            Some(0) => ChildKind::File,
            Some(1) => ChildKind::Folder,
            Some(2) => ChildKind::Mount,
            other => {
                return Err(Error::Corrupt {
                    what: format!("child row of {id}"),
                    detail: format!("kind {other:?}"),
                });
            }
        };
        Ok(Child { id, kind })
    }
}

/// Reads and decodes one row.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    rows: &dyn Snapshot,
    key: &[u8],
    what: &str,
) -> Result<Option<T>> {
    rows.get(key)?
        .map(|value| row::decode(what, &value))
        .transpose()
}

/// Encodes and writes one row.
pub(crate) fn write<T: Serialize>(txn: &mut dyn Transaction, key: Vec<u8>, row: &T) -> Result<()> {
    txn.put(key, row::encode(row)?.into());
    Ok(())
}

/// Every pair whose key starts with `prefix`.
pub(crate) fn prefixed(rows: &dyn Snapshot, prefix: &[u8]) -> Result<Vec<Pair>> {
    rows.range(prefix, &crate::kv::prefix_end(prefix), false, usize::MAX)
}

/// A key: table, parts.
pub(crate) fn key(table: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|p| p.len()).sum::<usize>());
    key.push(table);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}
