//! Jobs and the audit log.

use super::{NOW_MS, bench, refusal};
use crate::meta::{AuditAction, AuditEvent, JobId, JobKind, JobState, Refusal, job, session};

#[test]
fn a_job_runs_is_done_and_is_forgotten() {
    let bench = bench();
    let (ann, bob) = (bench.account("ann").id, bench.account("bob").id);
    let id = bench.meta.create_job(ann, JobKind::Copy).unwrap();
    assert!(id.is(JobKind::Copy) && !id.is(JobKind::Move));
    assert_eq!(JobId::parse(&id.to_string()), Some(id));
    assert_eq!(bench.meta.job(ann, id).unwrap(), Some(JobState::Running));
    assert_eq!(bench.meta.job(bob, id).unwrap(), None);
    bench.clock.advance_ms(job::LEASE_MS);
    bench.meta.renew_job(ann, id).unwrap();
    bench.clock.advance_ms(job::LEASE_MS);
    assert_eq!(bench.meta.job(ann, id).unwrap(), Some(JobState::Running));
    bench.clock.advance_ms(1);
    assert_eq!(bench.meta.job(ann, id).unwrap(), Some(JobState::Lost));
    bench.meta.finish_job(ann, id, b"answer".to_vec()).unwrap();
    assert_eq!(
        bench.meta.job(ann, id).unwrap(),
        Some(JobState::Done(b"answer".to_vec()))
    );
    assert_eq!(
        refusal(bench.meta.finish_job(bob, id, Vec::new())),
        Refusal::NotFound
    );
    assert_eq!(bench.meta.expire_jobs(10).unwrap(), 0);
    bench.clock.advance_ms(job::KEPT_MS);
    assert_eq!(bench.meta.job(ann, id).unwrap(), None);
    assert_eq!(bench.meta.expire_jobs(10).unwrap(), 1);
    assert_eq!(refusal(bench.meta.renew_job(ann, id)), Refusal::NotFound);
}

#[test]
fn audit_events_are_read_in_order_and_in_pages() {
    let bench = bench();
    let ann = bench.account("ann").id;
    let event = |subject: &str| AuditEvent {
        at_ms: NOW_MS,
        actor: Some(ann),
        action: AuditAction::Download,
        subject: subject.to_owned(),
        address: Some("192.0.2.1".into()),
    };
    bench.meta.audit(event("/a")).unwrap();
    bench
        .meta
        .audit_all(&[event("/b"), event(&"é".repeat(4096))])
        .unwrap();
    let first = bench.meta.audit_events(0, 2).unwrap();
    assert_eq!(first, [(1, event("/a")), (2, event("/b"))]);
    let rest = bench.meta.audit_events(2, 100).unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].1.subject, "é".repeat(2048));
    assert_eq!(bench.meta.audit_events(u64::MAX, 100).unwrap(), []);
}

#[test]
fn sessions_start_all_together_or_not_at_all() {
    let bench = bench();
    let ann = bench.account("ann").id;
    let ids = bench.meta.start_uploads(ann, 3).unwrap();
    for id in &ids {
        let upload = bench.meta.upload(ann, *id).unwrap();
        assert_eq!(upload.map(|upload| upload.offset()), Some(0));
    }
    let all = session::MAX_OPEN as usize;
    let too_many = bench.meta.start_uploads(ann, all - 2);
    assert_eq!(refusal(too_many), Refusal::TooManyUploads);
    assert_eq!(
        bench.meta.start_uploads(ann, all - 3).unwrap().len(),
        all - 3
    );
}
