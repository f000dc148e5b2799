//! Groups: joining, leaving, limits, and what they do to shared folders.

use super::{Bench, bench, everything, file, folder, refusal};
use crate::meta::account::DEFAULT_TEAM;
use crate::meta::group::MAX_GROUP_MEMBERS;
use crate::meta::member::MAX_MEMBERS;
use crate::meta::{
    Account, AccountChange, Address, FileId, MemberPolicy, NamespaceId, Refusal, Role,
};

fn shared(bench: &Bench, owner: &Account) -> (NamespaceId, FileId) {
    folder(bench, owner, "/plans");
    let inside = file(bench, owner, "/plans/file", 1);
    let at = Address::parse("/plans").unwrap();
    let ns = bench
        .meta
        .share_folder(owner.actor(), &at, MemberPolicy::Owner)
        .unwrap();
    (ns, inside)
}

fn role(bench: &Bench, account: &Account, file: FileId) -> Option<Role> {
    let place = bench.meta.view(account.id).unwrap().place(file).unwrap();
    place.map(|place| place.role)
}

#[test]
fn a_group_gives_and_takes_access_at_once_and_the_highest_role_counts() {
    let bench = bench();
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|name| bench.account(name));
    let (ns, inside) = shared(&bench, &ann);
    let meta = &bench.meta;
    let (readers, writers) = (
        meta.create_group(DEFAULT_TEAM, "Readers").unwrap().id,
        meta.create_group(DEFAULT_TEAM, "Writers").unwrap().id,
    );
    meta.join_group(readers, bob.id, false).unwrap();
    meta.add_group(ann.actor(), ns, readers, Role::Viewer)
        .unwrap();
    assert_eq!(role(&bench, &bob, inside), Some(Role::Viewer));
    assert!(
        everything(&bench, &bob)
            .iter()
            .any(|place| place.path_display == "/plans/file")
    );
    meta.add_group(ann.actor(), ns, writers, Role::Editor)
        .unwrap();
    meta.join_group(writers, bob.id, false).unwrap();
    assert_eq!(role(&bench, &bob, inside), Some(Role::Editor));
    let seen = meta.shared_folder(bob.actor(), ns).unwrap();
    assert_eq!(seen.groups.len(), 2);
    let own = |account: &Account| {
        let seen = meta.shared_folder(ann.actor(), ns).unwrap();
        seen.members
            .iter()
            .find(|member| member.account == account.id)
            .map(|member| member.own_role)
    };
    assert_eq!(own(&bob), Some(None));
    assert_eq!(refusal(meta.leave(bob.actor(), ns)), Refusal::MemberByGroup);
    assert_eq!(
        refusal(meta.remove_member(ann.actor(), ns, bob.id)),
        Refusal::MemberByGroup
    );
    meta.add_member(ann.actor(), ns, bob.id, Role::Viewer, true)
        .unwrap();
    meta.leave_group(writers, bob.id).unwrap();
    assert_eq!(
        (role(&bench, &bob, inside), own(&bob)),
        (Some(Role::Viewer), Some(Some(Role::Viewer)))
    );
    meta.remove_group(ann.actor(), ns, readers).unwrap();
    assert_eq!(role(&bench, &bob, inside), Some(Role::Viewer), "by itself");
    meta.remove_member(ann.actor(), ns, bob.id).unwrap();
    assert_eq!(role(&bench, &bob, inside), None); // I6
    meta.join_group(writers, cid.id, false).unwrap();
    assert_eq!(role(&bench, &cid, inside), Some(Role::Editor));
    meta.delete_group(writers).unwrap();
    assert_eq!(role(&bench, &cid, inside), None); // I6
    assert_eq!(meta.group(writers).unwrap(), None);
    assert_eq!(meta.check_people(9).unwrap(), Vec::<String>::new());
}

