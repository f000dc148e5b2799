//! Key-encryption keys (KEK): a versioned ring that wraps each block's own key (BEK).
//!
//! The ring lives outside the data: in a file of its own, an environment variable, or what a command prints. Without
//! it no block can ever be read, so it is never made silently beside existing data, and never printed.

mod document;
mod source;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

pub use source::Source;

use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use document::Document;

/// Length of a wrapped key, bytes: nonce (12), ciphertext (32), tag (16).
pub const WRAPPED_BYTES: usize = 60;
const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;

/// A block's own key. Zeroed when dropped, never printed.
pub struct BlockKey(pub(crate) Zeroizing<[u8; KEY_BYTES]>);

impl BlockKey {
    /// A fresh random key.
    pub fn random() -> Result<Self> {
        Ok(BlockKey(random_key()?))
    }
}

impl std::fmt::Debug for BlockKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlockKey(…)")
    }
}

/// A block's key as it is stored: encrypted under version `kek` of the ring, bound to the block's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The version of the key-encryption key.
    pub kek: u32,
    /// Nonce, ciphertext, tag.
    pub bytes: [u8; WRAPPED_BYTES],
}

/// The key-encryption keys. Clones share one ring, so that a rotation is seen by all.
#[derive(Clone)]
pub struct Keyring {
    source: Source,
    ring: Arc<RwLock<Ring>>,
}

struct Ring {
    current: u32,
    keys: BTreeMap<u32, LessSafeKey>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Keyring({}, versions {:?})",
            self.source,
            self.versions()
        )
    }
}

impl Keyring {
    /// Makes a new ring with one random key in `source`, which must be a file that does not exist yet.
    pub fn create(source: Source) -> Result<Self> {
        let document = Document::first()?;
        source.create(&document)?;
        Self::from_document(source, &document)
    }

    /// Loads the ring; [`Error::Key`] says what is wrong with it.
    pub fn load(source: Source) -> Result<Self> {
        let document = source.read()?;
        Self::from_document(source, &document)
    }

    /// Loads the ring, or creates it when nothing is stored yet. A missing ring beside existing data is an error: a new
    /// one could never read that data.
    pub fn open(source: Source, has_data: bool) -> Result<Self> {
        if source.exists() {
            return Self::load(source);
        }
        if has_data {
            return Err(Error::Key(format!(
                "{source} is missing, but there are blocks that only it can decrypt: restore it from your copy (a new one is not made)"
            )));
        }
        Self::create(source)
    }

    /// A ring that lives in memory only, for tests and measurements.
    pub fn in_memory() -> Result<Self> {
        Self::from_document(Source::Memory, &Document::first()?)
    }

    /// Where the ring is kept, for a person.
    pub fn kept_in(&self) -> String {
        self.source.to_string()
    }

    /// Adds a new version, which new blocks use from now on; returns it. Only a ring in a file can be rotated by
    /// Firefly; the others are rotated where they are kept, then [`Keyring::reload`]ed.
    pub fn rotate(&self) -> Result<u32> {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let mut document = self.editable(&ring)?;
        let version = document.add()?;
        self.source.replace(&document)?;
        let key = document.key(version)?;
        ring.keys.insert(version, key);
        ring.current = version;
        Ok(version)
    }

    /// Removes an old version for good. The caller has made sure that nothing is wrapped under it.
    pub fn retire(&self, version: u32) -> Result<()> {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if version == ring.current {
            return Err(Error::Key(format!("version {version} is the current one")));
        }
        let mut document = self.editable(&ring)?;
        document.remove(version);
        self.source.replace(&document)?;
        ring.keys.remove(&version);
        Ok(())
    }

