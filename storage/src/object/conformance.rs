//! What every place for objects must do; run on all of them.
#![allow(
    clippy::unwrap_used,
    reason = "in a suite for tests, a surprise is the test's failure"
)]

use bytes::Bytes;

use super::upload::PART_BYTES;
use super::{Listed, Objects};

/// Runs all on an empty place.
pub fn conform(objects: &Objects) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        absent(objects).await;
        put_get_replace(objects).await;
        ranges(objects).await;
        listing(objects).await;
        names(objects).await;
        uploads(objects).await;
    });
}

async fn absent(objects: &Objects) {
    assert_eq!(objects.get("no/such").await.unwrap(), None);
    assert_eq!(objects.get_range("no/such", 0..1).await.unwrap(), None);
    assert_eq!(objects.size("no/such").await.unwrap(), None);
    objects.delete("no/such").await.unwrap();
    assert_eq!(objects.list("", "", 10).await.unwrap(), []);
}

async fn put_get_replace(objects: &Objects) {
    objects
        .put("a/b", Bytes::from_static(b"one"))
        .await
        .unwrap();
    objects
        .put("a/b", Bytes::from_static(b"second"))
        .await
        .unwrap();
    assert_eq!(objects.get("a/b").await.unwrap().unwrap(), "second");
    assert!(
        !objects
            .create("a/b", Bytes::from_static(b"third"))
            .await
            .unwrap()
    );
    assert!(objects.create("a/c", Bytes::new()).await.unwrap());
    assert_eq!(objects.get("a/b").await.unwrap().unwrap(), "second");
    assert_eq!(
        (
            objects.size("a/b").await.unwrap(),
            objects.size("a/c").await.unwrap()
        ),
        (Some(6), Some(0))
    );
    objects.delete("a/b").await.unwrap();
    objects.delete("a/c").await.unwrap();
    assert_eq!(objects.get("a/b").await.unwrap(), None);
}

async fn ranges(objects: &Objects) {
    objects
        .put("r", Bytes::from_static(b"0123456789"))
        .await
        .unwrap();
    for (range, expected) in [
        (0..10, "0123456789"),
        (3..5, "34"),
        (8..99, "89"),
        (10..12, ""),
        (50..60, ""),
        (4..4, ""),
    ] {
        assert_eq!(
            objects
                .get_range("r", range.clone())
                .await
                .unwrap()
                .unwrap(),
            expected,
            "{range:?}"
        );
    }
    objects.delete("r").await.unwrap();
}

async fn listing(objects: &Objects) {
    for name in ["x/3", "x/1", "x/2/deep", "xy/4", "z"] {
        objects.put(name, Bytes::from_static(b"..")).await.unwrap();
    }
    let names = |listed: Vec<Listed>| {
        listed
            .into_iter()
            .map(|listed| listed.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(objects.list("x", "", 10).await.unwrap()),
        ["x/1", "x/2/deep", "x/3"]
    );
    assert_eq!(
        names(objects.list("", "", 2).await.unwrap()),
        ["x/1", "x/2/deep"]
    );
    assert_eq!(
        names(objects.list("", "x/2/deep", 10).await.unwrap()),
        ["x/3", "xy/4", "z"]
    );
    assert!(objects.list("", "", 0).await.unwrap().is_empty());
}

async fn names(objects: &Objects) {
    for name in ["", "/", "a//b", "../up", "a/../b"] {
        assert!(objects.put(name, Bytes::new()).await.is_err(), "{name:?}");
        assert!(objects.get(name).await.is_err(), "{name:?}");
    }
    objects
        .put("ü/a b", Bytes::from_static(b"x"))
        .await
        .unwrap();
    assert_eq!(objects.get("ü/a b").await.unwrap().unwrap(), "x");
}

/// Objects larger than a part, and one that is given up.
async fn uploads(objects: &Objects) {
    let content: Vec<u8> = (0..PART_BYTES + 1_000_000)
        .map(|at| (at % 251) as u8)
        .collect();
    for _ in 0..2 {
        let mut upload = objects.upload("f/large").await.unwrap();
        let mut rest = &content[..];
        while !rest.is_empty() {
            rest = &rest[upload.take(rest)..];
            if upload.is_full() {
                upload.send().await.unwrap();
            }
        }
        upload.finish().await.unwrap();
    }
    assert!(objects.get("f/large").await.unwrap().unwrap() == content);
    let range = PART_BYTES as u64 - 500..PART_BYTES as u64 + 500;
    let part = objects.get_range("f/large", range.clone()).await.unwrap();
    assert_eq!(
        part.unwrap(),
        content[range.start as usize..range.end as usize]
    );
    let mut given_up = objects.upload("f/none").await.unwrap();
    given_up.take(b"bytes");
    given_up.send().await.unwrap();
    given_up.abort().await.unwrap();
    assert_eq!(objects.get("f/none").await.unwrap(), None);
    assert_eq!(objects.list_all("f").await.unwrap().len(), 1);
    objects.put("f/2", Bytes::from_static(b"x")).await.unwrap();
    objects.delete_below("f").await.unwrap();
    assert_eq!(objects.list_all("f").await.unwrap(), []);
    objects.delete_below("f").await.unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_folder_conforms() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}/new", folder.path().display());
        conform(&Objects::open(&url).unwrap());
        assert_eq!(Objects::open(&url).unwrap().url(), url);
    }

    #[test]
    fn other_places_are_refused() {
        for url in [
            "gs://bucket",
            "s3://bucket/f?secret=1",
            "/tmp",
            "file://relative",
            "",
        ] {
            assert!(Objects::open(url).is_err(), "{url}");
        }
    }
}
