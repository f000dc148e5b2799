use super::*;

fn hash() -> BlockHash {
    BlockHash::of(b"a block")
}

fn file(folder: &tempfile::TempDir) -> Source {
    Source::File(folder.path().join("keys/kek.json"))
}

fn path(source: &Source) -> &std::path::Path {
    match source {
        Source::File(path) => path,
        _ => panic!("not a file"),
    }
}

#[test]
fn what_one_ring_wraps_the_loaded_one_unwraps() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let ring = Keyring::create(file(&folder)).unwrap();
    let key = BlockKey::random().unwrap();
    let wrapped = ring.wrap(&key, &hash()).unwrap();
    let loaded = Keyring::load(file(&folder)).unwrap();
    assert_eq!(loaded.unwrap(&wrapped, &hash()).unwrap().0, key.0);
    let mode = std::fs::metadata(path(&file(&folder)))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_wrapped_key_belongs_to_its_block_and_every_bit_counts() {
    let ring = Keyring::in_memory().unwrap();
    let wrapped = ring.wrap(&BlockKey::random().unwrap(), &hash()).unwrap();
    assert!(ring.unwrap(&wrapped, &BlockHash::of(b"another")).is_err());
    for bit in 0..WRAPPED_BYTES * 8 {
        let mut bad = wrapped.clone();
        bad.bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(ring.unwrap(&bad, &hash()), Err(Error::Key(_))));
    }
}

#[test]
fn rotation_keeps_old_versions_until_they_are_retired() {
    let folder = tempfile::tempdir().unwrap();
    let ring = Keyring::create(file(&folder)).unwrap();
    let old = ring.wrap(&BlockKey::random().unwrap(), &hash()).unwrap();
    assert_eq!(ring.clone().rotate().unwrap(), 2);
    assert_eq!(ring.current_version(), 2);
    let new = ring.wrap(&BlockKey::random().unwrap(), &hash()).unwrap();
    let loaded = Keyring::load(file(&folder)).unwrap();
    assert!(loaded.unwrap(&old, &hash()).is_ok() && loaded.unwrap(&new, &hash()).is_ok());
    assert!(ring.retire(2).is_err(), "the current version stays");
    ring.retire(1).unwrap();
    assert!(matches!(ring.unwrap(&old, &hash()), Err(Error::Key(_))));
    assert_eq!(Keyring::load(file(&folder)).unwrap().versions(), [2]);
    assert!(
        loaded.rotate().is_err(),
        "a stale ring does not overwrite a newer file"
    );
}

#[test]
fn a_missing_ring_beside_data_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let error = Keyring::open(file(&folder), true).unwrap_err().to_string();
    assert!(error.contains("kek.json is missing"), "{error}");
    assert!(!path(&file(&folder)).exists());
    Keyring::open(file(&folder), false).unwrap();
    Keyring::open(file(&folder), true).unwrap();
    assert!(
        Keyring::create(file(&folder)).is_err(),
        "an existing ring is never overwritten"
    );
}

#[test]
fn a_command_or_a_variable_may_hold_the_ring() {
    let bare = "ab".repeat(32);
    let ring = Keyring::load(Source::Command(format!("echo {bare}"))).unwrap();
    assert_eq!(ring.versions(), [1]);
    assert!(ring.rotate().is_err());
    ring.reload().unwrap();
    assert!(Keyring::load(Source::Command("exit 3".into())).is_err());
    assert!(Keyring::load(Source::Environment("FIREFLY_TEST_NO_SUCH_VARIABLE".into())).is_err());
}

#[test]
fn secrets_are_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let ring = Keyring::create(file(&folder)).unwrap();
    let text = std::fs::read_to_string(path(&file(&folder))).unwrap();
    let secret = text.split('"').find(|part| part.len() == 64).unwrap();
    assert!(!format!("{ring:?}").contains(secret));
    std::fs::write(
        path(&file(&folder)),
        text.replace("\"format\":1", "\"format\":\"x\""),
    )
    .unwrap();
    let error = Keyring::load(file(&folder)).unwrap_err().to_string();
    assert!(!error.contains(secret), "{error}");
    assert!(!format!("{:?}", BlockKey::random().unwrap()).contains(|c: char| c.is_ascii_digit()));
}
