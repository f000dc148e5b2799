//! Invitations to shared folders for people without an account.

use super::{Bench, bench, file, folder, refusal};
use crate::meta::account::DEFAULT_TEAM;
use crate::meta::invitation::{Invitation, Invited, LIFETIME_MS, MAX_PENDING};
use crate::meta::{
    Account, AccountChange, Address, FileId, InvitationPolicy, MemberPolicy, NamespaceId, Refusal,
    Role, Secret,
};

const PASSWORD: &str = "correct horse battery";

/// A folder that Ann shares, and a file in it.
fn shared(bench: &Bench) -> (Account, NamespaceId, FileId) {
    let ann = bench.account("ann");
    folder(bench, &ann, "/plans");
    let inside = file(bench, &ann, "/plans/file", 1);
    let at = Address::parse("/plans").unwrap();
    let ns = bench
        .meta
        .share_folder(ann.actor(), &at, MemberPolicy::Owner)
        .unwrap();
    bench
        .meta
        .set_invitation_policy(DEFAULT_TEAM, InvitationPolicy::Everybody)
        .unwrap();
    (ann, ns, inside)
}

fn invite(bench: &Bench, by: &Account, ns: NamespaceId, email: &str) -> (Invitation, Secret) {
    match bench
        .meta
        .invite(by.actor(), ns, email, Role::Editor)
        .unwrap()
    {
        Invited::Pending(invitation, code) => (invitation, code),
        other => panic!("{other:?}"),
    }
}

fn reads(bench: &Bench, account: &Account, file: FileId) -> Option<Role> {
    let place = bench.meta.view(account.id).unwrap().place(file).unwrap();
    place.map(|place| place.role)
}

#[test]
fn a_link_makes_the_account_and_the_member_once() {
    let bench = bench();
    let (ann, ns, inside) = shared(&bench);
    let (_, code) = invite(&bench, &ann, ns, "New@example.com");
    let offered = bench.meta.look_at_invitation(code.expose()).unwrap();
    assert_eq!(
        (
            offered.folder.as_str(),
            offered.by.as_str(),
            offered.has_account
        ),
        ("plans", "ann", false)
    );
    let claim = |password: &str| bench.meta.claim_invitation(code.expose(), "", password);
    assert!(matches!(refusal(claim("short")), Refusal::WeakPassword(_)));
    let (new, _) = claim(PASSWORD).unwrap();
    assert_eq!(
        (new.email.as_str(), new.name.as_str()),
        ("New@example.com", "New")
    );
    assert!(
        bench
            .meta
            .verify_password("new@example.com", PASSWORD)
            .unwrap()
            .is_some()
    );
    assert_eq!(reads(&bench, &new, inside), Some(Role::Editor));
    assert_eq!(refusal(claim(PASSWORD)), Refusal::NotFound, "used up");
    assert!(bench.meta.invitations(ann.actor(), ns).unwrap().is_empty());
    assert_eq!(bench.meta.check_people(9).unwrap(), Vec::<String>::new());
}

#[test]
fn somebody_with_an_account_accepts_or_is_added_at_once() {
    let bench = bench();
    let (ann, ns, inside) = shared(&bench);
    let [bob, cid] = ["bob", "cid"].map(|name| bench.account(name));
    let added = bench
        .meta
        .invite(ann.actor(), ns, "BOB@example.com", Role::Viewer)
        .unwrap();
    assert!(matches!(added, Invited::Member(id) if id == bob.id));
    assert_eq!(reads(&bench, &bob, inside), Some(Role::Viewer));
    let (_, code) = invite(&bench, &ann, ns, "private@example.org");
    bench.meta.accept_invitation(code.expose(), cid.id).unwrap();
    assert_eq!(reads(&bench, &cid, inside), Some(Role::Editor));
    let again = bench.meta.accept_invitation(code.expose(), cid.id);
    assert_eq!(refusal(again), Refusal::NotFound);
    let (_, code) = invite(&bench, &ann, ns, "late@example.com");
    let late = bench.account("late");
    let claimed = bench.meta.claim_invitation(code.expose(), "", PASSWORD);
    assert_eq!(refusal(claimed), Refusal::EmailTaken);
    bench
        .meta
        .accept_invitation(code.expose(), late.id)
        .unwrap();
}

