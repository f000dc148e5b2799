//! `check_people` is silent about what is well, and says what is not.

use super::{Bench, NOW_MS, bench, file, folder};
use crate::keyspace::{ACCOUNT, JOB, LINK, MEMBER, TOKEN, UPLOAD};
use crate::meta::{
    Address, Append, AuditAction, AuditEvent, JobKind, LinkSettings, MemberPolicy, Role, TokenKind,
    quota,
};

/// A bench with a row in every table.
fn furnished() -> Bench {
    let bench = bench();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    let at = Address::parse("/Docs").unwrap();
    folder(&bench, &ann, "/Docs");
    file(&bench, &ann, "/Docs/a.txt", 1);
    let ns = bench
        .meta
        .share_folder(ann.actor(), &at, MemberPolicy::Owner)
        .unwrap();
    bench
        .meta
        .add_member(ann.actor(), ns, bob.id, Role::Viewer, true)
        .unwrap();
    bench
        .meta
        .create_link(ann.actor(), &at, LinkSettings::default())
        .unwrap();
    let secret = bench
        .meta
        .create_token(ann.id, TokenKind::Bearer, "x", Some(NOW_MS + 1))
        .unwrap();
    bench.meta.authenticate(secret.expose()).unwrap();
    bench.meta.save_token_uses().unwrap();
    bench.meta.start_upload(ann.id, &Append::default()).unwrap();
    bench.meta.create_job(ann.id, JobKind::Delete).unwrap();
    let (actor, action) = (Some(ann.id), AuditAction::Admin);
    let event = AuditEvent {
        at_ms: NOW_MS,
        actor,
        action,
        subject: String::new(),
        address: None,
    };
    bench.meta.audit_all(&[event.clone(), event]).unwrap();
    bench
}

fn problems(bench: &Bench) -> Vec<String> {
    bench.meta.check_people(100).unwrap()
}

#[test]
fn all_is_well_at_first() {
    assert_eq!(problems(&furnished()), Vec::<String>::new());
}

#[test]
fn every_lost_row_is_noticed() {
    let tables = [
        (ACCOUNT, vec![0, 1]),
        (TOKEN, vec![0, 1, 3]),
        (MEMBER, vec![0]),
        (LINK, vec![0, 1]),
        (UPLOAD, vec![0, 2]),
        (JOB, vec![1]),
    ];
    for (table, parts) in tables {
        for part in parts {
            let bench = furnished();
            bench
                .meta
                .transact(|txn| {
                    let rows = txn.range(&[table, part], &[table, part + 1], false, 1)?;
                    rows.into_iter().for_each(|(key, _)| txn.delete(key));
                    Ok(())
                })
                .unwrap();
            assert_ne!(
                problems(&bench),
                Vec::<String>::new(),
                "table {table:#x} part {part}"
            );
        }
    }
}

#[test]
fn a_wrong_limit_and_a_damaged_row_are_noticed() {
    let bench = furnished();
    let ann = bench
        .meta
        .account_by_email("ann@example.com")
        .unwrap()
        .unwrap();
    let damage = |value: Option<u64>| {
        bench.meta.transact(|txn| {
            quota::set_limit(txn, ann.id, value);
            let rows = txn.range(&[TOKEN, 0], &[TOKEN, 1], false, 1)?;
            rows.into_iter()
                .for_each(|(key, _)| txn.put(key, vec![1, 0xff].into()));
            Ok(())
        })
    };
    damage(Some(5)).unwrap();
    // The limit, the token, and the three rows that lead to it.
    assert_eq!(problems(&bench).len(), 5);
    assert_eq!(bench.meta.check_people(1).unwrap().len(), 1);
}
