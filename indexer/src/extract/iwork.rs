//! Pages, Numbers and Keynote: since 2013 packed objects in `.iwa` members, before that one XML member.
//!
//! An `.iwa` member is a run of Snappy blocks; unpacked it is a run of archives, each a protobuf header that tells the types
//! and lengths of the objects behind it. Of the objects, text flows and the strings of tables are read.

use super::job::{Failure, Job};
use super::package::Package;
use super::sink::Sink;
use super::xml;

/// Members that are read.
const MAX_MEMBERS: usize = 5_000;
/// Most bytes one block unpacks to; writers make blocks of 64 KiB.
const MAX_BLOCK_BYTES: usize = 4 << 20;
/// Object types: a flow of text, and the strings (or other values) of a table's cells.
const TEXT_FLOW: u64 = 2001;
const TABLE_VALUES: u64 = 6005;
/// The kind of a text flow that is a table of contents.
const CONTENTS: u64 = 7;

/// Writes the text of an iWork document.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut package = Package::open(bytes)?;
    let names = package.names();
    if names
        .iter()
        .any(|name| name.ends_with(".iwpv2") || name.ends_with(".iwph"))
    {
        return Err(Failure::Encrypted);
    }
    for old in ["index.xml", "index.apxl"] {
        if let Some(document) = package.member(old, job) {
            return xml::read(&document, job);
        }
    }
    if let Some(index) = package.member("Index.zip", job) {
        return read_index(&mut Package::open(&index)?, job);
    }
    read_index(&mut package, job)
}

/// The document first, then the rest, slides by their numbers.
fn read_index(package: &mut Package, job: &mut Job) -> Result<(), Failure> {
    let mut members: Vec<String> = package
        .names()
        .into_iter()
        .filter(|n| is_content(n))
        .collect();
    members.sort_by_key(|name| (!name.ends_with("/Document.iwa"), name.len(), name.clone()));
    let mut whole = true;
    for name in members.iter().take(MAX_MEMBERS) {
        if !job.next_member() {
            break;
        }
        let unpacked = package
            .member(name, job)
            .and_then(|packed| unpack(&packed, job));
        whole &= unpacked.is_some_and(|objects| write(&objects, &mut job.sink).is_some());
    }
    match whole && !members.is_empty() {
        true => Ok(()),
        false => Err(Failure::damaged("objects of the document are unreadable")),
    }
}

/// Masters and templates hold prompts, style sheets hold no text.
fn is_content(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let skipped = [
        "MasterSlide",
        "TemplateSlide",
        "DocumentStylesheet",
        "ThemeStylesheet",
        "Metadata",
        "ViewState",
    ];
    file.ends_with(".iwa") && !skipped.iter().any(|start| file.starts_with(start))
}

/// The objects of a member: blocks of a zero byte, a length of three bytes, Snappy without frames.
fn unpack(packed: &[u8], job: &mut Job) -> Option<Vec<u8>> {
    let (mut objects, mut rest) = (Vec::new(), packed);
    while let [0, a, b, c, after @ ..] = rest {
        let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        let block = after.get(..length)?;
        let size = snap::raw::decompress_len(block).ok()?;
        if size > MAX_BLOCK_BYTES || size as u64 > job.unpacked_left() {
            job.is_cut = true;
            return Some(objects);
        }
        job.spend(size as u64);
        objects.extend(snap::raw::Decoder::new().decompress_vec(block).ok()?);
        rest = &after[length..];
    }
    rest.is_empty().then_some(objects)
}

/// Writes the texts of all objects; `None` when their headers are broken.
fn write(objects: &[u8], sink: &mut Sink) -> Option<()> {
    let mut rest = objects;
    while !rest.is_empty() && !sink.stop() {
        let (length, after) = varint(rest)?;
        let header = after.get(..usize::try_from(length).ok()?)?;
        rest = &after[header.len()..];
        for (number, value) in Fields(header) {
            if let (2, Value::Bytes(message)) = (number, value) {
                let (kind, length) = (first(message, 1)?, first(message, 3)?);
                let body = rest.get(..usize::try_from(length).ok()?)?;
                rest = &rest[body.len()..];
                object(kind, body, sink);
            }
        }
    }
    Some(())
}

fn object(kind: u64, body: &[u8], sink: &mut Sink) {
    match kind {
        TEXT_FLOW if first(body, 1) != Some(CONTENTS) => texts(body, sink),
        TABLE_VALUES => Fields(body).for_each(|field| {
            if let (3, Value::Bytes(entry)) = field {
                texts(entry, sink);
            }
        }),
        _ => {}
    }
}

