//! Shared folders, step by step.

use super::{Bench, bench, file, folder, mounts, refusal};
use crate::journal::{Change, Journal};
use crate::meta::{
    Account, AccountChange, Address, FileId, MemberPolicy, NamespaceId, NodeKind, Place, Refusal,
    Role,
};

/// Two accounts; the first has `/Docs/a.txt` and shares `/Docs`.
struct Shared {
    bench: Bench,
    ann: Account,
    bob: Account,
    docs: FileId,
    text: FileId,
    ns: NamespaceId,
}

fn shared() -> Shared {
    let bench = bench();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    let docs = folder(&bench, &ann, "/Docs");
    let text = file(&bench, &ann, "/Docs/a.txt", 7);
    let ns = share(&bench, &ann, "/Docs").unwrap();
    Shared {
        bench,
        ann,
        bob,
        docs,
        text,
        ns,
    }
}

fn share(bench: &Bench, account: &Account, path: &str) -> crate::Result<NamespaceId> {
    let at = Address::parse(path).unwrap();
    bench
        .meta
        .share_folder(account.actor(), &at, MemberPolicy::Owner)
}

fn place(bench: &Bench, account: &Account, file: FileId) -> Option<Place> {
    bench.meta.view(account.id).unwrap().place(file).unwrap()
}

fn path(bench: &Bench, account: &Account, file: FileId) -> Option<String> {
    place(bench, account, file).map(|place| place.path_display)
}

#[test]
fn sharing_changes_a_handful_of_rows_and_no_path() {
    let Shared {
        bench,
        ann,
        bob,
        docs,
        text,
        ns,
    } = shared();
    let seen = place(&bench, &ann, text).unwrap();
    assert_eq!(
        (seen.path_display.as_str(), seen.ns, seen.role),
        ("/Docs/a.txt", ns, Role::Owner)
    );
    assert_eq!(path(&bench, &bob, text), None);
    let mount = place(&bench, &ann, docs).unwrap();
    assert_eq!(
        (mount.path_display.as_str(), mount.shared_folder),
        ("/Docs", Some(ns))
    );
    assert_eq!(mount.node.kind, NodeKind::Mount { ns });
    let journal = Journal::new(bench.meta.store().clone());
    let home = journal.changes(ann.root, 0, 100).unwrap();
    let parent = mount.node.parent.unwrap();
    let gone = Change::Gone {
        file: docs,
        parent,
        name: "Docs".into(),
    };
    let appeared = Change::Appeared {
        file: mount.node.id,
    };
    let last_two: Vec<_> = home
        .into_iter()
        .rev()
        .take(2)
        .map(|(_, change)| change)
        .collect();
    assert_eq!(last_two, [appeared, gone]); // I2
    let inside = journal.changes(ns, 0, 100).unwrap();
    assert_eq!(inside, [(1, Change::Appeared { file: docs })]); // I2
}

#[test]
fn a_member_sees_the_folder_until_removed() {
    let Shared {
        bench,
        ann,
        bob,
        text,
        ns,
        ..
    } = shared();
    folder(&bench, &bob, "/docs");
    let before = bench.meta.mount_generation(bob.id).unwrap();
    bench
        .meta
        .add_member(ann.actor(), ns, bob.id, Role::Viewer, true)
        .unwrap();
    bench
        .meta
        .add_member(ann.actor(), ns, bob.id, Role::Editor, true)
        .unwrap();
    let seen = place(&bench, &bob, text).unwrap();
    assert_eq!(
        (seen.path_display.as_str(), seen.role),
        ("/Docs (1)/a.txt", Role::Viewer)
    );
    let during = bench.meta.mount_generation(bob.id).unwrap();
    assert!(during > before);
    let mount = mounts(&bench, &bob)[0].node.clone();
    bench.meta.remove_member(ann.actor(), ns, bob.id).unwrap();
    assert_eq!(path(&bench, &bob, text), None); // I6
    assert_eq!(mounts(&bench, &bob), []);
    assert_eq!(bench.meta.view(bob.id).unwrap().access().unwrap().len(), 1);
    assert!(bench.meta.mount_generation(bob.id).unwrap() > during);
    let journal = Journal::new(bench.meta.store().clone());
    let last = journal.changes(bob.root, 0, 100).unwrap().pop().unwrap().1;
    let gone = Change::Gone {
        file: mount.id,
        parent: mount.parent.unwrap(),
        name: mount.name,
    };
    assert_eq!(last, gone); // I2
}

