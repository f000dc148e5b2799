//! Memberships, their inverses, and Mounts.

use super::Checker;
use crate::error::Result;
use crate::keyspace;
use crate::meta::ids::{AccountId, NamespaceId};
use crate::meta::keys::{self, Membership};
use crate::meta::node::NodeKind;
use crate::row;

impl Checker<'_> {
    pub(super) fn members(&mut self) -> Result<()> {
        for (ns, row) in super::namespaces(self.rows)? {
            let kind = keys::get_node(self.rows, row.root)?.map(|node| node.kind);
            if kind != Some(NodeKind::Root { ns }) {
                self.problem(format!("namespace {ns}: its root {} is none", row.root));
            }
            if keys::get_membership(self.rows, ns, row.owner)?.is_none() {
                self.problem(format!(
                    "namespace {ns}: its owner {} is no member",
                    row.owner
                ));
            }
        }
        self.each(
            keyspace::MEMBER,
            &mut |checker, key, value| match key.get(1) {
                Some(0) => checker.member(key, value),
                Some(1) => {
                    let account = AccountId(row::u64_at("membership key", key, 2)?);
                    let ns = NamespaceId(row::u64_at("membership key", key, 10)?);
                    checker.inverse(&keys::member(ns, account), value, ns, account)
                }
                _ => Ok(()),
            },
        )
    }

    fn member(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let ns = NamespaceId(row::u64_at("member key", key, 2)?);
        let account = AccountId(row::u64_at("member key", key, 10)?);
        self.inverse(&keys::membership(account, ns), value, ns, account)?;
        let member: Membership = row::decode("membership", value)?;
        if keys::get_namespace(self.rows, ns)?.is_none() {
            self.problem(format!(
                "{account} is a member of {ns}, which does not exist"
            ));
        }
        if let Some(mount) = member.mount {
            let node = keys::get_node(self.rows, mount)?;
            let live =
                node.is_some_and(|n| n.kind == NodeKind::Mount { ns } && n.deleted.is_none());
            if !live {
                self.problem(format!(
                    "{account} has {ns} mounted at {mount}, which is not there"
                ));
            }
        }
        Ok(())
    }

    fn inverse(
        &mut self,
        other: &[u8],
        value: &[u8],
        ns: NamespaceId,
        account: AccountId,
    ) -> Result<()> {
        if self.rows.get(other)?.as_deref() != Some(value) {
            self.problem(format!("the two rows of {account} in {ns} differ"));
        }
        Ok(())
    }
}