/// Writes the strings of field 3, each on a line of its own.
fn texts(message: &[u8], sink: &mut Sink) {
    for (number, value) in Fields(message) {
        if let (3, Value::Bytes(text)) = (number, value)
            && let Ok(text) = std::str::from_utf8(text)
        {
            sink.line();
            // Where a picture or a table stands, and line breaks inside paragraphs.
            sink.text(
                &text
                    .replace('\u{FFFC}', " ")
                    .replace(['\u{2028}', '\u{2029}'], "\n"),
            );
            sink.line();
        }
    }
}

/// The value of the first number field.
fn first(message: &[u8], wanted: u32) -> Option<u64> {
    Fields(message).find_map(|(number, value)| match value {
        Value::Number(value) if number == wanted => Some(value),
        _ => None,
    })
}

/// A protobuf field's value.
enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
    /// Four or eight bytes.
    Fixed,
}

/// The fields of a protobuf message, up to the first that is broken.
struct Fields<'b>(&'b [u8]);

impl<'b> Iterator for Fields<'b> {
    type Item = (u32, Value<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = varint(self.0)?;
        let skip = |length: usize| Some((rest.get(..length)?, rest.get(length..)?));
        let (value, rest) = match tag & 7 {
            0 => varint(rest).map(|(number, rest)| (Value::Number(number), rest))?,
            1 => (Value::Fixed, skip(8)?.1),
            2 => {
                let (length, rest) = varint(rest)?;
                let length = usize::try_from(length).ok()?;
                (Value::Bytes(rest.get(..length)?), rest.get(length..)?)
            }
            5 => (Value::Fixed, skip(4)?.1),
            _ => return None,
        };
        self.0 = rest;
        Some((u32::try_from(tag >> 3).ok()?, value))
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7F).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::super::{Extraction, FileType, Limits, Outcome, extract};

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat()
    }

    /// One archive with one object, in one block.
    fn member(kind: u16, body: &[u8]) -> Vec<u8> {
        let info = [&[
            8,
            (kind & 0x7F) as u8 | 0x80,
            (kind >> 7) as u8,
            24,
            body.len() as u8,
        ][..]]
        .concat();
        let header = [&[8, 1][..], &field(2, &info)].concat();
        let objects = [&[header.len() as u8][..], &header, body].concat();
        let packed = snap::raw::Encoder::new().compress_vec(&objects).unwrap();
        [&[0, packed.len() as u8, 0, 0][..], &packed].concat()
    }

    fn given(name: &str, members: &[(&str, Vec<u8>)]) -> Extraction {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(content).unwrap();
        }
        let bytes = writer.finish().unwrap().into_inner();
        extract(name, &bytes, &Limits::default())
    }

    #[test]
    fn flows_and_tables_are_read() {
        let flow = |kind: u8, text: &str| {
            member(2001, &[&[8, kind][..], &field(3, text.as_bytes())].concat())
        };
        let cells = field(
            3,
            &[&[8, 1, 16, 1][..], &field(3, "Größe".as_bytes())].concat(),
        );
        let members = [
            ("Index/Tables/DataList.iwa", member(6005, &cells)),
            ("Index/Document.iwa", flow(0, "the letter\u{FFFC}s body")),
            ("Index/Contents.iwa", flow(7, "contents")),
            ("Index/MasterSlide-1.iwa", flow(3, "Title Text")),
        ];
        let pages = given("a.pages", &members);
        assert_eq!(
            (pages.detected, &pages.outcome),
            (FileType::Pages, &Outcome::Text)
        );
        let words: Vec<&str> = pages.text.split_whitespace().collect();
        assert_eq!(words, ["the", "letter", "s", "body", "Größe"]);
        assert_eq!(given("a.numbers", &members).detected, FileType::Numbers);
        assert_eq!(given("a.key", &members).detected, FileType::Keynote);
    }

    #[test]
    fn older_documents_and_broken_ones_are_told_apart() {
        let old = b"<sl:document><sf:p>from 2009</sf:p></sl:document>".to_vec();
        let old = given(
            "a.pages",
            &[("index.xml", old), ("buildVersionHistory.plist", vec![])],
        );
        assert_eq!(
            (old.detected, old.text.trim()),
            (FileType::Pages, "from 2009")
        );
        for broken in [
            &b"\0\x09\0\0short"[..],
            b"\0\x05\0\0\xFF\xFF\xFF\xFF\x7F",
            b"noise",
        ] {
            let broken = given("a.pages", &[("Index/Document.iwa", broken.to_vec())]);
            assert!(
                matches!(broken.outcome, Outcome::Damaged { .. }),
                "{broken:?}"
            );
        }
        let locked = given(
            "a.pages",
            &[("Index/Document.iwa", vec![]), (".iwpv2", vec![])],
        );
        assert_eq!(locked.outcome, Outcome::Encrypted);
    }
}
