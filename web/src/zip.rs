//! Writes zip archives as streams: stored, UTF-8 names, zip64 where sizes ask for it.
//!
//! An entry's checksum follows its bytes (a data descriptor), so nothing is read twice or held in memory.

use bytes::Bytes;
use time::OffsetDateTime;

/// The end of what fits the original format's 32-bit fields.
const LIMIT: u64 = 0xffff_ffff;
/// Flags: sizes follow the data; names are UTF-8.
const FLAGS: u16 = 0x0808;
const VERSION: u16 = 20;
const VERSION_64: u16 = 45;

/// An archive on its way.
#[derive(Default)]
pub struct Archive {
    offset: u64,
    directory: Vec<u8>,
    entries: u64,
}

/// One file or folder on its way.
pub struct Entry {
    name: String,
    size: u64,
    at: u64,
    stamp: (u16, u16),
    checksum: crc32fast::Hasher,
}

impl Entry {
    /// Takes the entry's next bytes into its checksum.
    pub fn update(&mut self, bytes: &[u8]) {
        self.checksum.update(bytes);
    }
}

impl Archive {
    /// Begins an entry of exactly `size` bytes; `name` is a path without a leading slash, with one at the end for a
    /// folder. Returns the bytes that come before its own.
    pub fn begin(&mut self, name: String, size: u64, modified_ms: i64) -> (Entry, Bytes) {
        let (stamp, is_large) = (dos(modified_ms), size >= LIMIT);
        let mut out = Vec::with_capacity(64 + name.len());
        put32(&mut out, 0x0403_4b50);
        put16(&mut out, if is_large { VERSION_64 } else { VERSION });
        common(&mut out, stamp);
        put32(&mut out, 0); // the checksum follows
        put32(&mut out, if is_large { LIMIT as u32 } else { 0 });
        put32(&mut out, if is_large { LIMIT as u32 } else { 0 });
        put16(&mut out, name.len() as u16);
        put16(&mut out, if is_large { 20 } else { 0 });
        out.extend_from_slice(name.as_bytes());
        if is_large {
            extra(&mut out, &[0, 0]);
        }
        let entry = Entry {
            name,
            size,
            at: self.offset,
            stamp,
            checksum: crc32fast::Hasher::new(),
        };
        self.offset += out.len() as u64 + size;
        (entry, out.into())
    }

    /// Ends an entry whose bytes were all sent. Returns the bytes that come after its own.
    pub fn end(&mut self, entry: Entry) -> Bytes {
        let checksum = entry.checksum.clone().finalize();
        let mut out = Vec::with_capacity(24);
        put32(&mut out, 0x0807_4b50);
        put32(&mut out, checksum);
        match u32::try_from(entry.size)
            .ok()
            .filter(|_| entry.size < LIMIT)
        {
            Some(size) => {
                put32(&mut out, size);
                put32(&mut out, size);
            }
            None => {
                put64(&mut out, entry.size);
                put64(&mut out, entry.size);
            }
        }
        self.offset += out.len() as u64;
        self.remember(&entry, checksum);
        out.into()
    }

    /// Ends the archive. Returns its directory.
    pub fn finish(mut self) -> Bytes {
        let (start, length) = (self.offset, self.directory.len() as u64);
        let mut out = std::mem::take(&mut self.directory);
        if start >= LIMIT || length >= LIMIT || self.entries >= 0xffff {
            put32(&mut out, 0x0606_4b50);
            put64(&mut out, 44);
            put16(&mut out, VERSION_64);
            put16(&mut out, VERSION_64);
            put64(&mut out, 0); // this disk, and the directory's
            put64(&mut out, self.entries);
            put64(&mut out, self.entries);
            put64(&mut out, length);
            put64(&mut out, start);
            put32(&mut out, 0x0706_4b50);
            put32(&mut out, 0);
            put64(&mut out, start + length);
            put32(&mut out, 1);
        }
        let entries = self.entries.min(0xffff) as u16;
        put32(&mut out, 0x0605_4b50);
        put32(&mut out, 0);
        put16(&mut out, entries);
        put16(&mut out, entries);
        put32(&mut out, length.min(LIMIT) as u32);
        put32(&mut out, start.min(LIMIT) as u32);
        put16(&mut out, 0);
        out.into()
    }

