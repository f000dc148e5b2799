//! Many writers on the real engine.

use std::sync::Barrier;
use std::thread;

use super::*;
use crate::journal::{Journal, partition_key, route};
use crate::kv::leveldb::{LevelDbStore, Options};
use crate::meta::FileId;

const WRITERS: usize = 8;
const FILES: usize = 20;

/// I2: every upload has its journal entry, without a gap; writers into one folder do not fail one another.
#[test]
fn journals_have_no_gaps_under_concurrency_i2() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LevelDbStore::open(folder.path(), Options::default()).unwrap());
    let meta = Meta::open_without_blocks(store.clone(), Env::system()).unwrap();
    let who = meta
        .create_account("a@example.com", "", false)
        .unwrap()
        .actor();
    let start = Barrier::new(WRITERS);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (meta, start) = (&meta, &start);
            scope.spawn(move || {
                start.wait();
                for i in 0..FILES {
                    let path = at(&format!("/same/{writer}-{i}"));
                    meta.commit_file(who, &path, &file(1, WriteMode::Add))
                        .unwrap();
                    if i % 5 == 4 {
                        meta.delete(who, &path, None).unwrap();
                    }
                }
            });
        }
    });
    let journal = Journal::new(store.clone());
    let (uploads, deletions) = (WRITERS * FILES, WRITERS * FILES / 5);
    let changes = journal.changes(who.root, 0, 10_000).unwrap();
    assert_eq!(changes.len(), 1 + uploads + deletions);
    assert!(
        changes
            .iter()
            .zip(1..)
            .all(|((seq, _), wanted)| *seq == wanted)
    );
    let partition = route(who.root, FileId(1));
    let entries = journal.partition_entries(partition, 0, 10_000).unwrap();
    let numbered: Vec<_> = entries
        .iter()
        .map(|e| (e.ns_seq, e.change.clone()))
        .collect();
    assert_eq!(numbered, changes);
    let top = meta.view(who.account).unwrap();
    let same = top.resolve(who.root, &at("/same")).unwrap();
    assert_eq!(
        top.children(&same, None, 1000, false).unwrap().len(),
        uploads - deletions
    );
    assert_eq!(meta.check(10, &mut |_| ()).unwrap(), Vec::<String>::new());
    assert_eq!(journal.cut(partition, 50).unwrap(), 49);
    assert_eq!(
        journal.partition_entries(partition, 0, 1).unwrap()[0].seq,
        50
    );
    assert!(!partition_key(partition).is_empty());
}

/// An upload and the deletion of the folder above it: one of them sees the other, whoever wins.
#[test]
fn an_upload_never_gets_lost_in_a_deleted_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LevelDbStore::open(folder.path(), Options::default()).unwrap());
    let meta = Meta::open_without_blocks(store, Env::system()).unwrap();
    let who = meta
        .create_account("a@example.com", "", false)
        .unwrap()
        .actor();
    for round in 0..20 {
        let dir = meta.create_folder(who, &at("/dir"), false).unwrap().node.id;
        let start = Barrier::new(2);
        let (uploaded, _) = thread::scope(|scope| {
            let upload = scope.spawn(|| {
                start.wait();
                let path = at(&format!("{dir}/f{round}"));
                meta.commit_file(who, &path, &file(1, WriteMode::Add))
            });
            start.wait();
            let deleted = meta.delete(who, &at("/dir"), None).unwrap();
            (upload.join().unwrap(), deleted)
        });
        match uploaded {
            Ok(place) => assert_eq!(place.path_display, format!("/dir/f{round}")),
            Err(error) => assert!(
                matches!(error, Error::Refused(Refusal::NotFound)),
                "{error}"
            ),
        }
        assert_eq!(meta.space_used(who.account).unwrap().used, 0);
    }
    assert_eq!(meta.check(10, &mut |_| ()).unwrap(), Vec::<String>::new());
}
