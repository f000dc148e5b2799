//! PowerPoint 97-2003: the text atoms of the record tree, without the masters' prompts.

use super::super::job::{Failure, Job};
use super::super::sink::Sink;
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
const HEADER_FOOTER: u16 = 0x0FD9;
const LIST: u16 = 0x0FF0;
const COMMENT: u16 = 0x2EE0;

/// Writes the text of a presentation; every slide is a page.
pub(super) fn read(compound: &mut Compound, job: &mut Job) -> Result<(), Failure> {
    let Some(stream) = compound.stream("/PowerPoint Document", job) else {
        return Err(Failure::damaged("the presentation stream is missing"));
    };
    if compound.file.exists("/EncryptedSummary")
        || compound.file.exists("/EncryptedSummaryInformation")
    {
        return Err(Failure::Encrypted);
    }
    let mut records = 0;
    walk(&stream, 0, 0, &mut records, &mut job.sink);
    Ok(())
}

fn walk(bytes: &[u8], parent: u16, depth: u32, records: &mut u32, sink: &mut Sink) {
    let mut rest = bytes;
    while let (Some(head), Some(kind), Some(length)) =
        (u16_at(rest, 0), u16_at(rest, 2), u32_at(rest, 4))
    {
        *records += 1;
        if *records > MAX_RECORDS || sink.stop() {
            return;
        }
        let end = rest.len().min(8usize.saturating_add(length as usize));
        let body = &rest[8..end];
        if head & 0xF == 0xF {
            // The lists of masters (instance 1) repeat their prompts.
            let prompts = kind == MASTER || (kind == LIST && head >> 4 == 1);
            if !prompts && depth < MAX_DEPTH {
                if kind == SLIDE {
                    sink.page();
                }
                walk(body, kind, depth + 1, records, sink);
            }
        } else {
            atom(kind, parent, body, sink);
        }
        rest = &rest[end..];
    }
}

fn atom(kind: u16, parent: u16, body: &[u8], sink: &mut Sink) {
    let text = match kind {
        TEXT_WIDE => wide(body),
        TEXT_NARROW => narrow(body),
        STRING if matches!(parent, COMMENT | HEADER_FOOTER) => wide(body),
        _ => return,
    };
    sink.line();
    sink.text(&text.replace(['\r', '\u{B}'], "\n"));
    sink.line();
}
