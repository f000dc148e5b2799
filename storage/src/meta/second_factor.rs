//! Second factors: codes of an application on a person's telephone (TOTP, RFC 6238), and recovery codes for when it is lost.
//!
//! Row: `SECOND_FACTOR account` -> postcard. The secret is wrapped by the key-encryption key, bound to the account; recovery codes
//! are kept as hashes. A code is good once: the time step of the last one taken is kept, and only later ones are taken.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use super::account::read_account;
use super::ids::AccountId;
use super::secret::SecretHash;
use super::{Meta, Refusal, keys};
use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::key::{BlockKey, Keyring, WrappedKey};
use crate::keyspace::SECOND_FACTOR;
use crate::kv::{Snapshot, Transaction};
use crate::row;

/// Recovery codes given out at once.
pub const RECOVERY_CODES: usize = 10;
/// Seconds of one time step.
pub const STEP_S: u64 = 30;
/// Digits of a code.
pub const DIGITS: u8 = 6;
/// Bytes of the shared secret, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// Characters of a recovery code without its dashes; each holds five bits.
const RECOVERY_CHARS: usize = 16;
/// What recovery codes are written in: no letter that reads like a digit.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// A second factor as it is shown: nothing of its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondFactor {
    /// When it was confirmed, milliseconds since 1970.
    pub since_ms: i64,
    /// Recovery codes that were not used yet.
    pub recovery_codes_left: usize,
}

/// A new secret, to be shown once. Not printed by `Debug`.
pub struct FactorSecret(Zeroizing<String>);

/// What a right code was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeKind {
    /// Of the application.
    Totp,
    /// A recovery code, which is used up now.
    Recovery,
}

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    /// The version of the key-encryption key.
    kek: u32,
    /// The wrapped key, whose first bytes are the secret.
    wrapped: Vec<u8>,
    /// `None`: it waits for its first code, and nothing is asked for yet.
    confirmed_ms: Option<i64>,
    /// The time step of the last code that was taken.
    last_step: u64,
    recovery: Vec<SecretHash>,
}

impl FactorSecret {
    /// Base32, as applications take it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for FactorSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FactorSecret(…)")
    }
}

impl Meta {
    /// The account's second factor; `None` also while it waits for its first code.
    pub fn second_factor(&self, account: AccountId) -> Result<Option<SecondFactor>> {
        let row = read(&*self.store().snapshot()?, account)?;
        Ok(row.and_then(|row| row.shown()))
    }

    /// Makes a new secret that waits for [`Meta::confirm_second_factor`]. Refused as `FactorInUse` when one was confirmed already.
    pub fn begin_second_factor(&self, account: AccountId, keys: &Keyring) -> Result<FactorSecret> {
        let key = BlockKey::random()?;
        let wrapped = keys.wrap(&key, &bound_to(account))?;
        self.transact(|txn| {
            read_account(&*txn, account)?.ok_or(Refusal::NotFound)?;
            if read(&*txn, account)?.is_some_and(|row| row.confirmed_ms.is_some()) {
                return Err(Refusal::FactorInUse.into());
            }
            let row = Row {
                kek: wrapped.kek,
                wrapped: wrapped.bytes.to_vec(),
                confirmed_ms: None,
                last_step: 0,
                recovery: Vec::new(),
            };
            write(txn, account, &row)
        })?;
        let secret = totp(&key)?.secret().to_base32();
        Ok(FactorSecret(Zeroizing::new(secret)))
    }

    /// Takes the first code of a secret that waits: from now on codes are asked for. Returns the recovery codes, shown once. Refused
    /// as `WrongCode`, `NoFactor` or `FactorInUse`.
    pub fn confirm_second_factor(
        &self,
        account: AccountId,
        keys: &Keyring,
        code: &str,
    ) -> Result<Vec<String>> {
        let codes = self.draw_recovery_codes();
        self.transact(|txn| {
            let mut row = read(&*txn, account)?.ok_or(Refusal::NoFactor)?;
            if row.confirmed_ms.is_some() {
                return Err(Refusal::FactorInUse.into());
            }
            row.last_step = self.step_of(&row, account, keys, code)?;
            row.confirmed_ms = Some(self.now_ms());
            row.recovery = hashes(account, &codes);
            write(txn, account, &row)
        })?;
        Ok(codes)
    }

    /// Takes a code, of the application or a recovery code: each is good once. Refused as `WrongCode`, or `NoFactor` when none was
    /// confirmed.
    pub fn take_code(&self, account: AccountId, keys: &Keyring, code: &str) -> Result<CodeKind> {
        self.transact(|txn| {
            let row = read(&*txn, account)?.filter(|row| row.confirmed_ms.is_some());
            let mut row = row.ok_or(Refusal::NoFactor)?;
            let recovery = hash(account, code);
            let kind = match row.recovery.iter().position(|known| *known == recovery) {
                Some(at) => {
                    row.recovery.remove(at);
                    CodeKind::Recovery
                }
                None => {
                    row.last_step = self.step_of(&row, account, keys, code)?;
                    CodeKind::Totp
                }
            };
            write(txn, account, &row)?;
            Ok(kind)
        })
    }

    /// New recovery codes, shown once; the old ones end. Refused as `NoFactor`.
    pub fn renew_recovery_codes(&self, account: AccountId) -> Result<Vec<String>> {
        let codes = self.draw_recovery_codes();
        self.transact(|txn| {
            let row = read(&*txn, account)?.filter(|row| row.confirmed_ms.is_some());
            let mut row = row.ok_or(Refusal::NoFactor)?;
            row.recovery = hashes(account, &codes);
            write(txn, account, &row)
        })?;
        Ok(codes)
    }

