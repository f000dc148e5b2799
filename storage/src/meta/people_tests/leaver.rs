//! Leavers: what they owned goes to an heir, whole or not at all, and nothing of them stays.

use super::{Bench, bench, everything, file, folder, mounts, refusal};
use crate::keyspace;
use crate::meta::{
    Account, AccountChange, Address, LinkSettings, MemberPolicy, Refusal, Role, TokenKind,
};

fn suspend(bench: &Bench, account: &Account) {
    let change = AccountChange {
        disabled: Some(true),
        ..AccountChange::default()
    };
    bench.meta.change_account(account.id, change).unwrap();
}

fn paths(bench: &Bench, account: &Account) -> Vec<String> {
    everything(bench, account)
        .into_iter()
        .map(|place| place.path_display)
        .collect()
}

fn used(bench: &Bench, account: &Account) -> u64 {
    bench.meta.space_used(account.id).unwrap().used
}

fn assert_sound(bench: &Bench) {
    let problems = bench.meta.check_people(10).unwrap();
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn files_trash_and_shared_folders_go_to_the_heir() {
    let bench = bench();
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|name| bench.account(name));
    let at = |path: &str| Address::parse(path).unwrap();
    let letter = file(&bench, &ann, "/letters/one.txt", 100);
    file(&bench, &ann, "/gone.txt", 7);
    bench
        .meta
        .delete(ann.actor(), &at("/gone.txt"), None)
        .unwrap();
    folder(&bench, &ann, "/project");
    file(&bench, &ann, "/project/plan.txt", 10);
    let project = bench
        .meta
        .share_folder(ann.actor(), &at("/project"), MemberPolicy::Owner)
        .unwrap();
    bench
        .meta
        .add_member(ann.actor(), project, cid.id, Role::Editor, true)
        .unwrap();
    folder(&bench, &cid, "/theirs");
    let theirs = bench
        .meta
        .share_folder(cid.actor(), &at("/theirs"), MemberPolicy::Owner)
        .unwrap();
    bench
        .meta
        .add_member(cid.actor(), theirs, ann.id, Role::Viewer, true)
        .unwrap();
    folder(&bench, &bob, "/Files of Ann");

    assert_eq!(
        refusal(bench.meta.hand_over(ann.id, bob.id, "x")),
        Refusal::NotSuspended
    );
    suspend(&bench, &ann);
    assert_eq!(
        refusal(bench.meta.hand_over(ann.id, ann.id, "x")),
        Refusal::SameAccount
    );
    assert_eq!(
        refusal(bench.meta.delete_account(ann.id)),
        Refusal::HasFiles
    );
    let done = bench
        .meta
        .hand_over(ann.id, bob.id, "Files of Ann")
        .unwrap();
    assert_eq!(
        (done.folder.as_deref(), done.bytes, done.shared_folders),
        (Some("Files of Ann (1)"), 110, 1)
    );

    let seen = paths(&bench, &bob);
    for path in ["/Files of Ann (1)/letters/one.txt", "/project/plan.txt"] {
        assert!(
            seen.iter().any(|seen| seen == path),
            "{path} is not in {seen:?}"
        );
    }
    assert_eq!((used(&bench, &ann), used(&bench, &bob)), (0, 110));
    let view = bench.meta.view(bob.id).unwrap();
    assert_eq!(view.place(letter).unwrap().unwrap().role, Role::Owner);
    let gone = view
        .resolve_deleted(bob.root, &at("/Files of Ann (1)/gone.txt"))
        .unwrap();
    assert!(gone.is_some(), "the trash goes along");
    assert_eq!(
        bench.meta.view(ann.id).unwrap().place(letter).unwrap(),
        None
    ); // I6
    assert_eq!(mounts(&bench, &cid).len(), 2, "others keep what they had");
    assert_eq!(
        bench
            .meta
            .shared_folder(cid.actor(), project)
            .unwrap()
            .owner,
        bob.id
    );
    assert_eq!(
        bench
            .meta
            .shared_folder(cid.actor(), theirs)
            .unwrap()
            .members
            .len(),
        1
    );
    assert_sound(&bench);

    let again = bench
        .meta
        .hand_over(ann.id, bob.id, "Files of Ann")
        .unwrap();
    assert_eq!(
        (again.folder, again.bytes, again.shared_folders),
        (None, 0, 0)
    );
    bench.meta.delete_account(ann.id).unwrap();
    assert_eq!(
        bench.meta.account_by_email("ann@example.com").unwrap(),
        None
    );
    assert_sound(&bench);
    assert_eq!(
        bench.account("ann").name,
        "ann",
        "the address is free again"
    );
}

