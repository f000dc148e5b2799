//! A zip container that was cut short lacks the directory at its end. Its members have headers of their own, of which the directory is
//! made again.

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem;

/// What a member's header begins with.
pub(super) const MEMBER: &[u8] = b"PK\x03\x04";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
const DIRECTORY_ROW: &[u8] = b"PK\x01\x02";
const MEMBER_BYTES: usize = 30;
/// The flag of a member whose size is behind it.
const SIZE_FOLLOWS: u16 = 8;
const DEFLATED: u16 = 8;
/// Members that are found again; a directory counts to 65,535.
const MAX_MEMBERS: u16 = 60_000;
/// Bytes that are unpacked to see where members end.
const MAX_UNPACKED_BYTES: u64 = 128 << 20;

/// The bytes with a directory of the members that they hold, the last of which may be cut; none where there is no member.
pub(super) fn with_directory(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut directory, mut count, mut at, mut unpacked) = (Vec::new(), 0u16, 0usize, 0u64);
    while let Some(member) = member_at(bytes, at, &mut unpacked).filter(|_| count < MAX_MEMBERS) {
        member.describe(u32::try_from(at).ok()?, &mut directory);
        count += 1;
        let next = memmem::find(bytes.get(member.end..).unwrap_or_default(), MEMBER);
        let Some(next) = next else { break };
        at = member.end + next;
    }
    if count == 0 {
        return None;
    }
    let (place, length) = (
        u32::try_from(bytes.len()).ok()?,
        u32::try_from(directory.len()).ok()?,
    );
    let mut whole = Vec::with_capacity(bytes.len() + directory.len() + 22);
    whole.extend(bytes);
    whole.extend(directory);
    whole.extend(b"PK\x05\x06\0\0\0\0");
    whole.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    whole.extend([length.to_le_bytes(), place.to_le_bytes()].concat());
    whole.extend([0, 0]);
    Some(whole)
}

/// A member that was found.
struct Found<'b> {
    header: &'b [u8],
    name: &'b [u8],
    packed: u32,
    unpacked: u32,
    end: usize,
}

fn member_at<'b>(bytes: &'b [u8], at: usize, budget: &mut u64) -> Option<Found<'b>> {
    let header = bytes.get(at..at.checked_add(MEMBER_BYTES)?)?;
    if !header.starts_with(MEMBER) {
        return None;
    }
    let name_at = at + MEMBER_BYTES;
    let name_end = name_at + usize::from(u16_at(header, 26)?);
    let name = bytes.get(name_at..name_end)?;
    let start = name_end + usize::from(u16_at(header, 28)?);
    let content = bytes.get(start..)?;
    let (packed, unpacked) = (u32_at(header, 18)?, u32_at(header, 22)?);
    let (packed, unpacked) = if packed == 0 && u16_at(header, 6)? & SIZE_FOLLOWS != 0 {
        measured(content, u16_at(header, 8)?, budget)
    } else {
        (packed as usize, unpacked)
    };
    // A size that leads beyond the end is of a member that was cut, or is wrong: a row of a directory is not the member's.
    let packed = match packed > content.len() {
        true => memmem::find(content, DIRECTORY_ROW).unwrap_or(content.len()),
        false => packed,
    };
    Some(Found {
        header,
        name,
        packed: u32::try_from(packed).ok()?,
        unpacked,
        end: start + packed,
    })
}

/// Packed and unpacked size of a member that does not tell them before.
fn measured(content: &[u8], method: u16, budget: &mut u64) -> (usize, u32) {
    if method != DEFLATED {
        let end = memmem::find(content, DESCRIPTOR).unwrap_or(content.len());
        return (end, u32::try_from(end).unwrap_or(u32::MAX));
    }
    let mut inflate = Decompress::new(false);
    let mut buffer = vec![0; 32 << 10];
    while *budget < MAX_UNPACKED_BYTES {
        let before = (inflate.total_in(), inflate.total_out());
        let rest = content.get(before.0 as usize..).unwrap_or_default();
        let status = inflate.decompress(rest, &mut buffer, FlushDecompress::None);
        *budget += inflate.total_out() - before.1;
        let is_stuck = (inflate.total_in(), inflate.total_out()) == before;
        if is_stuck || !matches!(status, Ok(Status::Ok)) {
            break;
        }
    }
    let unpacked = u32::try_from(inflate.total_out()).unwrap_or(u32::MAX);
    (inflate.total_in() as usize, unpacked)
}

impl Found<'_> {
    /// Adds the member's row of the directory.
    fn describe(&self, at: u32, directory: &mut Vec<u8>) {
        let flags = u16_at(self.header, 6).unwrap_or(0) & !SIZE_FOLLOWS;
        directory.extend(DIRECTORY_ROW);
        directory.extend([20, 0]); // made by a program of version 2.0
        directory.extend(&self.header[4..6]);
        directory.extend(flags.to_le_bytes());
        directory.extend(&self.header[8..18]); // method, time, day, checksum
        directory.extend(self.packed.to_le_bytes());
        directory.extend(self.unpacked.to_le_bytes());
        directory.extend((self.name.len() as u16).to_le_bytes());
        directory.extend([0; 12]); // nothing extra, no comment, the first disk, no attributes
        directory.extend(at.to_le_bytes());
        directory.extend(self.name);
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
