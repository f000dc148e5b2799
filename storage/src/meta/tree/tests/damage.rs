//! What `check` says about rows that were damaged by hand, and records that follow files to another owner.

use super::*;
use crate::extraction::{
    EXTRACTOR_VERSION, ExtractionRecord, Extractions, Outcome, Scope, TextSource,
};
use crate::journal::journal_key;
use crate::meta::{Rev, keys, quota};

#[test]
fn check_names_what_is_broken() {
    let w = World::new(1);
    let a = w.put("/a", 1).unwrap().node;
    w.put("/b", 1).unwrap();
    w.meta
        .commit_file(w.actor(0), &at("/b"), &file(2, WriteMode::Overwrite))
        .unwrap();
    w.sound();
    let parent = a.parent.unwrap();
    let second = [&journal_key(w.actor(0).root)[..], &2u64.to_be_bytes()].concat();
    let damages: [(Vec<u8>, usize); 3] = [
        (keys::child(parent, "a"), 2),
        (keys::node(a.id), 1),
        (second, 2),
    ];
    for (key, problems) in damages {
        let before = w
            .meta
            .store()
            .snapshot()
            .unwrap()
            .get(&key)
            .unwrap()
            .unwrap();
        let put = |value: Option<Vec<u8>>| {
            let change = w.meta.store().transact(&mut |txn| {
                match value.clone() {
                    Some(value) => txn.put(key.clone(), value.into()),
                    None => txn.delete(key.clone()),
                }
                Ok(())
            });
            change.unwrap();
        };
        put(None);
        let found = w.meta.check(10, &mut |_| ()).unwrap();
        assert!(found.len() >= problems, "{found:?}");
        put(Some(before));
        w.sound();
    }
    let charge = w
        .meta
        .transact(|txn| quota::charge(txn, w.accounts[0].id, 5));
    charge.unwrap();
    let found = w.meta.check(10, &mut |_| ()).unwrap();
    assert!(
        found.len() == 1 && found[0].contains("uses 50 bytes, its counter says 55"),
        "{found:?}"
    );
    assert_eq!(Rev::next(None, -5, 1), Rev(1));
}

#[test]
fn a_folder_that_lies_in_itself_ends_a_walk() {
    let w = World::new(1);
    let inner = w.put("/top/sub/a", 1).unwrap().node.parent.unwrap();
    let view = w.meta.view(w.accounts[0].id).unwrap();
    let top = view.resolve(w.actor(0).root, &at("/top")).unwrap();
    let child = keys::child(top.node.parent.unwrap(), "top");
    drop(view);
    // The row of a file says that the folder above it lies in its place.
    let looped = w.meta.store().transact(&mut |txn| {
        let row = txn.get(&child)?.unwrap_or_default();
        txn.put(keys::child(inner, "a"), row.into());
        Ok(())
    });
    looped.unwrap();
    let view = w.meta.view(w.accounts[0].id).unwrap();
    let walked = view.walk(&top, None, false, &mut |_| Ok(true));
    assert!(matches!(walked, Err(crate::Error::Corrupt { .. })));
}

#[test]
fn a_damaged_row_does_not_hold_purge_up() {
    let w = World::new(1);
    let damaged = w.put("/a", 1).unwrap().node.id;
    let whole = w.put("/b", 2).unwrap().node.id;
    for path in ["/a", "/b"] {
        w.meta.delete(w.actor(0), &at(path), None).unwrap();
    }
    let change = w.meta.store().transact(&mut |txn| {
        txn.put(keys::node(damaged), vec![1, 0xff].into());
        Ok(())
    });
    change.unwrap();
    w.clock.advance_ms(1000);
    let report = w.meta.purge(START_MS + 500).unwrap();
    assert_eq!((report.nodes, report.more), (1, false));
    let rows = w.meta.store().snapshot().unwrap();
    assert!(keys::get_node(&*rows, whole).unwrap().is_none());
    assert!(rows.get(&keys::node(damaged)).unwrap().is_some());
}

#[test]
fn records_follow_files_to_another_owner() {
    let w = World::new(2);
    for account in &w.accounts {
        let alone = w.meta.transact(|txn| {
            let row = keys::get_namespace(&*txn, account.root)?.unwrap();
            keys::put_namespace(txn, account.root, &keys::NamespaceRow { team: None, ..row })
        });
        alone.unwrap();
    }
    let extractions = Extractions::new(w.meta.store().clone());
    w.meta
        .create_folder(w.actor(0), &at("/team"), false)
        .unwrap();
    w.share("/team", Role::Editor);
    for content in [1, 2] {
        let path = at(&format!("/mine/{content}.txt"));
        w.meta
            .commit_file(w.actor(1), &path, &file(content, WriteMode::Add))
            .unwrap();
    }
    let jobs = extractions.next_jobs(None, 9, 9).unwrap();
    let record = ExtractionRecord {
        version: EXTRACTOR_VERSION,
        outcome: Outcome::Text,
        file_type: "txt".to_owned(),
        category: "text".to_owned(),
        title: None,
        author: None,
        language: None,
        pages: Vec::new(),
        text: TextSource::Content,
        words: 1,
        ..ExtractionRecord::default()
    };
    extractions.finish(&jobs[0], &record).unwrap();
    w.meta
        .relocate(w.actor(1), &at("/mine"), &at("/team/mine"), false)
        .unwrap();
    let theirs = |content: u8| {
        extractions
            .record(Scope::Account(w.accounts[0].id), &[content; 32], "txt")
            .unwrap()
    };
    assert_eq!(jobs[0].scope, Scope::Account(w.accounts[1].id));
    assert_eq!((theirs(1), theirs(2)), (Some(record), None));
    let mut depth = extractions.depth(9).unwrap();
    depth.sort_by_key(|(account, _)| *account != w.accounts[0].id);
    assert_eq!(depth, [(w.accounts[0].id, 1), (w.accounts[1].id, 1)]);
    w.sound();
}
