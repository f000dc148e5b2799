//! Decrypted small blocks in memory, bounded; about the most recently used ones.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::chunk::BlockHash;

/// Larger blocks are not kept, bytes.
const MAX_BLOCK_BYTES: usize = 64 * 1024;
/// What a block costs beyond its bytes.
const OVERHEAD_BYTES: usize = 128;

/// Two generations: what is used moves to the young one; when that is full, the old one goes.
pub struct Cache {
    limit_bytes: usize,
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<BlockHash, Vec<u8>>,
    old: HashMap<BlockHash, Vec<u8>>,
    young_bytes: usize,
}

impl Cache {
    pub fn new(limit_bytes: usize) -> Self {
        Cache {
            limit_bytes,
            generations: Mutex::default(),
        }
    }

    pub fn get(&self, hash: &BlockHash) -> Option<Vec<u8>> {
        let mut generations = self.lock();
        if let Some(plain) = generations.young.get(hash) {
            return Some(plain.clone());
        }
        let plain = generations.old.remove(hash)?;
        self.insert(&mut generations, hash, plain.clone());
        Some(plain)
    }

    pub fn put(&self, hash: &BlockHash, plain: &[u8]) {
        if plain.len() <= MAX_BLOCK_BYTES.min(self.limit_bytes / 4) {
            self.insert(&mut self.lock(), hash, plain.to_vec());
        }
    }

    pub fn remove(&self, hash: &BlockHash) {
        let mut generations = self.lock();
        generations.old.remove(hash);
        if let Some(plain) = generations.young.remove(hash) {
            generations.young_bytes -= plain.len() + OVERHEAD_BYTES;
        }
    }

    fn insert(&self, generations: &mut Generations, hash: &BlockHash, plain: Vec<u8>) {
        let bytes = plain.len() + OVERHEAD_BYTES;
        if generations.young_bytes + bytes > self.limit_bytes / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
        generations.young_bytes += bytes;
        if let Some(twin) = generations.young.insert(*hash, plain) {
            generations.young_bytes -= twin.len() + OVERHEAD_BYTES;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
