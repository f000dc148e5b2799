//! The members of one file as its reader meets them: which part of the text is whose, and the bytes of the one that is wanted.
//!
//! A member's number depends on the content alone, so the same walk that finds members opens one later.

use std::collections::HashMap;

use mail_parser::DateTime;
use storage::extraction::{Letter, MAX_FACTS_BYTES, MAX_MEMBERS, Member, MemberKind};

use super::FileType;

/// Longest path or name of a member that is kept, bytes.
const MAX_NAME_BYTES: usize = 500;

/// What is known of a member before it is read.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub kind: MemberKind,
    /// Its address; the second of the same gets a number.
    pub path: &'a str,
    /// What it is called; nothing: as its path ends.
    pub name: &'a str,
    pub size: Option<u64>,
    pub modified_ms: Option<i64>,
    pub letter: Option<Letter>,
    /// Nothing: as its name says.
    pub file_type: Option<FileType>,
}

/// What a reader does with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Writes its words.
    Read,
    /// Hands its bytes out ([`Roll::keep`]).
    Open,
    /// Nothing: another one is wanted.
    Pass,
}

/// The members so far.
#[derive(Debug, Default)]
pub(super) struct Roll {
    members: Vec<Member>,
    paths: HashMap<String, u32>,
    facts_bytes: usize,
    is_inside: bool,
    wanted: Option<u32>,
    opened: Option<Vec<u8>>,
}

impl Roll {
    /// A roll that opens the member of this number and reads none.
    pub fn opening(number: u32) -> Self {
        Roll {
            wanted: Some(number),
            ..Roll::default()
        }
    }

    /// True when a member is to be opened, and has not been.
    pub fn is_opening(&self) -> bool {
        self.wanted.is_some() && self.opened.is_none()
    }

    /// True when there is nothing more to look for.
    pub fn is_done(&self) -> bool {
        self.opened.is_some()
    }

    /// The next member; its words begin `at` this byte of the text. Members over the limits are part of the file.
    pub fn enter(&mut self, entry: Entry<'_>, at: usize) -> Turn {
        self.leave(at);
        let letter = entry.letter.as_ref();
        let letter_bytes = letter.map_or(0, |l| l.from.len() + l.to.len() + l.subject.len());
        let path = cut(entry.path);
        let facts_bytes = self.facts_bytes + 2 * path.len() + letter_bytes;
        if self.members.len() >= MAX_MEMBERS || facts_bytes > MAX_FACTS_BYTES {
            self.facts_bytes = MAX_FACTS_BYTES; // none of the later ones either, however small
            return if self.wanted.is_some() {
                Turn::Pass
            } else {
                Turn::Read
            };
        }
        self.facts_bytes = facts_bytes;
        let name = cut(match entry.name {
            "" => path
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or(&path),
            name => name,
        });
        let detected = entry.file_type.unwrap_or_else(|| super::detect(&name, b""));
        let path = self.unique(path);
        self.members.push(Member {
            kind: entry.kind,
            path,
            name,
            range: (at as u32, at as u32),
            size: entry.size,
            modified_ms: entry.modified_ms,
            file_type: detected.as_str().to_owned(),
            category: detected.category().as_str().to_owned(),
            language: None,
            letter: entry.letter,
        });
        self.is_inside = true;
        match self.wanted {
            None => Turn::Read,
            Some(number) if number as usize == self.members.len() => Turn::Open,
            Some(_) => Turn::Pass,
        }
    }

    /// What is written from byte `at` on is no member's.
    pub fn leave(&mut self, at: usize) {
        if std::mem::take(&mut self.is_inside)
            && let Some(last) = self.members.last_mut()
        {
            last.range.1 = at as u32;
        }
    }

    /// What the present member turned out to be.
    pub fn is_of_type(&mut self, detected: FileType) {
        if self.is_inside
            && let Some(last) = self.members.last_mut()
            && last.letter.is_none()
        {
            detected.as_str().clone_into(&mut last.file_type);
            detected.category().as_str().clone_into(&mut last.category);
        }
    }

    /// The bytes of the member that is wanted.
    pub fn keep(&mut self, bytes: Vec<u8>) {
        self.opened = Some(bytes);
    }

    /// True when the member that is wanted is there, opened or not.
    pub fn has_wanted(&self) -> bool {
        self.wanted
            .is_some_and(|number| number as usize <= self.members.len())
    }

