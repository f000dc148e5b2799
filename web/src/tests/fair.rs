//! One account's calls, however many and slow, keep nobody else waiting.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use serde_json::json;
use storage::meta::AccountId;
use storage::trace::Id;
use tokio::task::JoinSet;

use crate::App;
use crate::blocking::BACK_AFTER_S;
use crate::frame::Failure;
use crate::frame::asking::{self, Asking};
use crate::testing::Bench;
use crate::turns::MAX_WAITING;

const AT_HOME: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Calls that last until this is dropped.
struct Slow {
    calls: JoinSet<Result<(), Failure>>,
    release: mpsc::Sender<()>,
    held: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Slow {
    fn new() -> Self {
        let (release, held) = mpsc::channel();
        Slow {
            calls: JoinSet::new(),
            release,
            held: Arc::new(Mutex::new(held)),
        }
    }

    /// A call of each kind by this account.
    fn call(&mut self, app: &App, account: AccountId) {
        let wait = |held: Arc<Mutex<mpsc::Receiver<()>>>| {
            move |_: &App| {
                let held = held.lock().unwrap_or_else(PoisonError::into_inner);
                // An error says that the other end is dropped.
                held.recv().unwrap_or_default();
            }
        };
        let works = [(); 3].map(|()| wait(self.held.clone()));
        for (kind, work) in works.into_iter().enumerate() {
            let app = app.clone();
            let call = async move {
                asking::is_of(account);
                match kind {
                    0 => app.blocking(work).await,
                    1 => app.searching(work).await,
                    _ => app.at_door(work).await,
                }
            };
            self.calls
                .spawn(Asking::new(Id::random(), AT_HOME).scope(call));
        }
    }

    /// Waits until every call has its turn or a place in the line: as many turns as are free, and the rest in line.
    async fn settled(&self, app: &App, account: AccountId, calls: usize) {
        let most = |free: usize| calls.min(free + MAX_WAITING);
        while app.turns().under_way(account) != app.turns().free().map(most) {
            tokio::task::yield_now().await;
        }
    }

    /// Lets them go; those that were refused.
    async fn end(self) -> Vec<Failure> {
        drop(self.release);
        let done = self.calls.join_all().await;
        done.into_iter().filter_map(Result::err).collect()
    }
}

#[tokio::test]
async fn one_account_keeps_nobody_waiting() {
    let bench = Bench::new();
    let (_, admin) = bench.account("admin@example.org", true);
    let (busy, _) = bench.account("busy@example.org", false);
    let (other, token) = bench.account("other@example.org", false);
    let meta = bench.app.meta();
    meta.set_password(other.id, "a long enough password")
        .expect("a password");
    let mut slow = Slow::new();
    for _ in 0..200 {
        slow.call(&bench.app, busy.id);
    }
    slow.settled(&bench.app, busy.id, 200).await;

    let listed = bench.rpc(&token, "files/list_folder", json!({ "path": "" }));
    assert_eq!(listed.await.status, 200);
    let commit = json!({ "path": "/a.txt" });
    let stored = bench
        .content(&token, "files/upload", commit, b"words")
        .await;
    assert_eq!(stored.status, 200, "{}", stored.text());
    let found = bench.rpc(&token, "firefly/search", json!({ "query": "words" }));
    assert_eq!(found.await.status, 200);
    let person = json!({ "email": "other@example.org", "password": "a long enough password" });
    let signed = bench.rpc("", "firefly/session/sign_in", person).await;
    assert_eq!(signed.status, 200, "{}", signed.text());
    assert_eq!(bench.get("/healthz").await.status, 200);
    let whom = json!({ "email": "busy@example.org", "suspended": true });
    let ended = bench.rpc(&admin, "firefly/admin/account/suspend", whom);
    let ended = ended.await;
    assert_eq!(ended.status, 200, "{}", ended.text());

    assert!(slow.end().await.is_empty(), "nobody was refused");
}

#[tokio::test]
async fn too_many_calls_of_one_account_are_told_to_come_back() {
    let bench = Bench::new();
    let (busy, token) = bench.account("busy@example.org", false);
    let path = json!({ "path": "" });
    // Known by now, so that it does not wait at the door.
    bench.rpc(&token, "files/list_folder", path.clone()).await;
    let mut slow = Slow::new();
    for _ in 0..MAX_WAITING + 100 {
        slow.call(&bench.app, busy.id);
    }
    slow.settled(&bench.app, busy.id, MAX_WAITING + 100).await;
    let refused = bench.rpc(&token, "files/list_folder", path.clone()).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(refused.header("retry-after"), BACK_AFTER_S.to_string());
    let reason = &refused.json()["error"]["reason"][".tag"];
    assert_eq!(reason, "too_many_requests");
    let refused = slow.end().await;
    let are_own = |failure: &Failure| matches!(failure, Failure::TooMany("too_many_requests", _));
    assert!(refused.iter().all(are_own), "{refused:?}");
    assert_eq!(
        bench.rpc(&token, "files/list_folder", path).await.status,
        200
    );
}
