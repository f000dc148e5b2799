//! Rows of metadata, the journal and the audit log that a damaged or hostile store may hold, and cursors that clients bring.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use query::cursor::Frozen;
use storage::extraction::Extractions;
use storage::journal::Journal;
use storage::kv::Store;
use storage::kv::memory::MemoryStore;
use storage::lease::{Leases, Terms};
use storage::meta::account::DEFAULT_TEAM;
use storage::meta::{Account, Address, AuditFilter, Meta};
use storage::relayed::Relayed;
use storage::seal::Sealer;
use storage::snapshot::Snapshots;
use sync::listing::Listing;

use crate::base::{base, open};

/// With this bit in its first byte an input says which bytes of a row are changed; without it, what is in the row's place.
const CHANGES: u8 = 0x80;
/// Rows of a kind that are read.
const SOME: usize = 100;

/// The store with a row damaged: two bytes choose the row, the rest is its value, or places and what is XORed there.
pub fn rows(bytes: &[u8]) {
    let (Some((&[high, low], rest)), Some(base)) = (bytes.split_first_chunk(), base()) else {
        return;
    };
    let mut rows = base.rows.clone();
    let which = usize::from(u16::from_be_bytes([high & !CHANGES, low])) % rows.len();
    let value = &mut rows[which].1;
    match high & CHANGES {
        0 => *value = rest.to_vec(),
        _ => rest.chunks_exact(2).for_each(|change| {
            let at = usize::from(change[0]) % value.len().max(1);
            value.get_mut(at).into_iter().for_each(|b| *b ^= change[1]);
        }),
    }
    let Ok(store) = base.store(rows) else { return };
    shared(&store);
    let Ok(meta) = open(&store) else { return };
    let journal = Journal::new(store.clone());
    kept(&meta, &journal, &base.account);
    drop(worked(&meta, &base.account));
    drop(waiting(&store));
}

/// What everybody reads of a store; each by itself, so that one error does not hide another.
fn kept(meta: &Meta, journal: &Journal, account: &Account) {
    let (id, actor) = (account.id, account.actor());
    drop(meta.check(SOME, &mut |_| {}));
    drop(meta.check_people(SOME));
    drop(meta.verify_audit(&[]));
    drop(meta.audit_latest(None, &AuditFilter::default(), SOME));
    drop(journal.changes(account.root, 0, SOME));
    for partition in 0..storage::journal::PARTITIONS {
        drop(journal.partition_entries(storage::journal::Partition(partition), 0, SOME));
    }
    drop(meta.accounts(None, SOME));
    drop(meta.tokens(id));
    drop(meta.verify_password("bob@example.org", "a guess"));
    drop(meta.rewinds(id));
    drop(meta.list_shared(actor));
    drop(meta.list_links(actor, None, SOME));
    drop(meta.invitations_of_team(DEFAULT_TEAM));
    if let Ok(groups) = meta.groups(DEFAULT_TEAM) {
        for group in groups {
            drop(meta.group_members(group.id));
        }
    }
    drop(meta.searches(id));
    drop(meta.opened(id));
    drop(meta.second_factor(id));
    drop(meta.space_used(id));
    drop(meta.kept_space());
    drop(meta.preview_rewind(actor, &Address::Path(Vec::new()), 0));
}

/// What changes a store.
fn worked(meta: &Meta, account: &Account) -> storage::Result<()> {
    let view = meta.view(account.id)?;
    let root = view.resolve(account.root, &Address::Path(Vec::new()))?;
    view.walk(&root, None, true, &mut |_| Ok(true))?;
    drop(view);
    meta.delete(account.actor(), &Address::parse("/a/b.txt")?, None)?;
    for rewind in meta.unfinished_rewinds()? {
        meta.run_rewind(rewind, &mut |_| true)?;
    }
    meta.expire_uploads(SOME)?;
    meta.expire_jobs(SOME)?;
    meta.purge(i64::MAX)?;
    Ok(())
}

/// What extraction goes by.
fn waiting(store: &Arc<dyn Store>) -> storage::Result<()> {
    let extractions = Extractions::new(store.clone());
    for job in extractions.next_jobs(None, SOME, SOME)? {
        extractions.ensure(job.file)?;
        drop(extractions.claim(vec![job], (2, &[1]), i64::MAX, i64::MAX)?);
    }
    drop(extractions.depth(SOME)?);
    Ok(())
}

/// What processes that share a store tell each other in it.
fn shared(store: &Arc<dyn Store>) {
    let leases = Leases::new(store.clone(), 8, String::new(), Terms::default());
    drop(leases.alive(""));
    if let Ok(Some(held)) = leases.take("shard/0002") {
        drop(leases.renew(&[held]));
    }
    let snapshots = Snapshots::new(store.clone());
    drop(snapshots.all());
    drop(indexer::snapshot::needed(&snapshots));
    drop(Relayed::new(store.clone()).all());
}

/// A listing's or a search's cursor: with its first bit, anything; else what is sealed as if it were ours.
pub fn cursors(bytes: &[u8]) {
    let (Some((&kind, rest)), Some(base)) = (bytes.split_first(), base()) else {
        return;
    };
    let store: Arc<dyn Store> = Arc::<MemoryStore>::default();
    let Ok(meta) = open(&store) else { return };
    let (Ok(listing), Ok(list), Ok(search)) = (
        Listing::new(meta, &*store),
        Sealer::load(&*store, b"list"),
        Sealer::load(&*store, b"search"),
    ) else {
        return;
    };
    let text = |sealer: &Sealer| match kind & 1 {
        0 => sealer.seal_bytes(rest),
        _ => match kind & 2 {
            0 => String::from_utf8_lossy(rest).into_owned(),
            _ => URL_SAFE_NO_PAD.encode(rest),
        },
    };
    drop(listing.resume(base.account.id, &text(&list)));
    if let Ok(mut position) = listing.position(&text(&list)) {
        drop(listing.has_changes(&mut position));
    }
    if let Ok(frozen) = Frozen::open(&search, base.account.actor(), &text(&search)) {
        drop(frozen.request());
    }
}
