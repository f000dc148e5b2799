//! Whether the rows of accounts, tokens, links, upload sessions, jobs, members and the audit log agree with each other.

use std::collections::BTreeSet;

use super::account::Account;
use super::group::Group;
use super::ids::{AccountId, FileId, NamespaceId};
use super::invitation::Invitation;
use super::keys::{self, Membership, NamespaceRow};
use super::mount::ancestors;
use super::node::{NodeKind, Role};
use super::path::fold;
use super::secret::SecretHash;
use super::token::Token;
use super::{
    Blocks, Meta, account, audit, email, grant, group_rows, invitation, job, link, quota, session,
    token_rows,
};
use crate::error::{Error, Result};
use crate::keyspace::{ACCOUNT, AUDIT, INVITATION, JOB, LINK, NAMESPACE, TOKEN, UPLOAD};
use crate::kv::Snapshot;
use crate::row;

/// Looks at one row: its key and value.
type Visit<'v, C> = dyn FnMut(&mut C, &[u8], &[u8]) -> Result<()> + 'v;

struct Checker<'c> {
    rows: &'c dyn Snapshot,
    blocks: Blocks,
    limit: usize,
    problems: Vec<String>,
}

impl Meta {
    /// Every broken invariant of people and what is theirs as a line of text, at most `limit`; none when all is well. Reads one
    /// snapshot, so it may run while the service does.
    pub fn check_people(&self, limit: usize) -> Result<Vec<String>> {
        let rows = self.store().snapshot()?;
        let problems = Vec::new();
        let mut checker = Checker {
            rows: &*rows,
            blocks: self.blocks,
            limit,
            problems,
        };
        checker.each(&[ACCOUNT, 0], &mut |c, _, value| c.account(value))?;
        checker.each(&[ACCOUNT, 1], &mut |c, key, value| c.email(key, value))?;
        checker.each(&[TOKEN, 0], &mut |c, key, value| c.token(key, value))?;
        for part in [1, 2, 3] {
            checker.each(&[TOKEN, part], &mut |c, key, value| {
                c.token_index(key, value)
            })?;
        }
        checker.each(&[LINK, 0], &mut |c, key, value| c.link(key, value))?;
        checker.each(&[LINK, 1], &mut |c, key, value| c.link_key(key, value))?;
        checker.each(&[UPLOAD, 0], &mut |c, key, value| c.upload(key, value))?;
        for (part, at) in [(1, 2), (2, 10)] {
            checker.each(&[UPLOAD, part], &mut |c, key, _| c.upload_index(key, at))?;
        }
        checker.each(&[JOB, 0], &mut |c, key, value| c.job(key, value))?;
        checker.shared_folders()?;
        checker.groups()?;
        checker.each(&[INVITATION, 0], &mut |c, _, value| c.invitation(value))?;
        checker.audit()?;
        Ok(checker.problems)
    }
}

