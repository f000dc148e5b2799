//! What is damaged below a shard must not hold it up.

use storage::meta::FileId;

use super::World;

#[test]
fn a_damaged_text_costs_its_own_file_only() {
    let mut world = World::new(1);
    let account = world.account("a@example.com");
    let damaged = world.put(&account, "/damaged.txt", 1).expect("a file");
    world.extract(10);
    for entry in std::fs::read_dir(world.dir.path().join("blocks")).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|ending| ending == "extent") {
            let mut bytes = std::fs::read(&path).expect("an extent");
            bytes.iter_mut().skip(64).for_each(|byte| *byte ^= 0xff);
            std::fs::write(&path, bytes).expect("an extent");
        }
    }
    world.settle();
    assert!(world.found(account.root, "unique1").is_empty());
    let rows = world.index();
    let row = rows.get(&damaged.node.id.0).expect("found by its name");
    assert_eq!(row.name, "damaged.txt");
    let next = world
        .sources
        .meta
        .create_folder(account.actor(), &super::at("/next"), false);
    let FileId(next) = next.expect("a folder").node.id;
    world.settle();
    assert!(world.index().contains_key(&next));
}
