use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use storage::kv::memory::MemoryStore;
use storage::kv::{Batch, Commit, Snapshot, Transaction};
use storage::meta::{
    Account, Env, MemberPolicy, NewFile, Options as MetaOptions, PasswordCost, Role, WriteMode,
};

use super::*;

/// Acts right after the next snapshot was taken: in the middle of whatever reads there.
#[derive(Default)]
struct Interleaving {
    inner: MemoryStore,
    act: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Store for Interleaving {
    fn snapshot(&self) -> storage::Result<Box<dyn Snapshot + '_>> {
        let snapshot = self.inner.snapshot()?;
        let act = self.act.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
        Ok(snapshot)
    }

    fn transact(
        &self,
        body: &mut dyn FnMut(&mut dyn Transaction) -> storage::Result<()>,
    ) -> storage::Result<Commit> {
        self.inner.transact(body)
    }

    fn head(&self, log: &[u8]) -> storage::Result<u64> {
        self.inner.head(log)
    }

    fn counter(&self, counter: &[u8]) -> storage::Result<i64> {
        self.inner.counter(counter)
    }

    fn load(&self, batch: &Batch) -> storage::Result<()> {
        self.inner.load(batch)
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        self.inner.wait(seen, timeout)
    }
}

/// When a client looks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Look {
    No,
    After,
    /// The act comes while the page is read.
    Meanwhile,
}

/// Two people; folders of the first may be shared with the second.
#[derive(Clone)]
struct Team {
    store: Arc<Interleaving>,
    meta: Meta,
    listing: Listing,
    people: [Account; 2],
}

/// What one of them may do.
#[derive(Debug, Clone)]
enum Act {
    Write(usize, String, u8),
    Folder(usize, String),
    Delete(usize, String),
    Move(usize, String, String),
    Share(String),
    Leave,
}

impl Team {
    fn new() -> Team {
        let store = Arc::new(Interleaving::default());
        let (env, _) = Env::seeded(7, 1_700_000_000_000);
        let meta = Meta::open_without_blocks(store.clone(), env).unwrap();
        let meta = meta.with_options(MetaOptions {
            password_cost: PasswordCost::CHEAP,
            ..MetaOptions::default()
        });
        let people = ["a@example.com", "b@example.com"]
            .map(|email| meta.create_account(email, "", false).unwrap());
        let listing = Listing::new(meta.clone(), &*store).unwrap();
        Team {
            store,
            meta,
            listing,
            people,
        }
    }

    /// One page; the act comes while it is read.
    fn resume_during(&self, act: &Act, who: usize, cursor: &str) -> Page {
        let (team, act) = (self.clone(), act.clone());
        *self.store.act.lock().unwrap() = Some(Box::new(move || team.act(&act)));
        self.listing.resume(self.people[who].id, cursor).unwrap()
    }

    /// Does it, or is refused: both are histories.
    fn act(&self, act: &Act) {
        let at = |path: &str| Address::parse(path).unwrap();
        let actor = |who: usize| self.people[who].actor();
        let refused = match act {
            Act::Write(who, path, content) => {
                let file = NewFile {
                    blocks: Vec::new(),
                    size: 0,
                    content_hash: [*content; 32],
                    mode: WriteMode::Overwrite,
                    autorename: false,
                    strict_conflict: false,
                    client_modified_ms: None,
                };
                self.meta.commit_file(actor(*who), &at(path), &file).err()
            }
            Act::Folder(who, path) => self.meta.create_folder(actor(*who), &at(path), false).err(),
            Act::Delete(who, path) => self.meta.delete(actor(*who), &at(path), None).err(),
            Act::Move(who, from, to) => self
                .meta
                .relocate(actor(*who), &at(from), &at(to), false)
                .err(),
            Act::Share(path) => self.share(&at(path)).err(),
            Act::Leave => self.leave().err(),
        };
        assert!(
            refused
                .as_ref()
                .is_none_or(|e| matches!(e, storage::Error::Refused(_))),
            "{act:?}: {refused:?}"
        );
    }

