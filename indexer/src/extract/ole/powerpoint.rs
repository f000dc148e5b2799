//! PowerPoint 97-2003: the text atoms of the record tree, without the masters' prompts.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::super::job::{Failure, Job};
use super::deck::Deck;
use super::persist::Persist;
use super::{Compound, narrow, u16_at, u32_at, wide};

/// How deep containers are followed.
pub(super) const MAX_DEPTH: u32 = 64;
/// Records that are read.
const MAX_RECORDS: u32 = 2_000_000;

pub(super) const DOCUMENT: u16 = 0x03E8;
pub(super) const SLIDE: u16 = 0x03EE;
pub(super) const NOTES: u16 = 0x03F0;
pub(super) const MASTER: u16 = 0x03F8;
pub(super) const HANDOUT: u16 = 0x0FC9;
const TEXT_WIDE: u16 = 0x0FA0;
const TEXT_NARROW: u16 = 0x0FA8;
const STRING: u16 = 0x0FBA;
/// The instance of the string that names a master's design.
const DESIGN: u16 = 2;
const HEADER_FOOTER: u16 = 0x0FD9;
pub(super) const LIST: u16 = 0x0FF0;
const PLACEHOLDER: u16 = 0x0BC3;
const OBJECT: u16 = 0x1011;
const COMMENT: u16 = 0x2EE0;
const SHAPE: u16 = 0xF004;
const CLIENT_DATA: u16 = 0xF011;

/// Writes the text of a presentation; every slide is a page. A damaged one is read in the order of its stream.
pub(super) fn read(compound: &mut Compound, job: &mut Job) -> Result<(), Failure> {
    let Some(stream) = compound.stream("/PowerPoint Document", job) else {
        return Err(Failure::damaged("the presentation stream is missing"));
    };
    let encrypted = ["/EncryptedSummary", "/EncryptedSummaryInformation"];
    if encrypted.iter().any(|name| compound.file.exists(name)) {
        return Err(Failure::Encrypted);
    }
    let from = job.sink.len();
    let current_user = compound.stream("/Current User", job);
    let persist = current_user.and_then(|current| Persist::of(&stream, &current));
    match persist.and_then(|persist| Deck::of(&stream, &persist)) {
        Some(deck) => deck.write(job),
        None => walk(&stream, Place::default(), &mut 0, job),
    }
    if !job.sink.has_words_since(from) {
        design(&stream, job);
    }
    Ok(())
}

/// Slides without a word are found by the name of their design, which the first master has.
fn design(stream: &[u8], job: &mut Job) {
    let masters = children(stream).filter(|(_, kind, _)| *kind == MASTER);
    let mut names = masters
        .flat_map(|(_, _, body)| children(body))
        .filter(|(head, kind, _)| *kind == STRING && head >> 4 == DESIGN);
    if let Some((_, _, name)) = names.next() {
        job.sink.text(&wide(name));
    }
}

/// Where in the tree a record is.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    parent: u16,
    depth: u32,
    in_master: bool,
}

impl Place {
    /// In a container of this kind.
    pub fn under(parent: u16) -> Self {
        Self {
            parent,
            depth: 1,
            in_master: false,
        }
    }

    /// In what slides are made after.
    pub fn in_master(self) -> Self {
        Self {
            in_master: true,
            ..self
        }
    }
}

/// Writes the texts of the records in a container, and counts them.
pub(super) fn walk(bytes: &[u8], place: Place, records: &mut u32, job: &mut Job) {
    for entry in children(bytes) {
        if !record(entry, place, records, job) {
            return;
        }
    }
}

/// Writes the texts of one record; false when there have been enough.
pub(super) fn record(
    (head, kind, body): (u16, u16, &[u8]),
    place: Place,
    records: &mut u32,
    job: &mut Job,
) -> bool {
    *records += 1;
    if *records > MAX_RECORDS || job.sink.stop() {
        return false;
    }
    if head & 0xF != 0xF {
        atom(head, kind, place.parent, body, job);
        return true;
    }
    let in_master = place.in_master || kind == MASTER;
    // Placeholders of masters and their lists (instance 1) hold prompts.
    let prompts =
        (kind == LIST && head >> 4 == 1) || (in_master && kind == SHAPE && is_placeholder(body));
    if prompts || place.depth >= MAX_DEPTH {
        return true;
    }
    if kind == SLIDE {
        job.sink.page();
    }
    let inside = Place {
        parent: kind,
        depth: place.depth + 1,
        in_master,
    };
    walk(body, inside, records, job);
    true
}

/// Version and instance, kind and body of the records in a container.
pub(super) fn children(bytes: &[u8]) -> impl Iterator<Item = (u16, u16, &[u8])> {
    let mut at = 0usize;
    std::iter::from_fn(move || {
        let entry = record_at(bytes, at)?;
        at += 8 + entry.2.len();
        Some(entry)
    })
}

/// Version and instance, kind and body of the record at a place; a cut body ends where the bytes do.
pub(super) fn record_at(bytes: &[u8], at: usize) -> Option<(u16, u16, &[u8])> {
    let rest = bytes.get(at..)?;
    let (head, kind, length) = (u16_at(rest, 0)?, u16_at(rest, 2)?, u32_at(rest, 4)?);
    let end = rest.len().min(8usize.saturating_add(length as usize));
    Some((head, kind, &rest[8..end]))
}

fn is_placeholder(shape: &[u8]) -> bool {
    let client = children(shape).filter(|(_, kind, _)| *kind == CLIENT_DATA);
    client
        .flat_map(|(_, _, body)| children(body))
        .any(|(_, kind, _)| kind == PLACEHOLDER)
}

/// An object inside the presentation (a chart, a sheet, a document).
fn object(head: u16, body: &[u8], job: &mut Job) {
    if !job.may_descend() || !job.next_member() {
        return;
    }
    let mut content = Vec::new();
    let is_packed = head >> 4 == 1;
    if is_packed {
        let limit = job.unpacked_left().min(job.limits.input_bytes as u64);
        let packed = body.get(4..).unwrap_or_default();
        // A cut object gives what it has.
        drop(
            ZlibDecoder::new(packed)
                .take(limit)
                .read_to_end(&mut content),
        );
        job.spend(content.len() as u64);
    }
    job.sink.line();
    job.read_member("object", if is_packed { &content } else { body });
}

fn atom(head: u16, kind: u16, parent: u16, body: &[u8], job: &mut Job) {
    let text = match kind {
        TEXT_WIDE => wide(body),
        TEXT_NARROW => narrow(body),
        STRING if matches!(parent, COMMENT | HEADER_FOOTER) => wide(body),
        OBJECT => return object(head, body, job),
        _ => return,
    };
    let sink = &mut job.sink;
    sink.line();
    sink.text(&text.replace(['\r', '\u{B}'], "\n"));
    sink.line();
}
