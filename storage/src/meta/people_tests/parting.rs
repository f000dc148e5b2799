//! Leaving shared folders with a copy.

use super::{Bench, bench, everything, file, folder, mounts, refusal};
use crate::journal::{Change, Journal};
use crate::meta::account::DEFAULT_TEAM;
use crate::meta::{Account, Address, MemberPolicy, NamespaceId, Refusal, Role};

/// `/Docs` of `owner` with 12 bytes in two files, shared.
fn shared(bench: &Bench, owner: &Account) -> NamespaceId {
    file(bench, owner, "/Docs/a.txt", 7);
    file(bench, owner, "/Docs/deep/b.txt", 5);
    let at = Address::parse("/Docs").unwrap();
    let shared = bench
        .meta
        .share_folder(owner.actor(), &at, MemberPolicy::Owner);
    shared.unwrap()
}

fn join(bench: &Bench, owner: &Account, ns: NamespaceId, who: &Account, mounted: bool) {
    let added = bench
        .meta
        .add_member(owner.actor(), ns, who.id, Role::Viewer, mounted);
    added.unwrap();
}

fn paths(bench: &Bench, account: &Account) -> Vec<String> {
    let places = everything(bench, account).into_iter();
    places.map(|place| place.path_display).collect()
}

fn used(bench: &Bench, account: &Account) -> u64 {
    bench.meta.space_used(account.id).unwrap().used
}

fn limit(bench: &Bench, account: &Account, bytes: u64) {
    bench.meta.set_quota(account.id, bytes).unwrap();
}

#[test]
fn a_member_keeps_what_the_folder_has_where_it_was_mounted() {
    let bench = bench();
    let [ann, bob] = ["ann", "bob"].map(|name| bench.account(name));
    let ns = shared(&bench, &ann);
    join(&bench, &ann, ns, &bob, true);
    folder(&bench, &bob, "/Work");
    let to = |path| Address::parse(path).unwrap();
    bench
        .meta
        .relocate(bob.actor(), &to("/Docs"), &to("/Work/Papers"), false)
        .unwrap();
    file(&bench, &ann, "/Docs/gone.txt", 3);
    bench
        .meta
        .delete(ann.actor(), &to("/Docs/gone.txt"), None)
        .unwrap();
    bench
        .meta
        .remove_member_with_copy(bob.actor(), ns, bob.id)
        .unwrap();
    let kept = [
        "/Work",
        "/Work/Papers",
        "/Work/Papers/a.txt",
        "/Work/Papers/deep",
        "/Work/Papers/deep/b.txt",
    ];
    assert_eq!(paths(&bench, &bob), kept);
    assert_eq!((used(&bench, &ann), used(&bench, &bob)), (12, 12));
    assert_eq!(
        refusal(bench.meta.shared_folder(bob.actor(), ns)),
        Refusal::NotFound
    );
    // It is the member's own: neither sees what the other does to it from then on.
    file(&bench, &ann, "/Docs/later.txt", 1);
    file(&bench, &bob, "/Work/Papers/own.txt", 1);
    assert!(!paths(&bench, &bob).contains(&"/Work/Papers/later.txt".to_owned()));
    assert!(!paths(&bench, &ann).contains(&"/Docs/own.txt".to_owned()));
    let places = everything(&bench, &bob).into_iter();
    let copied = places.filter(|place| place.path_display == "/Work/Papers");
    let copied: Vec<_> = copied.map(|place| (place.ns, place.node.id)).collect();
    let journal = Journal::new(bench.meta.store().clone());
    let told = journal.changes(bob.root, 0, 100).unwrap();
    let appeared = told
        .iter()
        .any(|(_, change)| *change == Change::Appeared { file: copied[0].1 });
    assert!(appeared && copied[0].0 == bob.root);
}

#[test]
fn who_has_no_room_stays_and_who_has_no_mount_keeps_nothing() {
    let bench = bench();
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|name| bench.account(name));
    let ns = shared(&bench, &ann);
    join(&bench, &ann, ns, &bob, true);
    join(&bench, &ann, ns, &cid, false);
    limit(&bench, &bob, 11);
    let leave = |who: &Account| bench.meta.remove_member_with_copy(ann.actor(), ns, who.id);
    assert_eq!(refusal(leave(&bob)), Refusal::InsufficientSpace);
    assert_eq!(mounts(&bench, &bob).len(), 1);
    leave(&cid).unwrap();
    assert_eq!(paths(&bench, &cid), Vec::<String>::new());
    assert_eq!(refusal(leave(&cid)), Refusal::NotMember);
    assert_eq!(refusal(leave(&ann)), Refusal::NoPermission);
    // Nobody removes others who may not.
    join(&bench, &ann, ns, &cid, true);
    let by_cid = bench.meta.remove_member_with_copy(cid.actor(), ns, bob.id);
    assert_eq!(refusal(by_cid), Refusal::NoPermission);
    limit(&bench, &bob, 12);
    leave(&bob).unwrap();
    assert_eq!(used(&bench, &bob), 12);
}

#[test]
fn an_end_of_sharing_leaves_every_member_its_copy_or_changes_nothing() {
    let bench = bench();
    let [ann, bob, cid, dan] = ["ann", "bob", "cid", "dan"].map(|name| bench.account(name));
    let ns = shared(&bench, &ann);
    join(&bench, &ann, ns, &bob, true);
    join(&bench, &ann, ns, &dan, false);
    let group = bench.meta.create_group(DEFAULT_TEAM, "All").unwrap().id;
    bench.meta.join_group(group, cid.id, false).unwrap();
    bench
        .meta
        .add_group(ann.actor(), ns, group, Role::Viewer)
        .unwrap();
    let by_group = bench.meta.remove_member_with_copy(cid.actor(), ns, cid.id);
    assert_eq!(refusal(by_group), Refusal::MemberByGroup);
    limit(&bench, &cid, 1);
    let unshare = |who: &Account| bench.meta.unshare_with_copies(who.actor(), ns);
    assert_eq!(refusal(unshare(&bob)), Refusal::NoPermission);
    assert_eq!(refusal(unshare(&ann)), Refusal::InsufficientSpace);
    assert_eq!(mounts(&bench, &bob).len(), 1);
    limit(&bench, &cid, 100);
    unshare(&ann).unwrap();
    for member in [&bob, &cid] {
        assert_eq!(mounts(&bench, member), []);
        assert!(paths(&bench, member).contains(&"/Docs/deep/b.txt".to_owned()));
        assert_eq!(used(&bench, member), 12);
    }
    assert_eq!(paths(&bench, &dan), Vec::<String>::new());
    file(&bench, &ann, "/Docs/later.txt", 1);
    assert!(!paths(&bench, &bob).contains(&"/Docs/later.txt".to_owned()));
    assert_eq!(bench.meta.check_people(9).unwrap(), Vec::<String>::new());
}
