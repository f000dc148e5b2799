//! Names of files and folders: split at separators, camelCase and digits, and joined again.

use super::{Mode, Token, Words, cut, fold};

/// A token of a name: its parts, and the joined forms at the position of their first part.
pub type NameToken = Token;

/// The tokens of a name. `Quarterly-Report2024.pdf` gives quarterly, report, 2024, pdf, and the joined
/// report2024 and quarterlyreport2024, so that each way of typing finds it.
pub fn names(name: &str) -> Vec<NameToken> {
    let mut out = Vec::new();
    let mut position = 0;
    let mut start = 0;
    for chunk in name.split(char::is_whitespace) {
        position = chunk_tokens(name, start, chunk, position, &mut out);
        start += chunk.len()
            + name[start + chunk.len()..]
                .chars()
                .next()
                .map_or(0, char::len_utf8);
    }
    out
}

/// The tokens of what stands between two spaces; returns the next position.
fn chunk_tokens(
    name: &str,
    offset: usize,
    chunk: &str,
    position: usize,
    out: &mut Vec<NameToken>,
) -> usize {
    let segments = super::words(chunk, Mode::Index);
    let extension = chunk.rfind('.').map_or(usize::MAX, |dot| dot + 1);
    let stem: Vec<&Token> = segments
        .iter()
        .filter(|segment| segment.start < extension)
        .collect();
    let unspaced = segments.windows(2).any(|pair| pair[0].end >= pair[1].start);
    if stem.len() > 1 && !unspaced {
        let joined: String = stem.iter().map(|segment| segment.text.as_str()).collect();
        push(
            out,
            joined,
            offset + stem[0].start,
            offset + stem[stem.len() - 1].end,
            position,
        );
    }
    let mut shift = position;
    for segment in segments {
        let raw = &name[offset + segment.start..offset + segment.end];
        let parts = split(raw);
        push(
            out,
            segment.text,
            offset + segment.start,
            offset + segment.end,
            shift + segment.position,
        );
        if parts.len() > 1 {
            for (index, (from, to)) in parts.iter().enumerate() {
                let at = offset + segment.start;
                push(
                    out,
                    fold(&raw[*from..*to]),
                    at + from,
                    at + to,
                    shift + segment.position + index,
                );
            }
            for (first, last) in letters(raw, &parts) {
                let (from, to) = (parts[first].0, parts[last].1);
                // At both ends, so that it stands beside the word before it and the number behind it.
                for part in [first, last] {
                    let at = offset + segment.start;
                    push(
                        out,
                        fold(&raw[from..to]),
                        at + from,
                        at + to,
                        shift + segment.position + part,
                    );
                }
            }
            shift += parts.len() - 1;
        }
    }
    shift + positions(chunk)
}

fn push(out: &mut Vec<NameToken>, mut text: String, start: usize, end: usize, position: usize) {
    cut(&mut text, 0);
    if !text.is_empty() {
        out.push(Token {
            text,
            start,
            end,
            position,
        });
    }
}

/// How many positions the words of `chunk` take.
fn positions(chunk: &str) -> usize {
    let mut stream = Words::new(chunk, Mode::Index);
    let mut buffer = String::new();
    let mut next = 0;
    while let Some((_, _, position)) = stream.advance(&mut buffer, 0) {
        next = position + 1;
    }
    next
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lower,
    Upper,
    Digit,
}

/// The byte ranges of a run's parts: borders are between letters and digits, before a capital after a small letter, and
/// before the last capital of several (`HTMLPage` is html, page).
fn split(run: &str) -> Vec<(usize, usize)> {
    let chars: Vec<(usize, Kind)> = run.char_indices().map(|(at, c)| (at, kind(c))).collect();
    let mut parts = Vec::new();
    let mut start = 0;
    for i in 1..chars.len() {
        let (before, here) = (chars[i - 1].1, chars[i].1);
        let next_lower = chars.get(i + 1).is_some_and(|next| next.1 == Kind::Lower);
        let digits = (before == Kind::Digit) != (here == Kind::Digit);
        let hump =
            here == Kind::Upper && (before == Kind::Lower || (before == Kind::Upper && next_lower));
        if digits || hump {
            parts.push((start, chars[i].0));
            start = chars[i].0;
        }
    }
    parts.push((start, run.len()));
    parts
}

/// The parts, first and last, of letters that capitals split but no digit: `iPhone15` is *iphone* too. Not where they are all.
fn letters(run: &str, parts: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let is_number = |(from, to): &(usize, usize)| run[*from..*to].starts_with(char::is_numeric);
    let mut found = Vec::new();
    let mut first = 0;
    for at in 0..=parts.len() {
        if parts.get(at).is_none_or(is_number) {
            if at > first + 1 && at - first < parts.len() {
                found.push((first, at - 1));
            }
            first = at + 1;
        }
    }
    found
}

fn kind(c: char) -> Kind {
    if c.is_numeric() {
        Kind::Digit
    } else if c.is_uppercase() {
        Kind::Upper
    } else {
        Kind::Lower
    }
}
