//! The key ring in a backup: as it is, or sealed with a passphrase.

use argon2::Argon2;
use aws_lc_rs::aead::{Aad, Nonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::depot::Depot;
use super::point::{KeysIncluded, Point, keys_object};
use super::{FORMAT, corrupt};
use crate::error::{Error, Result};
use crate::key::{self, Keyring};

/// Argon2id's memory, KiB: a guess costs as much.
const MEMORY_KIB: u32 = 64 * 1024;
/// Argon2id's passes.
const PASSES: u32 = 3;
/// More than this is not taken from a file that may be forged.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 100;
/// Shorter passphrases are refused, characters.
const MIN_CHARACTERS: usize = 12;

/// What a person seals a key ring with. Zeroed when dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase of at least twelve characters; white space around it does not count.
    pub fn new(text: &str) -> Result<Passphrase> {
        let text = text.trim();
        if text.chars().count() < MIN_CHARACTERS {
            return Err(Error::Key(format!(
                "a passphrase has at least {MIN_CHARACTERS} characters"
            )));
        }
        Ok(Passphrase(Zeroizing::new(text.to_owned())))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kept {
    Plain {
        format: u32,
        ring: String,
    },
    Sealed {
        format: u32,
        memory_kib: u32,
        passes: u32,
        salt: String,
        nonce: String,
        ring: String,
    },
}

/// Puts the key ring into the backup of `point`.
pub(super) fn put(
    depot: &Depot,
    point: &str,
    keys: &Keyring,
    passphrase: Option<&Passphrase>,
) -> Result<KeysIncluded> {
    let ring = keys.document()?;
    let (kept, included) = match passphrase {
        None => {
            let ring = ring.to_string();
            (
                Kept::Plain {
                    format: FORMAT,
                    ring,
                },
                KeysIncluded::Plain,
            )
        }
        Some(passphrase) => (seal(&ring, passphrase)?, KeysIncluded::Sealed),
    };
    let bytes = serde_json::to_vec(&kept).map_err(|e| Error::Engine(e.to_string()))?;
    depot.put(&keys_object(point), bytes)?;
    Ok(included)
}

/// The key ring that a point has with it; [`Error::Key`] says what is missing to have it.
pub(super) fn get(
    depot: &Depot,
    point: &Point,
    passphrase: Option<&Passphrase>,
) -> Result<Keyring> {
    let text = document(depot, point, passphrase)?;
    Keyring::from_copy(&text)
}

/// The key ring's text that a point has with it.
pub(super) fn document(
    depot: &Depot,
    point: &Point,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>> {
    if point.keys == KeysIncluded::No {
        return Err(Error::Key(
            "the keys are not in this backup: bring your copy of kek.json".into(),
        ));
    }
    let name = keys_object(&point.name);
    let bytes = Zeroizing::new(depot.need(&name)?);
    let kept = serde_json::from_slice(&bytes);
    let kept = kept.map_err(|_| corrupt(format!("backup object {name}"), "malformed"))?;
    match (kept, passphrase) {
        (Kept::Plain { ring, .. }, _) => Ok(Zeroizing::new(ring)),
        (Kept::Sealed { .. }, None) => Err(Error::Key(
            "the keys in this backup are sealed: give the passphrase".into(),
        )),
        (sealed, Some(passphrase)) => open(&sealed, passphrase),
    }
}

fn seal(ring: &str, passphrase: &Passphrase) -> Result<Kept> {
    let (mut salt, mut nonce) = ([0; 16], [0; 12]);
    key::fill(&mut salt)?;
    key::fill(&mut nonce)?;
    let key = stretch(passphrase, &salt, MEMORY_KIB, PASSES)?;
    let cipher = key::cipher(&key)?;
    let mut bytes = ring.as_bytes().to_vec();
    cipher
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut bytes,
        )
        .map_err(|_| Error::Key("the key ring does not seal".into()))?;
    Ok(Kept::Sealed {
        format: FORMAT,
        memory_kib: MEMORY_KIB,
        passes: PASSES,
        salt: hex::encode(salt),
        nonce: hex::encode(nonce),
        ring: hex::encode(bytes),
    })
}

fn open(kept: &Kept, passphrase: &Passphrase) -> Result<Zeroizing<String>> {
    let Kept::Sealed {
        memory_kib,
        passes,
        salt,
        nonce,
        ring,
        ..
    } = kept
    else {
        return Err(Error::Key("the key ring is not sealed".into()));
    };
    let malformed = || Error::Key("the sealed key ring is malformed".into());
    let wrong = || Error::Key("the passphrase does not open the keys in this backup".into());
    if *memory_kib > MAX_MEMORY_KIB || *passes > MAX_PASSES {
        return Err(malformed());
    }
    let salt = hex::decode(salt).map_err(|_| malformed())?;
    let nonce = hex::decode(nonce).map_err(|_| malformed())?;
    let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| malformed())?;
    let key = stretch(passphrase, &salt, *memory_kib, *passes)?;
    let cipher = key::cipher(&key)?;
    let mut bytes = Zeroizing::new(hex::decode(ring).map_err(|_| malformed())?);
    let text = cipher.open_in_place(nonce, Aad::empty(), &mut bytes);
    let text = text.map_err(|_| wrong())?.to_vec();
    String::from_utf8(text)
        .map(Zeroizing::new)
        .map_err(|_| wrong())
}

/// What any bytes are as a key ring in a backup, opened where that costs little, for the fuzz targets.
#[cfg(feature = "fuzz")]
pub(super) fn decode(bytes: &[u8]) {
    let Ok(kept) = serde_json::from_slice::<Kept>(bytes) else {
        return;
    };
    let is_cheap = match &kept {
        Kept::Plain { ring, .. } => {
            drop(Keyring::from_copy(ring));
            return;
        }
        Kept::Sealed {
            memory_kib, passes, ..
        } => *memory_kib <= 64 && *passes <= 2,
    };
    if is_cheap && let Ok(passphrase) = Passphrase::new("twelve characters") {
        drop(open(&kept, &passphrase));
    }
}

fn stretch(
    passphrase: &Passphrase,
    salt: &[u8],
    memory_kib: u32,
    passes: u32,
) -> Result<Zeroizing<[u8; 32]>> {
    let failed = |e: argon2::Error| Error::Key(format!("passphrase: {e}"));
    let params = argon2::Params::new(memory_kib, passes, 1, Some(32)).map_err(failed)?;
    let argon = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut key = Zeroizing::new([0; 32]);
    argon
        .hash_password_into(passphrase.0.as_bytes(), salt, &mut key[..])
        .map_err(failed)?;
    Ok(key)
}
