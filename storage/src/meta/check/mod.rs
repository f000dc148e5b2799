//! Whether the rows of tree, journal and membership agree with each other.
//!
//! Reads one snapshot, so it may run while the service does; quota counters are read beside it, and looked at again when they
//! differ.

mod log;
mod member;
mod tree;

use std::collections::BTreeMap;

use super::keys::NamespaceRow;
use super::{AccountId, Blocks, Meta, NamespaceId, quota};
use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::Snapshot;
use crate::row;

/// How often a counter that differs is looked at.
const LOOKS: u32 = 3;

/// What is done with a row: its key, its value.
type Visit<'v, C> = &'v mut dyn FnMut(&mut C, &[u8], &[u8]) -> Result<()>;

/// One look at everything.
struct Checker<'c> {
    rows: &'c dyn Snapshot,
    blocks: Blocks,
    progress: &'c mut dyn FnMut(u64),
    seen: u64,
    limit: usize,
    problems: Vec<String>,
}

impl Meta {
    /// Every broken invariant as a line of text, at most `limit`, none when all is well; `progress` is told now and then, and
    /// at the end, how many rows were looked at.
    pub fn check(&self, limit: usize, progress: &mut dyn FnMut(u64)) -> Result<Vec<String>> {
        let rows = self.store.snapshot()?;
        let mut checker = Checker {
            rows: &*rows,
            blocks: self.blocks,
            progress,
            seen: 0,
            limit,
            problems: Vec::new(),
        };
        checker.tree()?;
        checker.members()?;
        checker.logs()?;
        (checker.progress)(checker.seen);
        let mut problems = checker.problems;
        problems.extend(self.check_usage()?);
        problems.extend(self.check_people(limit)?);
        problems.truncate(limit);
        Ok(problems)
    }

    /// Counters against sums; what differs every time by other figures is an upload in between.
    fn check_usage(&self) -> Result<Vec<String>> {
        let mut before = None;
        for _ in 0..LOOKS {
            let found = self.usage_differences()?;
            if found.is_empty() {
                return Ok(found);
            }
            if before.as_ref() == Some(&found) {
                return Ok(found);
            }
            before = Some(found);
        }
        Ok(Vec::new())
    }

    fn usage_differences(&self) -> Result<Vec<String>> {
        let rows = self.store.snapshot()?;
        let mut sums = BTreeMap::<AccountId, i64>::new();
        for (_, ns) in namespaces(&*rows)? {
            *sums.entry(ns.owner).or_default() += quota::subtree_bytes(&*rows, ns.root)?;
        }
        for (folder, owner) in quota::owed(&*rows)? {
            *sums.entry(owner).or_default() += quota::subtree_bytes(&*rows, folder)?;
        }
        let mut found = Vec::new();
        for (account, sum) in sums {
            let counted = self.store.counter(&quota::counter(account))?;
            if counted != sum {
                found.push(format!(
                    "{account} uses {sum} bytes, its counter says {counted}"
                ));
            }
        }
        Ok(found)
    }
}

impl Checker<'_> {
    fn problem(&mut self, text: String) {
        if self.problems.len() < self.limit {
            self.problems.push(text);
        }
    }

    /// Visits a table's rows; what a visit finds wrong is a problem, and so is a row that does not decode.
    fn each(&mut self, table: u8, visit: Visit<'_, Self>) -> Result<()> {
        let rows = self.rows;
        rows.scan(&[table], &[table + 1], &mut |key, value| {
            self.seen += 1;
            if self.seen.is_multiple_of(10_000) {
                (self.progress)(self.seen);
            }
            match visit(self, key, value) {
                Err(Error::Corrupt { what, detail }) => {
                    self.problem(format!("{what}, key {}: {detail}", hex::encode(key)));
                }
                other => other?,
            }
            Ok(self.problems.len() < self.limit)
        })
    }
}

/// Every namespace's row.
fn namespaces(rows: &dyn Snapshot) -> Result<Vec<(NamespaceId, NamespaceRow)>> {
    let end = super::keys::namespace(NamespaceId(NamespaceId::END));
    rows.range(&[keyspace::NAMESPACE], &end, false, usize::MAX)?
        .iter()
        .map(|(key, value)| {
            let ns = NamespaceId(row::u64_at("namespace key", key, 1)?);
            Ok((ns, row::decode("namespace", value)?))
        })
        .collect()
}