    fn share(&self, at: &Address) -> storage::Result<()> {
        let owner = self.people[0].actor();
        let ns = self.meta.share_folder(owner, at, MemberPolicy::default())?;
        self.meta
            .add_member(owner, ns, self.people[1].id, Role::Editor, true)?;
        Ok(())
    }

    fn leave(&self) -> storage::Result<()> {
        let actor = self.people[1].actor();
        for shared in self.meta.list_shared(actor)? {
            self.meta.leave(actor, shared.ns)?;
        }
        Ok(())
    }

    /// What a recursive listing of the root shows now.
    fn present(&self, who: usize) -> BTreeMap<String, String> {
        let mut replica = Replica::default();
        let options = Options {
            recursive: true,
            ..Options::default()
        };
        let root = Address::parse("").unwrap();
        let page = self
            .listing
            .start(self.people[who].actor(), None, &root, options);
        replica.take(self, who, page.unwrap());
        replica.entries
    }
}

/// A client that applies entries in order: path to rev.
#[derive(Default)]
struct Replica {
    entries: BTreeMap<String, String>,
    cursor: String,
}

impl Replica {
    fn take(&mut self, team: &Team, who: usize, mut page: Page) {
        loop {
            for entry in &page.entries {
                self.apply(entry);
            }
            self.cursor = page.cursor;
            if !page.has_more {
                return;
            }
            page = team
                .listing
                .resume(team.people[who].id, &self.cursor)
                .unwrap();
        }
    }

    fn apply(&mut self, entry: &Listed) {
        match entry {
            Listed::Live(place) => {
                let rev = place
                    .node
                    .rev_id()
                    .map_or(String::new(), |rev| rev.to_string());
                if place.node.is_file() {
                    self.remove(&place.path_lower);
                }
                self.entries.insert(place.path_lower.clone(), rev);
            }
            Listed::Deleted(gone) => self.remove(&gone.path_lower),
        }
    }

    fn remove(&mut self, path: &str) {
        let below = format!("{path}/");
        self.entries
            .retain(|key, _| key != path && !key.starts_with(&below));
    }
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-cA]", 1..4).prop_map(|names| format!("/{}", names.join("/")))
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..2usize, path(), any::<u8>()).prop_map(|(who, path, c)| Act::Write(who, path, c)),
        2 => (0..2usize, path()).prop_map(|(who, path)| Act::Folder(who, path)),
        2 => (0..2usize, path()).prop_map(|(who, path)| Act::Delete(who, path)),
        4 => (0..2usize, path(), path()).prop_map(|(who, from, to)| Act::Move(who, from, to)),
        1 => path().prop_map(Act::Share),
        1 => Just(Act::Leave),
    ]
}

