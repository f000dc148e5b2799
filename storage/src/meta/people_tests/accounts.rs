//! Accounts and passwords.

use super::{bench, refusal};
use crate::meta::account::{DEFAULT_QUOTA_BYTES, DEFAULT_TEAM};
use crate::meta::{AccountChange, Refusal, keys};

#[test]
fn an_account_has_a_root_a_membership_and_a_quota() {
    let bench = bench();
    let first = bench
        .meta
        .create_account("Ann@Example.com", "", true)
        .unwrap();
    let second = bench.account("bob");
    assert_eq!(
        (first.email.as_str(), first.name.as_str()),
        ("Ann@Example.com", "Ann")
    );
    assert!(first.root != second.root && first.id != second.id && first.is_admin);
    assert_eq!(first.team, Some(DEFAULT_TEAM));
    assert_eq!(bench.meta.account(first.id).unwrap(), Some(first.clone()));
    assert_eq!(
        bench.meta.account_by_email("ANN@example.COM").unwrap(),
        Some(first.clone())
    );
    assert_eq!(bench.meta.account_by_email("no address").unwrap(), None);
    let usage = bench.meta.space_used(first.id).unwrap();
    assert_eq!(
        (usage.used, usage.allocated),
        (0, Some(DEFAULT_QUOTA_BYTES))
    );
    let rows = bench.meta.store().snapshot().unwrap();
    let home = keys::get_namespace(&*rows, first.root).unwrap().unwrap();
    assert!(home.home && home.owner == first.id);
    let access = keys::memberships(&*rows, first.id).unwrap();
    assert_eq!(
        access
            .iter()
            .map(|(ns, m)| (*ns, m.home))
            .collect::<Vec<_>>(),
        [(first.root, true)]
    );
}

#[test]
fn an_email_is_taken_however_it_is_written() {
    let bench = bench();
    bench.account("ann");
    assert_eq!(
        refusal(bench.meta.create_account("ANN@example.com", "", false)),
        Refusal::EmailTaken
    );
    assert_eq!(
        refusal(bench.meta.create_account("ann", "", false)),
        Refusal::InvalidEmail
    );
    let next = bench.account("eve");
    assert_eq!(
        next.root.0, 3,
        "a number that a refused account drew is not used again"
    );
}

#[test]
fn passwords_open_and_disabled_accounts_do_not() {
    let bench = bench();
    let ann = bench.account("ann");
    let verify = |email: &str, password: &str| {
        bench
            .meta
            .verify_password(email, password)
            .unwrap()
            .map(|account| account.id)
    };
    assert_eq!(verify("ann@example.com", "right horse gravel"), None);
    bench
        .meta
        .set_password(ann.id, "right horse gravel")
        .unwrap();
    assert_eq!(
        verify("Ann@example.com", "right horse gravel"),
        Some(ann.id)
    );
    assert_eq!(verify("ann@example.com", "wrong horse"), None);
    assert_eq!(verify("nobody@example.com", "right horse gravel"), None);
    assert!(matches!(
        refusal(bench.meta.set_password(ann.id, "short")),
        Refusal::WeakPassword(_)
    ));
    assert_eq!(
        verify("ann@example.com", "right horse gravel"),
        Some(ann.id)
    );
    let disabled = AccountChange {
        disabled: Some(true),
        ..AccountChange::default()
    };
    bench.meta.change_account(ann.id, disabled).unwrap();
    assert_eq!(verify("ann@example.com", "right horse gravel"), None);
}

#[test]
fn changes_keep_what_they_do_not_name() {
    let bench = bench();
    let ann = bench.account("ann");
    let change = AccountChange {
        quota_bytes: Some(10),
        name: Some(" Ann B. ".into()),
        ..AccountChange::default()
    };
    let changed = bench.meta.change_account(ann.id, change).unwrap();
    assert_eq!(
        (changed.name.as_str(), changed.quota_bytes, changed.is_admin),
        ("Ann B.", 10, false)
    );
    assert_eq!(bench.meta.space_used(ann.id).unwrap().allocated, Some(10));
    bench.meta.set_quota(ann.id, 20).unwrap();
    assert_eq!(bench.meta.account(ann.id).unwrap().unwrap().name, "Ann B.");
}

#[test]
fn accounts_are_listed_in_pages() {
    let bench = bench();
    let mut made: Vec<_> = ["a", "b", "c", "d", "e"]
        .map(|name| bench.account(name).id)
        .to_vec();
    made.sort();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = bench.meta.accounts(after, 2).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        listed.extend(page.iter().map(|account| account.id));
    }
    assert_eq!(listed, made);
}
