//! Deleting, restoring, purging.

use super::*;
use crate::extraction::{
    EXTRACTOR_VERSION, ExtractionRecord, Extractions, OVERLAP_MS, Outcome, TextSource,
};
use crate::journal::{Change, Journal, route};
use crate::key::WRAPPED_BYTES;
use crate::meta::FileId;
use crate::{keyspace, kv::Store};

fn contents(w: &World, path: &str, by_id: bool) -> Vec<u8> {
    let found = w.meta.revisions(w.actor(0), &at(path), by_id, 100).unwrap();
    found
        .versions
        .iter()
        .map(|r| r.version.content_hash[0])
        .collect()
}

fn over(w: &World, path: &str, content: u8) {
    w.clock.advance_ms(1);
    w.meta
        .commit_file(w.actor(0), &at(path), &file(content, WriteMode::Overwrite))
        .unwrap();
}

#[test]
fn revisions_are_newest_first_and_restored() {
    let w = World::new(1);
    let first = w.put("/a", 1).unwrap();
    over(&w, "/a", 2);
    over(&w, "/a", 3);
    assert_eq!(contents(&w, "/a", true), [3, 2, 1]);
    let two = w.meta.revisions(w.actor(0), &at("/a"), true, 2).unwrap();
    assert_eq!((two.versions.len(), two.has_more), (2, true));
    let old = first.node.head().unwrap().rev;
    assert_eq!(
        w.view(0)
            .version(first.node.id, old)
            .unwrap()
            .unwrap()
            .content_hash[0],
        1
    );
    let mv = w.meta.delete(w.actor(0), &at("/a"), Some(old));
    assert_eq!(refused(mv), Refusal::InvalidParentRev);
    w.meta.delete(w.actor(0), &at("/a"), None).unwrap();
    assert_eq!(refused(w.get("/a")), Refusal::NotFound);
    assert_eq!(
        refused(w.meta.delete(w.actor(0), &at("/a"), None)),
        Refusal::NotFound
    );
    let gone = w.meta.revisions(w.actor(0), &at("/a"), false, 10).unwrap();
    assert!(gone.is_deleted && gone.deleted_ms == Some(START_MS + 2));
    let back = w
        .meta
        .restore(w.actor(0), &at("/a"), first.node.id, old)
        .unwrap();
    assert!(back.node.id == first.node.id && back.node.head().unwrap().rev > old);
    assert_eq!(contents(&w, "/a", true), [1, 3, 2, 1]);
    let unknown = w.meta.restore(w.actor(0), &at("/a"), FileId(5), old);
    assert_eq!(refused(unknown), Refusal::InvalidRevision);
    w.put("/b", 1).unwrap();
    let elsewhere = w.meta.restore(w.actor(0), &at("/b"), first.node.id, old);
    assert_eq!(refused(elsewhere), Refusal::InvalidRevision);
    assert_eq!(w.used(0), 40);
    w.sound();
}