    fn remember(&mut self, entry: &Entry, checksum: u32) {
        let is_large = entry.size >= LIMIT || entry.at >= LIMIT;
        let out = &mut self.directory;
        put32(out, 0x0201_4b50);
        put16(out, 0x0300 | if is_large { VERSION_64 } else { VERSION });
        put16(out, if is_large { VERSION_64 } else { VERSION });
        common(out, entry.stamp);
        put32(out, checksum);
        put32(
            out,
            if is_large {
                LIMIT as u32
            } else {
                entry.size as u32
            },
        );
        put32(
            out,
            if is_large {
                LIMIT as u32
            } else {
                entry.size as u32
            },
        );
        put16(out, entry.name.len() as u16);
        put16(out, if is_large { 28 } else { 0 });
        put64(out, 0); // comment, disk, attributes, half of the external ones
        let mode: u32 = if entry.name.ends_with('/') {
            0o40755 << 16 | 0x10
        } else {
            0o100_644 << 16
        };
        let at = out.len() - 2;
        out.truncate(at);
        put32(out, mode);
        put32(
            out,
            if is_large {
                LIMIT as u32
            } else {
                entry.at as u32
            },
        );
        out.extend_from_slice(entry.name.as_bytes());
        if is_large {
            extra(out, &[entry.size, entry.size, entry.at]);
        }
        self.entries += 1;
    }
}

/// Flags, method (stored), time and date: alike in both kinds of header.
fn common(out: &mut Vec<u8>, (time, date): (u16, u16)) {
    put16(out, FLAGS);
    put16(out, 0);
    put16(out, time);
    put16(out, date);
}

fn extra(out: &mut Vec<u8>, values: &[u64]) {
    put16(out, 1);
    put16(out, values.len() as u16 * 8);
    values.iter().for_each(|value| put64(out, *value));
}

/// MS-DOS's time and date, UTC; the format begins in 1980.
fn dos(ms: i64) -> (u16, u16) {
    let at = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    if at.year() < 1980 || at.year() > 2107 {
        return (0, 0x21);
    }
    let time =
        u16::from(at.hour()) << 11 | u16::from(at.minute()) << 5 | (u16::from(at.second()) / 2);
    let date =
        (at.year() as u16 - 1980) << 9 | u16::from(u8::from(at.month())) << 5 | u16::from(at.day());
    (time, date)
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two entries, byte for byte: offsets in the directory point at the local headers.
    #[test]
    fn the_directory_points_at_its_entries() {
        let mut archive = Archive::default();
        let mut out = Vec::new();
        for (name, content) in [("ü/", &b""[..]), ("ü/a.txt", b"hello")] {
            let (mut entry, head) =
                archive.begin(name.into(), content.len() as u64, 1_580_702_706_000);
            out.extend_from_slice(&head);
            out.extend_from_slice(content);
            entry.update(content);
            out.extend_from_slice(&archive.end(entry));
        }
        let start = out.len();
        out.extend_from_slice(&archive.finish());
        let at32 = |at: usize| u32::from_le_bytes([out[at], out[at + 1], out[at + 2], out[at + 3]]);
        assert_eq!(at32(start), 0x0201_4b50);
        let second = start + 46 + "ü/".len();
        assert_eq!(at32(second), 0x0201_4b50);
        assert_eq!(at32(at32(second + 42) as usize), 0x0403_4b50);
        assert_eq!(at32(second + 16), crc32fast::hash(b"hello"));
        assert_eq!(at32(second + 20), 5);
        let end = out.len() - 22;
        assert_eq!((at32(end), at32(end + 16) as usize), (0x0605_4b50, start));
    }

    #[test]
    fn sizes_beyond_four_gibibytes_take_zip64() {
        let mut archive = Archive::default();
        let (entry, head) = archive.begin("big".into(), LIMIT, 0);
        assert_eq!(head.len(), 30 + 3 + 20);
        assert_eq!(archive.end(entry).len(), 24);
        let end = archive.finish();
        assert_eq!(end.len(), 46 + 3 + 28 + 56 + 20 + 22);
    }
}