#[test]
fn links_end_by_time_withdrawal_a_new_one_and_their_makers_rights() {
    let bench = bench();
    let (ann, ns, _) = shared(&bench);
    let bob = bench.account("bob");
    let look = |code: &Secret| bench.meta.look_at_invitation(code.expose());
    let (_, old) = invite(&bench, &ann, ns, "a@example.com");
    let (first, new) = invite(&bench, &ann, ns, "A@example.com");
    assert_eq!(refusal(look(&old)), Refusal::NotFound, "a new link");
    assert_eq!(
        refusal(bench.meta.withdraw_invitation(bob.actor(), first.id)),
        Refusal::NotFound
    );
    bench
        .meta
        .withdraw_invitation(ann.actor(), first.id)
        .unwrap();
    assert_eq!(refusal(look(&new)), Refusal::NotFound, "withdrawn");
    let (_, late) = invite(&bench, &ann, ns, "b@example.com");
    bench.clock.advance_ms(LIFETIME_MS);
    assert_eq!(refusal(look(&late)), Refusal::NotFound, "over");
    assert!(bench.meta.invitations(ann.actor(), ns).unwrap().is_empty());
    bench
        .meta
        .set_member_policy(ann.actor(), ns, MemberPolicy::Editors)
        .unwrap();
    bench
        .meta
        .add_member(ann.actor(), ns, bob.id, Role::Editor, true)
        .unwrap();
    let (_, bobs) = invite(&bench, &bob, ns, "c@example.com");
    assert!(look(&bobs).is_ok());
    bench
        .meta
        .update_member(ann.actor(), ns, bob.id, Role::Viewer)
        .unwrap();
    assert_eq!(
        refusal(look(&bobs)),
        Refusal::NotFound,
        "its maker may not any more"
    );
    assert!(bench.meta.invitations(ann.actor(), ns).unwrap().is_empty());
    let (_, last) = invite(&bench, &ann, ns, "d@example.com");
    bench.meta.unshare(ann.actor(), ns).unwrap();
    assert_eq!(refusal(look(&last)), Refusal::NotFound, "shared no more");
    assert_eq!(bench.meta.check_people(9).unwrap(), Vec::<String>::new());
}

#[test]
fn the_team_says_who_may_invite() {
    let bench = bench();
    let (ann, ns, _) = shared(&bench);
    let cid = bench.account("cid");
    let policy = |policy| {
        bench
            .meta
            .set_invitation_policy(DEFAULT_TEAM, policy)
            .unwrap()
    };
    policy(InvitationPolicy::Approval);
    let (waiting, code) = invite(&bench, &ann, ns, "a@example.com");
    assert!(!waiting.is_approved);
    let accept = || bench.meta.accept_invitation(code.expose(), cid.id);
    assert_eq!(refusal(accept()), Refusal::AwaitingApproval);
    let claimed = bench.meta.claim_invitation(code.expose(), "", PASSWORD);
    assert_eq!(refusal(claimed), Refusal::AwaitingApproval);
    assert_eq!(
        bench.meta.account_by_email("a@example.com").unwrap(),
        None,
        "nothing by halves"
    );
    assert_eq!(
        bench.meta.invitations_of_team(DEFAULT_TEAM).unwrap().len(),
        1
    );
    bench
        .meta
        .approve_invitation(DEFAULT_TEAM, waiting.id)
        .unwrap();
    accept().unwrap();
    policy(InvitationPolicy::Admins);
    let refused = bench
        .meta
        .invite(ann.actor(), ns, "b@example.com", Role::Viewer);
    assert_eq!(refusal(refused), Refusal::AdminsOnly);
    let is_admin = Some(true);
    let change = AccountChange {
        is_admin,
        ..AccountChange::default()
    };
    bench.meta.change_account(ann.id, change).unwrap();
    let (made, _) = invite(&bench, &ann, ns, "b@example.com");
    assert!(made.is_approved);
    bench.meta.refuse_invitation(DEFAULT_TEAM, made.id).unwrap();
    assert!(
        bench
            .meta
            .invitations_of_team(DEFAULT_TEAM)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_folder_has_a_bounded_number_of_them() {
    let bench = bench();
    let (ann, ns, _) = shared(&bench);
    for n in 0..MAX_PENDING {
        invite(&bench, &ann, ns, &format!("p{n}@example.com"));
    }
    let more = || {
        bench
            .meta
            .invite(ann.actor(), ns, "more@example.com", Role::Viewer)
    };
    assert_eq!(refusal(more()), Refusal::TooManyInvitations);
    invite(&bench, &ann, ns, "p7@example.com");
    bench.clock.advance_ms(LIFETIME_MS);
    more().unwrap();
    assert_eq!(bench.meta.invitations(ann.actor(), ns).unwrap().len(), 1);
    assert_eq!(bench.meta.check_people(9).unwrap(), Vec::<String>::new());
}