fn look() -> impl Strategy<Value = Look> {
    prop_oneof![Just(Look::No), Just(Look::After), Just(Look::Meanwhile)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// I2: whoever applies a cursor's entries in order, in pages of any size and taken at any time, ends in the present.
    #[test]
    fn a_history_applied_in_order_is_the_present(
        acts in prop::collection::vec((act(), look()), 1..40),
        limit in 1..6u32,
    ) {
        let team = Team::new();
        let root = Address::parse("").unwrap();
        let options = Options { recursive: true, limit, ..Options::default() };
        let mut replicas = [Replica::default(), Replica::default()];
        for (who, replica) in replicas.iter_mut().enumerate() {
            let actor = team.people[who].actor();
            replica.cursor = team.listing.latest(actor, None, &root, options.clone()).unwrap();
        }
        for (act, look) in &acts {
            if *look != Look::Meanwhile {
                team.act(act);
            }
            for (who, replica) in replicas.iter_mut().enumerate().filter(|_| *look != Look::No) {
                let page = match (look, who) {
                    (Look::Meanwhile, 0) => team.resume_during(act, who, &replica.cursor),
                    _ => team.listing.resume(team.people[who].id, &replica.cursor).unwrap(),
                };
                // One page now and the rest later: pages of a walk may lie on both sides of changes.
                page.entries.iter().for_each(|entry| replica.apply(entry));
                replica.cursor = page.cursor;
            }
        }
        for (who, replica) in replicas.iter_mut().enumerate() {
            let page = team.listing.resume(team.people[who].id, &replica.cursor).unwrap();
            replica.take(&team, who, page);
            prop_assert_eq!(&replica.entries, &team.present(who));
        }
    }
}

#[test]
fn a_file_that_is_stored_while_a_page_is_read_is_told_by_the_next() {
    let team = Team::new();
    let (root, actor) = (Address::parse("").unwrap(), team.people[0].actor());
    let latest = team
        .listing
        .latest(actor, None, &root, Options::default())
        .unwrap();
    let write = Act::Write(0, "/a".to_owned(), 0);
    let page = team.resume_during(&write, 0, &latest);
    assert!(page.entries.is_empty());
    let page = team.listing.resume(actor.account, &page.cursor).unwrap();
    assert_eq!(page.entries.len(), 1);

    // The same while a longpoll looks.
    let mut position = team.listing.position(&page.cursor).unwrap();
    let (during, write) = (team.clone(), Act::Write(0, "/b".to_owned(), 0));
    *team.store.act.lock().unwrap() = Some(Box::new(move || during.act(&write)));
    assert!(!team.listing.has_changes(&mut position).unwrap());
    assert!(team.listing.has_changes(&mut position).unwrap());
}

#[test]
fn a_folder_that_loses_its_mount_while_it_is_walked_tells_no_more() {
    let team = Team::new();
    let write = |path: &str| team.act(&Act::Write(0, path.to_owned(), 0));
    let options = Options {
        recursive: true,
        limit: 2,
        ..Options::default()
    };
    write("/a/b");
    write("/a/a/a");
    let actor = team.people[0].actor();
    let root = Address::parse("").unwrap();
    let mut replica = Replica::default();
    let latest = team.listing.latest(actor, None, &root, options);
    replica.cursor = latest.unwrap();
    team.act(&Act::Share("/a".to_owned()));
    team.act(&Act::Move(0, "/a/a".to_owned(), "/a/c".to_owned()));
    let mut page = team.listing.resume(actor.account, &replica.cursor).unwrap();
    assert!(page.has_more, "a walk is under way");
    team.act(&Act::Delete(0, "/a".to_owned()));
    while page.has_more {
        page.entries.iter().for_each(|entry| replica.apply(entry));
        page = team.listing.resume(actor.account, &page.cursor).unwrap();
    }
    replica.take(&team, 0, page);
    assert_eq!(replica.entries, team.present(0));
}

#[test]
fn cursors_are_their_accounts_own_and_cannot_be_made_up() {
    let team = Team::new();
    let root = Address::parse("").unwrap();
    let [a, b] = [&team.people[0], &team.people[1]];
    let cursor = team
        .listing
        .latest(a.actor(), None, &root, Options::default())
        .unwrap();
    assert!(matches!(
        team.listing.resume(b.id, &cursor),
        Err(Error::Reset)
    ));
    for forged in ["", "garbage", &cursor[1..], &format!("{cursor}A")] {
        assert!(matches!(
            team.listing.resume(a.id, forged),
            Err(Error::Reset)
        ));
    }
}

#[test]
fn pages_have_every_entry_once() {
    let team = Team::new();
    for i in 0..23 {
        let folder = if i % 2 == 0 { "" } else { "/deep/er" };
        team.act(&Act::Write(0, format!("{folder}/f{i:02}"), 1));
    }
    let root = Address::parse("").unwrap();
    let options = Options {
        recursive: true,
        limit: 4,
        ..Options::default()
    };
    let mut page = team
        .listing
        .start(team.people[0].actor(), None, &root, options)
        .unwrap();
    let mut paths = Vec::new();
    loop {
        assert!(page.entries.len() <= 4);
        paths.extend(page.entries.iter().map(|entry| match entry {
            Listed::Live(place) => place.path_lower.clone(),
            Listed::Deleted(gone) => panic!("{gone:?}"),
        }));
        if !page.has_more {
            break;
        }
        page = team
            .listing
            .resume(team.people[0].id, &page.cursor)
            .unwrap();
    }
    let all = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!((all, paths.len()), (25, 25));
}
