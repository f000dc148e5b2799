//! Passwords: strength, Argon2id hashes, and verification that costs the same whether or not the account exists.

use std::sync::{Condvar, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use zxcvbn::zxcvbn;

use super::Refusal;
use crate::error::{Error, Result};

/// Fewest characters of a password.
pub const MIN_CHARS: usize = 12;
/// Fewer guesses than ten to this power, by somebody who knows what people choose, are too few: what is on the lists of the most
/// common passwords, words and names, and what is made of one of them, of dates, rows of keys and repetitions.
const MIN_GUESSES_LOG10: f64 = 8.0;
/// Most bytes of a password; longer ones are refused before they are hashed.
pub const MAX_BYTES: usize = 1024;
/// Hashes computed at once in this process; each takes [`PasswordCost::memory_kib`].
const MAX_AT_ONCE: usize = 4;

/// What one password hash costs (Argon2id).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for PasswordCost {
    /// 19 MiB, two passes, one lane: OWASP's first recommendation, about 30 ms.
    fn default() -> Self {
        PasswordCost {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
        }
    }
}

impl PasswordCost {
    /// The least that Argon2 takes: for tests.
    pub const CHEAP: PasswordCost = PasswordCost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    fn hasher(self) -> Result<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None)
            .map_err(|e| Error::Engine(format!("password cost {self:?}: {e}")))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// Refuses as [`Refusal::WeakPassword`] what is too short, too long, the account's e-mail address, or easily guessed. Nobody
/// else is asked.
pub fn check_strength(email: &str, password: &str) -> Result<()> {
    let local = email.split('@').next().unwrap_or(email);
    let weak = if password.chars().count() < MIN_CHARS {
        "a password has at least 12 characters"
    } else if password.len() > MAX_BYTES {
        "a password has at most 1,024 bytes"
    } else if [email, local]
        .iter()
        .any(|own| password.eq_ignore_ascii_case(own))
    {
        "the e-mail address is no password"
    } else if zxcvbn(password, &[email, local, "firefly"]).guesses_log10() < MIN_GUESSES_LOG10 {
        "the password is one of those that are tried first"
    } else {
        return Ok(());
    };
    Err(Refusal::WeakPassword(weak.to_owned()).into())
}

/// The password's Argon2id hash as a PHC string.
pub fn hash(password: &str, salt: &[u8; 16], cost: PasswordCost) -> Result<String> {
    let _slot = Slot::take();
    let hash: PasswordHash = cost
        .hasher()?
        .hash_password_with_salt(password.as_bytes(), salt)
        .map_err(|e| Error::Engine(format!("password hash: {e}")))?;
    Ok(hash.to_string())
}

/// True when `password` fits the stored PHC string. Without one (no such account, or no password set) the same work is
/// done at `cost` and the answer is false, so that the time taken tells nothing.
pub fn verify(password: &str, stored: Option<&str>, cost: PasswordCost) -> Result<bool> {
    if password.len() > MAX_BYTES {
        return Ok(false);
    }
    let Some(stored) = stored else {
        hash(password, &[0; 16], cost)?;
        return Ok(false);
    };
    let parsed = PasswordHash::new(stored).map_err(|e| Error::Corrupt {
        what: "password hash".into(),
        detail: e.to_string(),
    })?;
    if parsed.hash.is_none() {
        let what = "password hash".into();
        return Err(Error::Corrupt {
            what,
            detail: "there is none in it".into(),
        });
    }
    let _slot = Slot::take();
    // The cost is read from the PHC string: hashes made under an older cost still verify.
    Ok(cost
        .hasher()?
        .verify_password(password.as_bytes(), &parsed)
        .is_ok())
}

/// One of the [`MAX_AT_ONCE`] hashes that may be computed at the same time: bounds memory under a flood of sign-ins.
struct Slot;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Slot {
    fn take() -> Slot {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= MAX_AT_ONCE {
            taken = FREED.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Slot
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_verifies_its_password_and_no_other() {
        let stored = hash("correct horse", &[7; 16], PasswordCost::CHEAP).unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"),
            "{stored}"
        );
        assert!(verify("correct horse", Some(&stored), PasswordCost::CHEAP).unwrap());
        assert!(!verify("correct horsf", Some(&stored), PasswordCost::CHEAP).unwrap());
        assert!(!verify("correct horse", None, PasswordCost::CHEAP).unwrap());
    }

    #[test]
    fn a_hash_of_another_cost_still_verifies() {
        let dearer = PasswordCost {
            memory_kib: 16,
            passes: 2,
            lanes: 1,
        };
        let stored = hash("correct horse", &[7; 16], dearer).unwrap();
        assert!(verify("correct horse", Some(&stored), PasswordCost::CHEAP).unwrap());
    }

    #[test]
    fn short_long_known_and_own_address_are_weak() {
        let long = "x".repeat(MAX_BYTES + 1);
        for weak in [
            "",
            "elevenchars",
            "password1234",
            "PasswordPassword",
            "P@ssw0rd2024!",
            "qwertyuiop[]",
            "123456789012",
            "iloveyou1234",
            "aaaaaaaaaaaaaaaa",
            "someone@example.com",
            "Someone@Example.com",
            long.as_str(),
        ] {
            assert!(
                check_strength("someone@example.com", weak).is_err(),
                "{weak:.20}"
            );
        }
        assert!(check_strength("longlocalpart@example.com", "longlocalpart").is_err());
        for good in [
            "zwölf Zeichen",
            "correct horse battery",
            "lantern gravel nine",
            "another password 3",
        ] {
            assert!(
                check_strength("someone@example.com", good).is_ok(),
                "{good}"
            );
        }
    }

    #[test]
    fn damaged_hashes_are_corrupt() {
        assert!(matches!(
            verify("correct horse", Some("$argon2id"), PasswordCost::CHEAP),
            Err(Error::Corrupt { .. })
        ));
    }
}
