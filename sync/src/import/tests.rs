//! Imports to a destination that is a map.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::sync::Mutex as Lock;
use std::time::{Duration, UNIX_EPOCH};

use super::*;

/// Has some files, and notes what is done to them.
#[derive(Default)]
struct Shelf {
    files: Lock<BTreeMap<String, Existing>>,
    done: Lock<Vec<String>>,
}

impl Shelf {
    fn has(&self, path: &str, modified_s: i64) {
        let existing = Existing {
            size: 3,
            modified_s,
            content_hash: String::new(),
            rev: format!("by somebody at {modified_s}"),
        };
        self.files.lock().unwrap().insert(path.into(), existing);
    }

    fn paths(&self) -> Vec<String> {
        self.files.lock().unwrap().keys().cloned().collect()
    }

    fn take_done(&self) -> Vec<String> {
        let mut done = std::mem::take(&mut *self.done.lock().unwrap());
        done.sort();
        done
    }

    fn note(&self, what: &str, path: &str) {
        self.done.lock().unwrap().push(format!("{what} {path}"));
    }
}

#[async_trait]
impl Destination for Shelf {
    async fn existing(&self, _: &str) -> Result<HashMap<String, Existing>> {
        let files = self.files.lock().unwrap().clone();
        Ok(files.into_iter().collect())
    }

    async fn look(&self, path: &str) -> Result<Option<Existing>> {
        let path = storage::meta::path::fold(path);
        Ok(self.files.lock().unwrap().get(&path).cloned())
    }

    async fn put(&self, path: &str, source: &Source, modified_s: i64) -> Result<String> {
        let content_hash = local::content_hash_of(source)?;
        let size = std::fs::metadata(source.path()).unwrap().len();
        let rev = content_hash.clone();
        let existing = Existing {
            size,
            modified_s,
            content_hash,
            rev: rev.clone(),
        };
        let key = storage::meta::path::fold(path);
        self.files.lock().unwrap().insert(key, existing);
        self.note("put", path);
        Ok(rev)
    }

    async fn folder(&self, path: &str) -> Result<()> {
        self.note("folder", path);
        Ok(())
    }

    async fn delete(&self, path: &str, rev: &str) -> Result<Deleted> {
        let mut files = self.files.lock().unwrap();
        let key = storage::meta::path::fold(path);
        let deleted = match files.get(&key) {
            None => Deleted::Gone,
            Some(there) if there.rev != rev => Deleted::Changed,
            Some(_) => {
                files.remove(&key);
                Deleted::Done
            }
        };
        self.note("delete", path);
        Ok(deleted)
    }
}

/// A folder to import, and where the ledger of the imports is.
struct Desk {
    folder: tempfile::TempDir,
    ledgers: tempfile::TempDir,
    shelf: Arc<Shelf>,
}

impl Desk {
    fn new(files: &[&str]) -> Desk {
        let desk = Desk {
            folder: tempfile::tempdir().unwrap(),
            ledgers: tempfile::tempdir().unwrap(),
            shelf: Arc::default(),
        };
        for path in files {
            desk.write(path, path, 2_000);
        }
        desk
    }

    fn write(&self, path: &str, text: &str, modified_s: u64) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let at = UNIX_EPOCH + Duration::from_secs(modified_s);
        file.set_modified(at).unwrap();
    }

    fn remove(&self, path: &str) {
        std::fs::remove_file(self.folder.path().join(path)).unwrap();
    }

    fn import(&self, patterns: &[&str], closed: &[&str]) -> Import {
        let patterns: Vec<_> = patterns.iter().map(|p| (*p).to_owned()).collect();
        let closed: Vec<_> = closed.iter().map(|p| self.folder.path().join(p)).collect();
        let rules = Rules::new(&patterns, true, &closed).unwrap();
        Import::new(self.shelf.clone(), "/in", rules)
    }

    fn mirror(&self) -> Import {
        let ledger = Ledger::open(self.ledgers.path(), self.folder.path(), "a", "/in");
        self.import(&["*.bak"], &[]).deleting(ledger.unwrap())
    }

    async fn run(&self, import: &Import) -> Report {
        import
            .run(&open(self.folder.path()).unwrap())
            .await
            .unwrap()
    }
}

fn reasons(report: &Report) -> Vec<String> {
    let reasons = report.refused.iter().map(|refused| {
        let name = refused.path.file_name().unwrap_or_default();
        format!("{}: {}", name.to_string_lossy(), refused.reason)
    });
    reasons.collect()
}

#[tokio::test]
async fn what_is_newer_at_the_destination_stays() {
    let desk = Desk::new(&["older.txt", "newer.txt"]);
    desk.shelf.has("/in/older.txt", 1_000);
    desk.shelf.has("/in/newer.txt", 3_000);
    let report = desk.run(&desk.import(&[], &[])).await;
    assert_eq!(desk.shelf.take_done(), ["put /in/older.txt"]);
    assert_eq!(
        reasons(&report),
        ["newer.txt: the file in Firefly is newer and stays"]
    );
}

#[tokio::test]
async fn what_nobody_means_to_keep_is_left_out_and_said() {
    let desk = Desk::new(&["a.txt", "b.bak", "Thumbs.db", "data/key", "deep/data/x"]);
    symlink("/etc/passwd", desk.folder.path().join("link")).unwrap();
    std::fs::create_dir(desk.folder.path().join("void")).unwrap();
    let report = desk.run(&desk.import(&["*.bak"], &["data"])).await;
    assert_eq!(
        desk.shelf.take_done(),
        ["folder /in/void", "put /in/a.txt", "put /in/deep/data/x"]
    );
    let excluded: Vec<_> = report.excluded.iter().map(|e| e.reason.as_str()).collect();
    assert_eq!(excluded, ["Thumbs.db", "*.bak"]);
    assert_eq!(
        reasons(&report),
        [
            "data: Firefly's own data are not imported",
            "link: a symbolic link (links are not followed)"
        ]
    );
    // Nor from within it.
    let own = open(&desk.folder.path().join("data")).unwrap();
    let refused = desk.import(&[], &["data"]).run(&own).await;
    assert!(refused.unwrap_err().to_string().contains("own data"));
}