impl Checker<'_> {
    fn problem(&mut self, text: String) {
        if self.problems.len() < self.limit {
            self.problems.push(text);
        }
    }

    fn expect(&mut self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.problem(text());
        }
    }

    /// Visits the rows that start with `prefix`; one that does not decode is a problem.
    fn each(&mut self, prefix: &[u8], visit: &mut Visit<'_, Self>) -> Result<()> {
        let (rows, end) = (self.rows, crate::kv::prefix_end(prefix));
        rows.scan(prefix, &end, &mut |key, value| {
            match visit(self, key, value) {
                Err(Error::Corrupt { what, detail }) => {
                    self.problem(format!("{what}, key {}: {detail}", hex::encode(key)));
                }
                other => other?,
            }
            Ok(self.problems.len() < self.limit)
        })
    }

    fn account(&mut self, value: &[u8]) -> Result<()> {
        let found: Account = row::decode("account", value)?;
        let id = found.id;
        let by_email = email::fold(&found.email)
            .ok()
            .map(|folded| account::email_key(&folded));
        let row = by_email
            .map(|key| self.rows.get(&key))
            .transpose()?
            .flatten();
        let is_own = row.is_some_and(|row| row == id.0.to_be_bytes());
        self.expect(is_own, || format!("{id} is not found by its e-mail"));
        let home = keys::get_namespace(self.rows, found.root)?;
        let is_home = home.is_some_and(|home| home.home && home.owner == id);
        self.expect(is_home, || format!("{id}: its root {} is none", found.root));
        let limit = quota::limit(self.rows, id)?;
        let agrees = limit.map(i64::unsigned_abs) == Some(found.quota_bytes);
        self.expect(agrees, || {
            format!(
                "{id} may use {} bytes, its limit is {limit:?}",
                found.quota_bytes
            )
        });
        Ok(())
    }

    fn email(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let id = AccountId(row::u64_at("account by e-mail", value, 0)?);
        let found = account::read_account(self.rows, id)?;
        let folded = found.and_then(|found| email::fold(&found.email).ok());
        let is_own = folded.is_some_and(|folded| account::email_key(&folded) == key);
        self.expect(is_own, || {
            format!("an e-mail leads to {id}, who has another one")
        });
        Ok(())
    }

    fn token(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let token: Token = row::decode("token", value)?;
        let hash = key
            .get(2..)
            .and_then(|hash| SecretHash::try_from(hash).ok());
        let known = account::read_account(self.rows, token.account)?.is_some();
        self.expect(known, || {
            format!(
                "token {} of {}, who does not exist",
                token.id, token.account
            )
        });
        for index in hash
            .map(|hash| token_rows::index_keys(hash, &token))
            .unwrap_or_default()
        {
            let listed = self.rows.get(&index)?.is_some();
            self.expect(listed, || {
                format!("token {}: no row {}", token.id, hex::encode(&index))
            });
        }
        Ok(())
    }

    fn token_index(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let hash = match key.get(1) {
            Some(1) => Some(value),
            Some(2) => key.get(2..),
            _ => key.get(10..),
        };
        let hash = hash.and_then(|hash| SecretHash::try_from(hash).ok());
        let token = hash.map_or(Ok(None), |hash| token_rows::read(self.rows, &hash))?;
        self.expect(token.is_some(), || {
            format!("row {} leads to no token", hex::encode(key))
        });
        Ok(())
    }

    fn link(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let hash = key
            .get(2..)
            .and_then(|hash| SecretHash::try_from(hash).ok());
        let listed = link::is_listed(self.rows, hash.unwrap_or_default(), value)?;
        self.expect(listed, || {
            format!("link {} is not in its creator's list", hex::encode(key))
        });
        Ok(())
    }

    fn link_key(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let creator = AccountId(row::u64_at("link key", key, 2)?);
        let file = FileId(row::u64_at("link key", key, 10)?);
        row::decode::<String>("link key", value)?;
        let leads = link::of_node(self.rows, creator, file)?.is_some();
        self.expect(leads, || {
            format!("{creator}'s link to {file} is in the list only")
        });
        Ok(())
    }

    fn upload(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let account = AccountId(row::u64_at("upload", key, 2)?);
        let Some(id) = key.get(10..).and_then(session::UploadId::from_key) else {
            self.problem(format!("upload row {}: key length", hex::encode(key)));
            return Ok(());
        };
        let upload = row::decode("upload", value)?;
        let expires = self
            .rows
            .get(&session::expiry_key(&upload, account, id))?
            .is_some();
        self.expect(expires, || format!("upload {id} never expires"));
        for hash in session::held(self.rows, account, id, &upload)? {
            let owner = crate::block::Owner::upload(&id.0);
            let held = crate::block::is_referenced(self.rows, &hash, &owner)?;
            let trusted = self.blocks == Blocks::Trusted;
            self.expect(held || trusted, || {
                format!("upload {id} does not hold block {hash}")
            }); // I7
        }
        Ok(())
    }

    /// An index row of an upload, which has the account and session from its byte `at` on.
    fn upload_index(&mut self, key: &[u8], at: usize) -> Result<()> {
        let account = AccountId(row::u64_at("upload index", key, at)?);
        let id = key
            .get(at + 8..at + 24)
            .and_then(session::UploadId::from_key);
        let row = id
            .map(|id| self.rows.get(&session::upload_key(account, id)))
            .transpose()?;
        self.expect(row.flatten().is_some(), || {
            format!("row {} leads to no upload", hex::encode(key))
        });
        Ok(())
    }

    fn job(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let expiry = job::expiry_of(key, value)?;
        let expires = self.rows.get(&expiry)?.is_some();
        self.expect(expires, || {
            format!("job {} never expires", hex::encode(key))
        });
        Ok(())
    }

    /// Every namespace has one owner; every Mount is in its member's own root.
    fn shared_folders(&mut self) -> Result<()> {
        let (start, end) = (
            vec![NAMESPACE],
            keys::namespace(NamespaceId(NamespaceId::END)),
        );
        for (key, value) in self.rows.range(&start, &end, false, usize::MAX)? {
            let ns = NamespaceId(row::u64_at("namespace", &key, 1)?);
            let found: NamespaceRow = row::decode("namespace", &value)?;
            let members = keys::members(self.rows, ns)?;
            let owners: Vec<_> = members
                .iter()
                .filter(|(_, row)| row.role == Role::Owner)
                .map(|(who, _)| *who)
                .collect();
            self.expect(owners == [found.owner], || {
                format!("namespace {ns} has owners {owners:?}")
            });
            let alone = found.policy.is_some() || members.len() == 1;
            self.expect(alone, || {
                format!("namespace {ns} is not shared but has members")
            });
            for (account, member) in members {
                self.mount(ns, &found, account, member)?;
            }
        }
        Ok(())
    }

    fn mount(
        &mut self,
        ns: NamespaceId,
        found: &NamespaceRow,
        account: AccountId,
        member: Membership,
    ) -> Result<()> {
        self.expect(member.home == found.home, || {
            format!("{account} in {ns}: home or not")
        });
        let root = account::read_account(self.rows, account)?.map(|account| account.root);
        self.expect(root.is_some(), || {
            format!("{account} in {ns} does not exist")
        });
        let (Some(mount), Some(root)) = (member.mount, root) else {
            return Ok(());
        };
        let above = ancestors(self.rows, mount)?;
        let is_mount = above
            .first()
            .is_some_and(|node| node.kind == NodeKind::Mount { ns });
        let is_home = above
            .last()
            .is_some_and(|node| node.kind == NodeKind::Root { ns: root });
        self.expect(is_mount && is_home, || {
            format!("{account}'s mount {mount} of {ns} is not one in its root")
        });
        Ok(())
    }

    /// Every group is found by its name and by whom and what it is in; memberships are what own roles and groups say.
    fn groups(&mut self) -> Result<()> {
        for (_, value) in keys::prefixed(self.rows, &group_rows::groups())? {
            let group: Group = row::decode("group", &value)?;
            let named = self
                .rows
                .get(&group_rows::name_key(group.team, &fold(&group.name)))?;
            let is_own = named.is_some_and(|id| id == group.id.0.to_be_bytes());
            self.expect(is_own, || format!("{} is not found by its name", group.id));
            for (account, _) in group_rows::members(self.rows, group.id)? {
                let listed = group_rows::of_account(self.rows, account)?.contains(&group.id);
                let known = account::read_account(self.rows, account)?.is_some();
                self.expect(listed && known, || {
                    format!("{account} in {}: one way only", group.id)
                });
            }
            for ns in group_rows::folders(self.rows, group.id)? {
                let listed = group_rows::read_grant(self.rows, ns, group.id)?.is_some();
                self.expect(listed, || format!("{} in {ns}: one way only", group.id));
            }
        }
        let (start, end) = (
            vec![NAMESPACE],
            keys::namespace(NamespaceId(NamespaceId::END)),
        );
        for (key, _) in self.rows.range(&start, &end, false, usize::MAX)? {
            self.derived(NamespaceId(row::u64_at("namespace", &key, 1)?))?;
        }
        Ok(())
    }

    fn invitation(&mut self, value: &[u8]) -> Result<()> {
        let found: Invitation = row::decode("invitation", value)?;
        let listed = invitation::is_listed(self.rows, &found)?;
        self.expect(listed, || {
            format!("invitation {} is found one way only", found.id)
        });
        Ok(())
    }

    fn derived(&mut self, ns: NamespaceId) -> Result<()> {
        let mut reached = BTreeSet::new();
        for (group, _) in group_rows::grants(self.rows, ns)? {
            let known = group_rows::read_group(self.rows, group)?.is_some();
            self.expect(known, || format!("{group} in {ns} does not exist"));
            let members = group_rows::members(self.rows, group)?.into_iter();
            reached.extend(members.map(|(account, _)| account));
        }
        let marked: BTreeSet<_> = group_rows::own_roles(self.rows, ns)?
            .into_iter()
            .map(|(account, _)| account)
            .collect();
        self.expect(marked == reached, || {
            format!("{ns}: groups reach {reached:?}, rows say {marked:?}")
        });
        for account in reached {
            let own = grant::own_role(self.rows, ns, account)?;
            let expected = own.max(grant::group_role(self.rows, ns, account)?);
            let found = keys::get_membership(self.rows, ns, account)?.map(|row| row.role);
            self.expect(found == expected, || {
                format!("{account} in {ns} is {found:?}, and should be {expected:?}")
            }); // I6
        }
        Ok(())
    }

    fn audit(&mut self) -> Result<()> {
        let mut expected = None;
        self.each(&[AUDIT], &mut |checker, key, value| {
            let (sequence, _) = audit::decode(key, value)?;
            let follows = expected.is_none_or(|expected| expected == sequence);
            checker.expect(follows, || {
                format!("the audit log has a gap before {sequence}")
            });
            expected = Some(sequence + 1);
            Ok(())
        })
    }
}
