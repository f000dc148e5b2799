//! Compound files: Word, Excel and PowerPoint 97-2003, Outlook messages, and encrypted Office documents.

mod deck;
mod encrypted;
mod excel;
mod outlook;
mod persist;
mod powerpoint;
mod powerpoint4;
mod summary;
mod word;

use std::borrow::Cow;
use std::io::{Cursor, Read};

use cfb::CompoundFile;

use super::FileType;
use super::job::{Failure, Job};
pub(super) use encrypted::unlock;

/// Most bytes of one stream that are read.
const MAX_STREAM_BYTES: u64 = 64 << 20;
/// Most bytes that are added to a file cut short.
const MAX_PADDING_BYTES: usize = 16 << 20;
/// Entries of a compound file that are looked at.
const MAX_ENTRIES: usize = 20_000;

/// An open compound file.
struct Compound<'b> {
    file: CompoundFile<Cursor<Cow<'b, [u8]>>>,
}

impl<'b> Compound<'b> {
    fn open(bytes: &'b [u8]) -> Result<Self, Failure> {
        let file = CompoundFile::open(Cursor::new(Cow::Borrowed(bytes)))
            .or_else(|_| CompoundFile::open(Cursor::new(Cow::Owned(padded(bytes)))));
        let file = file.map_err(|error| {
            Failure::damaged(format!("the compound file is unreadable: {error}"))
        })?;
        Ok(Self { file })
    }

    /// The bytes of a stream, as far as they can be read.
    fn stream(&mut self, path: &str, job: &mut Job) -> Option<Vec<u8>> {
        let stream = self.file.open_stream(path).ok()?;
        let mut bytes = Vec::new();
        let read = stream
            .take(MAX_STREAM_BYTES.min(job.unpacked_left()))
            .read_to_end(&mut bytes);
        job.spend(bytes.len() as u64);
        (read.is_ok() || !bytes.is_empty()).then_some(bytes)
    }

    /// The names of the storages directly under a path.
    fn storages(&self, path: &str) -> Vec<String> {
        let Ok(entries) = self.file.read_storage(path) else {
            return Vec::new();
        };
        let storages = entries.take(MAX_ENTRIES).filter(|entry| entry.is_storage());
        storages.map(|entry| entry.name().to_owned()).collect()
    }
}

/// Files cut short keep an allocation table for more sectors than they have: zeros stand for those.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let sector = 1usize << u16_at(bytes, 30).unwrap_or(9).min(12);
    let tables = u32_at(bytes, 44).unwrap_or(0) as usize;
    let sectors = tables.saturating_mul(sector / 4).saturating_add(1);
    let size = sectors
        .saturating_mul(sector)
        .min(bytes.len() + MAX_PADDING_BYTES);
    let mut padded = bytes.to_vec();
    padded.resize(size.max(bytes.len()), 0);
    padded
}

/// Whether the bytes are a workbook of the time before compound files.
pub(super) fn is_bare_workbook(bytes: &[u8]) -> bool {
    excel::is_bare(bytes)
}

/// Writes the text of a compound file.
pub(super) fn read(bytes: &[u8], kind: FileType, job: &mut Job) -> Result<(), Failure> {
    if kind == FileType::Xls && excel::is_bare(bytes) {
        return excel::read_records(bytes, job);
    }
    let mut compound = Compound::open(bytes)?;
    if let Some(summary) = compound.stream("/\u{5}SummaryInformation", job) {
        summary::headlines(&summary, job);
    }
    match kind {
        FileType::Doc => word::read(&mut compound, job),
        FileType::Xls => excel::read(&mut compound, job),
        FileType::Ppt if compound.file.exists("/PP40") => powerpoint4::read(&mut compound, job),
        FileType::Ppt => powerpoint::read(&mut compound, job),
        _ => outlook::read(&mut compound, job),
    }
}

/// What a compound file is, by the streams in its root.
pub(super) fn detect(bytes: &[u8]) -> Option<FileType> {
    let compound = Compound::open(bytes).ok()?;
    let has = |name: &str| compound.file.exists(name);
    [
        ("/EncryptedPackage", FileType::EncryptedOffice),
        ("/WordDocument", FileType::Doc),
        ("/Workbook", FileType::Xls),
        ("/Book", FileType::Xls),
        ("/PowerPoint Document", FileType::Ppt),
        ("/PP40", FileType::Ppt),
        ("/__properties_version1.0", FileType::Msg),
    ]
    .into_iter()
    .find_map(|(name, kind)| has(name).then_some(kind))
}

/// Little-endian numbers at a place.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// UTF-16, little-endian.
fn wide(bytes: &[u8]) -> String {
    encoding_rs::UTF_16LE
        .decode_without_bom_handling(&bytes[..bytes.len() & !1])
        .0
        .into_owned()
}

/// Windows' western code page.
fn narrow(bytes: &[u8]) -> String {
    encoding_rs::WINDOWS_1252
        .decode_without_bom_handling(bytes)
        .0
        .into_owned()
}

#[cfg(test)]
mod tests;
