//! Blocks on S3 and on HDFS, and backups there: what is acknowledged survives, machines of theirs may die, and everything moves there
//! and back.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde_json::{Value, json};
use storage::object::{BlockingObjects, Objects};

use crate::engine::Engine;
use crate::program::{Server, said, succeeds, until};
use crate::user::User;

/// How long copies may take, seconds.
const COPIED_LIMIT_S: u64 = 180;

/// A server that several tests share, as long as one of them uses it.
pub fn shared(kind: &'static str) -> Arc<Engine> {
    static SHARED: Mutex<[Weak<Engine>; 2]> = Mutex::new([Weak::new(), Weak::new()]);
    let mut shared = SHARED.lock().unwrap_or_else(|e| e.into_inner());
    let slot = &mut shared[usize::from(kind == "hdfs")];
    slot.upgrade().unwrap_or_else(|| {
        let engine = Arc::new(Engine::start(kind));
        *slot = Arc::downgrade(&engine);
        engine
    })
}

/// The URL of a folder there.
pub fn url(engine: &Engine, folder: &str) -> String {
    match engine.kind() {
        "s3" => s3_url(
            engine,
            folder,
            &format!("http://127.0.0.1:{}", engine.port()),
        ),
        _ => format!("hdfs://127.0.0.1:{}/{folder}", engine.port()),
    }
}

fn s3_url(engine: &Engine, folder: &str, endpoint: &str) -> String {
    let credentials = engine.folder().join("credentials");
    format!(
        "s3://firefly/{folder}?endpoint={endpoint}&credentials={}",
        credentials.display()
    )
}

pub fn status(server: &Server) -> Value {
    server
        .admin()
        .call("firefly/admin/storage/status", &json!({}))
}

/// A server whose settings name these targets.
fn server_on(targets: &str) -> Server {
    let mut server = Server::stopped(false);
    std::fs::create_dir_all(server.data()).unwrap();
    let settings = format!("targets = \"{targets}\"\n");
    std::fs::write(server.data().join("firefly.toml"), settings).unwrap();
    server.start_again();
    server
}

fn noise(number: usize) -> Vec<u8> {
    let mut bytes = vec![0; 30_000];
    StdRng::seed_from_u64(number as u64).fill_bytes(&mut bytes);
    bytes
}

pub fn write(user: &User, folder: &str, count: usize) -> Vec<(String, Vec<u8>)> {
    let files = (0..count).map(|n| (format!("/{folder}/{n}.bin"), noise(n + folder.len() * 1000)));
    let files: Vec<_> = files.collect();
    for (path, content) in &files {
        user.put(path, content);
    }
    files
}

pub fn all_there(user: &User, files: &[(String, Vec<u8>)]) {
    for (path, content) in files {
        assert!(user.download(path).body == *content, "{path}");
    }
}

/// Uploads before, while and after something happens; what was acknowledged.
pub fn while_writing(user: &User, happens: impl FnOnce()) -> Vec<(String, Vec<u8>)> {
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let written = |more: usize| {
        let before = count.load(Ordering::SeqCst);
        until("uploads", 120, || {
            (count.load(Ordering::SeqCst) >= before + more).then_some(())
        });
    };
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut told = Vec::new();
            for number in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (path, content) = (format!("/w{}/{number}.bin", user.email), noise(number));
                // A refused upload is tried again by the client.
                if user
                    .upload(&path, &content)
                    .is_ok_and(|answer| answer.status == 200)
                {
                    told.push((path, content));
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
            told
        });
        let stopping = Stop(&stop);
        written(5);
        happens();
        written(10);
        drop(stopping);
        writer.join().unwrap()
    })
}

/// Ends the writer, also when what happens fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn places_for_objects_conform() {
    for kind in ["s3", "hdfs"] {
        let engine = shared(kind);
        storage::object::conformance::conform(&Objects::open(&url(&engine, "objects")).unwrap());
    }
}

#[test]
fn block_stores_conform() {
    for kind in ["s3", "hdfs"] {
        let engine = shared(kind);
        let scratch = tempfile::tempdir().unwrap();
        storage::block::conformance::run(scratch.path(), &|name| {
            url(&engine, &format!("blocks-{name}"))
        });
    }
}

#[test]
fn everything_moves_there_and_back() {
    for kind in ["s3", "hdfs"] {
        let engine = shared(kind);
        let target = url(&engine, "moved");
        let name = target.split('?').next().unwrap();
        let server = Server::start(false);
        let user = server.user("mover");
        let mut files = write(&user, "before", 20);
        succeeds(&server, &["storage", "add", &target]);
        let drained = succeeds(&server, &["storage", "drain", "blocks", "--wait"]);
        assert!(drained.contains("have their copies"), "{drained}");
        files.extend(write(&user, "there", 20));
        all_there(&user, &files);
        let there = BlockingObjects::open(&target).unwrap();
        assert!(!there.list("extents", "", 10).unwrap().is_empty());
        assert_eq!(extents(&server.data().join("blocks")), 0);
        server.check();

        let back = server.data().join("blocks").display().to_string();
        succeeds(&server, &["storage", "add", &back]);
        succeeds(&server, &["storage", "drain", name, "--wait"]);
        files.extend(write(&user, "back", 5));
        all_there(&user, &files);
        assert_eq!(there.list("", "", 10).unwrap().len(), 1, "the marker alone");
        server.check();
    }
}

