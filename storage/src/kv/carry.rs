//! Carries everything from one store into another, whatever their engines: rows, log heads and counters as they are.
//!
//! The destination holds a mark until all is there and verified, so that nobody takes a half of a store for a store. What an
//! interrupted run has carried is compared, not sent again.

use sha2::{Digest, Sha256};

use super::{Batch, Number, Pair, Snapshot, Store, Transaction};
use crate::error::{Error, Result};
use crate::keyspace;

/// The mark's key, after the first byte.
const MARK: &[u8] = b"carrying";
/// The mark while rows are sent, and when they are there but not verified yet.
const SENDING: &[u8] = b"sending";
const SENT: &[u8] = b"sent";
/// Above every key.
const END: [u8; 8] = [0xff; 8];
/// Rows compared at a time.
const PAGE: usize = 1_000;
/// A batch is sent above this many bytes; one row more fits any engine.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Numbers in one batch.
const BATCH_NUMBERS: usize = 10_000;
/// Rows that are only in the destination, at most: above it holds something else.
const MAX_EXTRA: usize = 100_000;

/// What was carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Rows in the store.
    pub rows: u64,
    /// Rows that had to be sent.
    pub sent: u64,
    /// Log heads and counters.
    pub numbers: u64,
    /// SHA-256 over all rows and numbers, the same on both sides.
    pub digest: [u8; 32],
}

/// True when a run into `store` was begun and not finished: it must not be used.
pub fn is_unfinished(store: &dyn Store) -> Result<bool> {
    Ok(store.snapshot()?.get(&mark())?.is_some())
}

/// Marks an empty store, or one that an earlier run has not finished, as being filled: it must not be used until [`carry`] is
/// through. False, and nothing is done, when it holds something that is whole.
pub fn reserve(store: &dyn Store) -> Result<bool> {
    let now = store.snapshot()?;
    if now.get(&mark())?.is_none() && !now.range(&[], &END, false, 1)?.is_empty() {
        return Ok(false);
    }
    store.load(&pairs(vec![(mark(), SENDING.to_vec())]))?;
    Ok(true)
}

/// Brings all that `from` holds into `to`, which must be empty, or hold what an earlier run of this brought there and nothing
/// else. `progress` is told the rows that were gone through. Nothing may be written to either store meanwhile.
///
/// Fails with [`Error::Engine`] when `to` holds something else, and with [`Error::Corrupt`] when it does not hold the same
/// afterwards.
pub fn carry(from: &dyn Store, to: &dyn Store, progress: &mut dyn FnMut(u64)) -> Result<Carried> {
    carry_and(from, to, progress, &mut |_| Ok(()))
}

/// The same; `last` changes what is to be otherwise in the destination, in the transaction that makes a store of it.
pub fn carry_and(
    from: &dyn Store,
    to: &dyn Store,
    progress: &mut dyn FnMut(u64),
    last: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>,
) -> Result<Carried> {
    let source = from.snapshot()?;
    let marked = to.snapshot()?.get(&mark())?;
    let sent = match marked.as_deref() {
        Some(SENT) => 0,
        Some(_) => send(&*source, to, progress)?,
        None if to.snapshot()?.range(&[], &END, false, 1)?.is_empty() => {
            to.load(&pairs(vec![(mark(), SENDING.to_vec())]))?;
            send(&*source, to, progress)?
        }
        None => return carried_before(&*source, to),
    };
    let (digest, rows, numbers) = digest(&*source)?;
    if self::digest(&*to.snapshot()?)?.0 != digest {
        return Err(differs());
    }
    to.transact(&mut |txn| {
        txn.delete(mark());
        last(txn)
    })?;
    Ok(Carried {
        rows,
        sent,
        numbers,
        digest,
    })
}

/// Sends everything that is missing; returns how many rows that were.
fn send(source: &dyn Snapshot, to: &dyn Store, progress: &mut dyn FnMut(u64)) -> Result<u64> {
    let (sent, extra) = send_rows(source, to, progress)?;
    send_numbers(source, to)?;
    to.transact(&mut |txn| {
        extra.iter().for_each(|key| txn.delete(key.clone()));
        txn.put(mark(), SENT.to_vec().into());
        Ok(())
    })?;
    Ok(sent)
}

/// The answer for a destination that is whole: it must hold the same.
fn carried_before(source: &dyn Snapshot, to: &dyn Store) -> Result<Carried> {
    let (digest, rows, numbers) = digest(source)?;
    if self::digest(&*to.snapshot()?)?.0 != digest {
        return Err(Error::Engine(
            "the destination holds something else; only an empty one is filled".into(),
        ));
    }
    Ok(Carried {
        rows,
        sent: 0,
        numbers,
        digest,
    })
}

