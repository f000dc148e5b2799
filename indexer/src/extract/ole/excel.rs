//! Excel 2 to 2003 and Microsoft Graph: the records of the workbook stream, which is a file of its own before Excel 5.

use std::collections::HashMap;

use encoding_rs::Encoding;

use super::super::job::{Failure, Job};
use super::super::number::Format;
use super::super::rtf::codepage;
use super::super::sink::Sink;
use super::super::xlsx::margin_text;
use super::{Compound, u16_at, u32_at, wide};

/// Shared strings that are kept.
const MAX_STRINGS: usize = 2_000_000;
/// Number formats that are kept.
const MAX_FORMATS: usize = 10_000;

/// Begins a workbook, a sheet or a chart.
const BOF: u16 = 0x0809;
/// The same in Excel 2.
const FIRST_BOF: u16 = 0x0009;

/// What cells refer to, gathered from the records before them.
struct Book {
    /// Excel 97 and later: strings are UTF-16 or Latin-1.
    is_wide: bool,
    encoding: &'static Encoding,
    /// Excel 2: cells have three bytes of attributes.
    is_first: bool,
    /// Excel 2 to 4: formats are counted, not numbered, and no numbers are known beforehand.
    is_counted: bool,
    strings: Vec<String>,
    sheets: Vec<(u32, String)>,
    formats: HashMap<u16, Format>,
    styles: Vec<u16>,
    from_1904: bool,
}

/// One record: where it starts, its kind, its body.
type Record<'b> = (u32, u16, &'b [u8]);

/// Writes the text of a workbook; every sheet is a page that starts with its name.
pub(super) fn read(compound: &mut Compound, job: &mut Job) -> Result<(), Failure> {
    let workbook = compound
        .stream("/Workbook", job)
        .or_else(|| compound.stream("/Book", job));
    let Some(workbook) = workbook else {
        return Err(Failure::damaged("the workbook stream is missing"));
    };
    read_records(&workbook, job)
}

/// Whether the bytes are a workbook without a compound file around it: Excel 2 to 4, and writers of Excel 5 that took the short way.
pub(super) fn is_bare(bytes: &[u8]) -> bool {
    let Some([kind, length]) = u16_at(bytes, 0).zip(u16_at(bytes, 2)).map(<[u16; 2]>::from) else {
        return false;
    };
    let (version, content) = (u16_at(bytes, 4), u16_at(bytes, 6));
    let fits = match kind {
        FIRST_BOF => length == 4 && matches!(version, Some(0 | 2 | 7 | 0x0200)),
        0x0209 | 0x0409 => length == 6 || length == 8,
        BOF => matches!(length, 8 | 16) && matches!(version, Some(0x0500 | 0x0600)),
        _ => false,
    };
    // The workbook, a sheet, a chart, macros, a workspace.
    fits && matches!(content, Some(0x05 | 0x10 | 0x20 | 0x40 | 0x100))
}

/// Writes the text of a workbook's records.
pub(super) fn read_records(workbook: &[u8], job: &mut Job) -> Result<(), Failure> {
    let records: Vec<Record> = records(workbook).collect();
    if records.iter().any(|(_, kind, _)| *kind == 0x2F) {
        return Err(Failure::Encrypted);
    }
    let (begin, version) = records.first().map_or((BOF, 0), |(_, kind, body)| {
        (*kind, u16_at(body, 0).unwrap_or(0))
    });
    let mut book = Book {
        is_wide: begin == BOF && version >= 0x0600,
        encoding: encoding_rs::WINDOWS_1252,
        is_first: begin == FIRST_BOF,
        is_counted: begin != BOF,
        strings: Vec::new(),
        sheets: Vec::new(),
        formats: HashMap::new(),
        styles: Vec::new(),
        from_1904: false,
    };
    for (index, record) in records.iter().enumerate() {
        book.note(record, &records[index + 1..], &mut job.sink);
        book.cell(record, &records[index + 1..], &mut job.sink);
        if job.sink.stop() {
            break;
        }
    }
    Ok(())
}

fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut at = 0usize;
    std::iter::from_fn(move || {
        let (kind, length) = (u16_at(bytes, at)?, usize::from(u16_at(bytes, at + 2)?));
        let body = &bytes[at + 4..bytes.len().min(at + 4 + length)];
        let start = at as u32;
        at += 4 + length;
        Some((start, kind, body))
    })
}

impl Book {
    /// Records that change how others are read.
    fn note(&mut self, (at, kind, body): &Record, next: &[Record], sink: &mut Sink) {
        match *kind {
            0x0042 => self.encoding = codepage(i32::from(u16_at(body, 0).unwrap_or(1252))),
            0x0022 => self.from_1904 = u16_at(body, 0) == Some(1),
            0x0085 => {
                if let (Some(start), Some(name)) = (u32_at(body, 0), self.short_string(body, 6)) {
                    self.sheets.push((start, name));
                }
            }
            0x00FC => self.strings = shared_strings(body, next),
            0x001E | 0x041E => self.format(*kind, body),
            0x00E0 => self.styles.push(u16_at(body, 2).unwrap_or(0)),
            0x0243 | 0x0443 => self.styles.push(body.get(1).map_or(0, |id| u16::from(*id))),
            0x008F => {
                if let Some(name) = self.short_string(body, 4) {
                    sink.sheet(&name);
                }
            }
            BOF => {
                if let Some((_, name)) = self.sheets.iter().find(|(start, _)| start == at) {
                    sink.sheet(name);
                }
            }
            _ => {}
        }
    }