/// Files of extents in a folder.
fn extents(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".extent")).count()
}

#[test]
fn an_s3_server_that_is_away_is_told_and_missed_no_longer_than_it_is_away() {
    let mut s3 = Engine::start("s3");
    let mut server = server_on(&url(&s3, "alone"));
    let user = server.user("ann");
    let files = write(&user, "before", 10);
    s3.kill9();
    let refused = user.upload("/refused.txt", b"nowhere to go").unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text());
    let missed = user
        .content("files/download", &json!({"path": files[0].0}), b"")
        .unwrap();
    // What is still in memory is served.
    let is_served = missed.status == 200 && missed.body == files[0].1;
    assert!(is_served || missed.status == 503, "{}", missed.status);
    let told = || server.command(&["storage", "status"]);
    until("the status tells it", 60, || {
        said(&told()).contains("GONE").then_some(())
    });
    s3.start_again();
    until("uploads go on", 60, || {
        let stored = user.upload("/after.txt", b"back again").ok()?;
        (stored.status == 200).then_some(())
    });
    all_there(&user, &files);
    server.check();

    // A server that starts while it is away serves what it can, and the rest when it is back.
    server.kill9();
    s3.kill9();
    server.start_again();
    assert_eq!(user.files().len(), files.len() + 1, "names are there");
    s3.start_again();
    until("downloads go on", 60, || {
        let answer = user
            .content("files/download", &json!({"path": "/after.txt"}), b"")
            .unwrap();
        (answer.status == 200).then_some(())
    });
    all_there(&user, &files);
    server.check();
}

#[test]
fn a_folder_stands_in_for_an_s3_server_that_is_away() {
    let mut s3 = Engine::start("s3");
    let server = server_on(&format!("blocks,{}", url(&s3, "first")));
    let user = server.user("ann");
    let mut files = write(&user, "before", 10);
    assert_eq!(extents(&server.data().join("blocks")), 0);
    s3.kill9();
    files.extend(write(&user, "away", 10));
    assert_eq!(extents(&server.data().join("blocks")), 1);
    s3.start_again();
    until("everything is on S3", COPIED_LIMIT_S, || {
        user.put("/nudge.txt", b"seals what is in the folder");
        (extents(&server.data().join("blocks")) == 0).then_some(())
    });
    all_there(&user, &files);
    server.check();
}

