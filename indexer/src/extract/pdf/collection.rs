//! The glyph numbers of Adobe's East Asian collections, for files that number glyphs and say nothing about characters.
//!
//! The collections number the characters of each national standard in the standard's own order, so a few starting points
//! and the standard's encoding give the tables.

use std::collections::HashMap;

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GBK};

/// Two-byte codes from the first to the last (rows of a rectangle), and the number of the first one.
type Run = (u16, u16, u32);

const JAPAN: &[Run] = &[
    (0xA1A1, 0xA1FE, 633),
    (0xA2A1, 0xA2AE, 727),
    (0xA2BA, 0xA2C1, 741),
    (0xA2CA, 0xA2D0, 749),
    (0xA2DC, 0xA2EA, 756),
    (0xA3B0, 0xA3B9, 780),
    (0xA3C1, 0xA3DA, 790),
    (0xA3E1, 0xA3FA, 816),
    (0xA4A1, 0xA4F3, 842),
    (0xA5A1, 0xA5F6, 925),
    (0xA6A1, 0xA6B8, 1011),
    (0xA6C1, 0xA6D8, 1035),
    (0xA7A1, 0xA7C1, 1059),
    (0xA7D1, 0xA7F1, 1092),
    (0xB0A1, 0xCFD3, 1125),
    (0xD0A1, 0xF4A4, 4090),
];
const CHINA: &[Run] = &[
    (0xA1A1, 0xA1FE, 96),
    (0xA3A1, 0xA3FE, 262),
    (0xA4A1, 0xA4F3, 356),
    (0xA5A1, 0xA5F6, 439),
    (0xA6A1, 0xA6B8, 525),
    (0xB0A1, 0xD7F9, 940),
    (0xD8A1, 0xF7FE, 4695),
];
const KOREA: &[Run] = &[
    (0xA1A1, 0xA1FE, 101),
    (0xB0A1, 0xC8FE, 1086),
    (0xCAA1, 0xFDFE, 3436),
];
const TAIWAN: &[Run] = &[(0xA440, 0xC67E, 595)];

/// Glyph number -> character of a collection, by its ordering; empty for any other.
pub(super) fn characters(ordering: &[u8]) -> HashMap<u32, char> {
    let (encoding, runs, cells): (&'static Encoding, _, &[(u8, u8)]) = match ordering {
        b"Japan1" => (EUC_JP, JAPAN, &[(0xA1, 0xFE)]),
        b"GB1" => (GBK, CHINA, &[(0xA1, 0xFE)]),
        b"Korea1" => (EUC_KR, KOREA, &[(0xA1, 0xFE)]),
        b"CNS1" => (BIG5, TAIWAN, &[(0x40, 0x7E), (0xA1, 0xFE)]),
        _ => return HashMap::new(),
    };
    let mut characters: HashMap<u32, char> = (1..=95).zip(' '..='~').collect();
    if ordering == b"Japan1" {
        characters.extend((231..=325).zip(' '..='~'));
        characters.extend((327..=389).zip('\u{FF61}'..='\u{FF9F}'));
    }
    for &(first, last, start) in runs {
        let codes = codes(first, last, cells);
        let numbered = (start..).zip(codes);
        characters
            .extend(numbered.filter_map(|(number, code)| Some((number, decoded(encoding, code)?))));
    }
    characters
}

/// The codes of a run, row by row.
fn codes(first: u16, last: u16, cells: &[(u8, u8)]) -> impl Iterator<Item = u16> {
    let rows = first >> 8..=last >> 8;
    rows.flat_map(move |row| {
        let cells = cells.iter().flat_map(|(low, high)| *low..=*high);
        cells.map(move |cell| row << 8 | u16::from(cell))
    })
    .filter(move |code| (first..=last).contains(code))
}

fn decoded(encoding: &'static Encoding, code: u16) -> Option<char> {
    let bytes = code.to_be_bytes();
    let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes)?;
    text.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_standards() {
        let japan = characters(b"Japan1");
        assert_eq!(
            (japan[&843], japan[&1125], japan[&4090]),
            ('あ', '亜', '弌')
        );
        assert_eq!(characters(b"Korea1")[&1086], '가');
        assert_eq!(characters(b"GB1")[&940], '啊');
        assert_eq!(characters(b"CNS1")[&595], '一');
        assert!(characters(b"Identity").is_empty());
    }
}
