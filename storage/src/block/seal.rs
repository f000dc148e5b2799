//! Compresses and encrypts a block, and back.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::aead::{Aad, Nonce};

use super::row::{BlockRow, Codec};
use crate::chunk::{BLOCK_BYTES, BlockHash};
use crate::error::{Error, Result};
use crate::key::{self, BlockKey};

/// Blocks shorter than this are not worth compressing, bytes.
const MIN_COMPRESSED_BYTES: usize = 64;
/// Idle compression contexts that are kept; each holds about a megabyte.
const MAX_IDLE: usize = 16;

/// A block as it goes into an extent, and the key to it.
pub struct Sealed {
    pub codec: Codec,
    pub plain_len: u32,
    pub payload: Vec<u8>,
    pub key: BlockKey,
}

/// Compression contexts, reused because making one costs more than compressing a small block.
pub struct Sealer {
    level: i32,
    compressors: Mutex<Vec<zstd::bulk::Compressor<'static>>>,
    decompressors: Mutex<Vec<zstd::bulk::Decompressor<'static>>>,
}

impl Sealer {
    pub fn new(level: i32) -> Self {
        Sealer {
            level,
            compressors: Mutex::default(),
            decompressors: Mutex::default(),
        }
    }

    /// Compresses (where that shrinks) and encrypts under a fresh key, bound to the block's name.
    pub fn seal(&self, plain: &[u8], hash: &BlockHash) -> Result<Sealed> {
        if plain.len() > BLOCK_BYTES {
            return Err(Error::Engine(format!(
                "a block of {} bytes is longer than {BLOCK_BYTES}",
                plain.len()
            )));
        }
        let plain_len = plain.len() as u32;
        let (codec, mut payload) = match self.compress(plain)? {
            Some(smaller) => (Codec::Zstd, smaller),
            None => (Codec::Plain, with_tag_room(plain)),
        };
        let key = BlockKey::random()?;
        key::cipher(&key.0)?
            .seal_in_place_append_tag(nonce(), Aad::from(&hash.0), &mut payload)
            .map_err(|_| Error::Key(format!("block {hash} does not encrypt")))?;
        Ok(Sealed {
            codec,
            plain_len,
            payload,
            key,
        })
    }

    fn compress(&self, plain: &[u8]) -> Result<Option<Vec<u8>>> {
        if plain.len() < MIN_COMPRESSED_BYTES {
            return Ok(None);
        }
        let failed = |error| Error::io("compressing a block", error);
        let mut compressor = match lock(&self.compressors).pop() {
            Some(compressor) => compressor,
            None => zstd::bulk::Compressor::new(self.level).map_err(failed)?,
        };
        let smaller = compressor.compress(plain).map_err(failed)?;
        keep(&self.compressors, compressor);
        Ok((smaller.len() < plain.len()).then_some(smaller))
    }

    /// Decrypts and decompresses a record's payload, and checks that it is the block.
    pub fn open(
        &self,
        payload: &[u8],
        hash: &BlockHash,
        row: &BlockRow,
        key: &BlockKey,
    ) -> Result<Vec<u8>> {
        let corrupt = |detail: &str| Error::Corrupt {
            what: format!("block {hash} at {}", row.location),
            detail: detail.into(),
        };
        let mut bytes = payload.to_vec();
        let opened = key::cipher(&key.0)?.open_in_place(nonce(), Aad::from(&hash.0), &mut bytes);
        let length = opened.map_err(|_| corrupt("does not decrypt"))?.len();
        bytes.truncate(length);
        if row.codec == Codec::Zstd {
            let capacity = (row.plain_len as usize).min(BLOCK_BYTES);
            let plain = self.decompress(&bytes, capacity);
            bytes = plain.map_err(|_| corrupt("does not decompress"))?;
        }
        if BlockHash::of(&bytes) != *hash {
            return Err(corrupt("its SHA-256 is another"));
        }
        Ok(bytes)
    }

    fn decompress(&self, bytes: &[u8], capacity: usize) -> std::io::Result<Vec<u8>> {
        let mut decompressor = match lock(&self.decompressors).pop() {
            Some(decompressor) => decompressor,
            None => zstd::bulk::Decompressor::new()?,
        };
        let plain = decompressor.decompress(bytes, capacity);
        keep(&self.decompressors, decompressor);
        plain
    }
}

/// Constant, because every key encrypts one payload only.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn with_tag_room(plain: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(plain.len() + 16);
    payload.extend_from_slice(plain);
    payload
}

/// Keeps an idle context for the next block.
fn keep<T>(idle: &Mutex<Vec<T>>, context: T) {
    let mut idle = lock(idle);
    if idle.len() < MAX_IDLE {
        idle.push(context);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