#[test]
fn shared_folders_do_not_nest() {
    let bench = bench();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    folder(&bench, &ann, "/out/in/deep");
    file(&bench, &ann, "/out/f", 1);
    let ns = share(&bench, &ann, "/out/in").unwrap();
    assert_eq!(
        refusal(share(&bench, &ann, "/out")),
        Refusal::ContainsSharedFolder
    );
    assert_eq!(
        refusal(share(&bench, &ann, "/out/in/deep")),
        Refusal::InsideSharedFolder
    );
    assert_eq!(
        refusal(share(&bench, &ann, "/out/in")),
        Refusal::AlreadyShared(ns)
    );
    assert_eq!(refusal(share(&bench, &ann, "")), Refusal::CantShareRoot);
    assert_eq!(refusal(share(&bench, &ann, "/out/f")), Refusal::NotFolder);
    assert_eq!(refusal(share(&bench, &bob, "/out")), Refusal::NotFound);
}

#[test]
fn a_member_without_a_mount_mounts_it_later() {
    let Shared {
        bench,
        ann,
        bob,
        text,
        ns,
        ..
    } = shared();
    bench
        .meta
        .add_member(ann.actor(), ns, bob.id, Role::Editor, false)
        .unwrap();
    assert_eq!(path(&bench, &bob, text), Some(format!("ns:{ns}/a.txt")));
    assert_eq!(bench.meta.list_shared(bob.actor()).unwrap()[0].mount, None);
    let mount = bench.meta.mount(bob.actor(), ns).unwrap();
    assert_eq!(
        refusal(bench.meta.mount(bob.actor(), ns)),
        Refusal::AlreadyMounted
    );
    assert_eq!(path(&bench, &bob, text).as_deref(), Some("/Docs/a.txt"));
    assert_eq!(
        bench.meta.shared_folder(bob.actor(), ns).unwrap().mount,
        Some(mount)
    );
    bench.meta.unmount(bob.actor(), ns).unwrap();
    bench.meta.unmount(bob.actor(), ns).unwrap();
    assert_eq!(mounts(&bench, &bob), []);
    bench.meta.mount(bob.actor(), ns).unwrap();
    bench
        .meta
        .delete(bob.actor(), &Address::parse("/Docs").unwrap(), None)
        .unwrap();
    assert_eq!(path(&bench, &bob, text), Some(format!("ns:{ns}/a.txt")));
    assert_eq!(path(&bench, &ann, text).as_deref(), Some("/Docs/a.txt"));
    bench.meta.leave(bob.actor(), ns).unwrap();
    assert_eq!(path(&bench, &bob, text), None);
}

