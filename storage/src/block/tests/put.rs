//! Storing and reading back.

use super::*;
use crate::chunk::BLOCK_BYTES;

#[test]
fn what_was_put_is_got_also_after_reopening() {
    let bench = Bench::new(2);
    let blocks: Vec<Vec<u8>> = vec![
        vec![],
        b"x".to_vec(),
        block(1),
        vec![0; BLOCK_BYTES],
        noise(1, BLOCK_BYTES),
        noise(2, 5_000),
    ];
    let store = bench.open();
    let hashes: Vec<_> = blocks
        .iter()
        .map(|block| store.put(block).unwrap())
        .collect();
    for (hash, block) in hashes.iter().zip(&blocks) {
        assert_eq!(*hash, BlockHash::of(block));
        assert_eq!(store.get(hash).unwrap(), *block);
    }
    drop(store);
    let store = bench.open();
    for (hash, block) in hashes.iter().zip(&blocks) {
        assert_eq!(store.get(hash).unwrap(), *block);
    }
    assert!(matches!(
        store.get(&BlockHash::of(b"never")),
        Err(Error::BlockMissing(_))
    ));
    assert!(store.put(&vec![0; BLOCK_BYTES + 1]).is_err());
    assert!(store.extents().unwrap().len() > 1, "extents roll");
}
