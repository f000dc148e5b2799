//! RAR archives (1.5 to 7): the names of all members, and the words of those that are stored as they are. The others are compressed in
//! a way that nothing here undoes; a Tika server may.

use super::super::decode::to_text;
use super::super::job::{Failure, Job};
use super::super::members::moment_ms;
use super::{Member, write_folder, write_member};

const MAGIC_4: &[u8] = b"Rar!\x1A\x07\x00";
const MAGIC_5: &[u8] = b"Rar!\x1A\x07\x01\x00";
/// Longest name that is read, bytes.
const MAX_NAME_BYTES: usize = 4_096;

/// A member, where its content could be found.
struct Found<'b> {
    name: String,
    size: u64,
    modified_s: Option<i64>,
    is_folder: bool,
    is_encrypted: bool,
    /// It is stored as it is, and all of it is in this file.
    is_stored: bool,
    content: &'b [u8],
}

/// What was met.
#[derive(Default)]
struct Tally {
    files: u32,
    encrypted: u32,
    packed: u32,
}

/// Whether the bytes are an archive of this kind.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC_4) || bytes.starts_with(MAGIC_5)
}

/// Writes the names of the members, and what is readable of them.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut tally = Tally::default();
    if bytes.starts_with(MAGIC_5) {
        read_5(&bytes[MAGIC_5.len()..], &mut tally, job)?;
    } else {
        read_4(
            bytes.get(MAGIC_4.len()..).unwrap_or_default(),
            &mut tally,
            job,
        )?;
    }
    match tally {
        Tally {
            files, encrypted, ..
        } if files > 0 && encrypted == files => Err(Failure::Encrypted),
        Tally { packed: 1.., .. } => Err(Failure::Unsupported),
        _ => Ok(()),
    }
}

fn tell(found: Found, tally: &mut Tally, job: &mut Job) {
    if found.is_folder {
        return write_folder(&found.name, job);
    }
    tally.files += 1;
    tally.encrypted += u32::from(found.is_encrypted);
    let is_readable = found.is_stored && !found.is_encrypted;
    tally.packed += u32::from(!found.is_stored && !found.is_encrypted);
    let member = Member {
        name: found.name,
        size: Some(found.size),
        modified_s: found.modified_s,
        content: is_readable.then_some(found.content),
    };
    write_member(&member, job);
}

fn broken() -> Failure {
    Failure::damaged("the RAR archive is unreadable or cut short")
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Blocks of RAR 1.5 to 4: checksum, kind, flags, length of the header.
fn read_4(mut rest: &[u8], tally: &mut Tally, job: &mut Job) -> Result<(), Failure> {
    const MAIN: u8 = 0x73;
    const FILE: u8 = 0x74;
    const END: u8 = 0x7B;
    while !rest.is_empty() && job.next_member() {
        let (kind, flags) = rest
            .get(2)
            .copied()
            .zip(u16_at(rest, 3))
            .ok_or_else(broken)?;
        let length = usize::from(u16_at(rest, 5).ok_or_else(broken)?);
        let header = rest
            .get(..length)
            .filter(|_| length >= 7)
            .ok_or_else(broken)?;
        if kind == MAIN && flags & 0x80 != 0 {
            return Err(Failure::Encrypted);
        }
        if kind == END {
            break;
        }
        let has_content = kind == FILE || flags & 0x8000 != 0;
        let packed = if has_content {
            u32_at(header, 7).ok_or_else(broken)?
        } else {
            0
        };
        let packed_high = if kind == FILE && flags & 0x100 != 0 {
            u32_at(header, 32)
        } else {
            None
        };
        let packed = u64::from(packed) | u64::from(packed_high.unwrap_or(0)) << 32;
        let after = &rest[length..];
        let size = usize::try_from(packed).unwrap_or(usize::MAX);
        let content = &after[..size.min(after.len())];
        if kind == FILE {
            let found = file_4(header, flags, content).ok_or_else(broken)?;
            tell(found, tally, job);
        }
        rest = after.get(size..).ok_or_else(broken)?;
    }
    Ok(())
}

fn file_4<'b>(header: &[u8], flags: u16, content: &'b [u8]) -> Option<Found<'b>> {
    let is_large = flags & 0x100 != 0;
    let name_at: usize = if is_large { 40 } else { 32 };
    let name_bytes = usize::from(u16_at(header, 26)?).min(MAX_NAME_BYTES);
    let name = header.get(name_at..name_at.checked_add(name_bytes)?)?;
    let high = if is_large { u32_at(header, 36)? } else { 0 };
    Some(Found {
        name: name_4(name, flags & 0x200 != 0),
        size: u64::from(u32_at(header, 11)?) | u64::from(high) << 32,
        modified_s: dos_moment_s(u32_at(header, 20)?),
        is_folder: flags & 0xE0 == 0xE0,
        is_encrypted: flags & 4 != 0,
        is_stored: header.get(25) == Some(&0x30) && flags & 3 == 0,
        content,
    })
}

/// A name: in the system's characters, behind a zero in Unicode packed by means of the former, or in UTF-8 alone.
fn name_4(name: &[u8], is_unicode: bool) -> String {
    let name = match name
        .iter()
        .position(|byte| *byte == 0)
        .filter(|_| is_unicode)
    {
        Some(end) => unpacked_name(&name[..end], &name[end + 1..]),
        None => to_text(name, None).into_owned(),
    };
    name.replace('\\', "/")
}