#[tokio::test]
async fn names_that_differ_in_case_alone_are_told_of() {
    let desk = Desk::new(&["Plan.txt", "plan.txt", "other.txt"]);
    let report = desk.run(&desk.import(&[], &[])).await;
    assert_eq!(
        desk.shelf.take_done(),
        ["put /in/Plan.txt", "put /in/other.txt"]
    );
    assert_eq!(
        reasons(&report),
        ["plan.txt: only its case tells it from Plan.txt"]
    );
}

#[tokio::test]
async fn what_it_brought_and_is_gone_is_deleted_and_nothing_else() {
    let desk = Desk::new(&[
        "a.txt",
        "b.txt",
        "changed.txt",
        "old/c.txt",
        "kept.txt",
        "same.txt",
    ]);
    desk.run(&desk.mirror()).await;
    desk.shelf.take_done();
    // Somebody puts a file of their own there, and changes one.
    desk.shelf.has("/in/theirs.txt", 5_000);
    desk.shelf.has("/in/changed.txt", 5_000);
    for path in ["a.txt", "changed.txt", "old/c.txt", "kept.txt"] {
        desk.remove(path);
    }
    // What is left out, refused or unknown is not gone.
    symlink("b.txt", desk.folder.path().join("kept.txt")).unwrap();
    let report = desk.run(&desk.mirror()).await;
    assert_eq!(
        desk.shelf.take_done(),
        [
            "delete /in/a.txt",
            "delete /in/changed.txt",
            "delete /in/old/c.txt",
            "folder /in/old"
        ]
    );
    assert_eq!((report.deleted, report.unchanged), (2, 2));
    let stays = "changed.txt: gone from the folder, but changed in Firefly since: it stays";
    assert!(reasons(&report).contains(&stays.to_owned()), "{report:?}");
    let left = ["b.txt", "changed.txt", "kept.txt", "same.txt", "theirs.txt"];
    assert_eq!(desk.shelf.paths(), left.map(|name| format!("/in/{name}")));
    // It is said once.
    let report = desk.run(&desk.mirror()).await;
    assert_eq!((report.deleted, report.refused.len()), (0, 1));
}

#[tokio::test]
async fn an_empty_folder_deletes_nothing() {
    let desk = Desk::new(&["a.txt", "b.txt"]);
    desk.run(&desk.mirror()).await;
    desk.remove("a.txt");
    desk.remove("b.txt");
    let report = desk.run(&desk.mirror()).await;
    assert_eq!(desk.shelf.paths(), ["/in/a.txt", "/in/b.txt"]);
    assert!(report.refused[0].reason.contains("is its disk there?"));
    // It is not forgotten either.
    desk.write("c.txt", "c", 2_000);
    assert_eq!(desk.run(&desk.mirror()).await.deleted, 2);
}

#[tokio::test]
async fn a_cancelled_import_says_so_and_deletes_nothing() {
    let desk = Desk::new(&["a.txt", "b.txt"]);
    desk.run(&desk.mirror()).await;
    desk.remove("a.txt");
    let import = desk.mirror();
    import.progress().cancel();
    assert!(desk.run(&import).await.cancelled);
    assert_eq!(desk.shelf.paths(), ["/in/a.txt", "/in/b.txt"]);
}

/// Waits for the next report that has done something.
async fn news(told: &mut tokio::sync::mpsc::UnboundedReceiver<Report>) -> Report {
    loop {
        let report = tokio::time::timeout(Duration::from_secs(60), told.recv());
        let report = report.await.expect("in time").expect("it runs on");
        if report.imported > 0 || report.deleted > 0 {
            return report;
        }
    }
}

#[tokio::test]
async fn a_followed_folder_is_as_it_is_in_firefly() {
    let desk = Desk::new(&["a.txt", "box/b.txt"]);
    let import = desk.mirror();
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let path = desk.folder.path().to_owned();
    let follow = tokio::spawn(async move {
        let mut tell = |event: Told<'_>| {
            if let Told::Looked(report) = event {
                let _nobody_listens_after_the_test = sender.send(report.clone());
            }
        };
        import.follow(&path, &mut tell).await
    });
    assert_eq!(news(&mut told).await.imported, 2);
    let mut wait_for = async |wanted: &[&str]| {
        while desk.shelf.paths() != wanted {
            news(&mut told).await;
        }
    };
    // A folder that is new, moved and filled; a file that goes; names that are left out.
    desk.write("new/deep/c.txt", "c", 3_000);
    desk.write("x.bak", "left out", 3_000);
    wait_for(&["/in/a.txt", "/in/box/b.txt", "/in/new/deep/c.txt"]).await;
    let path = |name: &str| desk.folder.path().join(name);
    std::fs::rename(path("new"), path("moved")).unwrap();
    desk.remove("a.txt");
    wait_for(&["/in/box/b.txt", "/in/moved/deep/c.txt"]).await;
    // Also what is in it then.
    desk.write("moved/deep/d.txt", "d", 4_000);
    std::fs::remove_dir_all(path("box")).unwrap();
    wait_for(&["/in/moved/deep/c.txt", "/in/moved/deep/d.txt"]).await;
    follow.abort();
}
