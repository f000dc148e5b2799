//! Word 97-2003 by its piece table, and Word 6 and 95 by their one run of text.

use super::super::job::{Failure, Job};
use super::super::sink::Sink;
use super::{Compound, narrow, u16_at, u32_at, wide};

/// Pieces that are read.
const MAX_PIECES: usize = 1_000_000;
/// Longest field code that is kept, bytes.
const MAX_CODE_BYTES: usize = 4_000;

/// Writes the main text, notes, headers, comments and text boxes, in the order the file keeps them.
pub(super) fn read(compound: &mut Compound, job: &mut Job) -> Result<(), Failure> {
    let Some(document) = compound.stream("/WordDocument", job) else {
        return Err(Failure::damaged("the document stream is missing"));
    };
    let flags = u16_at(&document, 0x0A).unwrap_or(0);
    if flags & 0x0100 != 0 {
        return Err(Failure::Encrypted);
    }
    let mut field = Fields::default();
    if u16_at(&document, 2).unwrap_or(0) < 0xC0 {
        return old(&document, &mut field, &mut job.sink);
    }
    let table = if flags & 0x0200 != 0 {
        "/1Table"
    } else {
        "/0Table"
    };
    let Some(table) = compound.stream(table, job) else {
        return Err(Failure::damaged("the table stream is missing"));
    };
    let pieces = pieces(&document, &table)
        .ok_or_else(|| Failure::damaged("the piece table is unreadable"))?;
    for (at, characters, compressed) in pieces {
        let length = if compressed {
            characters
        } else {
            characters.saturating_mul(2)
        };
        let end = document.len().min(at.saturating_add(length));
        let Some(bytes) = document.get(at..end) else {
            continue;
        };
        write(
            &if compressed {
                narrow(bytes)
            } else {
                wide(bytes)
            },
            &mut field,
            &mut job.sink,
        );
        if job.sink.stop() {
            break;
        }
    }
    Ok(())
}

fn old(document: &[u8], field: &mut Fields, sink: &mut Sink) -> Result<(), Failure> {
    let bounds = u32_at(document, 0x18).zip(u32_at(document, 0x1C));
    let text = bounds
        .and_then(|(from, to)| document.get(from as usize..(to as usize).min(document.len())));
    let text = text.ok_or_else(|| Failure::damaged("the text's bounds are unreadable"))?;
    write(&narrow(text), field, sink);
    Ok(())
}

/// Place in the document stream, characters, and whether each is one byte.
fn pieces(document: &[u8], table: &[u8]) -> Option<Vec<(usize, usize, bool)>> {
    let (at, length) = (
        u32_at(document, 0x1A2)? as usize,
        u32_at(document, 0x1A6)? as usize,
    );
    let mut complex = table.get(at..table.len().min(at.checked_add(length)?))?;
    while complex.first()? == &1 {
        complex = complex.get(3 + usize::from(u16_at(complex, 1)?)..)?;
    }
    let plc = complex.get(5..)?;
    let size = (u32_at(complex, 1)? as usize).min(plc.len());
    let count = (size.saturating_sub(4) / 12).min(MAX_PIECES);
    let piece = |index: usize| {
        let (start, end) = (u32_at(plc, index * 4)?, u32_at(plc, index * 4 + 4)?);
        let place = u32_at(plc, (count + 1) * 4 + index * 8 + 2)?;
        let compressed = place & 0x4000_0000 != 0;
        let at = (place & 0x3FFF_FFFF) as usize;
        Some((
            if compressed { at / 2 } else { at },
            end.checked_sub(start)? as usize,
            compressed,
        ))
    };
    Some((0..count).filter_map(piece).collect())
}

/// The fields that are open around the text.
#[derive(Default)]
struct Fields {
    open: Vec<Field>,
}

/// A field: its code is not shown, its result is.
#[derive(Default)]
struct Field {
    code: String,
    in_result: bool,
}

impl Fields {
    fn is_shown(&self) -> bool {
        self.open.iter().all(|field| field.in_result)
    }

    fn note(&mut self, words: &str) {
        if let Some(field) = self.open.last_mut().filter(|field| !field.in_result)
            && field.code.len() < MAX_CODE_BYTES
        {
            field.code.push_str(words);
        }
    }
}

fn write(text: &str, fields: &mut Fields, sink: &mut Sink) {
    for part in text.split_inclusive(|c: char| c < ' ') {
        let mark = part.chars().next_back().filter(|c| *c < ' ');
        let words = part.trim_end_matches(|c: char| c < ' ');
        if fields.is_shown() {
            sink.text(words);
        } else {
            fields.note(words);
        }
        match mark {
            Some('\u{13}') if fields.open.len() < 1_000 => fields.open.push(Field::default()),
            Some('\u{14}') => {
                if let Some(last) = fields.open.last_mut() {
                    last.in_result = true;
                }
            }
            Some('\u{15}') => {
                let ended = fields.open.pop();
                if let Some(field) = ended.filter(|field| !field.in_result && fields.is_shown()) {
                    equation(&field.code, sink);
                }
            }
            Some('\u{7}' | '\t') => sink.gap(),
            Some('\r' | '\u{B}' | '\u{C}') => sink.line(),
            Some('\u{1E}') => sink.char('-'),
            _ => {}
        }
    }
}

/// The words of an `EQ` field, which has no result: it draws its arguments, a phonetic guide and what it guides to, say
/// (`EQ \o\ad(\s\up 10(とうきょう),東京)`).
fn equation(code: &str, sink: &mut Sink) {
    let code = code.trim_start();
    let is_equation = code
        .get(..2)
        .is_some_and(|name| name.eq_ignore_ascii_case("eq"));
    let mut rest = code.get(2..).unwrap_or_default().chars().peekable();
    let mut depth = 0u32;
    while let Some(c) = rest.next().filter(|_| is_equation) {
        match c {
            '\\' => match rest.next_if(|next| !next.is_ascii_alphanumeric()) {
                Some(literal) if depth > 0 => sink.char(literal),
                Some(_) => {}
                // A switch and its number; its arguments follow in parentheses.
                None => {
                    while rest
                        .next_if(|next| !matches!(next, '(' | '\\' | ',' | ')'))
                        .is_some()
                    {}
                }
            },
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' | ';' => {}
            c if depth > 0 => {
                sink.char(c);
                continue;
            }
            _ => continue,
        }
        if matches!(c, '(' | ')' | ',' | ';') {
            sink.gap();
        }
    }
}