#[test]
fn s3_speaks_tls_and_refuses_wrong_secrets() {
    let s3 = Engine::start("s3");
    let folder = tempfile::tempdir().unwrap();
    crate::certificates::make(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let variables = [
        ("UPSTREAM", format!("127.0.0.1:{}", s3.port())),
        ("CERTIFICATE", at("cert.pem")),
        ("KEY", at("key.pem")),
    ];
    let tls = Engine::start_with("tls", &variables);
    let secure = s3_url(&s3, "secure", &format!("https://localhost:{}", tls.port()));
    let trusting = format!("{secure}&ca={}", at("ca.pem"));
    let server = server_on(&trusting);
    let user = server.user("ann");
    let files = write(&user, "tls", 5);
    all_there(&user, &files);
    let doctor = said(&server.command(&["doctor"]));
    assert!(doctor.contains("blocks in s3://firefly/secure"), "{doctor}");
    assert!(
        BlockingObjects::open(&secure)
            .unwrap()
            .impatient()
            .get("x")
            .is_err()
    );

    std::fs::write(
        at("wrong"),
        "access_key_id = firefly\nsecret_access_key = moth\n",
    )
    .unwrap();
    let wrong = format!(
        "s3://firefly/wrong?endpoint=http://127.0.0.1:{}&credentials={}",
        s3.port(),
        at("wrong")
    );
    let error = BlockingObjects::open(&wrong).unwrap().get("x").unwrap_err();
    let refused = server.command(&["storage", "add", &wrong]);
    assert!(!refused.status.success());
    let log = std::fs::read_to_string(server.folder().join("log")).unwrap();
    let all = format!("{error}{}{doctor}{log}", said(&refused));
    assert!(!all.contains("moth") && !all.contains("glowworm"), "{all}");
}

#[test]
fn hdfs_may_lose_a_datanode_and_its_namenode_may_restart_and_all_of_it_may_be_killed() {
    let mut hdfs = Engine::start("hdfs");
    let server = server_on(&url(&hdfs, "blocks"));
    let user = server.user("writer");
    let mut told = while_writing(&user, || command(&hdfs, "stop-datanode"));
    all_there(&user, &told);
    let other = server.user("other");
    let later = while_writing(&other, || command(&hdfs, "restart-namenode"));
    all_there(&other, &later);
    told.extend(write(&user, "synced", 5));
    // What was synced is on the datanodes' disks.
    hdfs.kill9();
    hdfs.start_again();
    until("HDFS serves again", 60, || {
        (status(&server)["targets"][0]["online"] == true).then_some(())
    });
    all_there(&user, &told);
    all_there(&other, &later);
    until("uploads go on", 60, || {
        let stored = user.upload("/after.txt", b"back again").ok()?;
        (stored.status == 200).then_some(())
    });
    server.check();
}

/// Asks the cluster for something and waits until it is done.
fn command(hdfs: &Engine, what: &str) {
    let file = hdfs.folder().join("control").join(what);
    std::fs::write(&file, "").unwrap();
    until(what, 60, || (!file.exists()).then_some(()));
}

#[test]
fn a_flipped_bit_on_s3_is_found_and_repaired_from_elsewhere() {
    let s3 = shared("s3");
    let mut server = Server::stopped(false);
    std::fs::create_dir_all(server.data()).unwrap();
    let targets = [url(&s3, "flip-one"), url(&s3, "flip-two")].join(",");
    let settings = format!("targets = \"{targets}\"\nreplicas = 2\n");
    std::fs::write(server.data().join("firefly.toml"), settings).unwrap();
    server.start_again();
    let user = server.user("ann");
    let files = write(&user, "f", 10);
    server.stop(); // else whoever reads the block first mends it
    flip(&largest(&s3.folder().join("root/firefly/flip-one")));
    let checked = server.command(&["check"]);
    assert_eq!(checked.status.code(), Some(1), "{}", said(&checked));
    succeeds(&server, &["check", "--repair"]);
    server.start_again();
    all_there(&user, &files);
    server.check();
}

/// The largest file below a folder.
fn largest(folder: &Path) -> PathBuf {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.metadata().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind => found.push((kind.len(), entry.path())),
            }
        }
    }
    found.into_iter().max().unwrap().1
}

fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn backups_lie_on_s3_and_hdfs() {
    for kind in ["s3", "hdfs"] {
        let engine = shared(kind);
        let depot = url(&engine, "backups");
        let mut server = Server::start_embedded();
        let user = server.user("ann");
        let mut files = write(&user, "first", 10);
        succeeds(&server, &["backup", &depot, "--with-keys"]);
        files.extend(write(&user, "second", 5));
        succeeds(&server, &["backup", &depot, "--with-keys"]);
        assert!(succeeds(&server, &["backup", "list", &depot]).contains("2 points"));
        let verified = succeeds(&server, &["backup", "verify", &depot]);
        assert!(verified.contains("all is well"), "{verified}");
        succeeds(&server, &["backup", "prune", &depot, "--keep-last", "1"]);
        assert_eq!(server.stop(), 0);
        std::fs::remove_dir_all(server.data()).unwrap();
        succeeds(&server, &["restore", &depot]);
        server.start_again();
        all_there(&user, &files);
        server.check();
    }
}

/// Carries a store to MariaDB and S3 and back to one folder; every file is the same each time, also by the hash that clients see.
#[test]
fn a_store_goes_to_mariadb_and_s3_and_back() {
    let (database, s3) = (crate::mariadb::MariaDb::start(), shared("s3"));
    let mut server = Server::start_embedded();
    let user = server.user("mover");
    let mut files = write(&user, "before", 20);
    let hashes = |user: &User| -> Vec<Value> {
        let files = user.files().into_values();
        files.map(|file| file["content_hash"].clone()).collect()
    };
    let before = hashes(&user);
    assert_eq!(server.stop(), 0);
    let settings = format!(
        "targets = \"{}\"\nmetadata = \"{}\"\nmetadata_password_file = \"{}\"\n",
        url(&s3, "migrated"),
        database.new_database(),
        database.password_file().display()
    );
    let old = extents(&server.data().join("blocks"));
    let from = server.data();
    crate::migrate::migrate(&mut server, "there", &settings);
    assert_eq!(
        extents(&from.join("blocks")),
        old,
        "the old store is as it was"
    );
    server.start_again();
    assert_eq!(hashes(&user), before);
    all_there(&user, &files);
    files.extend(write(&user, "there", 5));
    assert_eq!(server.stop(), 0);
    server.check();

    crate::migrate::migrate(&mut server, "back", "");
    server.start_again();
    all_there(&user, &files);
    assert_eq!(hashes(&user)[..before.len()], before);
    assert_eq!(server.stop(), 0);
    server.check();
}
