//! A concurrent history, checked for serializability: every write has a unique value and overwrites one that it read, so
//! that all dependencies are known, and their graph must have no cycle.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::error::Result;
use crate::kv::{Store, Transaction};

const THREADS: u64 = 6;
const EACH: u64 = 60;
const KEYS: u8 = 5;

/// A transaction's number; 0 stands for the empty beginning.
type Id = u64;

/// A transaction as it was committed: key -> who wrote what it read there, and the keys it wrote.
#[derive(Clone, Default)]
struct Record {
    reads: BTreeMap<u8, Id>,
    writes: BTreeSet<u8>,
}

/// Threads that read and write the same few keys: what they saw must be that of some order of them.
pub fn concurrent_histories_are_serializable(store: &dyn Store) {
    let records: HashMap<Id, Record> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || play(store, thread)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(records.len() as u64, THREADS * EACH);
    let edges = dependencies(&records);
    if let Some(cycle) = find_cycle(&edges) {
        panic!("not serializable, {cycle:?} depend on each other");
    }
}

fn play(store: &dyn Store, thread: u64) -> Vec<(Id, Record)> {
    let mut random = StdRng::seed_from_u64(thread);
    (1..=EACH)
        .map(|n| transfer(store, thread * EACH + n, random.random()))
        .collect()
}

fn transfer(store: &dyn Store, id: Id, seed: u64) -> (Id, Record) {
    let mut record = Record::default();
    let committed = store.transact(&mut |txn| {
        let mut random = StdRng::seed_from_u64(seed);
        record = Record::default();
        if random.random_bool(0.3) {
            read_range(txn, random.random_range(0..KEYS), &mut record)?;
        }
        for _ in 0..random.random_range(1..=3) {
            read(txn, random.random_range(0..KEYS), &mut record)?;
        }
        for _ in 0..random.random_range(0..=2) {
            let key = random.random_range(0..KEYS);
            read(txn, key, &mut record)?;
            record.writes.insert(key);
            txn.put(vec![key], id.to_be_bytes().to_vec().into());
        }
        Ok(())
    });
    committed.unwrap();
    (id, record)
}

fn read(txn: &dyn Transaction, key: u8, record: &mut Record) -> Result<()> {
    if !record.writes.contains(&key) {
        let writer = txn.get(&[key])?.map_or(0, |bytes| number(&bytes));
        let before = record.reads.insert(key, writer);
        assert!(before.is_none_or(|before| before == writer), "reads repeat");
    }
    Ok(())
}

fn read_range(txn: &dyn Transaction, start: u8, record: &mut Record) -> Result<()> {
    let found: HashMap<u8, Id> = txn
        .range(&[start], &[KEYS], false, 9)?
        .iter()
        .map(|(key, value)| (key[0], number(value)))
        .collect();
    record
        .reads
        .extend((start..KEYS).map(|key| (key, found.get(&key).copied().unwrap_or(0))));
    Ok(())
}

fn number(bytes: &[u8]) -> Id {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

/// Who must come before whom: writer before reader, reader before the one who overwrote.
fn dependencies(records: &HashMap<Id, Record>) -> HashMap<Id, BTreeSet<Id>> {
    let mut overwritten_by: HashMap<(u8, Id), Id> = HashMap::new();
    for (id, record) in records {
        for key in &record.writes {
            let before = overwritten_by.insert((*key, record.reads[key]), *id);
            assert_eq!(before, None, "an update of key {key} was lost");
        }
    }
    let mut edges: HashMap<Id, BTreeSet<Id>> = HashMap::new();
    for (id, record) in records {
        for (key, writer) in &record.reads {
            assert!(
                *writer == 0 || records[writer].writes.contains(key),
                "nobody wrote what was read"
            );
            edges.entry(*writer).or_default().insert(*id);
            let next = overwritten_by
                .get(&(*key, *writer))
                .filter(|next| *next != id);
            edges.entry(*id).or_default().extend(next);
        }
    }
    edges
}

/// Takes away those that nobody left must precede; what cannot be taken is in, or behind, a cycle.
fn find_cycle(edges: &HashMap<Id, BTreeSet<Id>>) -> Option<Vec<Id>> {
    let mut before: HashMap<Id, usize> = HashMap::new();
    for (id, after) in edges {
        before.entry(*id).or_default();
        after
            .iter()
            .for_each(|id| *before.entry(*id).or_default() += 1);
    }
    let mut free: Vec<Id> = before
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(id, _)| *id)
        .collect();
    while let Some(id) = free.pop() {
        before.remove(&id);
        for after in edges.get(&id).into_iter().flatten() {
            let count = before.get_mut(after)?;
            *count -= 1;
            if *count == 0 {
                free.push(*after);
            }
        }
    }
    (!before.is_empty()).then(|| before.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(reads: &[(u8, Id)], writes: &[u8]) -> Record {
        Record {
            reads: reads.iter().copied().collect(),
            writes: writes.iter().copied().collect(),
        }
    }

    #[test]
    fn the_checker_finds_write_skew() {
        let skew = [
            (1, record(&[(0, 0), (1, 0)], &[0])),
            (2, record(&[(0, 0), (1, 0)], &[1])),
        ];
        assert!(find_cycle(&dependencies(&HashMap::from(skew))).is_some());
        let chain = [
            (1, record(&[(0, 0), (1, 0)], &[0])),
            (2, record(&[(0, 1), (1, 0)], &[1])),
        ];
        assert_eq!(find_cycle(&dependencies(&HashMap::from(chain))), None);
    }

    #[test]
    #[should_panic(expected = "was lost")]
    fn the_checker_finds_lost_updates() {
        let lost = [(1, record(&[(0, 0)], &[0])), (2, record(&[(0, 0)], &[0]))];
        dependencies(&HashMap::from(lost));
    }
}