    fn format(&mut self, kind: u16, body: &[u8]) {
        let counted = self.is_counted.then_some(self.formats.len() as u16);
        let code = match (kind, self.is_wide) {
            (0x001E, _) => self.short_string(body, 0),
            (_, true) => self.string(body, 2),
            (_, false) => self.short_string(body, 2),
        };
        if let (Some(id), Some(code)) = (counted.or_else(|| u16_at(body, 0)), code)
            && self.formats.len() < MAX_FORMATS
        {
            self.formats.insert(id, Format::of(&code));
        }
    }

    /// Records that hold words.
    fn cell(&self, (_, kind, body): &Record, next: &[Record], sink: &mut Sink) {
        let value = match kind {
            0x00FD => u32_at(body, 6).and_then(|index| self.strings.get(index as usize).cloned()),
            0x0204 | 0x00D6 => self.string(body, 6),
            0x0004 => self.short_string(body, 7),
            0x0207 => self.string(body, 0),
            0x0007 => self.short_string(body, 0),
            0x0002 => u16_at(body, 7).map(|whole| self.first_number(f64::from(whole), body)),
            0x0003 => number_at(body, 7).map(|number| self.first_number(number, body)),
            0x0006 if self.is_first => self.first_result(body),
            0x0203 => number_at(body, 6).map(|number| self.number(number, body)),
            0x027E => u32_at(body, 6).map(|packed| self.number(unpacked(packed), body)),
            0x00BD => Some(self.numbers(body)),
            0x0006 | 0x0206 | 0x0406 => self.result(body),
            0x0205 if body.get(7) == Some(&0) => Some(
                if body.get(6) == Some(&1) {
                    "TRUE"
                } else {
                    "FALSE"
                }
                .to_owned(),
            ),
            0x0014 | 0x0015 if !body.is_empty() => self.margin(body),
            0x100D => self.short_string(body, 2),
            0x01B6 => text_box(body, next),
            0x001C if !self.is_wide => self.decoded(body.get(6..)),
            _ => None,
        };
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            sink.text(&value);
            if matches!(kind, 0x0014 | 0x0015 | 0x001C | 0x01B6 | 0x100D) {
                sink.line()
            } else {
                sink.text("\t")
            }
        }
    }

    /// A string with a 16-bit length.
    fn string(&self, body: &[u8], at: usize) -> Option<String> {
        let length = usize::from(u16_at(body, at)?);
        self.characters(body, at + 2, length)
    }

    /// A string with an 8-bit length.
    fn short_string(&self, body: &[u8], at: usize) -> Option<String> {
        self.characters(body, at + 1, usize::from(*body.get(at)?))
    }

    fn characters(&self, body: &[u8], at: usize, length: usize) -> Option<String> {
        if !self.is_wide {
            return self.decoded(body.get(at..body.len().min(at + length)));
        }
        let flags = *body.get(at)?;
        let start =
            at + 1 + if flags & 8 != 0 { 2 } else { 0 } + if flags & 4 != 0 { 4 } else { 0 };
        let size = if flags & 1 != 0 { length * 2 } else { length };
        let bytes = body.get(start..body.len().min(start + size))?;
        Some(if flags & 1 != 0 {
            wide(bytes)
        } else {
            latin(bytes)
        })
    }

    fn decoded(&self, bytes: Option<&[u8]>) -> Option<String> {
        let text = self.encoding.decode_without_bom_handling(bytes?).0;
        Some(text.into_owned())
    }

    fn margin(&self, body: &[u8]) -> Option<String> {
        let codes = if self.is_wide {
            self.string(body, 0)
        } else {
            self.short_string(body, 0)
        };
        codes.map(|codes| margin_text(&codes))
    }

    fn number(&self, number: f64, body: &[u8]) -> String {
        self.styled(number, u16_at(body, 4).unwrap_or(0))
    }

    fn styled(&self, number: f64, style: u16) -> String {
        let id = self.styles.get(usize::from(style)).copied().unwrap_or(0);
        self.formatted(number, id)
    }

    fn formatted(&self, number: f64, id: u16) -> String {
        let known = || (!self.is_counted).then(|| Format::known(usize::from(id)));
        let format = self.formats.get(&id).copied().or_else(known);
        format.unwrap_or_default().show(number, self.from_1904)
    }

    /// A cell of Excel 2 names its format itself; Graph, which has such cells too, shows numbers plainly.
    fn first_number(&self, number: f64, body: &[u8]) -> String {
        let id = body.get(5).filter(|_| self.is_first);
        self.formatted(number, id.map_or(0, |id| u16::from(id & 0x3F)))
    }

    fn first_result(&self, body: &[u8]) -> Option<String> {
        let is_number = u16_at(body, 13)? != 0xFFFF;
        is_number
            .then(|| number_at(body, 7))
            .flatten()
            .map(|number| self.first_number(number, body))
    }

    fn numbers(&self, body: &[u8]) -> String {
        let cells = body
            .get(4..body.len().saturating_sub(2))
            .unwrap_or_default()
            .chunks_exact(6);
        let cells = cells
            .filter_map(|cell| Some(self.styled(unpacked(u32_at(cell, 2)?), u16_at(cell, 0)?)));
        cells.collect::<Vec<_>>().join("\t")
    }

    /// A formula's result; strings follow in a record of their own.
    fn result(&self, body: &[u8]) -> Option<String> {
        match (u16_at(body, 12)?, body.get(6)?) {
            (0xFFFF, 1) => Some(
                if body.get(8) == Some(&1) {
                    "TRUE"
                } else {
                    "FALSE"
                }
                .to_owned(),
            ),
            (0xFFFF, _) => None,
            _ => number_at(body, 6).map(|number| self.number(number, body)),
        }
    }
}