#[test]
fn names_are_unique_and_strangers_are_refused() {
    let bench = bench();
    let [ann, bob] = ["ann", "bob"].map(|name| bench.account(name));
    let (ns, _) = shared(&bench, &ann);
    let meta = &bench.meta;
    let group = meta.create_group(DEFAULT_TEAM, " Sales ").unwrap();
    assert_eq!(group.name, "Sales");
    assert_eq!(
        refusal(meta.create_group(DEFAULT_TEAM, "SALES")),
        Refusal::NameTaken
    );
    assert!(matches!(
        refusal(meta.create_group(DEFAULT_TEAM, " ")),
        Refusal::MalformedPath(_)
    ));
    assert_eq!(meta.rename_group(group.id, "sales").unwrap().name, "sales");
    assert_eq!(
        refusal(meta.add_group(bob.actor(), ns, group.id, Role::Viewer)),
        Refusal::NotFound
    );
    assert_eq!(
        refusal(meta.add_group(ann.actor(), ns, group.id, Role::Owner)),
        Refusal::NoPermission
    );
    assert_eq!(
        refusal(meta.remove_group(ann.actor(), ns, group.id)),
        Refusal::NotMember
    );
    assert_eq!(
        refusal(meta.leave_group(group.id, bob.id)),
        Refusal::NotMember
    );
    let change = AccountChange {
        team: Some(None),
        ..AccountChange::default()
    };
    meta.change_account(bob.id, change).unwrap();
    assert_eq!(
        refusal(meta.join_group(group.id, bob.id, false)),
        Refusal::NotFound,
        "of no team"
    );
}

#[test]
fn limits_hold_and_nothing_is_done_by_halves() {
    let bench = bench();
    let ann = bench.account("ann");
    let (ns, _) = shared(&bench, &ann);
    let meta = &bench.meta;
    let group = meta.create_group(DEFAULT_TEAM, "everybody").unwrap().id;
    let people: Vec<_> = (0..MAX_GROUP_MEMBERS)
        .map(|n| bench.account(&format!("p{n}")))
        .collect();
    for person in &people {
        meta.join_group(group, person.id, false).unwrap();
    }
    assert_eq!(
        refusal(meta.join_group(group, ann.id, false)),
        Refusal::TooManyMembers
    );
    let added = meta.add_group(ann.actor(), ns, group, Role::Viewer);
    assert_eq!(refusal(added), Refusal::TooManyMembers, "and the owner");
    assert_eq!(
        meta.shared_folder(ann.actor(), ns).unwrap().members.len(),
        1
    );
    meta.leave_group(group, people[0].id).unwrap();
    meta.add_group(ann.actor(), ns, group, Role::Viewer)
        .unwrap();
    assert_eq!(
        meta.shared_folder(ann.actor(), ns).unwrap().members.len(),
        MAX_MEMBERS
    );
    let rejoined = meta.join_group(group, people[0].id, false);
    assert_eq!(refusal(rejoined), Refusal::TooManyMembers);
    assert_eq!(meta.group_member(group, people[0].id).unwrap(), None);
    assert_eq!(meta.check_people(9).unwrap(), Vec::<String>::new());
}

#[test]
fn an_end_of_sharing_and_a_leaver_take_groups_along() {
    let bench = bench();
    let [ann, bob, cid] = ["ann", "bob", "cid"].map(|name| bench.account(name));
    let (ns, inside) = shared(&bench, &ann);
    let meta = &bench.meta;
    let group = meta.create_group(DEFAULT_TEAM, "team").unwrap().id;
    for account in [&ann, &bob, &cid] {
        meta.join_group(group, account.id, false).unwrap();
    }
    meta.add_group(ann.actor(), ns, group, Role::Editor)
        .unwrap();
    assert_eq!(role(&bench, &ann, inside), Some(Role::Owner));
    meta.transfer(ann.actor(), ns, bob.id).unwrap();
    assert_eq!(
        (role(&bench, &ann, inside), role(&bench, &bob, inside)),
        (Some(Role::Editor), Some(Role::Owner))
    );
    let change = AccountChange {
        disabled: Some(true),
        ..AccountChange::default()
    };
    meta.change_account(bob.id, change).unwrap();
    assert_eq!(
        meta.hand_over(bob.id, cid.id, "x").unwrap().shared_folders,
        1
    );
    assert_eq!(role(&bench, &cid, inside), Some(Role::Owner));
    meta.delete_account(bob.id).unwrap();
    assert_eq!(meta.group_members(group).unwrap().len(), 2);
    meta.unshare(cid.actor(), ns).unwrap();
    assert_eq!(role(&bench, &ann, inside), None); // I6
    assert!(meta.folders_of_group(group).unwrap().is_empty());
    assert_eq!(meta.check_people(9).unwrap(), Vec::<String>::new());
}
