//! PowerPoint 97-2003: the text atoms of the record tree, without the masters' prompts.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::super::job::{Failure, Job};
use super::{Compound, narrow, u16_at, u32_at, wide};

/// How deep containers are followed.
const MAX_DEPTH: u32 = 64;
/// Records that are read.
const MAX_RECORDS: u32 = 2_000_000;

const SLIDE: u16 = 0x03EE;
const MASTER: u16 = 0x03F8;
const TEXT_WIDE: u16 = 0x0FA0;
const TEXT_NARROW: u16 = 0x0FA8;
const STRING: u16 = 0x0FBA;
/// The instance of the string that names a master's design.
const DESIGN: u16 = 2;
const HEADER_FOOTER: u16 = 0x0FD9;
const LIST: u16 = 0x0FF0;
const PLACEHOLDER: u16 = 0x0BC3;
const OBJECT: u16 = 0x1011;
const COMMENT: u16 = 0x2EE0;
const SHAPE: u16 = 0xF004;
const CLIENT_DATA: u16 = 0xF011;

/// Writes the text of a presentation; every slide is a page.
pub(super) fn read(compound: &mut Compound, job: &mut Job) -> Result<(), Failure> {
    let Some(stream) = compound.stream("/PowerPoint Document", job) else {
        return Err(Failure::damaged("the presentation stream is missing"));
    };
    let encrypted = ["/EncryptedSummary", "/EncryptedSummaryInformation"];
    if encrypted.iter().any(|name| compound.file.exists(name)) {
        return Err(Failure::Encrypted);
    }
    let from = job.sink.len();
    walk(&stream, Place::default(), &mut 0, job);
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
struct Place {
    parent: u16,
    depth: u32,
    in_master: bool,
}

fn walk(bytes: &[u8], place: Place, records: &mut u32, job: &mut Job) {
    for (head, kind, body) in children(bytes) {
        *records += 1;
        if *records > MAX_RECORDS || job.sink.stop() {
            return;
        }
        if head & 0xF != 0xF {
            atom(head, kind, place.parent, body, job);
            continue;
        }
        let in_master = place.in_master || kind == MASTER;
        // Placeholders of masters and their lists (instance 1) hold prompts.
        let prompts = (kind == LIST && head >> 4 == 1)
            || (in_master && kind == SHAPE && is_placeholder(body));
        if prompts || place.depth >= MAX_DEPTH {
            continue;
        }
        if kind == SLIDE {
            job.sink.page();
        }
        walk(
            body,
            Place {
                parent: kind,
                depth: place.depth + 1,
                in_master,
            },
            records,
            job,
        );
    }
}

/// Version and instance, kind and body of the records in a container.
fn children(bytes: &[u8]) -> impl Iterator<Item = (u16, u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (head, kind, length) = (u16_at(rest, 0)?, u16_at(rest, 2)?, u32_at(rest, 4)?);
        let end = rest.len().min(8usize.saturating_add(length as usize));
        let body = &rest[8..end];
        rest = &rest[end..];
        Some((head, kind, body))
    })
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