#[test]
fn only_the_owner_manages_unless_editors_may() {
    let Shared {
        bench,
        ann,
        bob,
        ns,
        ..
    } = shared();
    let (eve, meta) = (bench.account("eve"), &bench.meta);
    meta.add_member(ann.actor(), ns, bob.id, Role::Editor, true)
        .unwrap();
    let add = |who: &Account| meta.add_member(who.actor(), ns, eve.id, Role::Viewer, true);
    assert_eq!(refusal(add(&eve)), Refusal::NotFound);
    assert_eq!(refusal(add(&bob)), Refusal::NoPermission);
    let editors = MemberPolicy::Editors;
    assert_eq!(
        refusal(meta.set_member_policy(bob.actor(), ns, editors)),
        Refusal::NoPermission
    );
    meta.set_member_policy(ann.actor(), ns, editors).unwrap();
    add(&bob).unwrap();
    assert_eq!(
        refusal(meta.remove_member(bob.actor(), ns, ann.id)),
        Refusal::NoPermission
    );
    assert_eq!(refusal(meta.leave(ann.actor(), ns)), Refusal::NoPermission);
    assert_eq!(
        refusal(meta.unshare(bob.actor(), ns)),
        Refusal::NoPermission
    );
    assert_eq!(
        refusal(meta.transfer(bob.actor(), ns, bob.id)),
        Refusal::NoPermission
    );
    meta.update_member(bob.actor(), ns, eve.id, Role::Editor)
        .unwrap();
    let owner = meta.update_member(ann.actor(), ns, eve.id, Role::Owner);
    assert_eq!(refusal(owner), Refusal::NoPermission);
    let members = meta.shared_folder(eve.actor(), ns).unwrap().members;
    let mut roles: Vec<_> = members.iter().map(|member| member.role).collect();
    roles.sort();
    assert_eq!(roles, [Role::Editor, Role::Editor, Role::Owner]);
}

#[test]
fn disabled_and_unknown_accounts_are_not_added() {
    let Shared {
        bench,
        ann,
        bob,
        ns,
        ..
    } = shared();
    let disabled = AccountChange {
        disabled: Some(true),
        ..AccountChange::default()
    };
    bench.meta.change_account(bob.id, disabled).unwrap();
    let add = bench
        .meta
        .add_member(ann.actor(), ns, bob.id, Role::Viewer, true);
    assert_eq!(refusal(add), Refusal::NotFound);
}

#[test]
fn a_transfer_takes_the_bytes_along() {
    let Shared {
        bench,
        ann,
        bob,
        text,
        ns,
        ..
    } = shared();
    file(&bench, &ann, "/own.txt", 100);
    bench
        .meta
        .add_member(ann.actor(), ns, bob.id, Role::Editor, true)
        .unwrap();
    let used = |account: &Account| bench.meta.space_used(account.id).unwrap().used;
    assert_eq!((used(&ann), used(&bob)), (107, 0));
    bench.meta.set_quota(bob.id, 6).unwrap();
    let transfer = || bench.meta.transfer(ann.actor(), ns, bob.id);
    assert_eq!(refusal(transfer()), Refusal::InsufficientSpace);
    bench.meta.set_quota(bob.id, 7).unwrap();
    transfer().unwrap();
    assert_eq!((used(&ann), used(&bob)), (100, 7));
    assert_eq!(refusal(transfer()), Refusal::NoPermission);
    bench.meta.leave(ann.actor(), ns).unwrap();
    assert_eq!(path(&bench, &ann, text), None);
    assert_eq!(path(&bench, &bob, text).as_deref(), Some("/Docs/a.txt"));
}

#[test]
fn unsharing_leaves_the_folder_to_its_owner() {
    let Shared {
        bench,
        ann,
        bob,
        docs,
        text,
        ns,
    } = shared();
    bench
        .meta
        .add_member(ann.actor(), ns, bob.id, Role::Editor, true)
        .unwrap();
    bench.meta.unmount(ann.actor(), ns).unwrap();
    bench.meta.unshare(ann.actor(), ns).unwrap();
    assert_eq!(path(&bench, &ann, text).as_deref(), Some("/Docs/a.txt"));
    assert_eq!(path(&bench, &bob, text), None);
    assert_eq!(bench.meta.list_shared(ann.actor()).unwrap(), []);
    let add = || {
        bench
            .meta
            .add_member(ann.actor(), ns, bob.id, Role::Editor, true)
    };
    assert_eq!(refusal(add()), Refusal::NotFound);
    assert_eq!(share(&bench, &ann, "/Docs").unwrap(), ns);
    add().unwrap();
    assert_eq!(place(&bench, &bob, docs).unwrap().shared_folder, Some(ns));
}
