//! Rewinds against a store in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::Error;
use crate::kv::memory::MemoryStore;
use crate::meta::env::ManualClock;
use crate::meta::{Account, Entry, Env, NewFile, WriteMode};

const NOW_MS: i64 = 1_800_000_000_000;
/// Files that are attacked.
const FILES: usize = 250;

struct Bench {
    clock: Arc<ManualClock>,
    meta: Meta,
    ann: Account,
}

impl Bench {
    fn new() -> Bench {
        let (env, clock) = Env::seeded(42, NOW_MS);
        let meta = Meta::open_without_blocks(Arc::<MemoryStore>::default(), env).unwrap();
        let ann = meta
            .create_account("ann@example.org", "Ann", false)
            .unwrap();
        Bench { clock, meta, ann }
    }

    fn write(&self, path: &str, content: u8) {
        let file = NewFile {
            blocks: Vec::new(),
            size: u64::from(content),
            content_hash: [content; 32],
            mode: WriteMode::Overwrite,
            autorename: false,
            strict_conflict: false,
            client_modified_ms: None,
        };
        self.meta
            .commit_file(self.ann.actor(), &at(path), &file)
            .unwrap();
        self.clock.advance_ms(1);
    }

    fn delete(&self, path: &str) {
        self.meta.delete(self.ann.actor(), &at(path), None).unwrap();
        self.clock.advance_ms(1);
    }

    fn relocate(&self, from: &str, to: &str) {
        self.meta
            .relocate(self.ann.actor(), &at(from), &at(to), false)
            .unwrap();
        self.clock.advance_ms(1);
    }

    /// A moment between what was and what will be.
    fn moment(&self) -> i64 {
        use crate::meta::Clock;
        self.clock.advance_ms(1000);
        let now = self.clock.now_ms();
        self.clock.advance_ms(1000);
        now
    }

    /// Path -> content; folders have none.
    fn tree(&self) -> BTreeMap<String, Option<u8>> {
        let view = self.meta.view(self.ann.id).unwrap();
        let root = view
            .resolve(self.ann.root, &Address::Path(Vec::new()))
            .unwrap();
        let mut tree = BTreeMap::new();
        view.walk(&root, None, false, &mut |entry| {
            if let Entry::Live(place) = entry {
                let content = place.node.head().map(|head| head.content_hash[0]);
                tree.insert(place.path_display, content);
            }
            Ok(true)
        })
        .unwrap();
        tree
    }

    fn rewind(&self, path: &str, to_ms: i64) -> Rewind {
        let preview = self.preview(path, to_ms).unwrap();
        let begun = self.begin(path, to_ms).unwrap();
        let done = self.run(begun.id);
        assert_eq!((done.error.clone(), done.counts.failed), (None, 0));
        assert_eq!(done.counts.examined, preview.examined);
        done
    }

    fn preview(&self, path: &str, to_ms: i64) -> Result<Counts> {
        self.meta.preview_rewind(self.ann.actor(), &at(path), to_ms)
    }

    fn begin(&self, path: &str, to_ms: i64) -> Result<Rewind> {
        self.meta.begin_rewind(self.ann.actor(), &at(path), to_ms)
    }

    fn run(&self, id: RewindId) -> Rewind {
        self.clock.advance_ms(1);
        let done = self.meta.run_rewind(id, &mut |_| true).unwrap();
        self.clock.advance_ms(1);
        self.check();
        done
    }

    fn file(&self, path: &str) -> FileId {
        let view = self.meta.view(self.ann.id).unwrap();
        view.resolve(self.ann.root, &at(path)).unwrap().node.id
    }

    fn undo(&self, of: &Rewind) -> Rewind {
        self.run(self.meta.begin_undo(self.ann.actor(), of.id).unwrap().id)
    }

    fn check(&self) {
        assert_eq!(self.meta.check(10, &mut |_| {}).unwrap(), [""; 0]);
    }
}

