//! How long what was deleted and superseded is kept, where an administrator has said so; and the room that it takes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Meta;
use super::ids::{AccountId, FileId, Rev};
use super::keys::{self, PastVersion};
use super::mount::ancestors;
use super::node::NodeKind;
use super::quota;
use crate::error::Result;
use crate::keyspace;
use crate::kv::{Snapshot, prefix_end};
use crate::row;

/// Rows that are counted; what is beyond them is not, and the sum says so.
const MAX_ROWS: usize = 500_000;
/// Rows read at a time.
const PAGE: usize = 2_000;
/// How long a count is answered again, milliseconds.
const FRESH_MS: i64 = 60_000;
/// A hundred years.
pub const MAX_DAYS: u32 = 36_500;

/// The room of what is kept beside the live files of an account's namespaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeptSpace {
    /// Files and folders in the trash.
    pub trashed: u64,
    /// Bytes of the files in it.
    pub trash_bytes: u64,
    /// Old versions, those of files in the trash included.
    pub versions: u64,
    /// Their bytes. Versions may share blocks, so they can take less.
    pub version_bytes: u64,
}

/// What is kept, by the owner of the namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// By account.
    pub accounts: BTreeMap<AccountId, KeptSpace>,
    /// False when there is more than was counted.
    pub is_complete: bool,
}

impl Meta {
    /// The days that an administrator has set; `None`: the configuration's hold.
    pub fn retention_days(&self) -> Result<Option<u32>> {
        let row = self.store.snapshot()?.get(&days_key())?;
        row.map(|row| Ok(row::u64_at("retention", &row, 0)? as u32))
            .transpose()
    }

    /// Sets the days; `None` gives way to the configuration again. At most [`MAX_DAYS`] are taken.
    pub fn set_retention_days(&self, days: Option<u32>) -> Result<()> {
        self.transact(|txn| {
            match days {
                Some(days) => {
                    let days = u64::from(days.min(MAX_DAYS));
                    txn.put(days_key(), days.to_be_bytes().to_vec().into());
                }
                None => txn.delete(days_key()),
            }
            Ok(())
        })
    }

    /// The room of trash and old versions by account, at most a minute old.
    pub fn kept_space(&self) -> Result<Arc<Kept>> {
        let now_ms = self.env.clock.now_ms();
        let mut known = self
            .people
            .kept
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((at_ms, kept)) = &*known
            && now_ms - at_ms < FRESH_MS
        {
            return Ok(kept.clone());
        }
        let kept = Arc::new(count(&*self.store.snapshot()?)?);
        *known = Some((now_ms, kept.clone()));
        Ok(kept)
    }
}

fn count(rows: &dyn Snapshot) -> Result<Kept> {
    let (mut kept, mut owners) = (Kept::default(), HashMap::new());
    let (mut start, end) = (vec![keyspace::EXPIRY], prefix_end(&[keyspace::EXPIRY]));
    for _ in 0..MAX_ROWS / PAGE {
        let page = rows.range(&start, &end, false, PAGE)?;
        let Some((last, _)) = page.last() else {
            kept.is_complete = true;
            break;
        };
        start = [&last[..], &[0]].concat();
        for (key, _) in &page {
            let file = FileId(row::u64_at("expiry", key, 9)?);
            let rev = Rev(row::u64_at("expiry", key, 17)?);
            if let Some(owner) = owner(rows, file, &mut owners)? {
                add(rows, file, rev, kept.accounts.entry(owner).or_default())?;
            }
        }
    }
    Ok(kept)
}

fn add(rows: &dyn Snapshot, file: FileId, rev: Rev, kept: &mut KeptSpace) -> Result<()> {
    if rev != Rev(0) {
        let past: Option<PastVersion> = keys::read(rows, &keys::version(file, rev), "version")?;
        if let Some(past) = past {
            kept.versions += 1;
            kept.version_bytes += past.version.size;
        }
        return Ok(());
    }
    if let Some(node) = keys::get_node(rows, file)?.filter(|node| node.deleted.is_some()) {
        kept.trashed += 1;
        kept.trash_bytes += match node.head() {
            Some(head) => head.size,
            None => quota::paid(rows, file)?,
        };
    }
    Ok(())
}

fn owner(
    rows: &dyn Snapshot,
    file: FileId,
    known: &mut HashMap<super::NamespaceId, Option<AccountId>>,
) -> Result<Option<AccountId>> {
    let above = ancestors(rows, file)?;
    let Some(NodeKind::Root { ns }) = above.last().map(|top| &top.kind) else {
        return Ok(None);
    };
    if let Some(owner) = known.get(ns) {
        return Ok(*owner);
    }
    let owner = keys::get_namespace(rows, *ns)?.map(|row| row.owner);
    known.insert(*ns, owner);
    Ok(owner)
}

fn days_key() -> Vec<u8> {
    [&[keyspace::SYSTEM], &b"retention-days"[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::memory::MemoryStore;
    use crate::meta::{Address, Env, NewFile, WriteMode};

    #[test]
    fn trash_and_versions_are_counted_for_the_owner() {
        let (env, clock) = Env::seeded(1, 1_800_000_000_000);
        let meta = Meta::open_without_blocks(Arc::<MemoryStore>::default(), env).unwrap();
        let ann = meta
            .create_account("ann@example.org", "Ann", false)
            .unwrap();
        let write = |path: &str, size: u64| {
            let file = NewFile {
                blocks: Vec::new(),
                size,
                content_hash: [size as u8; 32],
                mode: WriteMode::Overwrite,
                autorename: false,
                strict_conflict: false,
                client_modified_ms: None,
            };
            let at = Address::parse(path).unwrap();
            meta.commit_file(ann.actor(), &at, &file).unwrap();
        };
        let delete = |path: &str| {
            let at = Address::parse(path).unwrap();
            meta.delete(ann.actor(), &at, None).unwrap();
        };
        write("/a", 10);
        write("/a", 20);
        write("/f/x", 5);
        write("/f/y", 6);
        delete("/a");
        delete("/f");
        let kept = meta.kept_space().unwrap();
        let wanted = KeptSpace {
            trashed: 2,
            trash_bytes: 31,
            versions: 1,
            version_bytes: 10,
        };
        assert_eq!(kept.accounts.get(&ann.id), Some(&wanted));
        assert!(kept.is_complete);
        clock.advance_ms(FRESH_MS);
        while meta.purge(1_900_000_000_000).unwrap().more {}
        assert_eq!(meta.kept_space().unwrap().accounts, BTreeMap::new());
        assert_eq!(meta.retention_days().unwrap(), None);
        meta.set_retention_days(Some(7)).unwrap();
        assert_eq!(meta.retention_days().unwrap(), Some(7));
    }
}