/// Sends the rows that differ; returns how many, and the keys that only the destination has.
fn send_rows(
    source: &dyn Snapshot,
    to: &dyn Store,
    progress: &mut dyn FnMut(u64),
) -> Result<(u64, Vec<Vec<u8>>)> {
    let (mut start, mut sent, mut gone) = (Vec::new(), 0, 0);
    let (mut extra, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
    loop {
        let page = source.range(&start, &END, false, PAGE)?;
        let end = match page.last() {
            Some((last, _)) if page.len() == PAGE => [last, &[0][..]].concat(),
            _ => END.to_vec(),
        };
        gone += page.len() as u64;
        let missing = compare(page, &*to.snapshot()?, &start, &end, &mut extra)?;
        for row in missing {
            bytes += row.0.len() + row.1.len();
            sent += 1;
            batch.push(row);
            if bytes > BATCH_BYTES {
                to.load(&pairs(std::mem::take(&mut batch)))?;
                bytes = 0;
            }
        }
        progress(gone);
        if end == END {
            break;
        }
        start = end;
    }
    to.load(&pairs(batch))?;
    Ok((sent, extra))
}

/// The rows of `page` that the destination does not have so; `extra` gets the keys that only the destination has.
fn compare(
    page: Vec<Pair>,
    to: &dyn Snapshot,
    start: &[u8],
    end: &[u8],
    extra: &mut Vec<Vec<u8>>,
) -> Result<Vec<Pair>> {
    let mut missing = Vec::new();
    let mut page = page.into_iter().peekable();
    to.scan(start, end, &mut |key, value| {
        while let Some(row) = page.next_if(|row| &row.0[..] < key) {
            missing.push(row);
        }
        match page.next_if(|row| row.0 == key) {
            Some(row) if row.1 == value => {}
            Some(row) => missing.push(row),
            None if key == mark() => {}
            None => extra.push(key.to_vec()),
        }
        if extra.len() > MAX_EXTRA {
            return Err(Error::Engine("the destination holds another store".into()));
        }
        Ok(true)
    })?;
    missing.extend(page);
    Ok(missing)
}

fn send_numbers(source: &dyn Snapshot, to: &dyn Store) -> Result<()> {
    let mut batch = Batch::default();
    source.numbers(&mut |number, value| {
        match number {
            Number::Head(log) => batch.heads.push((log.to_vec(), value)),
            Number::Counter(name) => batch.counters.push((name.to_vec(), value.cast_signed())),
        }
        if batch.heads.len() + batch.counters.len() >= BATCH_NUMBERS {
            to.load(&std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    to.load(&batch)
}

/// SHA-256 over all rows but the mark, and all numbers; how many rows, how many numbers.
fn digest(store: &dyn Snapshot) -> Result<([u8; 32], u64, u64)> {
    let (mut hash, mut rows, mut numbers) = (Sha256::new(), 0, 0);
    let take = |hash: &mut Sha256, key: &[u8], value: &[u8]| {
        hash.update((key.len() as u64).to_be_bytes());
        hash.update(key);
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value);
    };
    store.scan(&[], &END, &mut |key, value| {
        if key != mark() {
            take(&mut hash, key, value);
            rows += 1;
        }
        Ok(true)
    })?;
    hash.update(b"numbers");
    store.numbers(&mut |number, value| {
        let (Number::Head(name) | Number::Counter(name)) = number;
        take(&mut hash, name, &value.to_be_bytes());
        numbers += 1;
        Ok(())
    })?;
    Ok((hash.finalize().into(), rows, numbers))
}

fn pairs(pairs: Vec<Pair>) -> Batch {
    Batch {
        pairs,
        ..Batch::default()
    }
}

fn mark() -> Vec<u8> {
    [&[keyspace::SYSTEM], MARK].concat()
}

fn differs() -> Error {
    Error::Corrupt {
        what: "the destination".into(),
        detail: "it does not hold what was carried; begin again with an empty one".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::memory::MemoryStore;

    fn filled() -> MemoryStore {
        let store = MemoryStore::default();
        for n in 0..2_500u32 {
            let body = &mut |txn: &mut dyn crate::kv::Transaction| {
                txn.put(
                    [&[0x30], &n.to_be_bytes()[..]].concat(),
                    vec![n as u8].into(),
                );
                txn.append(&[0x40], vec![1].into());
                txn.add(&[0x36], -1, None);
                Ok(())
            };
            store.transact(body).unwrap();
        }
        store
    }

    #[test]
    fn everything_arrives_and_goes_on_from_there() {
        let (from, to) = (filled(), MemoryStore::default());
        let mut seen = 0;
        let carried = carry(&from, &to, &mut |rows| seen = rows).unwrap();
        assert_eq!(
            (carried.rows, carried.sent, carried.numbers),
            (5_000, 5_000, 2)
        );
        assert_eq!(seen, 5_000);
        assert!(!is_unfinished(&to).unwrap());
        assert_eq!(
            (to.head(&[0x40]).unwrap(), to.counter(&[0x36]).unwrap()),
            (2_500, -2_500)
        );
        let again = carry(&from, &to, &mut |_| {}).unwrap();
        assert_eq!((again.sent, again.digest), (0, carried.digest));
        let other = MemoryStore::default();
        other.load(&pairs(vec![(vec![0x30], vec![])])).unwrap();
        let refused = carry(&from, &other, &mut |_| {}).unwrap_err();
        assert!(refused.to_string().contains("something else"));
    }

    #[test]
    fn an_interrupted_run_is_seen_and_goes_on() {
        let (from, to) = (filled(), MemoryStore::default());
        to.load(&pairs(vec![(mark(), SENDING.to_vec())])).unwrap();
        let some = from
            .snapshot()
            .unwrap()
            .range(&[], &END, false, 700)
            .unwrap();
        to.load(&pairs(some)).unwrap();
        let wrong = vec![(vec![0x30, 0, 0, 0, 1], vec![9]), (vec![0x31], vec![9])];
        to.load(&pairs(wrong)).unwrap();
        assert!(is_unfinished(&to).unwrap() && reserve(&to).unwrap());
        let carried = carry(&from, &to, &mut |_| {}).unwrap();
        assert_eq!(carried.sent, 5_000 - 699);
        assert!(!is_unfinished(&to).unwrap() && !reserve(&to).unwrap());
        let empty = MemoryStore::default();
        assert!(reserve(&empty).unwrap() && is_unfinished(&empty).unwrap());
    }
}
