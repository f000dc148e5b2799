//! The audit log's chain, and what is done to it.

use std::sync::Arc;

use super::*;
use crate::keyspace;
use crate::kv::{Store, prefix_end};
use crate::meta::{AuditAction, AuditEvent, AuditFilter, AuditHead};

fn event(n: i64) -> AuditEvent {
    AuditEvent {
        at_ms: NOW_MS + n * 1000,
        actor: None,
        action: if n % 2 == 0 {
            AuditAction::Download
        } else {
            AuditAction::SignInFailed
        },
        subject: format!("/Folder/{n}"),
        address: Some(format!("192.0.2.{}", n % 3)),
    }
}

fn logged(events: i64) -> Bench {
    let bench = bench();
    for n in 1..=events {
        bench.meta.audit(event(n)).unwrap();
    }
    bench
}

fn problems(bench: &Bench, anchors: &[AuditHead]) -> Vec<String> {
    bench.meta.verify_audit(anchors).unwrap().problems
}

fn rows(bench: &Bench) -> Vec<(Vec<u8>, Vec<u8>)> {
    let start = [keyspace::AUDIT];
    let rows = bench.meta.store().snapshot().unwrap();
    rows.range(&start, &prefix_end(&start), false, usize::MAX)
        .unwrap()
}

fn change(bench: &Bench, put: &[(Vec<u8>, Vec<u8>)], delete: &[Vec<u8>]) {
    let changed = bench.meta.store().transact(&mut |txn| {
        put.iter()
            .for_each(|(key, value)| txn.put(key.clone(), value.clone().into()));
        delete.iter().for_each(|key| txn.delete(key.clone()));
        Ok(())
    });
    changed.unwrap();
}

#[test]
fn an_untouched_log_verifies_and_its_anchors_hold() {
    let bench = logged(5);
    let first = bench.meta.audit_head().unwrap().unwrap();
    bench.meta.audit_all(&[event(6), event(7)]).unwrap();
    let report = bench.meta.verify_audit(&[first]).unwrap();
    assert_eq!((report.events, report.problems.len()), (7, 0));
    assert_eq!(Some(report.head), bench.meta.audit_head().unwrap());
    assert_eq!(
        AuditHead::parse(&report.head.to_string()),
        Some(report.head)
    );
    assert_eq!(AuditHead::parse("7:zz"), None);
}

#[test]
fn every_edit_of_every_byte_is_found() {
    let bench = logged(4);
    for (key, value) in rows(&bench) {
        for at in 0..value.len() {
            let mut bad = value.clone();
            bad[at] ^= 0x10;
            change(&bench, &[(key.clone(), bad)], &[]);
            assert!(!problems(&bench, &[]).is_empty(), "byte {at}");
        }
        change(&bench, &[(key, value)], &[]);
    }
    assert_eq!(problems(&bench, &[]), [""; 0]);
}

#[test]
fn a_cut_anywhere_and_a_changed_order_are_found() {
    for cut in 0..5 {
        let bench = logged(5);
        let rows = rows(&bench);
        change(&bench, &[], &[rows[cut].0.clone()]);
        assert!(!problems(&bench, &[]).is_empty(), "row {cut}");
        // Those behind it move up.
        let moved: Vec<_> = (cut..4)
            .map(|at| (rows[at].0.clone(), rows[at + 1].1.clone()))
            .collect();
        change(&bench, &moved, &[rows[4].0.clone()]);
        assert!(!problems(&bench, &[]).is_empty(), "row {cut}, closed up");
    }
    let bench = logged(5);
    let rows = rows(&bench);
    let put = |at: usize, from: usize| (rows[at].0.clone(), rows[from].1.clone());
    for (one, other) in (0..5).flat_map(|one| (0..one).map(move |other| (one, other))) {
        change(&bench, &[put(one, other), put(other, one)], &[]);
        assert!(!problems(&bench, &[]).is_empty(), "{one} and {other}");
        change(&bench, &[put(one, one), put(other, other)], &[]);
    }
    assert_eq!(problems(&bench, &[]), [""; 0]);
}

#[test]
fn an_edit_with_a_hash_that_fits_and_an_edited_head_are_found() {
    let bench = logged(4);
    let before = rows(&bench);
    // What somebody would write who knows how the chain is made, for one row only.
    for at in 0..3 {
        let other = logged(at as i64);
        other.meta.audit(event(50)).unwrap();
        let (key, value) = rows(&other)[at].clone();
        change(&bench, &[(key, value)], &[]);
        assert!(!problems(&bench, &[]).is_empty(), "row {at}");
        change(&bench, &before[at..=at], &[]);
    }
    // The rows that say where the chain begins and ends.
    for part in [0, 1] {
        let key = vec![keyspace::AUDIT_CHAIN, part];
        let value = bench.meta.store().get(&key).unwrap().unwrap();
        for at in 0..value.len() {
            let mut bad = value.clone();
            bad[at] ^= 1;
            change(&bench, &[(key.clone(), bad)], &[]);
            assert!(!problems(&bench, &[]).is_empty(), "part {part}, byte {at}");
        }
        change(&bench, &[], std::slice::from_ref(&key));
        assert!(!problems(&bench, &[]).is_empty(), "no part {part}");
        change(&bench, &[(key, value)], &[]);
    }
    assert_eq!(problems(&bench, &[]), [""; 0]);
}

