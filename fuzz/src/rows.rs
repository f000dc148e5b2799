//! Rows of metadata, the journal and the audit log that a damaged or hostile store may hold, and cursors that clients bring.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use query::cursor::Frozen;
use storage::journal::Journal;
use storage::kv::memory::MemoryStore;
use storage::kv::{Batch, Number, Pair, Store};
use storage::meta::{Account, Address, Env, Meta, NewFile, TokenKind, WriteMode};
use storage::seal::Sealer;
use sync::listing::Listing;

/// Above every key.
const END: [u8; 8] = [0xff; 8];
/// More rows than the store has.
const ALL: usize = 10_000;
const NOW_MS: i64 = 1_800_000_000_000;

/// A small store in memory.
struct Base {
    rows: Vec<Pair>,
    heads: Vec<(Vec<u8>, u64)>,
    counters: Vec<(Vec<u8>, i64)>,
    account: Account,
}

/// The store with a row's value replaced: two bytes choose the row, the rest is its value.
pub fn rows(bytes: &[u8]) {
    let (Some((which, value)), Some(base)) = (bytes.split_first_chunk::<2>(), base()) else {
        return;
    };
    let mut rows = base.rows.clone();
    let which = usize::from(u16::from_be_bytes(*which)) % rows.len();
    rows[which].1 = value.to_vec();
    let store: Arc<dyn Store> = Arc::<MemoryStore>::default();
    let batch = Batch {
        pairs: rows,
        heads: base.heads.clone(),
        counters: base.counters.clone(),
    };
    let (env, _) = Env::seeded(1, NOW_MS);
    if store.load(&batch).is_err() {
        return;
    }
    if let Ok(meta) = Meta::open_without_blocks(store.clone(), env) {
        drop(read(&meta, &Journal::new(store), &base.account));
    }
}

/// Reads all that there is; the first error ends it.
fn read(meta: &Meta, journal: &Journal, account: &Account) -> storage::Result<()> {
    drop(meta.check(100, &mut |_| {}));
    drop(journal.changes(account.root, 0, 100));
    for partition in 0..storage::journal::PARTITIONS {
        drop(journal.partition_entries(storage::journal::Partition(partition), 0, 100));
    }
    drop(meta.accounts(None, 10));
    drop(meta.tokens(account.id));
    drop(meta.rewinds(account.id));
    let view = meta.view(account.id)?;
    let root = view.resolve(account.root, &Address::Path(Vec::new()))?;
    view.walk(&root, None, true, &mut |_| Ok(true))?;
    meta.delete(account.actor(), &Address::parse("/a/b.txt")?, None)?;
    Ok(())
}

/// A listing's or a search's cursor: with its first bit, anything; else what is sealed as if it were ours.
pub fn cursors(bytes: &[u8]) {
    let (Some((&kind, rest)), Some(base)) = (bytes.split_first(), base()) else {
        return;
    };
    let store: Arc<dyn Store> = Arc::<MemoryStore>::default();
    let (env, _) = Env::seeded(1, NOW_MS);
    let Ok(meta) = Meta::open_without_blocks(store.clone(), env) else {
        return;
    };
    let (Ok(listing), Ok(list), Ok(search)) = (
        Listing::new(meta, Journal::new(store.clone()), &*store),
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

fn base() -> Option<&'static Base> {
    static BASE: OnceLock<Option<Base>> = OnceLock::new();
    BASE.get_or_init(|| make().ok()).as_ref()
}

fn make() -> storage::Result<Base> {
    let store: Arc<dyn Store> = Arc::<MemoryStore>::default();
    let (env, clock) = Env::seeded(1, NOW_MS);
    let meta = Meta::open_without_blocks(store.clone(), env)?;
    let account = meta.create_account("ann@example.org", "Ann", true)?;
    meta.create_token(account.id, TokenKind::Bearer, "laptop", None)?;
    for (path, content) in [
        ("/a/b.txt", 1),
        ("/a/b.txt", 2),
        ("/a/c.txt", 3),
        ("/d.txt", 4),
    ] {
        let file = NewFile {
            blocks: Vec::new(),
            size: 0,
            content_hash: [content; 32],
            mode: WriteMode::Overwrite,
            autorename: false,
            strict_conflict: false,
            client_modified_ms: None,
        };
        meta.commit_file(account.actor(), &Address::parse(path)?, &file)?;
        clock.advance_ms(1);
    }
    meta.delete(account.actor(), &Address::parse("/d.txt")?, None)?;
    let view = store.snapshot()?;
    let (mut heads, mut counters) = (Vec::new(), Vec::new());
    view.numbers(&mut |number, value| {
        match number {
            Number::Head(log) => heads.push((log.to_vec(), value)),
            Number::Counter(name) => counters.push((name.to_vec(), value.cast_signed())),
        }
        Ok(())
    })?;
    Ok(Base {
        rows: view.range(&[], &END, false, ALL)?,
        heads,
        counters,
        account,
    })
}
