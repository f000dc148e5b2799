//! Random operations against a BTreeMap.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::kv::Pair;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;
type Key = Vec<u8>;

#[derive(Debug, Clone)]
enum Op {
    Transact { steps: Vec<Step>, commit: bool },
    Reopen,
    Compact,
}

#[derive(Debug, Clone)]
enum Step {
    Put(Key, Vec<u8>),
    Delete(Key),
    Get(Key),
    Range {
        start: Key,
        end: Key,
        reverse: bool,
        limit: usize,
    },
    Scan {
        start: Key,
        end: Key,
        stop_after: usize,
    },
}

fn key() -> impl Strategy<Value = Key> {
    prop::collection::vec(prop::sample::select(vec![0u8, 1, b'a', 0xff]), 0..3)
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop::collection::vec(any::<u8>(), 0..20);
    prop_oneof![
        4 => (key(), value).prop_map(|(key, value)| Step::Put(key, value)),
        2 => key().prop_map(Step::Delete),
        1 => key().prop_map(Step::Get),
        2 => (key(), key(), any::<bool>(), 0usize..8)
            .prop_map(|(start, end, reverse, limit)| Step::Range { start, end, reverse, limit }),
        1 => (key(), key(), 1usize..8).prop_map(|(start, end, stop_after)| Step::Scan { start, end, stop_after }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let steps = prop::collection::vec(step(), 1..12);
    prop_oneof![
        12 => (steps, prop::bool::weighted(0.8)).prop_map(|(steps, commit)| Op::Transact { steps, commit }),
        1 => Just(Op::Reopen),
        1 => Just(Op::Compact),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_sorted_map(ops in prop::collection::vec(op(), 1..24)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Some(open(&dir));
        let mut model = Model::new();
        for op in ops {
            match op {
                Op::Transact { steps, commit } => transact(store.as_ref().unwrap(), &mut model, &steps, commit),
                Op::Compact => store.as_ref().unwrap().compact().unwrap(),
                Op::Reopen => {
                    store = None;
                    store.replace(open(&dir));
                }
            }
            let all = store.as_ref().unwrap().snapshot().unwrap().range(b"", &[0xff; 3], false, usize::MAX).unwrap();
            prop_assert_eq!(all, model.clone().into_iter().collect::<Vec<Pair>>());
        }
    }
}

fn transact(store: &LevelDbStore, model: &mut Model, steps: &[Step], commit: bool) {
    let mut changed = model.clone();
    let done = store.transact(&mut |txn| {
        changed = model.clone();
        steps.iter().for_each(|step| run(txn, &mut changed, step));
        if commit {
            Ok(())
        } else {
            Err(Error::Engine("aborted".into()))
        }
    });
    assert_eq!(done.is_ok(), commit);
    if commit {
        *model = changed;
    }
}

fn run(txn: &mut dyn Transaction, model: &mut Model, step: &Step) {
    match step {
        Step::Put(key, value) => {
            txn.put(key.clone(), value.clone().into());
            model.insert(key.clone(), value.clone());
        }
        Step::Delete(key) => {
            txn.delete(key.clone());
            model.remove(key);
        }
        Step::Get(key) => assert_eq!(txn.get(key).unwrap().as_ref(), model.get(key)),
        Step::Range {
            start,
            end,
            reverse,
            limit,
        } => {
            let found = txn.range(start, end, *reverse, *limit).unwrap();
            assert_eq!(found, expected(model, start, end, *reverse, *limit));
        }
        Step::Scan {
            start,
            end,
            stop_after,
        } => {
            let mut found = Vec::new();
            let scanned = txn.scan(start, end, &mut |key, value| {
                found.push((key.to_vec(), value.to_vec()));
                Ok(found.len() < *stop_after)
            });
            scanned.unwrap();
            assert_eq!(found, expected(model, start, end, false, *stop_after));
        }
    }
}

fn expected(model: &Model, start: &Key, end: &Key, reverse: bool, limit: usize) -> Vec<Pair> {
    let inside = model.iter().filter(|(key, _)| *key >= start && *key < end);
    let mut pairs: Vec<Pair> = inside
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if reverse {
        pairs.reverse();
    }
    pairs.truncate(limit);
    pairs
}
