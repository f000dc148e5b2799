//! Connections to the database over TLS, verified where the address says so.

use storage::kv::Store;
use storage::kv::mysql::{MySqlStore, Options};

use super::mariadb::{MariaDb, PASSWORD};
use super::{certificates, put};

#[test]
fn connections_are_encrypted_and_the_server_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    certificates::make(folder.path());
    let (cert, key) = (at("cert.pem"), at("key.pem"));
    let server = MariaDb::start_with(&format!("--ssl-cert={cert} --ssl-key={key}"));
    server.sql("ALTER USER firefly@'%' REQUIRE SSL");
    let url = server.new_database();
    let open = |options: &str| {
        let options = Options::new(&format!("{url}?{options}"), Some(PASSWORD)).unwrap();
        MySqlStore::open(options)
    };
    let ca = at("ca.pem");
    let store = open(&format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}")).unwrap();
    put(&store, b"a", b"1");
    assert_eq!(
        store.snapshot().unwrap().get(b"a").unwrap(),
        Some(b"1".to_vec())
    );

    // Another authority's word does not count, and an account that must come encrypted does not come otherwise.
    let other = tempfile::tempdir().unwrap();
    certificates::make(other.path());
    let other_ca = other.path().join("ca.pem");
    let wrong = open(&format!("ssl-mode=VERIFY_CA&ssl-ca={}", other_ca.display()));
    assert!(wrong.is_err());
    let plain = open("ssl-mode=DISABLED");
    let error = plain.err().unwrap().to_string();
    assert!(!error.contains(PASSWORD), "{error}");
}
