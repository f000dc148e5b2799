//! E-mail addresses: what is accepted, and the folded form under which they are unique.

use unicode_normalization::UnicodeNormalization;

use super::Refusal;
use crate::error::Result;

/// Most bytes of an address (RFC 5321's limit of a path).
pub const MAX_BYTES: usize = 254;

/// The form under which an address is unique: NFC, per-character lowercase. Refuses as [`Refusal::InvalidEmail`] what has not the
/// shape `local@domain`, is longer than [`MAX_BYTES`], or holds white space or control characters.
pub fn fold(email: &str) -> Result<String> {
    let folded: String = email.nfc().flat_map(char::to_lowercase).collect();
    let Some((local, domain)) = folded.rsplit_once('@') else {
        return Err(Refusal::InvalidEmail.into());
    };
    let bad_char = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | ',' | ';' | '@')
    };
    let bad = folded.len() > MAX_BYTES
        || email.len() > MAX_BYTES
        || local.is_empty()
        || local.len() > 64
        || folded.matches('@').count() != 1
        || local.chars().any(bad_char)
        || domain.chars().any(bad_char)
        || domain.split('.').any(str::is_empty);
    if bad {
        Err(Refusal::InvalidEmail.into())
    } else {
        Ok(folded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fold_to_one_form() {
        assert_eq!(fold("Second@Example.com").unwrap(), "second@example.com");
        assert_eq!(fold("admin@localhost").unwrap(), "admin@localhost");
        assert_eq!(
            fold("e\u{301}va@example.com").unwrap(),
            fold("ÉVA@example.com").unwrap()
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "x".repeat(65));
        for bad in [
            "",
            "x",
            "@example.com",
            "a@",
            "a@b@c",
            "a b@c.d",
            "a@c..d",
            "a@.d",
            "a\n@c.d",
            "<a@c.d>",
            long.as_str(),
        ] {
            assert!(fold(bad).is_err(), "{bad:?}");
        }
    }
}