#[test]
fn a_tail_that_was_cut_with_its_head_shows_by_an_anchor() {
    let bench = logged(3);
    let head_key = vec![keyspace::AUDIT_CHAIN, 0];
    let store = bench.meta.store().clone();
    let head = store.snapshot().unwrap().get(&head_key).unwrap().unwrap();
    bench.meta.audit_all(&[event(4), event(5)]).unwrap();
    let anchor = bench.meta.audit_head().unwrap().unwrap();
    let gone: Vec<_> = rows(&bench)[3..]
        .iter()
        .map(|(key, _)| key.clone())
        .collect();
    change(&bench, &[(head_key, head)], &gone);
    // Without the anchor only the committer's own count tells.
    assert_eq!(
        problems(&bench, &[]),
        ["row 5 was written once and is missing"]
    );
    assert!(problems(&bench, &[anchor]).len() == 2);
    // Rewritten as a whole, with hashes that fit: the anchor tells.
    let other = logged(4);
    other.meta.audit(event(50)).unwrap();
    assert_eq!(problems(&other, &[]), [""; 0]);
    assert_eq!(problems(&other, &[anchor]).len(), 1);
}

#[test]
fn rows_from_before_the_chain_are_covered_too() {
    let bench = bench();
    let plain = crate::row::encode(&event(1)).unwrap();
    let store: &Arc<dyn Store> = bench.meta.store();
    let old = store.transact(&mut |txn| {
        for _ in 0..3 {
            txn.append(&[keyspace::AUDIT], plain.clone().into());
        }
        Ok(())
    });
    old.unwrap();
    assert_eq!(problems(&bench, &[]), [""; 0], "no chain yet");
    bench.meta.audit(event(2)).unwrap();
    assert_eq!(problems(&bench, &[]), [""; 0]);
    let events = bench.meta.audit_events(0, 10).unwrap();
    assert_eq!(
        (events.len(), &events[0].1, &events[3].1),
        (4, &event(1), &event(2))
    );
    let (key, mut value) = rows(&bench)[1].clone();
    value[5] ^= 1;
    change(&bench, &[(key, value)], &[]);
    assert_eq!(problems(&bench, &[]).len(), 1);
}

#[test]
fn many_writers_make_one_chain() {
    let bench = bench();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let meta = &bench.meta;
            scope.spawn(move || (0..50).for_each(|n| meta.audit(event(writer * 50 + n)).unwrap()));
        }
    });
    let report = bench.meta.verify_audit(&[]).unwrap();
    assert_eq!((report.events, report.problems.len()), (400, 0));
}

#[test]
fn filters_find_what_they_say() {
    let bench = logged(30);
    let find = |filter: AuditFilter| {
        let (mut after, mut found) = (Some(0), Vec::new());
        while let Some(from) = after {
            let (page, next) = bench.meta.audit_search(from, &filter, 4).unwrap();
            found.extend(page.iter().map(|(sequence, _)| *sequence));
            after = next;
        }
        let (mut before, mut latest) = (Some(u64::MAX), Vec::new());
        while let Some(from) = before {
            let (page, next) = bench.meta.audit_latest(Some(from), &filter, 4).unwrap();
            latest.extend(page.iter().map(|(sequence, _)| *sequence));
            before = next;
        }
        latest.reverse();
        assert_eq!(latest, found);
        found
    };
    assert_eq!(find(AuditFilter::default()).len(), 30);
    let failed = AuditFilter {
        actions: vec![AuditAction::SignInFailed],
        address: Some("192.0.2.1".into()),
        ..AuditFilter::default()
    };
    assert_eq!(find(failed), [1, 7, 13, 19, 25]);
    let window = AuditFilter {
        since_ms: Some(NOW_MS + 10_000),
        until_ms: Some(NOW_MS + 12_500),
        ..AuditFilter::default()
    };
    assert_eq!(find(window), [10, 11, 12]);
    let text = AuditFilter {
        subject: Some("folder/2".into()),
        ..AuditFilter::default()
    };
    assert_eq!(find(text).len(), 11);
    for action in AuditAction::ALL {
        assert_eq!(AuditAction::parse(action.name()), Some(action));
    }
}
