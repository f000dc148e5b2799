//! A block server and its client without a network between them.

use std::sync::Arc;

use super::super::medium::Medium;
use super::*;
use crate::meta::env::Env;

/// Both ends, and what was sent.
struct Wire {
    server: Arc<Mutex<BlockServer>>,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Line for Wire {
    fn ask(&self, question: Vec<u8>) -> Result<Vec<u8>> {
        self.sent.lock().unwrap().push(question.clone());
        let answered = self.server.lock().unwrap().answer(&question);
        answered.unwrap_or_else(|| Err(Error::Unavailable("another key".into())))
    }
}

struct Bench {
    folder: tempfile::TempDir,
    server: Arc<Mutex<BlockServer>>,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

const STORE: StoreId = StoreId([1; 16]);
const ONE: ExtentId = ExtentId(1);

fn key(letter: &str) -> ClusterKey {
    ClusterKey::new(&letter.repeat(40)).unwrap()
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Self::server(&folder);
        Bench {
            folder,
            server: Arc::new(Mutex::new(server)),
            sent: Arc::default(),
        }
    }

    fn server(folder: &tempfile::TempDir) -> BlockServer {
        BlockServer::new(&folder.path().join("b"), key("k"), Env::system().clock).unwrap()
    }

    fn served(&self, key: ClusterKey, store: StoreId) -> Served {
        let line = Wire {
            server: self.server.clone(),
            sent: self.sent.clone(),
        };
        Served::with("block://test:1", Box::new(line), key, store)
    }

    fn taken(&self) -> Served {
        let served = self.served(key("k"), STORE);
        assert!(served.take(false).unwrap());
        served
    }

    /// The server ends and starts on the same folder.
    fn restart(&self) {
        let mut server = self.server.lock().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        *server = Self::server(&elsewhere); // the lock of the folder goes
        *server = Self::server(&self.folder);
    }
}

#[test]
fn what_is_written_there_is_read_there() {
    let bench = Bench::new();
    let served = bench.taken();
    let handle = served.create(ONE).unwrap();
    served.write(ONE, &handle, b"a record", 64).unwrap();
    served.sync(ONE, &handle).unwrap();
    assert_eq!(served.read(ONE, 66, 6).unwrap(), b"record");
    assert!(served.has(ONE, 72) && !served.has(ONE, 73));
    assert!(served.create(ONE).is_err(), "it is there");
    assert!(served.is_marked().unwrap() && served.free_bytes().is_some());

    let copy = served.begin_copy(ExtentId(2)).unwrap();
    served.write(ExtentId(2), &copy, b"copied", 64).unwrap();
    assert!(!served.has(ExtentId(2), 64), "not before its end");
    served.end_copy(ExtentId(2), copy).unwrap();
    assert!(served.mend(ExtentId(2), 64, b"mended").unwrap());
    assert_eq!(served.read(ExtentId(2), 64, 6).unwrap(), b"mended");
    served.remove(ExtentId(2)).unwrap();
    assert!(served.read(ExtentId(2), 64, 6).is_err() && !served.has(ExtentId(2), 1));
    let again = bench.taken();
    assert!(again.has(ONE, 72), "the listing says what is there");
}

#[test]
fn an_earlier_writer_is_refused() {
    let bench = Bench::new();
    let (older, newer) = (bench.taken(), bench.taken());
    let first = older.create(ONE).unwrap();
    older.write(ONE, &first, b"acknowledged, not", 64).unwrap();
    let second = newer.reopen(ONE, 64 + 12).unwrap();
    newer.write(ONE, &second, b" by another", 64 + 12).unwrap();
    let late = older.write(ONE, &first, b"late", 64 + 12);
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    let read = newer.read(ONE, 64, 23).unwrap();
    assert_eq!(read, b"acknowledged by another");
}

#[test]
fn a_server_that_began_anew_has_what_was_synced_and_no_writers() {
    let bench = Bench::new();
    let served = bench.taken();
    let handle = served.create(ONE).unwrap();
    served.write(ONE, &handle, b"synced", 64).unwrap();
    served.sync(ONE, &handle).unwrap();
    bench.restart();
    assert!(served.write(ONE, &handle, b"more", 70).is_err());
    assert!(served.is_marked().unwrap());
    assert_eq!(served.read(ONE, 64, 6).unwrap(), b"synced");

    std::fs::remove_dir_all(bench.folder.path().join("b")).unwrap();
    bench.restart();
    assert!(!served.is_marked().unwrap(), "its disk was lost");
    assert!(!served.take(true).unwrap());
}

#[test]
fn strangers_and_echoes_are_refused() {
    let bench = Bench::new();
    let served = bench.taken();
    let stranger = bench.served(key("s"), STORE);
    assert!(stranger.take(false).is_err());
    let another = bench.served(key("k"), StoreId([2; 16]));
    assert!(matches!(another.take(false), Err(Error::Corrupt { .. })));
    assert!(another.create(ONE).is_err());

    served.create(ONE).unwrap();
    served.remove(ONE).unwrap();
    let echoes = bench.sent.lock().unwrap().clone();
    for echo in echoes {
        let Some(answer) = bench.server.lock().unwrap().answer(&echo) else {
            continue; // the stranger's
        };
        let answer = answer.unwrap();
        let (answer, _) = key("k").answered(&echo, &answer).unwrap();
        assert!(matches!(answer, Answer::Failed { .. }), "{answer:?}");
    }
    assert!(bench.taken().create(ONE).is_ok(), "no echo has made it");
}