    /// Reads the ring again from where it is kept.
    pub fn reload(&self) -> Result<()> {
        let fresh = Ring::new(&self.source.read()?)?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The ring as it is written down, for a copy of it. A ring that is nowhere written down has none.
    pub(crate) fn document(&self) -> Result<Zeroizing<String>> {
        if matches!(self.source, Source::Memory) {
            return Err(Error::Key(format!("{} has no copy", self.source)));
        }
        let ring = self.read();
        self.editable(&ring)?.text()
    }

    /// A ring from such a copy, to read with; it is not kept anywhere.
    pub fn from_copy(text: &str) -> Result<Self> {
        Self::from_document(Source::Memory, &Document::parse(text)?)
    }

    /// Writes such a copy to `source`, a file that must not exist yet, and loads it.
    pub fn install(source: Source, text: &str) -> Result<Self> {
        let document = Document::parse(text)?;
        let ring = Self::from_document(source.clone(), &document)?;
        source.create(&document)?;
        Ok(ring)
    }

    /// The version that new blocks use.
    pub fn current_version(&self) -> u32 {
        self.read().current
    }

    /// All versions, ascending.
    pub fn versions(&self) -> Vec<u32> {
        self.read().keys.keys().copied().collect()
    }

    /// Encrypts a block's key under the current version.
    pub fn wrap(&self, key: &BlockKey, hash: &BlockHash) -> Result<WrappedKey> {
        let ring = self.read();
        let kek = ring.get(ring.current)?;
        let mut nonce = [0u8; NONCE_BYTES];
        fill(&mut nonce)?;
        let mut bytes = [0u8; WRAPPED_BYTES];
        let (head, rest) = bytes.split_at_mut(NONCE_BYTES);
        let (body, tail) = rest.split_at_mut(KEY_BYTES);
        head.copy_from_slice(&nonce);
        body.copy_from_slice(&key.0[..]);
        let tag = kek
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(&hash.0),
                body,
            )
            .map_err(|_| Error::Key("wrapping failed".into()))?;
        tail.copy_from_slice(tag.as_ref());
        Ok(WrappedKey {
            kek: ring.current,
            bytes,
        })
    }

    /// Decrypts a block's key; [`Error::Key`] when the version is not in the ring or the bytes do not belong to `hash`.
    pub fn unwrap(&self, wrapped: &WrappedKey, hash: &BlockHash) -> Result<BlockKey> {
        let ring = self.read();
        let kek = ring.get(wrapped.kek)?;
        let nonce = Nonce::try_assume_unique_for_key(&wrapped.bytes[..NONCE_BYTES]);
        let nonce = nonce.map_err(|_| Error::Key("malformed wrapped key".into()))?;
        let mut sealed = Zeroizing::new([0u8; WRAPPED_BYTES - NONCE_BYTES]);
        sealed.copy_from_slice(&wrapped.bytes[NONCE_BYTES..]);
        let plain = kek.open_in_place(nonce, Aad::from(&hash.0), &mut sealed[..]);
        let plain = plain.map_err(|_| {
            Error::Key(format!(
                "the key of block {hash} does not unwrap (version {})",
                wrapped.kek
            ))
        })?;
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        key.copy_from_slice(plain);
        Ok(BlockKey(key))
    }

    fn from_document(source: Source, document: &Document) -> Result<Self> {
        let ring = Arc::new(RwLock::new(Ring::new(document)?));
        Ok(Keyring { source, ring })
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored ring, checked against the one in memory, so that a foreign file is never extended.
    fn editable(&self, ring: &Ring) -> Result<Document> {
        if matches!(self.source, Source::Memory) {
            return Document::for_memory(ring.keys.keys().copied(), ring.current);
        }
        let document = self.source.read()?;
        if document.current != ring.current || !document.versions().eq(ring.keys.keys().copied()) {
            return Err(Error::Key(format!(
                "{} has changed since it was loaded: reload first",
                self.source
            )));
        }
        Ok(document)
    }
}

impl Ring {
    fn new(document: &Document) -> Result<Self> {
        let keys = document
            .versions()
            .map(|version| Ok((version, document.key(version)?)))
            .collect::<Result<_>>()?;
        let ring = Ring {
            current: document.current,
            keys,
        };
        ring.get(ring.current)?;
        Ok(ring)
    }

    fn get(&self, version: u32) -> Result<&LessSafeKey> {
        let missing = || Error::Key(format!("version {version} is not in the key ring"));
        self.keys.get(&version).ok_or_else(missing)
    }
}

pub(crate) fn cipher(key: &[u8; KEY_BYTES]) -> Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::Key("malformed key".into()))?;
    Ok(LessSafeKey::new(key))
}

pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| Error::Key("no randomness from the system".into()))
}

fn random_key() -> Result<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    fill(&mut key[..])?;
    Ok(key)
}

#[cfg(test)]
mod tests;