#[test]
fn an_heir_without_room_is_refused_before_anything_changes() {
    let bench = bench();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    file(&bench, &ann, "/large", 100);
    folder(&bench, &ann, "/shared");
    file(&bench, &ann, "/shared/more", 50);
    let at = Address::parse("/shared").unwrap();
    let shared = bench
        .meta
        .share_folder(ann.actor(), &at, MemberPolicy::Owner)
        .unwrap();
    bench.meta.set_quota(bob.id, 149).unwrap();
    suspend(&bench, &ann);
    let refused = refusal(bench.meta.hand_over(ann.id, bob.id, "x"));
    assert_eq!(refused, Refusal::InsufficientSpace);
    assert_eq!((used(&bench, &ann), used(&bench, &bob)), (150, 0));
    assert_eq!(
        bench.meta.shared_folder(ann.actor(), shared).unwrap().owner,
        ann.id
    );
    bench.meta.set_quota(bob.id, 150).unwrap();
    assert_eq!(
        bench.meta.hand_over(ann.id, bob.id, "x").unwrap().bytes,
        150
    );
    suspend(&bench, &bob);
    let cid = bench.account("cid");
    assert_eq!(
        refusal(bench.meta.hand_over(cid.id, bob.id, "x")),
        Refusal::NotSuspended
    );
    suspend(&bench, &cid);
    assert_eq!(
        refusal(bench.meta.hand_over(cid.id, bob.id, "x")),
        Refusal::NotFound,
        "a suspended heir"
    );
    assert_sound(&bench);
}

#[test]
fn a_deleted_account_leaves_no_row_behind() {
    let bench = bench();
    let rows = |tables: &[u8]| {
        let rows = bench.meta.store().snapshot().unwrap();
        let count = |table: &u8| {
            rows.range(&[*table], &[*table + 1], false, 999)
                .unwrap()
                .len()
        };
        tables.iter().map(count).collect::<Vec<_>>()
    };
    let tables = [
        keyspace::ACCOUNT,
        keyspace::TOKEN,
        keyspace::NAMESPACE,
        keyspace::NODE,
        keyspace::LINK,
        keyspace::SEARCHES,
        keyspace::OPENED,
        keyspace::SECOND_FACTOR,
    ];
    let bob = bench.account("bob");
    let before = rows(&tables);
    let ann = bench.account("ann");
    let keys = crate::key::Keyring::in_memory().unwrap();
    bench
        .meta
        .create_token(
            ann.id,
            TokenKind::Bearer,
            "a script",
            Some(9_000_000_000_000),
        )
        .unwrap();
    bench.meta.begin_second_factor(ann.id, &keys).unwrap();
    bench.meta.save_search(ann.id, "mine", "words").unwrap();
    let opened = crate::meta::Opened {
        file: crate::meta::FileId(1),
        at_ms: 1,
    };
    bench.meta.note_opened(ann.id, &[opened]).unwrap();
    file(&bench, &ann, "/linked", 1);
    let at = Address::parse("/linked").unwrap();
    bench
        .meta
        .create_link(ann.actor(), &at, LinkSettings::default())
        .unwrap();
    assert_eq!(
        refusal(bench.meta.delete_account(ann.id)),
        Refusal::NotSuspended
    );
    suspend(&bench, &ann);
    bench.meta.hand_over(ann.id, bob.id, "hers").unwrap();
    bench.meta.delete_account(ann.id).unwrap();
    let mut expected = before;
    expected[2] += 3; // Bob's new folder: its namespace, and two numbers that were given out,
    expected[3] += 3; // its root, file and mount.
    assert_eq!(rows(&tables), expected);
    assert_eq!(
        refusal(bench.meta.delete_account(ann.id)),
        Refusal::NotFound
    );
}

#[test]
fn somebody_always_administers() {
    let bench = bench();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    let admin = |account: &Account, is_admin| {
        let is_admin = Some(is_admin);
        let change = AccountChange {
            is_admin,
            ..AccountChange::default()
        };
        bench.meta.change_account(account.id, change)
    };
    let disable = |account: &Account| {
        let disabled = Some(true);
        let change = AccountChange {
            disabled,
            ..AccountChange::default()
        };
        bench.meta.change_account(account.id, change)
    };
    admin(&ann, true).unwrap();
    assert_eq!(refusal(admin(&ann, false)), Refusal::LastAdmin);
    assert_eq!(refusal(disable(&ann)), Refusal::LastAdmin);
    admin(&bob, true).unwrap();
    disable(&bob).unwrap();
    assert_eq!(
        refusal(disable(&ann)),
        Refusal::LastAdmin,
        "a suspended one does not count"
    );
    assert_eq!(refusal(admin(&ann, false)), Refusal::LastAdmin);
}
