//! What is said about how files are kept: when their bytes were verified, and what the trash and old versions take.

use serde_json::{Value, json};
use storage::block::ScrubBudget;

use crate::testing::Bench;

async fn upload(bench: &Bench, token: &str, path: &str, text: &str) {
    let argument = json!({ "path": path, "mode": "overwrite" });
    let stored = bench.content(token, "files/upload", argument, text.as_bytes());
    let stored = stored.await;
    assert_eq!(stored.status, 200, "{}", stored.text());
}

#[tokio::test]
async fn a_file_says_when_its_bytes_were_verified_and_to_its_readers_only() {
    let bench = Bench::new();
    let (_, ann) = bench.account("ann@example.com", false);
    let (_, bob) = bench.account("bob@example.com", false);
    upload(&bench, &ann, "/a.txt", "text").await;
    let ask = async |token: &str| {
        let argument = json!({ "path": "/a.txt" });
        bench.rpc(token, "firefly/verified", argument).await
    };
    let never = json!({ "verified_at": null, "copies": 1, "wanted_copies": 1 });
    assert_eq!(ask(&ann).await.json(), never);
    let all = ScrubBudget {
        blocks: 100,
        bytes: u64::MAX,
    };
    let read = bench.app.blocks().scrub(1_700_000_060_000, None, all);
    assert!(read.is_ok_and(|report| report.examined > 0 && report.lost == 0));
    let verified =
        json!({ "verified_at": "2023-11-14T22:14:20Z", "copies": 1, "wanted_copies": 1 });
    assert_eq!(ask(&ann).await.json(), verified);
    assert_eq!(ask(&bob).await.refusal(), (409, "path".to_owned()));
}

#[tokio::test]
async fn the_trash_and_old_versions_are_counted_and_kept_as_long_as_is_set() {
    let bench = Bench::new();
    let (_, ann) = bench.account("ann@example.com", false);
    for text in ["one", "three"] {
        upload(&bench, &ann, "/a.txt", text).await;
    }
    upload(&bench, &ann, "/gone.txt", "seventeen letters").await;
    let gone = bench.rpc(&ann, "files/delete_v2", json!({ "path": "/gone.txt" }));
    assert_eq!(gone.await.status, 200);
    let space = async || bench.rpc(&ann, "firefly/space", Value::Null).await.json();
    let before = space().await;
    assert_eq!(before["trash"], json!({ "entries": 1, "bytes": 17 }));
    assert_eq!(before["versions"], json!({ "count": 1, "bytes": 3 }));
    assert_eq!(before["retention_days"], 30);
    assert!(bench.app.meta().set_retention_days(Some(7)).is_ok());
    assert_eq!(space().await["retention_days"], 7);
}