/// Two bits for each character or run say how it is written: one byte, one byte in the usual upper half, two bytes, or a
/// run of the plain name.
fn unpacked_name(plain: &[u8], packed: &[u8]) -> String {
    let mut bytes = packed.iter().copied();
    let upper = u16::from(bytes.next().unwrap_or(0)) << 8;
    let (mut units, mut flags, mut left) = (Vec::<u16>::new(), 0u8, 0u32);
    while units.len() < MAX_NAME_BYTES {
        if left == 0 {
            let Some(next) = bytes.next() else { break };
            (flags, left) = (next, 4);
        }
        let kind = flags >> 6;
        (flags, left) = (flags << 2, left - 1);
        let Some(low) = bytes.next() else { break };
        match kind {
            0 => units.push(u16::from(low)),
            1 => units.push(upper | u16::from(low)),
            2 => units.push(u16::from(low) | u16::from(bytes.next().unwrap_or(0)) << 8),
            _ => {
                let correction = (low & 0x80 != 0).then(|| bytes.next().unwrap_or(0));
                for _ in 0..u32::from(low & 0x7F) + 2 {
                    let byte = plain.get(units.len()).copied().unwrap_or(b'_');
                    units.push(correction.map_or(u16::from(byte), |more| {
                        upper | u16::from(byte.wrapping_add(more))
                    }));
                }
            }
        }
    }
    String::from_utf16_lossy(&units)
}

/// Seconds since 1970 of a moment as DOS writes it.
fn dos_moment_s(moment: u32) -> Option<i64> {
    let bits = |at: u32, count: u32| (moment >> at & ((1 << count) - 1)) as u8;
    let date = (1980 + u16::from(bits(25, 7)), bits(21, 4), bits(16, 5));
    moment_ms(date, (bits(11, 5), bits(5, 6), 2 * bits(0, 5))).map(|ms| ms / 1000)
}

/// Blocks of RAR 5: checksum, length of the header, kind, flags, lengths of what is extra and of the content; numbers of seven bits a byte.
fn read_5(mut rest: &[u8], tally: &mut Tally, job: &mut Job) -> Result<(), Failure> {
    const FILE: u64 = 2;
    const ENCRYPTION: u64 = 4;
    const END: u64 = 5;
    while !rest.is_empty() && job.next_member() {
        let mut fields = Fields {
            rest: rest.get(4..).ok_or_else(broken)?,
        };
        let length = fields.size().ok_or_else(broken)?;
        let (header, after) = fields.rest.split_at_checked(length).ok_or_else(broken)?;
        let mut fields = Fields { rest: header };
        let (kind, flags) = fields.number().zip(fields.number()).ok_or_else(broken)?;
        let extra = if flags & 1 != 0 {
            fields.size().ok_or_else(broken)?
        } else {
            0
        };
        let size = if flags & 2 != 0 {
            fields.size().ok_or_else(broken)?
        } else {
            0
        };
        let content = &after[..size.min(after.len())];
        match kind {
            FILE => {
                let extra = &header[header.len().saturating_sub(extra)..];
                let found = file_5(fields, flags, extra, content).ok_or_else(broken)?;
                tell(found, tally, job);
            }
            ENCRYPTION => return Err(Failure::Encrypted),
            END => break,
            _ => {}
        }
        rest = after.get(size..).ok_or_else(broken)?;
    }
    Ok(())
}

fn file_5<'b>(
    mut fields: Fields,
    block: u64,
    extra: &[u8],
    content: &'b [u8],
) -> Option<Found<'b>> {
    let (flags, size, _attributes) = (fields.number()?, fields.number()?, fields.number()?);
    let modified_s = if flags & 2 != 0 {
        Some(i64::from(fields.fixed()?))
    } else {
        None
    };
    if flags & 4 != 0 {
        fields.fixed()?; // the content's checksum
    }
    let (method, _system) = (fields.number()?, fields.number()?);
    let name_bytes = fields.size()?;
    let name = fields.rest.get(..name_bytes)?;
    Some(Found {
        name: String::from_utf8_lossy(&name[..name_bytes.min(MAX_NAME_BYTES)]).into_owned(),
        size,
        modified_s,
        is_folder: flags & 1 != 0,
        is_encrypted: is_encrypted_5(extra),
        // Parts of it are in other volumes where the block's flags say so.
        is_stored: method >> 7 & 7 == 0 && block & 0x18 == 0,
        content,
    })
}

/// Whether one of the records of what is extra is about encryption.
fn is_encrypted_5(extra: &[u8]) -> bool {
    let mut fields = Fields { rest: extra };
    while let Some(length) = fields.size() {
        let Some((mut record, rest)) = fields
            .rest
            .split_at_checked(length)
            .map(|(record, rest)| (Fields { rest: record }, rest))
        else {
            return false;
        };
        if record.number() == Some(1) {
            return true;
        }
        fields.rest = rest;
    }
    false
}

/// Numbers one behind the other.
struct Fields<'b> {
    rest: &'b [u8],
}

impl Fields<'_> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for index in 0..10 {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7F).checked_shl(7 * index).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn fixed(&mut self) -> Option<u32> {
        let number = u32_at(self.rest, 0)?;
        self.rest = &self.rest[4..];
        Some(number)
    }
}