fn at(path: &str) -> Address {
    Address::parse(path).unwrap()
}

/// Names what differs.
fn same(one: &BTreeMap<String, Option<u8>>, other: &BTreeMap<String, Option<u8>>) {
    let only = |a: &BTreeMap<String, Option<u8>>, b: &BTreeMap<String, Option<u8>>| {
        let only = a
            .iter()
            .filter(|(path, content)| b.get(*path) != Some(*content));
        only.take(5)
            .map(|(path, content)| format!("{path} {content:?}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (only(one, other), only(other, one)),
        (Vec::new(), Vec::new())
    );
}

/// What an attack does: every file gets other bytes and another name, some go, notes come.
fn attack(bench: &Bench, files: usize) {
    for n in 0..files {
        let path = format!("/work/{}/{n}.txt", n % 7);
        match n % 3 {
            0 => bench.write(&path, 200),
            1 => {
                bench.write(&path, 201);
                bench.relocate(&path, &format!("{path}.locked"));
            }
            _ => {
                bench.delete(&path);
                bench.write(&format!("{path}.locked"), 202);
            }
        }
    }
    for folder in 0..7 {
        bench.write(&format!("/work/{folder}/READ_ME"), 9);
    }
    bench.relocate("/work/3", "/work/held to ransom");
    bench.delete("/work/4");
}

/// Files in a folder, and the moment at which they were so.
fn filled() -> (Bench, BTreeMap<String, Option<u8>>, i64) {
    let bench = Bench::new();
    for n in 0..FILES {
        bench.write(&format!("/work/{}/{n}.txt", n % 7), (n % 100) as u8);
    }
    bench.write("/elsewhere/1", 1);
    let (before, then) = (bench.tree(), bench.moment());
    (bench, before, then)
}

#[test]
fn an_attack_is_undone_and_that_can_be_undone() {
    let (bench, before, then) = filled();
    attack(&bench, FILES);
    bench.write("/elsewhere/2", 2);
    let after = bench.tree();
    let usage = |bench: &Bench| bench.meta.space_used(bench.ann.id).unwrap().used;
    let used_after = usage(&bench);

    let done = bench.rewind("/work", then);
    let mut wanted = before.clone();
    wanted.insert("/elsewhere/2".into(), Some(2));
    same(&bench.tree(), &wanted);
    assert!(
        done.counts.moved > 80 && done.counts.revived > 80 && done.counts.removed > 80,
        "{:?}",
        done.counts
    );
    assert_eq!(done.ended_ms.map(|at| at > then), Some(true));

    let again = bench.rewind("/work", then);
    assert_eq!(
        again.counts.revived + again.counts.moved + again.counts.restored + again.counts.removed,
        0,
        "{:?}",
        again.counts
    );

    bench.undo(&done);
    same(&bench.tree(), &after);
    assert_eq!(usage(&bench), used_after);
    bench.rewind("/work", then);
    same(&bench.tree(), &wanted);
    assert_eq!(bench.meta.rewinds(bench.ann.id).unwrap().len(), 4);
    assert_eq!(bench.meta.unfinished_rewinds().unwrap(), []);
}

#[test]
fn one_that_was_ended_at_any_unit_is_run_again() {
    for stop_after in 1..5 {
        let (bench, before, then) = filled();
        attack(&bench, FILES);
        let begun = bench.begin("/work", then).unwrap();
        let mut units = 0;
        let ended = bench.meta.run_rewind(begun.id, &mut |_| {
            units += 1;
            units < stop_after
        });
        assert_eq!(ended.unwrap().ended_ms, None);
        assert_eq!(bench.meta.unfinished_rewinds().unwrap(), [begun.id]);
        let other = bench.begin("/work", then);
        assert!(matches!(other, Err(Error::Refused(Refusal::RewindRuns))));
        let done = bench.run(begun.id);
        assert!(done.ended_ms.is_some());
        same(&bench.tree(), &before);
    }
}

#[test]
fn names_that_changed_places_change_back() {
    let bench = Bench::new();
    bench.write("/f/a", 1);
    bench.write("/f/b", 2);
    bench.write("/f/one/two/x", 3);
    let (before, then) = (bench.tree(), bench.moment());
    bench.relocate("/f/a", "/f/c");
    bench.relocate("/f/b", "/f/a");
    bench.relocate("/f/c", "/f/b");
    // A folder goes into what was below it.
    bench.relocate("/f/one/two", "/f/two");
    bench.relocate("/f/one", "/f/two/one");
    bench.relocate("/f/two/x", "/outside");
    let after = bench.tree();
    let done = bench.rewind("/f", then);
    same(&bench.tree(), &before);
    bench.undo(&done);
    same(&bench.tree(), &after);
}

#[test]
fn what_others_do_after_a_rewind_survives_its_undoing() {
    let bench = Bench::new();
    bench.write("/f/a", 1);
    bench.write("/f/b", 1);
    let then = bench.moment();
    bench.write("/f/a", 2);
    bench.write("/f/b", 2);
    let done = bench.rewind("/f", then);
    bench.write("/f/b", 3);
    bench.write("/f/new", 4);
    bench.undo(&done);
    let tree = bench.tree();
    assert_eq!(
        (tree["/f/a"], tree["/f/b"], tree["/f/new"]),
        (Some(2), Some(3), Some(4))
    );
}

#[test]
fn what_was_in_the_trash_or_elsewhere_then_is_so_again() {
    let bench = Bench::new();
    bench.write("/f/dead", 1);
    let id = bench.file("/f/dead");
    bench.delete("/f/dead");
    bench.write("/g/guest", 1);
    let (before, then) = (bench.tree(), bench.moment());
    bench.meta.undelete(bench.ann.actor(), id).unwrap();
    bench.clock.advance_ms(1);
    bench.relocate("/g/guest", "/f/guest");
    bench
        .meta
        .copy(bench.ann.actor(), &at("/g"), &at("/f/g"), false)
        .unwrap();
    bench.clock.advance_ms(1);
    let after = bench.tree();
    let done = bench.rewind("/f", then);
    same(&bench.tree(), &before);
    bench.undo(&done);
    same(&bench.tree(), &after);
}

#[test]
fn a_rewind_needs_the_right_to_write_and_a_history() {
    let bench = Bench::new();
    bench.write("/f/a", 1);
    let bob = bench
        .meta
        .create_account("bob@example.org", "Bob", false)
        .unwrap();
    let ns = bench
        .meta
        .share_folder(
            bench.ann.actor(),
            &at("/f"),
            crate::meta::MemberPolicy::Owner,
        )
        .unwrap();
    bench
        .meta
        .add_member(
            bench.ann.actor(),
            ns,
            bob.id,
            crate::meta::Role::Viewer,
            false,
        )
        .unwrap();
    let address = Address::Namespace(ns, Vec::new());
    let refused = bench.meta.preview_rewind(bob.actor(), &address, NOW_MS);
    assert!(
        matches!(refused, Err(Error::Refused(Refusal::NoWritePermission))),
        "{refused:?}"
    );
    let file = bench.preview("/f/a", NOW_MS);
    assert!(matches!(file, Err(Error::Refused(Refusal::NotFolder))));
    assert_eq!(bench.preview("/f", NOW_MS).unwrap().failed, 0);
    // An entry without a stamp, as earlier releases wrote them.
    let file = bench.file("/f/a");
    let store = bench.meta.store();
    let old = store.transact(&mut |txn| {
        crate::journal::append(txn, ns, &crate::journal::Change::Upsert { file }).map(drop)
    });
    old.unwrap();
    let refused = bench.preview("/f", NOW_MS);
    assert!(
        matches!(refused, Err(Error::Refused(Refusal::HistoryTooShort))),
        "{refused:?}"
    );
}
