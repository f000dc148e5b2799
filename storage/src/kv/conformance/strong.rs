//! Strong reads: a snapshot sees all that was acknowledged before it began, each transaction whole or not at all, and nothing
//! that was not written.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::kv::Store;

const WRITERS: usize = 3;
const READERS: usize = 3;
/// Each so many writes remove their rows instead.
const REMOVAL: u64 = 5;

/// What one writer does to its rows: a count, and two rows that are written with it.
#[derive(Default)]
struct Row {
    begun: AtomicU64,
    acknowledged: AtomicU64,
}

pub fn reads_see_what_was_acknowledged(store: &dyn Store) {
    strong_reads(store, 40);
}

/// Each writer makes so many commits while readers look; a stale or torn read panics. Returns how many looks there were.
pub fn strong_reads(store: &dyn Store, commits: u64) -> u64 {
    let rows: [Row; WRITERS] = Default::default();
    std::thread::scope(|scope| {
        let looking: Vec<_> = (0..READERS)
            .map(|reader| {
                scope.spawn({
                    let rows = &rows;
                    move || look_until_done(store, rows, commits, reader)
                })
            })
            .collect();
        for (writer, row) in rows.iter().enumerate() {
            scope.spawn(move || (1..=commits).for_each(|count| write(store, writer, row, count)));
        }
        looking
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum()
    })
}

fn key(writer: usize, part: u8) -> Vec<u8> {
    vec![b'w', writer as u8, part]
}

fn write(store: &dyn Store, writer: usize, row: &Row, count: u64) {
    row.begun.store(count, Ordering::SeqCst);
    let written = store.transact(&mut |txn| {
        let value = count.to_be_bytes().to_vec();
        txn.put(key(writer, 0), value.clone().into());
        for part in 1..=2 {
            match count % REMOVAL {
                0 => txn.delete(key(writer, part)),
                _ => txn.put(key(writer, part), value.clone().into()),
            }
        }
        Ok(())
    });
    written.unwrap();
    row.acknowledged.store(count, Ordering::SeqCst);
}

fn look_until_done(store: &dyn Store, rows: &[Row], commits: u64, reader: usize) -> u64 {
    for looks in 1.. {
        let oldest: Vec<u64> = rows
            .iter()
            .map(|row| row.acknowledged.load(Ordering::SeqCst))
            .collect();
        let snapshot = store.snapshot().unwrap();
        for turn in 0..rows.len() {
            let writer = (reader + turn) % rows.len();
            let read = |part| {
                let value = snapshot.get(&key(writer, part)).unwrap();
                value.map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap()))
            };
            let (second, count, first) = (read(2), read(0), read(1));
            let expected = count.filter(|count| count % REMOVAL != 0);
            assert_eq!([first, second], [expected; 2], "a torn read at {count:?}");
            let (count, begun) = (
                count.unwrap_or(0),
                rows[writer].begun.load(Ordering::SeqCst),
            );
            assert!(
                count >= oldest[writer],
                "stale: {count} of {}",
                oldest[writer]
            );
            assert!(count <= begun, "{count} before it was written");
        }
        if oldest.iter().all(|count| *count == commits) {
            return looks;
        }
    }
    unreachable!("the range has no end")
}