    /// The bytes of the member that was wanted.
    pub fn into_opened(self) -> Option<Vec<u8>> {
        self.opened
    }

    /// The members, of a file with this text.
    pub fn into_members(mut self, text: &str) -> Vec<Member> {
        self.leave(text.len());
        for member in &mut self.members {
            let own = |at: u32| text.floor_char_boundary((at as usize).min(text.len()));
            let (start, end) = (own(member.range.0), own(member.range.1));
            member.range = (start as u32, end as u32);
            member.language = super::language::of(&text[start..end]);
        }
        self.members
    }

    fn unique(&mut self, path: String) -> String {
        let times = self.paths.entry(path.clone()).or_insert(0);
        *times += 1;
        match *times {
            1 => path,
            many => format!("{path} ({many})"),
        }
    }
}

/// A name without what cannot be shown, and not too long.
fn cut(name: &str) -> String {
    let clean: String = name.chars().filter(|c| !c.is_control()).collect();
    clean[..clean.floor_char_boundary(MAX_NAME_BYTES)].to_owned()
}

/// Milliseconds since 1970 of a date and a time of day, year first, taken for UTC; none for dates that there are not.
pub(super) fn moment_ms(date: (u16, u8, u8), time: (u8, u8, u8)) -> Option<i64> {
    let ((year, month, day), (hour, minute, second)) = (date, time);
    let moment = DateTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        tz_before_gmt: false,
        tz_hour: 0,
        tz_minute: 0,
    };
    sent_ms(&moment)
}

/// Milliseconds since 1970; none for dates that there are not.
pub(super) fn sent_ms(moment: &DateTime) -> Option<i64> {
    let is_real = moment.is_valid() && moment.year >= 1970;
    is_real.then(|| moment.to_timestamp() * 1000)
}

/// Milliseconds since 1970 of 100 nanoseconds since 1601; none before 1970.
pub(super) fn windows_ms(ticks: u64) -> Option<i64> {
    let ms = i64::try_from(ticks / 10_000).ok()? - 11_644_473_600_000;
    (0..4_102_444_800_000).contains(&ms).then_some(ms) // up to 2100: others are no dates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> Entry<'_> {
        Entry {
            path,
            ..Entry::default()
        }
    }

    #[test]
    fn a_member_has_its_part_of_the_text_and_an_address_of_its_own() {
        let mut roll = Roll::default();
        assert_eq!(roll.enter(entry("docs/a.txt"), 5), Turn::Read);
        roll.leave(8);
        roll.enter(entry("docs/a.txt"), 10);
        let members = roll.into_members("0123456789äb");
        let seen: Vec<_> = members
            .iter()
            .map(|m| (m.path.as_str(), m.name.as_str(), m.range))
            .collect();
        assert_eq!(
            seen,
            [
                ("docs/a.txt", "a.txt", (5, 8)),
                ("docs/a.txt (2)", "a.txt", (10, 13))
            ]
        );
        assert_eq!(members[0].category, "text");
    }

    #[test]
    fn members_over_the_limit_are_part_of_the_file() {
        let mut roll = Roll::default();
        for number in 0..MAX_MEMBERS + 5 {
            roll.enter(entry(&number.to_string()), number);
        }
        let members = roll.into_members(&"x".repeat(2 * MAX_MEMBERS));
        assert_eq!(members.len(), MAX_MEMBERS);
        assert_eq!(members[MAX_MEMBERS - 1].range.1, MAX_MEMBERS as u32);
    }

    #[test]
    fn one_member_is_opened_and_the_others_passed() {
        let mut roll = Roll::opening(2);
        assert_eq!(roll.enter(entry("a"), 0), Turn::Pass);
        assert!(roll.is_opening() && !roll.has_wanted());
        assert_eq!(roll.enter(entry("b"), 0), Turn::Open);
        roll.keep(b"bytes".to_vec());
        assert!(roll.is_done());
        assert_eq!(roll.into_opened().as_deref(), Some(&b"bytes"[..]));
    }

    #[test]
    fn moments_are_read() {
        assert_eq!(
            moment_ms((2024, 1, 31), (10, 30, 0)),
            Some(1_706_697_000_000)
        );
        assert_eq!(moment_ms((2024, 0, 31), (10, 30, 0)), None);
        assert_eq!(windows_ms(133_511_706_000_000_000), Some(1_706_697_000_000));
        assert_eq!(windows_ms(0), None);
    }
}
