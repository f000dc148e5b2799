//! Random operations, extraction, indexing, commits and kills: in the end the index shows what metadata has (I2, I3, I4), and
//! at every moment a search shows nothing that is not there (I5, I6).

use std::collections::BTreeSet;

use storage::meta::{Account, FileId, MemberPolicy, NamespaceId, NodeKind, Role, Standing};

use super::{World, at};

/// A small repeatable generator.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn path(&mut self) -> String {
        let names = ["a", "b", "Cc", "doc.txt", "Report-1.pdf"];
        let depth = 1 + self.roll(3);
        (0..depth)
            .map(|_| format!("/{}", names[self.roll(5) as usize]))
            .collect()
    }
}

/// One operation; what the rules refuse is no operation.
fn operate(world: &World, accounts: &[Account], dice: &mut Dice, files: &mut Vec<FileId>) {
    let account = &accounts[dice.roll(accounts.len() as u64) as usize];
    let (meta, actor) = (&world.sources.meta, account.actor());
    let (one, other) = (dice.path(), dice.path());
    let any = |dice: &mut Dice, files: &[FileId]| {
        files
            .get(dice.roll(files.len().max(1) as u64) as usize)
            .copied()
            .unwrap_or(FileId(1))
    };
    let done = match dice.roll(13) {
        0..=3 => {
            let content = dice.roll(8) as usize;
            world
                .put(account, &one, content)
                .map(|place| files.push(place.node.id))
        }
        4 => meta
            .create_folder(actor, &at(&one), false)
            .map(|place| files.push(place.node.id)),
        5 | 6 => meta.delete(actor, &at(&one), None).map(|_| ()),
        7 | 8 => meta
            .relocate(actor, &at(&one), &at(&other), false)
            .map(|_| ()),
        9 => meta
            .copy(actor, &at(&one), &at(&other), false)
            .map(|place| files.push(place.node.id)),
        10 => meta.undelete(actor, any(dice, files)).map(|_| ()),
        11 => share(world, accounts, account, &one, dice),
        _ => meta
            .purge(1_700_000_000_000 + dice.roll(2) as i64 * 1_000_000)
            .map(|_| ()),
    };
    if let Err(error) = done {
        assert!(matches!(error, storage::Error::Refused(_)), "{error}");
    }
}

fn share(
    world: &World,
    accounts: &[Account],
    account: &Account,
    path: &str,
    dice: &mut Dice,
) -> storage::Result<()> {
    let (meta, actor) = (&world.sources.meta, account.actor());
    let ns = meta.share_folder(actor, &at(path), MemberPolicy::default())?;
    let member = &accounts[dice.roll(accounts.len() as u64) as usize];
    meta.add_member(actor, ns, member.id, Role::Editor, true)?;
    if dice.roll(3) == 0 {
        meta.unshare(actor, ns)?;
    }
    Ok(())
}

/// A search of any namespace shows only what is there now. // I5 I6
fn nothing_gone_is_visible(world: &World) {
    let mut reader = world.sources.meta.reader().expect("a reader");
    for (ns, _) in reader.namespaces(NamespaceId(0), 1000).expect("namespaces") {
        let view = world.view(ns);

        for (file, row) in super::dump(&view.searcher, &view.fields) {
            if row.ns != ns.0 || view.exclusions.contains(file) {
                continue;
            }
            let (node, standing) = reader
                .look(FileId(file))
                .expect("a look")
                .expect("a node that is there");
            assert!(!matches!(node.kind, NodeKind::Root { .. }));
            match standing {
                Standing::Live { ns: present } => {
                    assert!(!row.deleted && present == ns);
                    assert_eq!(node.head().map_or(0, |head| head.rev.0), row.rev);
                }
                Standing::Deleted { ns: present, .. } => assert!(row.deleted && present == ns),
                Standing::Absent => panic!("{} is not there", node.name),
            }
        }
    }
}

fn run(seed: u64, operations: usize) {
    let mut world = World::new(2);
    let mut dice = Dice(seed);
    let accounts: Vec<_> = (0..3)
        .map(|n| world.account(&format!("a{n}@example.com")))
        .collect();
    let mut files = Vec::new();
    for _ in 0..operations {
        operate(&world, &accounts, &mut dice, &mut files);
        match dice.roll(40) {
            0..=7 => world.step(),
            8..=12 => world.extract(1 + dice.roll(3) as usize),
            13..=15 => {
                world.step();
                world.commit();
            }
            23 | 24 => world.reopen(), // a kill
            16 => world.rebuild(),
            17..=21 => nothing_gone_is_visible(&world),
            _ => {}
        }
    }
    world.extract(10_000);
    world.settle();
    nothing_gone_is_visible(&world);
    let (truth, index) = (world.truth(), world.index());
    let wrong: Vec<_> = truth
        .keys()
        .chain(index.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|file| truth.get(file) != index.get(file))
        .map(|file| (file, truth.get(file), index.get(file)))
        .collect();
    assert!(
        wrong.is_empty(),
        "seed {seed}: (file, metadata, index) {wrong:#?}"
    );
    assert!(truth.len() > 20, "a run that does something");
}

#[test]
fn the_index_agrees_with_metadata_after_anything() {
    for seed in 1..=3 {
        run(seed * 0x9e37_79b9, 250);
    }
}
