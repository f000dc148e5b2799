//! Isolation, one interleaving at a time.

use super::{delete, interrupted, put, write};
use crate::error::Result;
use crate::kv::{Store, Transaction};

type Read = fn(&dyn Transaction) -> Result<()>;
type Write = fn(&dyn Store);

/// Ways to read, each with a write by somebody else that changes what was read. Before: c = 1, e = 1, g = 1.
const CASES: &[(&str, Read, Write)] = &[
    (
        "present key",
        |txn| txn.get(b"c").map(drop),
        |store| drop(put(store, b"c", b"2")),
    ),
    (
        "deleted key",
        |txn| txn.get(b"c").map(drop),
        |store| drop(delete(store, b"c")),
    ),
    (
        "absent key",
        |txn| txn.get(b"d").map(drop),
        |store| drop(put(store, b"d", b"2")),
    ),
    (
        "phantom",
        |txn| txn.range(b"c", b"g", false, 9).map(drop),
        |store| drop(put(store, b"f", b"2")),
    ),
    (
        "phantom in nothing",
        |txn| txn.range(b"x", b"y", true, 9).map(drop),
        |store| drop(put(store, b"xx", b"2")),
    ),
    (
        "changed in a range",
        |txn| txn.range(b"c", b"g", true, 9).map(drop),
        |store| drop(put(store, b"c", b"2")),
    ),
    (
        "deleted in a range",
        |txn| txn.range(b"a", b"z", false, 9).map(drop),
        |store| drop(delete(store, b"e")),
    ),
    (
        "before a limit",
        |txn| txn.range(b"a", b"z", false, 2).map(drop),
        |store| drop(put(store, b"b", b"2")),
    ),
    (
        "at a limit",
        |txn| txn.range(b"a", b"z", false, 1).map(drop),
        |store| drop(delete(store, b"c")),
    ),
    (
        "before a reverse limit",
        |txn| txn.range(b"a", b"z", true, 1).map(drop),
        |store| drop(put(store, b"h", b"2")),
    ),
    (
        "in a stopped scan",
        |txn| txn.scan(b"a", b"z", &mut |_, _| Ok(false)),
        |store| drop(put(store, b"b", b"2")),
    ),
    (
        "a log's next entry",
        |txn| txn.range(b"log", b"loh", true, 1).map(drop),
        |store| {
            drop(write(store, &mut |txn| {
                _ = txn.append(b"log", vec![].into())
            }));
        },
    ),
];

pub fn changed_reads_run_again(store: &dyn Store) {
    for (name, read, change) in CASES {
        write(store, &mut |txn| {
            ["b", "d", "f", "h", "xx"]
                .iter()
                .for_each(|key| txn.delete(key.as_bytes().to_vec()));
            ["c", "e", "g"]
                .iter()
                .for_each(|key| txn.put(key.as_bytes().to_vec(), b"1".to_vec().into()));
        });
        let touch = |txn: &mut dyn Transaction| txn.put(b"~ outside".to_vec(), vec![].into());
        let runs = interrupted(store, read, &|| change(store), &touch);
        assert_eq!(runs, 2, "{name}");
    }
}

/// Two may be on leave, one must stay: each sees the other at work and wants to go.
pub fn write_skew_is_refused(store: &dyn Store) {
    write(store, &mut |txn| {
        ["x", "y"]
            .iter()
            .for_each(|key| txn.put(key.as_bytes().to_vec(), b"here".to_vec().into()))
    });
    let leave = |who: &'static [u8]| {
        move |txn: &mut dyn Transaction| -> Result<()> {
            if txn.range(b"x", b"z", false, 9)?.len() == 2 {
                txn.delete(who.to_vec());
            }
            Ok(())
        }
    };
    let mut runs = 0;
    let committed = store.transact(&mut |txn| {
        runs += 1;
        leave(b"x")(txn)?;
        if runs == 1 {
            let other = || drop(store.transact(&mut |txn| leave(b"y")(txn)).unwrap());
            std::thread::scope(|scope| scope.spawn(other).join().unwrap());
        }
        Ok(())
    });
    committed.unwrap();
    assert_eq!(
        store
            .snapshot()
            .unwrap()
            .range(b"x", b"z", false, 9)
            .unwrap()
            .len(),
        1
    );
}

pub fn blind_writes_do_not_run_again(store: &dyn Store) {
    put(store, b"a", b"0");
    let write = |txn: &mut dyn Transaction| {
        txn.put(b"a".to_vec(), b"mine".to_vec().into());
        txn.append(b"log", vec![].into());
        txn.add(b"n", 1, None);
    };
    let other = || {
        put(store, b"a", b"theirs");
        super::write(store, &mut |txn| write(txn));
    };
    assert_eq!(
        interrupted(store, &|_| Ok(()), &other, &write),
        1,
        "appends and counters are outside the read set"
    );
    assert_eq!(
        store.snapshot().unwrap().get(b"a").unwrap(),
        Some(b"mine".to_vec())
    );
    assert_eq!(
        (store.head(b"log").unwrap(), store.counter(b"n").unwrap()),
        (2, 2)
    );
}
