//! Ids, inside and outside.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Characters of an id's text form.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Characters that a `u64` takes.
const WIDTH: usize = 11;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub u64);
    };
}

id!(
    /// An account. Outside: `dbid:` and 35 characters.
    AccountId
);
id!(
    /// A team. Outside: `dbtid:` and 34 characters.
    TeamId
);
id!(
    /// A namespace: from 1, below 2^42, never reused. Outside: decimal.
    NamespaceId
);
id!(
    /// A node of the tree: random, never 0, stable over moves. Outside: `id:` and 22 characters.
    FileId
);
id!(
    /// A version of a file: milliseconds << 20 and 20 random bits, growing within a file. Outside see [`RevId`].
    Rev
);
id!(
    /// A group of people. Outside: `g:` and 32 hex digits.
    GroupId
);
id!(
    /// An invitation (not its link's code). Outside: 16 hex digits.
    InvitationId
);
id!(
    /// A bearer token, session or one-time code (not its secret). Outside: 16 hex digits.
    TokenId
);

impl AccountId {
    /// From its form outside; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        decode(text.strip_prefix("dbid:")?, 35).map(Self)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dbid:{}", encode(self.0, 35))
    }
}

impl TeamId {
    /// From its form outside; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        decode(text.strip_prefix("dbtid:")?, 34).map(Self)
    }
}

impl fmt::Display for TeamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dbtid:{}", encode(self.0, 34))
    }
}

impl NamespaceId {
    /// One more than the greatest namespace number.
    pub const END: u64 = 1 << 42;

    /// From its form outside; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = text
            .parse()
            .ok()
            .filter(|n| plain && (1..Self::END).contains(n))?;
        Some(Self(number))
    }
}

impl fmt::Display for NamespaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FileId {
    /// From its form outside; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        decode(text.strip_prefix("id:")?, 22)
            .filter(|&id| id != 0)
            .map(Self)
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "id:{}", encode(self.0, 22))
    }
}

impl Rev {
    /// The rev after `before`, at `now_ms`.
    pub fn next(before: Option<Rev>, now_ms: i64, random: u64) -> Self {
        let made = (now_ms.max(0) as u64) << 20 | (random & 0xf_ffff);
        Rev(made.max(before.map_or(0, |b| b.0.saturating_add(1))))
    }

    /// The rev that was made so many milliseconds before.
    pub fn older_by(self, ms: u64) -> Self {
        Rev(self.0.saturating_sub(ms << 20))
    }
}

impl Rev {
    /// When it was made, milliseconds since 1970 (or a moment later, where many were made at once).
    pub fn at_ms(self) -> i64 {
        (self.0 >> 20).cast_signed()
    }
}

impl fmt::Display for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl GroupId {
    /// From its form outside; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (zeros, digits) = text.strip_prefix("g:")?.split_at_checked(16)?;
        hex16(digits)
            .filter(|_| zeros == "0000000000000000")
            .map(Self)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g:{:032x}", self.0)
    }
}

impl InvitationId {
    /// From its form outside; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        hex16(text).map(Self)
    }
}

impl fmt::Display for InvitationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl TokenId {
    /// From its form outside; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        hex16(text).map(Self)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A rev as clients see it: 16 hex digits of the rev, 16 of the file, so that `rev:` finds the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RevId {
    /// The version.
    pub rev: Rev,
    /// Whose version it is.
    pub file: FileId,
}

impl RevId {
    /// From its form outside (without `rev:`); `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (rev, file) = (text.get(..16)?, text.get(16..)?);
        let file = FileId(hex16(file).filter(|&f| f != 0)?);
        Some(RevId {
            rev: Rev(hex16(rev)?),
            file,
        })
    }
}

impl fmt::Display for RevId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:016x}", self.rev, self.file.0)
    }
}

/// `value` in `width` characters: padding, then eleven characters of six bits.
fn encode(value: u64, width: usize) -> String {
    let digit = |i: usize| ALPHABET[(value >> (6 * (WIDTH - 1 - i)) & 63) as usize] as char;
    "A".repeat(width - WIDTH)
        .chars()
        .chain((0..WIDTH).map(digit))
        .collect()
}

/// The inverse of [`encode`]; only its own output is accepted.
fn decode(text: &str, width: usize) -> Option<u64> {
    let value = text
        .bytes()
        .filter(|_| text.len() == width)
        .try_fold(0u64, |value, byte| {
            let digit = ALPHABET.iter().position(|&a| a == byte)? as u64;
            value.checked_mul(64)?.checked_add(digit)
        })?;
    (text.len() == width).then_some(value)
}

/// Exactly sixteen lower or upper hex digits.
fn hex16(text: &str) -> Option<u64> {
    let plain = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_golden_forms() {
        assert_eq!(
            AccountId(1).to_string(),
            "dbid:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"
        );
        assert_eq!(FileId(u64::MAX).to_string(), "id:AAAAAAAAAAAP__________");
        assert_eq!(
            FileId(0x0123_4567_89ab_cdef).to_string(),
            "id:AAAAAAAAAAAAEjRWeJq83v"
        );
        assert_eq!(
            RevId {
                rev: Rev(0xabc),
                file: FileId(0xdef)
            }
            .to_string(),
            "0000000000000abc0000000000000def"
        );
        assert_eq!(NamespaceId(12).to_string(), "12");
    }

    #[test]
    fn ids_come_back() {
        for value in [1, 63, 64, 0xdead_beef, u64::MAX - 1, u64::MAX] {
            assert_eq!(
                AccountId::parse(&AccountId(value).to_string()),
                Some(AccountId(value))
            );
            assert_eq!(
                TeamId::parse(&TeamId(value).to_string()),
                Some(TeamId(value))
            );
            assert_eq!(
                FileId::parse(&FileId(value).to_string()),
                Some(FileId(value))
            );
            let rev = RevId {
                rev: Rev(value),
                file: FileId(value),
            };
            assert_eq!(RevId::parse(&rev.to_string()), Some(rev));
            assert_eq!(
                GroupId::parse(&GroupId(value).to_string()),
                Some(GroupId(value))
            );
            assert_eq!(
                TokenId::parse(&TokenId(value).to_string()),
                Some(TokenId(value))
            );
        }
        assert_eq!(AccountId(u64::MAX).to_string().len(), 40);
    }

    #[test]
    fn what_is_no_id_is_none() {
        assert_eq!(FileId::parse(&format!("id:{}", "A".repeat(22))), None);
        assert_eq!(FileId::parse(&format!("id:{}", "_".repeat(22))), None);
        assert_eq!(FileId::parse("id:é"), None);
        assert_eq!(RevId::parse("0123456789abcdef"), None);
        assert_eq!(RevId::parse("+123456789abcdef0123456789abcdef"), None);
        assert_eq!(NamespaceId::parse("+1"), None);
        assert_eq!(NamespaceId::parse("0"), None);
        assert_eq!(NamespaceId::parse(&(1u64 << 42).to_string()), None);
    }

    #[test]
    fn a_rev_is_greater_than_the_one_before() {
        let first = Rev::next(None, 1000, 7);
        assert_eq!(first.0, 1000 << 20 | 7);
        assert!(Rev::next(Some(first), 10, 0) > first);
    }
}