    /// Takes the account's second factor away, one that waits too. Refused as `NoFactor`.
    pub fn remove_second_factor(&self, account: AccountId) -> Result<()> {
        self.transact(|txn| {
            read(&*txn, account)?.ok_or(Refusal::NoFactor)?;
            txn.delete(key(account));
            Ok(())
        })
    }

    /// Wraps all secrets under the ring's current version; returns how many were under another. To be called after a rotation.
    pub fn rewrap_second_factors(&self, keys: &Keyring) -> Result<usize> {
        let rows = keys::prefixed(&*self.store().snapshot()?, &[SECOND_FACTOR])?;
        let mut rewrapped = 0;
        for (at, _) in rows {
            let account = AccountId(row::u64_at("second factor", &at, 1)?);
            rewrapped += usize::from(self.rewrap_second_factor(account, keys)?);
        }
        Ok(rewrapped)
    }

    fn rewrap_second_factor(&self, account: AccountId, keys: &Keyring) -> Result<bool> {
        self.transact(|txn| {
            let Some(mut row) = read(&*txn, account)? else {
                return Ok(false);
            };
            if row.kek == keys.current_version() {
                return Ok(false);
            }
            let wrapped = keys.wrap(&row.key(account, keys)?, &bound_to(account))?;
            (row.kek, row.wrapped) = (wrapped.kek, wrapped.bytes.to_vec());
            write(txn, account, &row)?;
            Ok(true)
        })
    }

    /// The time step that the code is of, if it is later than the last one that was taken.
    fn step_of(&self, row: &Row, account: AccountId, keys: &Keyring, code: &str) -> Result<u64> {
        let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let now_s = self.now_ms().max(0).unsigned_abs() / 1000;
        let step = totp(&row.key(account, keys)?)?.check(&digits, now_s);
        let step = step.filter(|step| *step > row.last_step);
        step.ok_or_else(|| Refusal::WrongCode.into())
    }

    fn draw_recovery_codes(&self) -> Vec<String> {
        let draw = |_| {
            let mut bits =
                (u128::from(self.random().u64()) << 64) | u128::from(self.random().u64());
            let mut code = String::new();
            for at in 0..RECOVERY_CHARS {
                if at > 0 && at % 4 == 0 {
                    code.push('-');
                }
                code.push(char::from(ALPHABET[(bits & 31) as usize]));
                bits >>= 5;
            }
            code
        };
        (0..RECOVERY_CODES).map(draw).collect()
    }
}

impl Row {
    fn shown(&self) -> Option<SecondFactor> {
        self.confirmed_ms.map(|since_ms| SecondFactor {
            since_ms,
            recovery_codes_left: self.recovery.len(),
        })
    }

    fn key(&self, account: AccountId, keys: &Keyring) -> Result<BlockKey> {
        let bytes = self.wrapped.as_slice().try_into();
        let bytes = bytes.map_err(|_| Error::Corrupt {
            what: format!("second factor of {account}"),
            detail: format!("a wrapped key of {} bytes", self.wrapped.len()),
        })?;
        let wrapped = WrappedKey {
            kek: self.kek,
            bytes,
        };
        keys.unwrap(&wrapped, &bound_to(account))
    }
}

/// Removes what there is of it with its account.
pub(super) fn forget(txn: &mut dyn Transaction, account: AccountId) {
    txn.delete(key(account));
}

fn totp(key: &BlockKey) -> Result<Totp> {
    let mut secret = [0u8; SECRET_BYTES];
    secret.copy_from_slice(&key.0[..SECRET_BYTES]);
    let made = Builder::new()
        .with_digits(DIGITS)
        .with_step_duration(STEP_S)
        .with_secret(totp_rs::Secret::new_stack(secret))
        .build();
    made.map_err(|error| Error::Engine(format!("second factor: {error}")))
}

/// What a wrapped secret is bound to, so that no row opens in another account's place.
fn bound_to(account: AccountId) -> BlockHash {
    let mut hash = Sha256::new();
    hash.update(b"second-factor");
    hash.update(account.0.to_be_bytes());
    BlockHash(hash.finalize().into())
}

fn hashes(account: AccountId, codes: &[String]) -> Vec<SecretHash> {
    codes.iter().map(|code| hash(account, code)).collect()
}

/// A recovery code's hash, however it was typed. Eighty random bits need no slower one.
fn hash(account: AccountId, code: &str) -> SecretHash {
    let typed = code.chars().filter(char::is_ascii_alphanumeric);
    let typed: Zeroizing<String> = Zeroizing::new(typed.map(|c| c.to_ascii_lowercase()).collect());
    let mut hash = Sha256::new();
    hash.update(account.0.to_be_bytes());
    hash.update(typed.as_bytes());
    hash.finalize().into()
}

fn read(rows: &dyn Snapshot, account: AccountId) -> Result<Option<Row>> {
    keys::read(rows, &key(account), "second factor")
}

fn write(txn: &mut dyn Transaction, account: AccountId, row: &Row) -> Result<()> {
    keys::write(txn, key(account), row)
}

fn key(account: AccountId) -> Vec<u8> {
    keys::key(SECOND_FACTOR, &[&account.0.to_be_bytes()])
}