fn number_at(body: &[u8], at: usize) -> Option<f64> {
    Some(f64::from_le_bytes(*body.get(at..)?.first_chunk()?))
}

/// A number in 30 bits: an integer or the top of a float, perhaps in hundredths.
fn unpacked(packed: u32) -> f64 {
    let number = if packed & 2 != 0 {
        f64::from(packed.cast_signed() >> 2)
    } else {
        f64::from_bits(u64::from(packed & !3) << 32)
    };
    if packed & 1 != 0 {
        number / 100.0
    } else {
        number
    }
}

/// The text of a drawing object: in the record after it.
fn text_box(body: &[u8], next: &[Record]) -> Option<String> {
    let length = usize::from(u16_at(body, 10)?);
    let (_, 0x003C, text) = next.first()? else {
        return None;
    };
    let (flags, characters) = text.split_first()?;
    let size = if flags & 1 != 0 { length * 2 } else { length };
    let bytes = &characters[..characters.len().min(size)];
    Some(if flags & 1 != 0 {
        wide(bytes)
    } else {
        latin(bytes)
    })
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The shared strings: their table runs over continuation records, which may cut a string in two.
fn shared_strings(body: &[u8], next: &[Record]) -> Vec<String> {
    let continued = next
        .iter()
        .take_while(|(_, kind, _)| *kind == 0x003C)
        .map(|(_, _, body)| *body);
    let mut parts = Parts {
        parts: std::iter::once(body).chain(continued).collect(),
        part: 0,
        at: 8,
    };
    let count = u32_at(body, 4).unwrap_or(0) as usize;
    let mut strings = Vec::new();
    while strings.len() < count.min(MAX_STRINGS) {
        match parts.string() {
            Some(string) => strings.push(string),
            None => break,
        }
    }
    strings
}

/// A reader over the bodies of a record and its continuations.
struct Parts<'b> {
    parts: Vec<&'b [u8]>,
    part: usize,
    at: usize,
}

impl Parts<'_> {
    fn byte(&mut self) -> Option<u8> {
        while self.at >= self.parts.get(self.part)?.len() {
            (self.part, self.at) = (self.part + 1, 0);
        }
        let byte = self.parts[self.part][self.at];
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self, bytes: u32) -> Option<usize> {
        (0..bytes).try_fold(0, |number, index| {
            Some(number | usize::from(self.byte()?) << (8 * index))
        })
    }

    fn string(&mut self) -> Option<String> {
        let mut left = self.number(2)?;
        let mut flags = self.byte()?;
        let runs = if flags & 8 != 0 { self.number(2)? } else { 0 };
        let extra = if flags & 4 != 0 { self.number(4)? } else { 0 };
        let mut string = String::new();
        while left > 0 {
            if self.at >= self.parts.get(self.part)?.len() {
                (self.part, self.at) = (self.part + 1, 0);
                // The rest of a cut string says anew how wide it is.
                flags = self.byte()?;
            }
            let width = if flags & 1 != 0 { 2 } else { 1 };
            let rest = self.parts.get(self.part)?.get(self.at..)?;
            let taken = left
                .min(rest.len() / width)
                .max(usize::from(rest.len() < width));
            let bytes = &rest[..rest.len().min(taken * width)];
            string.push_str(&if width == 2 {
                wide(bytes)
            } else {
                latin(bytes)
            });
            self.at += bytes.len();
            left -= taken;
        }
        self.skip(runs.saturating_mul(4).saturating_add(extra));
        Some(string)
    }

    fn skip(&mut self, mut bytes: usize) {
        while let Some(part) = self.parts.get(self.part).filter(|_| bytes > 0) {
            let taken = bytes.min(part.len().saturating_sub(self.at));
            self.at += taken;
            bytes -= taken;
            if bytes > 0 {
                (self.part, self.at) = (self.part + 1, 0);
            }
        }
    }
}
