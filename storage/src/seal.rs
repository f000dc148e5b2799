//! Seals cursors: what a client holds is authenticated and opaque.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::{Store, Value};

/// Bytes of the key and of the tag (HMAC-SHA-256).
const KEY_BYTES: usize = 32;
/// The layout of what is sealed; another one does not open.
const VERSION: u8 = 1;
/// Characters of a cursor at most, against absurd input. A listing's holds a sequence for each of up to 10,000 namespaces.
const MAX_CHARACTERS: usize = 512 * 1024;

/// Authenticates values of one purpose with a key that is persisted in the store, so that every process of a
/// cluster accepts them, also after a restart.
pub struct Sealer {
    key: hmac::Key,
}

impl Sealer {
    /// Loads the key of `purpose`, making it on first use.
    pub fn load(store: &dyn Store, purpose: &[u8]) -> Result<Self> {
        let mut row = vec![keyspace::SYSTEM];
        row.extend_from_slice(b"cursor-key/");
        row.extend_from_slice(purpose);
        let mut key = Vec::new();
        store.transact(&mut |txn| {
            key = match txn.get(&row)? {
                Some(key) => key,
                None => {
                    let fresh: [u8; KEY_BYTES] = rand::random();
                    txn.put(row.clone(), Value::from(fresh.to_vec()));
                    fresh.to_vec()
                }
            };
            Ok(())
        })?;
        Ok(Sealer {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        })
    }

    /// The opaque text of `value`.
    pub fn seal<T: Serialize>(&self, value: &T) -> Result<String> {
        let mut bytes = vec![VERSION];
        bytes.extend(postcard::to_stdvec(value).map_err(|e| Error::Engine(e.to_string()))?);
        let tag = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Seals a value's bytes, whatever they are: what only a holder of the key could make.
    #[cfg(feature = "fuzz")]
    pub fn seal_bytes(&self, value: &[u8]) -> String {
        let mut bytes = [&[VERSION], value].concat();
        let tag = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The value in `text`; none when it was not sealed here or has another layout.
    pub fn open<T: DeserializeOwned>(&self, text: &str) -> Option<T> {
        if text.len() > MAX_CHARACTERS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, tag) = bytes.split_at_checked(bytes.len().saturating_sub(KEY_BYTES))?;
        hmac::verify(&self.key, body, tag).ok()?;
        match body.split_first() {
            Some((&VERSION, value)) => postcard::from_bytes(value).ok(),
            _ => None,
        }
    }
}
