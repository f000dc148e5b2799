//! Character maps: from codes to Unicode (`ToUnicode`) and from codes to glyph numbers (an encoding of a composite font).

use std::collections::HashMap;

use super::lexer::{Lexer, Token};

/// Entries a map may have; a range of a million codes is one lie, not a million entries.
const MAX_ENTRIES: usize = 300_000;
/// Codes one range may cover.
const MAX_RANGE: u32 = 70_000;

/// A parsed character map.
#[derive(Default)]
pub(super) struct CMap {
    /// Code lengths in bytes with their lowest and highest code.
    spaces: Vec<(usize, u32, u32)>,
    unicode: HashMap<u32, String>,
    cids: HashMap<u32, u32>,
    cid_ranges: Vec<(u32, u32, u32)>,
    pub vertical: bool,
    /// The name of the map this one builds on.
    pub parent: Option<Vec<u8>>,
}

impl CMap {
    /// Reads a map as far as it makes sense.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut map = Self::default();
        let mut lexer = Lexer::new(bytes);
        let (mut operands, mut last_name) = (Vec::new(), Vec::new());
        while let Some(token) = lexer.next() {
            match token {
                Token::Word(b"endcodespacerange") => map.add_spaces(&operands),
                Token::Word(b"endbfchar") => map.add_characters(&operands),
                Token::Word(b"endbfrange") => map.add_ranges(operands.as_slice()),
                Token::Word(b"endcidchar") => map.add_cids(&operands, 2),
                Token::Word(b"endcidrange") => map.add_cids(&operands, 3),
                Token::Word(b"usecmap") => map.parent = Some(std::mem::take(&mut last_name)),
                Token::Word(b"def") => map.vertical |= is_vertical(&operands),
                Token::Name(name) => {
                    last_name.clone_from(&name);
                    operands.push(Token::Name(name));
                    continue;
                }
                Token::Word(word) if word.starts_with(b"begin") => {}
                Token::Word(_) => continue,
                other => {
                    if operands.len() < MAX_ENTRIES {
                        operands.push(other);
                    }
                    continue;
                }
            }
            operands.clear();
        }
        map
    }

    fn add_spaces(&mut self, operands: &[Token]) {
        let strings: Vec<&Vec<u8>> = operands.iter().filter_map(string).collect();
        for pair in strings.as_chunks::<2>().0 {
            if self.spaces.len() < 100 && (1..=4).contains(&pair[0].len()) {
                self.spaces
                    .push((pair[0].len(), code(pair[0]), code(pair[1])));
            }
        }
    }

    fn add_characters(&mut self, operands: &[Token]) {
        for pair in operands.as_chunks::<2>().0 {
            match pair {
                [Token::String(from), Token::String(to)] => self.put(code(from), utf16(to)),
                [Token::String(from), Token::Name(name)] => {
                    if let Some(text) = super::glyph::text(name) {
                        self.put(code(from), text);
                    }
                }
                _ => {}
            }
        }
    }

    fn add_ranges(&mut self, operands: &[Token]) {
        let mut rest = operands;
        while let [Token::String(low), Token::String(high), tail @ ..] = rest {
            let (low, high) = (
                code(low),
                code(high).min(code(low).saturating_add(MAX_RANGE)),
            );
            rest = match tail {
                [Token::String(to), tail @ ..] => {
                    for (step, from) in (low..=high).enumerate() {
                        self.put(from, following(to, step as u32));
                    }
                    tail
                }
                [Token::Open, tail @ ..] => {
                    let end = tail
                        .iter()
                        .position(|t| *t == Token::Close)
                        .unwrap_or(tail.len());
                    for (from, to) in (low..=high).zip(tail[..end].iter().filter_map(string)) {
                        self.put(from, utf16(to));
                    }
                    tail.get(end + 1..).unwrap_or_default()
                }
                _ => return,
            };
        }
    }

    fn add_cids(&mut self, operands: &[Token], arity: usize) {
        for entry in operands.chunks_exact(arity) {
            match entry {
                [Token::String(from), Token::Number(cid)] => {
                    self.cids.insert(code(from), *cid as u32);
                }
                [Token::String(low), Token::String(high), Token::Number(cid)]
                    if self.cid_ranges.len() < MAX_ENTRIES =>
                {
                    self.cid_ranges.push((code(low), code(high), *cid as u32));
                }
                _ => {}
            }
        }
    }

    fn put(&mut self, from: u32, to: String) {
        if self.unicode.len() < MAX_ENTRIES {
            self.unicode.insert(from, to);
        }
    }

    /// The text a code stands for.
    pub fn text(&self, code: u32) -> Option<&str> {
        self.unicode.get(&code).map(String::as_str)
    }

    /// The glyph number a code stands for.
    pub fn cid(&self, code: u32) -> Option<u32> {
        self.cids.get(&code).copied().or_else(|| {
            let (low, _, cid) = self
                .cid_ranges
                .iter()
                .find(|(low, high, _)| (*low..=*high).contains(&code))?;
            Some(cid + (code - low))
        })
    }

    /// Whether the map says nothing about Unicode.
    pub fn is_empty(&self) -> bool {
        self.unicode.is_empty()
    }

    /// How many bytes the code at the start of `bytes` has; `None` when no code space says.
    pub fn code_length(&self, bytes: &[u8]) -> Option<usize> {
        let fits = |(length, low, high): &&(usize, u32, u32)| {
            bytes.len() >= *length && within(&bytes[..*length], *low, *high)
        };
        self.spaces.iter().find(fits).map(|(length, ..)| *length)
    }

    /// The shortest code length of the map's code spaces.
    pub fn shortest(&self) -> Option<usize> {
        self.spaces.iter().map(|(length, ..)| *length).min()
    }
}