#[test]
fn deletions_of_a_name_coexist() {
    let w = World::new(1);
    let ids: Vec<_> = (1..4)
        .map(|content| {
            w.clock.advance_ms(1);
            let made = w.put("/a", content).unwrap();
            w.meta.delete(w.actor(0), &at("/a"), None).unwrap();
            made.node.id
        })
        .collect();
    let newest = w
        .view(0)
        .resolve_deleted(w.actor(0).root, &at("/A"))
        .unwrap()
        .unwrap();
    assert_eq!(newest.node.id, ids[2]);
    let view = w.view(0);
    let told = ids.iter().map(|id| {
        let place = view.place_deleted(*id).unwrap().unwrap();
        let is_last = view.is_last_deleted(w.actor(0).root, &place).unwrap();
        (is_last, view.deleted_ms(*id).unwrap().unwrap() - START_MS)
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [(false, 1), (false, 2), (true, 3)]);
    drop(view);
    assert_eq!(contents(&w, "/a", false), [3, 2, 1]);
    assert_eq!(
        w.meta.undelete(w.actor(0), ids[0]).unwrap().path_display,
        "/a"
    );
    assert_eq!(
        w.meta.undelete(w.actor(0), ids[1]).unwrap().path_display,
        "/a (1)"
    );
    assert_eq!(
        refused(w.meta.undelete(w.actor(0), ids[1])),
        Refusal::NotFound
    );
    assert_eq!(w.all(0), ["/a", "/a (1)"]);
    assert_eq!(w.used(0), 20 + 30);
    w.sound();
}

#[test]
fn folders_go_and_come_back_whole() {
    let w = World::new(1);
    let inner = w.put("/f/g/h.txt", 1).unwrap();
    let folder = w.get("/f").unwrap();
    w.meta.delete(w.actor(0), &at("/f"), None).unwrap();
    assert_eq!((w.used(0), w.all(0)), (0, vec!["[/f]".to_owned()]));
    let view = w.view(0);
    assert_eq!(view.place(inner.node.id).unwrap(), None);
    let dead = view.place_deleted(inner.node.id).unwrap().unwrap();
    assert_eq!(dead.path_display, "/f/g/h.txt");
    let went = [inner.node.id, folder.node.id].map(|id| view.deleted_ms(id).unwrap());
    assert!(went[0].is_some() && went[0] == went[1]);
    let listed = view.children(
        &view.place_deleted(folder.node.id).unwrap().unwrap(),
        None,
        9,
        false,
    );
    assert_eq!(
        listed.unwrap().iter().map(line).collect::<Vec<_>>(),
        ["[/f/g]"]
    );
    assert!(
        view.resolve_deleted(w.actor(0).root, &at("/f/G/h.txt"))
            .unwrap()
            .is_some()
    );
    w.put("/f", 2).unwrap();
    drop(view);
    assert_eq!(
        w.meta
            .undelete(w.actor(0), folder.node.id)
            .unwrap()
            .path_display,
        "/f (1)"
    );
    assert_eq!(w.get("/f (1)/g/h.txt").unwrap().node.id, inner.node.id);
    assert_eq!(w.used(0), 50);
    w.sound();
}

#[test]
fn a_file_comes_back_out_of_a_deleted_folder() {
    let w = World::new(1);
    let inner = w.put("/f/g/h.txt", 1).unwrap();
    w.meta.delete(w.actor(0), &at("/f"), None).unwrap();
    let rev = inner.node.head().unwrap().rev;
    let back = w
        .meta
        .restore(w.actor(0), &at("/f/g/h.txt"), inner.node.id, rev)
        .unwrap();
    assert!(back.path_display == "/f/g/h.txt" && back.node.id != inner.node.id);
    let again = w.meta.undelete(w.actor(0), inner.node.id).unwrap();
    assert_eq!(again.path_display, "/f/g/h (1).txt");
    assert_eq!(w.used(0), 40);
    w.sound();
}

#[test]
fn deleting_a_folder_unmounts_what_is_mounted_in_it() {
    let w = World::new(2);
    w.put("/s/a", 1).unwrap();
    let ns = w.share("/s", Role::Editor);
    w.put("/f/x", 1).unwrap();
    w.meta
        .relocate(w.actor(0), &at("/s"), &at("/f/s"), false)
        .unwrap();
    w.meta.delete(w.actor(0), &at("/f"), None).unwrap();
    assert_eq!((w.all(0), w.all(1).len()), (vec!["[/f]".to_owned()], 2));
    assert_eq!(w.used(0), 20);
    w.meta.mount(w.actor(0), ns).unwrap();
    assert_eq!(w.all(0), ["[/f]", "/s (shared)", "/s/a"]);
    w.sound();
}

#[test]
fn purge_takes_what_is_older_and_never_a_head() {
    let w = World::new(1);
    for i in 0..30 {
        w.put(&format!("/f/{i}/x"), 1).unwrap();
    }
    let early = w.put("/f/early", 1).unwrap();
    w.meta.delete(w.actor(0), &at("/f/early"), None).unwrap();
    let keep = w.put("/keep", 1).unwrap();
    over(&w, "/keep", 2);
    let folder = w.get("/f").unwrap().node.id;
    w.meta.delete(w.actor(0), &at("/f"), None).unwrap();
    w.clock.advance_ms(1000);
    over(&w, "/keep", 3);
    let report = w.meta.purge(START_MS + 500).unwrap();
    assert_eq!((report.nodes, report.versions, report.more), (62, 1, false));
    assert_eq!(w.view(0).place_deleted(early.node.id).unwrap(), None);
    assert_eq!(
        refused(w.meta.undelete(w.actor(0), folder)),
        Refusal::NotFound
    );
    assert_eq!(contents(&w, "/keep", true), [3, 2]);
    assert_eq!(w.all(0), ["/keep"]);
    let log = Journal::new(w.meta.store().clone());
    let entries = log
        .partition_entries(route(keep.ns, keep.node.id), 0, 1000)
        .unwrap();
    let purged = entries
        .iter()
        .filter(|e| matches!(e.change, Change::Purged { .. }))
        .count();
    assert_eq!(purged, 62);
    assert_eq!(w.meta.purge(START_MS + 500).unwrap(), Default::default());
    w.sound();
}

/// Puts a row into the block index.
fn index(store: &dyn Store, block: u8) {
    let mut row = vec![0; 46 + WRAPPED_BYTES];
    row[0] = 1;
    let key = crate::meta::keys::key(keyspace::BLOCK, &[&[block; 32]]);
    let put = store.transact(&mut |txn| {
        txn.put(key.clone(), row.clone().into());
        Ok(())
    });
    put.unwrap();
}

fn count(meta: &Meta, table: u8) -> usize {
    meta.store()
        .snapshot()
        .unwrap()
        .range(&[table], &[table + 1], false, usize::MAX)
        .unwrap()
        .len()
}

/// I1 and I7: a version without its block is refused; the last version's references and the text's go with purge.
#[test]
fn references_follow_versions_i1_i7() {
    let store = Arc::new(MemoryStore::default());
    let (env, clock) = Env::seeded(3, START_MS);
    let meta = Meta::open(store.clone(), env).unwrap();
    let who = meta
        .create_account("a@example.com", "", false)
        .unwrap()
        .actor();
    let put = |path| meta.commit_file(who, &at(path), &file(1, WriteMode::Add));
    assert!(matches!(put("/a.txt"), Err(Error::BlockMissing(hash)) if hash == BlockHash([1; 32])));
    assert_eq!(
        (
            count(&meta, keyspace::NODE),
            count(&meta, keyspace::JOURNAL)
        ),
        (1, 0)
    );
    [1, 9].into_iter().for_each(|block| index(&*store, block));
    put("/a.txt").unwrap();
    put("/b.txt").unwrap();
    assert_eq!(count(&meta, keyspace::REFERENCE), 2);
    let extractions = Extractions::new(store.clone());
    let jobs = extractions.next_jobs(None, 10, 10).unwrap();
    let text = TextSource::Blocks {
        blocks: vec![BlockHash([9; 32])],
        bytes: 5,
    };
    let record = ExtractionRecord {
        version: EXTRACTOR_VERSION,
        outcome: Outcome::Text,
        file_type: "txt".to_owned(),
        category: "text".to_owned(),
        title: None,
        author: None,
        language: None,
        pages: Vec::new(),
        text,
        words: 1,
        ..ExtractionRecord::default()
    };
    extractions.finish(&jobs[0], &record).unwrap();
    assert_eq!(extractions.depth(10).unwrap(), [(who.account, 1)]);
    let known = extractions
        .record(jobs[1].scope, &jobs[1].content_hash, "txt")
        .unwrap()
        .unwrap();
    extractions.finish(&jobs[1], &known).unwrap();
    assert_eq!(extractions.depth(10).unwrap(), []);
    put("/c.txt").unwrap();
    assert_eq!(extractions.depth(10).unwrap(), []);
    assert_eq!(count(&meta, keyspace::REFERENCE), 4);
    assert_eq!(meta.check(10, &mut |_| ()).unwrap(), Vec::<String>::new());
    for path in ["/a.txt", "/b.txt", "/c.txt"] {
        meta.delete(who, &at(path), None).unwrap();
        clock.advance_ms(10);
        meta.purge(START_MS + 1000).unwrap();
    }
    assert_eq!(
        (
            count(&meta, keyspace::REFERENCE),
            count(&meta, keyspace::EXTRACTION)
        ),
        (0, 0)
    );
    assert_eq!(meta.check(10, &mut |_| ()).unwrap(), Vec::<String>::new());
}

#[test]
fn jobs_come_in_turn() {
    let w = World::new(3);
    for account in 0..3 {
        for content in 0..4 {
            let path = at(&format!("/{content}.bin"));
            w.clock.advance_ms(1);
            let mine = file(content + 10 * account as u8, WriteMode::Add);
            w.meta.commit_file(w.actor(account), &path, &mine).unwrap();
        }
    }
    let mut ids: Vec<_> = w.accounts.iter().map(|a| a.id).collect();
    ids.sort();
    let extractions = Extractions::new(w.meta.store().clone());
    let turn = |after, per, limit| {
        let jobs = extractions.next_jobs(after, per, limit).unwrap();
        jobs.iter()
            .map(|j| ids.iter().position(|&id| id == j.account).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(turn(None, 2, 4), [0, 0, 1, 1]);
    assert_eq!(turn(Some(ids[1]), 2, 5), [2, 2, 0, 0, 1]);
    assert_eq!(turn(Some(ids[2]), 9, 5), [0, 0, 0, 0, 1]);
}

#[test]
fn a_look_at_the_queue_passes_over_what_was_seen_to() {
    let w = World::new(3);
    let mut revs = Vec::new();
    for content in 0..4 {
        for account in 0..3 {
            let path = at(&format!("/{content}.bin"));
            let mine = file(content + 10 * account as u8, WriteMode::Add);
            let place = w.meta.commit_file(w.actor(account), &path, &mine).unwrap();
            revs.push(place.node.head().unwrap().rev);
        }
        w.clock.advance_ms(OVERLAP_MS as i64 + 1);
    }
    let mut ids: Vec<_> = w.accounts.iter().map(|a| a.id).collect();
    ids.sort();
    let extractions = Extractions::new(w.meta.store().clone());
    let look = |begins: &[usize], after| {
        let begins = begins.iter().map(|&i| (ids[i], revs[3 * 3])).collect();
        let jobs = extractions.next_jobs_from(&begins, after, 9, 99).unwrap();
        let mut counts = Vec::<(usize, usize)>::new();
        for job in jobs {
            let account = ids.iter().position(|&id| id == job.account).unwrap();
            match counts.last_mut() {
                Some((last, count)) if *last == account => *count += 1,
                _ => counts.push((account, 1)),
            }
        }
        counts
    };
    assert_eq!(look(&[], None), [(0, 4), (1, 4), (2, 4)]);
    assert_eq!(look(&[1], None), [(0, 4), (1, 1), (2, 4)]);
    assert_eq!(look(&[0, 2], Some(ids[0])), [(1, 4), (2, 1), (0, 1)]);
    assert_eq!(look(&[0, 1, 2], Some(ids[2])), [(0, 1), (1, 1), (2, 1)]);
}
