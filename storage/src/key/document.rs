//! The ring as it is written down: JSON with one hexadecimal key per version.

use std::collections::BTreeMap;

use aws_lc_rs::aead::LessSafeKey;
use zeroize::Zeroizing;

use super::{KEY_BYTES, cipher, random_key};
use crate::error::{Error, Result};

const FORMAT: u32 = 1;

/// `{"format":1,"current":2,"keys":{"1":"…","2":"…"}}`. Its keys are zeroed when dropped.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    format: u32,
    pub(super) current: u32,
    keys: BTreeMap<u32, Secret>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl Drop for Secret {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl Document {
    /// A new ring with version 1.
    pub(super) fn first() -> Result<Self> {
        let mut document = Document {
            format: FORMAT,
            current: 0,
            keys: BTreeMap::new(),
        };
        document.add()?;
        Ok(document)
    }

    /// Stands for a ring that is nowhere written down: versions without their keys.
    pub(super) fn for_memory(versions: impl Iterator<Item = u32>, current: u32) -> Result<Self> {
        let keys = versions
            .map(|version| (version, Secret(String::new())))
            .collect();
        Ok(Document {
            format: FORMAT,
            current,
            keys,
        })
    }

    /// Reads a document, or a bare key (64 hexadecimal digits), which becomes version 1.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.len() == 2 * KEY_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let keys = BTreeMap::from([(1, Secret(text.to_owned()))]);
            return Ok(Document {
                format: FORMAT,
                current: 1,
                keys,
            });
        }
        // The parser's message could quote the text, so only its place is passed on.
        let document: Document = serde_json::from_str(text).map_err(|error| {
            Error::Key(format!(
                "malformed key ring at line {} column {}",
                error.line(),
                error.column()
            ))
        })?;
        if document.format != FORMAT {
            return Err(Error::NewerFormat {
                what: "key ring".into(),
                found: document.format,
                supported: FORMAT,
            });
        }
        Ok(document)
    }

    /// The text to write down.
    pub(super) fn text(&self) -> Result<Zeroizing<String>> {
        let text = serde_json::to_string(self).map_err(|error| Error::Key(error.to_string()))?;
        Ok(Zeroizing::new(text + "\n"))
    }

    /// Adds a random key after the newest version and makes it current.
    pub(super) fn add(&mut self) -> Result<u32> {
        let version = self
            .keys
            .keys()
            .next_back()
            .copied()
            .unwrap_or(0)
            .max(self.current)
            + 1;
        let key = random_key()?;
        self.keys.insert(version, Secret(hex::encode(&key[..])));
        self.current = version;
        Ok(version)
    }

    pub(super) fn remove(&mut self, version: u32) {
        self.keys.remove(&version);
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = u32> + '_ {
        self.keys.keys().copied()
    }

    /// The key of a version, ready to use.
    pub(super) fn key(&self, version: u32) -> Result<LessSafeKey> {
        let malformed = || {
            Error::Key(format!(
                "version {version} in the key ring is not 64 hexadecimal digits"
            ))
        };
        let secret = self.keys.get(&version).ok_or_else(malformed)?;
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        hex::decode_to_slice(&secret.0, &mut key[..]).map_err(|_| malformed())?;
        cipher(&key)
    }
}
