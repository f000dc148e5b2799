//! The program on a database: what TLS promises, and memcached in front.

use std::path::Path;

use serde_json::json;

use crate::certificates;
use crate::engine::Engine;
use crate::mariadb::MariaDb;
use crate::program::{Server, said};
use crate::user::User;

/// A database server with a certificate for 127.0.0.1 that serves nobody unencrypted, and the folder with its authority.
fn with_certificate() -> (MariaDb, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let arguments = format!(
        "--ssl-cert={} --ssl-key={} --bind-address=127.0.0.1,127.0.0.2",
        file("cert.pem"),
        file("key.pem")
    );
    let server = MariaDb::start_with(&arguments);
    server.sql("ALTER USER firefly@'%' REQUIRE SSL");
    (server, folder)
}

/// What a start says on this database when it trusts this authority.
fn refusal(url: &str, password_file: &Path, ca: &Path) -> String {
    let server = Server::stopped(false);
    let mut command = server.program();
    command
        .args(["serve", "--metadata", url, "--listen", server.listen()])
        .arg("--metadata-password-file")
        .arg(password_file)
        .arg("--metadata-ca")
        .arg(ca);
    let done = command.output().unwrap();
    assert!(!done.status.success());
    said(&done)
}

#[test]
fn a_database_proves_its_name_or_hears_nothing() {
    let (database, folder) = with_certificate();
    let (url, password) = (database.new_database(), database.password_file());
    let ca = folder.path().join("ca.pem");
    let mut server = Server::stopped(false);
    server.start_with(&[
        "--metadata",
        &url,
        "--metadata-password-file",
        &password.display().to_string(),
        "--metadata-ca",
        &ca.display().to_string(),
    ]);
    let user = server.user("ann");
    user.put("/a.txt", b"over TLS");
    assert_eq!(user.download("/a.txt").body, b"over TLS");

    let stranger = tempfile::tempdir().unwrap();
    certificates::make(stranger.path());
    let unknown = refusal(&url, &password, &stranger.path().join("ca.pem"));
    assert!(unknown.contains("invalid peer certificate"), "{unknown}");
    let another = refusal(&url.replace("127.0.0.1", "127.0.0.2"), &password, &ca);
    assert!(another.contains("not valid for name"), "{another}");
    let plain = MariaDb::start_with("--skip-ssl");
    let unable = refusal(&plain.new_database(), &plain.password_file(), &ca);
    assert!(unable.contains("does not support TLS"), "{unable}");
}

/// Reads that the cache answered so far.
fn hits(server: &Server) -> u64 {
    let bearer = format!("Bearer {}", server.admin_token());
    let headers = [("Authorization", bearer.as_str())];
    let metrics = server.http().request("GET", "/metrics", &headers, b"");
    let metrics = metrics.unwrap().text();
    let line = "firefly_metadata_cache_reads_total{outcome=\"hit\"} ";
    let count = metrics.lines().find_map(|found| found.strip_prefix(line));
    count.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn a_cache_saves_reads_and_may_die_at_any_time() {
    let mut cache = Engine::start("memcached");
    let mut server = Server::stopped_on_database();
    server.start_with(&[
        "--cache-url",
        &format!("memcache://127.0.0.1:{}", cache.port()),
    ]);
    let user = server.user("ann");
    changes_show_at_once(&user, "/with");
    assert!(hits(&server) > 0);
    cache.kill9();
    changes_show_at_once(&user, "/without");
    cache.start_again();
    changes_show_at_once(&user, "/again");
    assert_eq!(server.stop(), 0);
    server.check();
}

/// Everything that reads sees each change, with whatever is cached of before.
fn changes_show_at_once(user: &User, folder: &str) {
    for round in 0..5u8 {
        let (path, moved) = (format!("{folder}/a.txt"), format!("{folder}/{round}.txt"));
        user.put(&path, &[round]);
        for _ in 0..2 {
            assert_eq!(user.download(&path).body, [round]);
        }
        let id = user.call("files/get_metadata", &json!({ "path": path }))["id"].clone();
        let both = json!({ "from_path": path, "to_path": moved });
        user.call("files/move_v2", &both);
        let found = user.call("files/get_metadata", &json!({ "path": id }));
        assert_eq!(found["path_display"], json!(moved));
        assert_eq!(user.download(&moved).body, [round]);
        user.call("files/delete_v2", &json!({ "path": moved }));
        let gone = user.refused("files/get_metadata", &json!({ "path": moved }));
        assert!(gone.contains("not_found"), "{gone}");
    }
}