/// Code spaces are rectangles: every byte has its own bounds.
fn within(bytes: &[u8], low: u32, high: u32) -> bool {
    let shift = |index: usize| 8 * (bytes.len() - 1 - index) as u32;
    bytes.iter().enumerate().all(|(index, byte)| {
        let (low, high) = ((low >> shift(index)) as u8, (high >> shift(index)) as u8);
        (low..=high).contains(byte)
    })
}

fn is_vertical(operands: &[Token]) -> bool {
    matches!(operands, [.., Token::Name(name), Token::Number(mode)] if name == b"WMode" && *mode == 1.0)
}

fn string<'t>(token: &'t Token) -> Option<&'t Vec<u8>> {
    match token {
        Token::String(bytes) => Some(bytes),
        _ => None,
    }
}

fn code(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .fold(0, |code, byte| code << 8 | u32::from(*byte))
}

fn utf16(bytes: &[u8]) -> String {
    if let [byte] = bytes {
        return char::from(*byte).to_string();
    }
    encoding_rs::UTF_16BE
        .decode_without_bom_handling(bytes)
        .0
        .into_owned()
}

/// The text `step` places after `start`: its last code unit counts up.
fn following(start: &[u8], step: u32) -> String {
    let mut bytes = start.to_vec();
    let at = bytes.len().saturating_sub(2);
    let last = code(&bytes[at..]).wrapping_add(step);
    if bytes.len() >= 2 {
        bytes[at..].copy_from_slice(&(last as u16).to_be_bytes());
        return utf16(&bytes);
    }
    char::from_u32(last).map(String::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_ranges_and_arrays() {
        let map = CMap::parse(
            b"begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfchar <0001> <00660069> endbfchar
            2 beginbfrange <0010> <0012> <0041> <0020> <0021> [<0058> <D83DDE00>] endbfrange
            1 begincidrange <0100> <01FF> 5 endcidrange endcmap",
        );
        assert_eq!(map.text(1), Some("fi"));
        assert_eq!(map.text(0x12), Some("C"));
        assert_eq!(map.text(0x21), Some("\u{1F600}"));
        assert_eq!(map.cid(0x101), Some(6));
        assert_eq!(map.code_length(&[0, 1, 2]), Some(2));
    }
}
