//! cpio archives: with headers of hexadecimal digits, of octal digits, and of numbers in either byte order.

use super::super::decode::to_text;
use super::super::job::{Failure, Job};
use super::{Member, write_member};

/// The name of the member that ends an archive.
const END: &[u8] = b"TRAILER!!!";
const FILE_KIND: u32 = 0o170_000;
const PLAIN_FILE: u32 = 0o100_000;

/// A member's header.
struct Header {
    mode: u32,
    modified_s: u32,
    name_bytes: usize,
    size: usize,
    /// Bytes of the header itself.
    length: usize,
    /// Names (with the header) and contents are filled up to a multiple of this.
    unit: usize,
}

/// Whether the bytes begin with a member's header and a name that people can read; two bytes of a magic alone say little.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let name = header(bytes).and_then(|header| {
        let end = header.length.saturating_add(header.name_bytes);
        bytes.get(header.length..end)?.split_last()
    });
    name.is_some_and(|(end, name)| {
        *end == 0 && !name.is_empty() && name.iter().all(|byte| *byte >= b' ')
    })
}

/// Writes names and words of the members.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut rest = bytes;
    while job.next_member() {
        let header = header(rest).ok_or_else(broken)?;
        let name_end = header.length.saturating_add(header.name_bytes);
        let start = name_end.next_multiple_of(header.unit);
        let end = start.saturating_add(header.size);
        let name = rest
            .get(header.length..name_end.saturating_sub(1))
            .ok_or_else(broken)?;
        if name == END {
            break;
        }
        let content = rest.get(start..end.min(rest.len())).ok_or_else(broken)?;
        let is_file = header.mode & FILE_KIND == PLAIN_FILE;
        let member = Member {
            name: to_text(name, None).into_owned(),
            size: Some(header.size as u64),
            modified_s: Some(i64::from(header.modified_s)),
            content: is_file.then_some(content),
        };
        if is_file {
            write_member(&member, job);
        } else {
            super::write_folder(&member.name, job);
        }
        let next = end
            .checked_next_multiple_of(header.unit)
            .ok_or_else(broken)?;
        rest = rest.get(next..).ok_or_else(broken)?;
    }
    Ok(())
}

fn broken() -> Failure {
    Failure::damaged("the cpio archive is unreadable or cut short")
}

fn header(bytes: &[u8]) -> Option<Header> {
    match bytes.get(..6)? {
        b"070701" | b"070702" => {
            let field = |index: usize| digits(bytes.get(6 + 8 * index..14 + 8 * index)?, 16);
            Some(Header {
                mode: field(1)?,
                modified_s: field(5)?,
                size: field(6)? as usize,
                name_bytes: field(11)? as usize,
                length: 110,
                unit: 4,
            })
        }
        b"070707" => Some(Header {
            mode: digits(bytes.get(18..24)?, 8)?,
            modified_s: digits(bytes.get(48..59)?, 8)?,
            name_bytes: digits(bytes.get(59..65)?, 8)? as usize,
            size: digits(bytes.get(65..76)?, 8)? as usize,
            length: 76,
            unit: 1,
        }),
        [0xC7, 0x71, ..] => binary(bytes, u16::from_le_bytes),
        [0x71, 0xC7, ..] => binary(bytes, u16::from_be_bytes),
        _ => None,
    }
}

/// Numbers of 16 bits; the upper half of longer ones comes first in either byte order.
fn binary(bytes: &[u8], half: fn([u8; 2]) -> u16) -> Option<Header> {
    let field = |index: usize| Some(u32::from(half(*bytes.get(2 * index..)?.first_chunk()?)));
    let long = |index: usize| Some(field(index)? << 16 | field(index + 1)?);
    Some(Header {
        mode: field(3)?,
        modified_s: long(8)?,
        name_bytes: field(10)? as usize,
        size: long(11)? as usize,
        length: 26,
        unit: 2,
    })
}

fn digits(bytes: &[u8], radix: u32) -> Option<u32> {
    let all = bytes.iter().all(u8::is_ascii_hexdigit);
    u32::from_str_radix(str::from_utf8(bytes).ok().filter(|_| all)?, radix).ok()
}
