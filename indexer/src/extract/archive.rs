//! Archives: the names of their members, and the words of those that have some.

mod ar;
mod cpio;
mod rar;

use std::io::{Cursor, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use sevenz_rust2::{ArchiveEntry, ArchiveReader, EncoderMethod, Password};

use super::FileType;
use super::job::{Failure, Job};
use super::members::{Entry, Turn, windows_ms};
use super::package::Package;

/// Longest member name that is written, in bytes.
const MAX_NAME_BYTES: usize = 1_000;
/// Most memory that a decoder may ask for, KiB; the worker has little more.
const MAX_DECODER_KIB: u32 = 512 << 10;

/// Writes names and words of an archive's members.
pub(super) fn read(name: &str, bytes: &[u8], kind: FileType, job: &mut Job) -> Result<(), Failure> {
    match kind {
        FileType::Zip => read_zip(bytes, job),
        FileType::Tar => read_tar(bytes, job),
        FileType::SevenZip => read_7z(bytes, job),
        FileType::Xz => {
            let reader = XzReader::new_mem_limit(bytes, true, MAX_DECODER_KIB);
            read_packed(inner_name(name, "xz"), reader, job)
        }
        FileType::Bzip2 => read_packed(inner_name(name, "bz2"), MultiBzDecoder::new(bytes), job),
        FileType::Zstandard => {
            let reader = zstd::Decoder::new(bytes).map_err(unreadable)?;
            read_packed(inner_name(name, "zst"), reader, job)
        }
        FileType::Gzip => read_packed(inner_name(name, "gz"), MultiGzDecoder::new(bytes), job),
        _ if bytes.starts_with(ar::MAGIC) => ar::read(bytes, job),
        _ if cpio::begins(bytes) => cpio::read(bytes, job),
        _ if rar::begins(bytes) => rar::read(bytes, job),
        _ => Err(Failure::Unsupported),
    }
}

/// Whether the bytes are an archive of a kind that is read here and has no type of its own; some of them look like texts.
pub(super) fn is_other(bytes: &[u8]) -> bool {
    bytes.starts_with(ar::MAGIC) || cpio::begins(bytes) || rar::begins(bytes)
}

/// A member of an archive that is read in place.
struct Member<'b> {
    name: String,
    size: Option<u64>,
    modified_s: Option<i64>,
    /// Its bytes, where they can be read.
    content: Option<&'b [u8]>,
}

/// Writes a member's name and words, or hands its bytes out.
fn write_member(member: &Member, job: &mut Job) {
    let modified_s = member.modified_s.filter(|seconds| *seconds > 0);
    let modified_ms = modified_s.and_then(|seconds| seconds.checked_mul(1000));
    let turn = write_name(&member.name, member.size, modified_ms, job);
    if let Some(content) = member.content
        && turn != Turn::Pass
        && job.may_descend()
    {
        let limit = job.unpacked_left().min(job.limits.input_bytes as u64);
        let content = &content[..content
            .len()
            .min(usize::try_from(limit).unwrap_or(usize::MAX))];
        job.spend(content.len() as u64);
        job.take_member(turn, &member.name, content);
    }
}

fn read_zip(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut package = Package::open(bytes)?;
    let (mut encrypted, mut files) = (0, 0);
    for (index, name) in package.names().iter().enumerate() {
        if !job.next_member() {
            break;
        }
        if name.ends_with('/') || !package.is_file(index) {
            write_folder(name, job);
            continue;
        }
        files += 1;
        let (size, modified_ms) = package.facts(index);
        let turn = write_name(name, size, modified_ms, job);
        if package.is_encrypted(index) {
            encrypted += 1;
        } else if turn == Turn::Open
            && let Some(content) = package.member_at(index, job)
        {
            job.roll.keep(content);
        } else if turn == Turn::Read
            && job.may_descend()
            && let Some(content) = package.wordy_member_at(index, name, job)
        {
            job.read_member(name, &content);
        }
    }
    if files > 0 && encrypted == files {
        Err(Failure::Encrypted)
    } else {
        Ok(())
    }
}

fn read_tar(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut archive = tar::Archive::new(bytes);
    let unreadable =
        |error: std::io::Error| Failure::damaged(format!("the tar archive is unreadable: {error}"));
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        if !job.next_member() {
            break;
        }
        let name = super::decode::to_text(&entry.path_bytes(), None).into_owned();
        if !entry.header().entry_type().is_file() {
            write_folder(&name, job);
            continue;
        }
        let modified_s = entry.header().mtime().ok().filter(|seconds| *seconds > 0);
        let modified_ms = modified_s.and_then(|s| i64::try_from(s).ok()?.checked_mul(1000));
        let turn = write_name(&name, Some(entry.size()), modified_ms, job);
        if turn == Turn::Pass || !job.may_descend() {
            continue;
        }
        let mut content = Vec::new();
        let limit = job.unpacked_left().min(job.limits.input_bytes as u64);
        // Sparse and cut entries give what they have.
        if (&mut entry).take(limit).read_to_end(&mut content).is_ok() || !content.is_empty() {
            job.spend(content.len() as u64);
            job.take_member(turn, &name, &content);
        }
    }
    Ok(())
}

fn read_7z(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut reader =
        ArchiveReader::new(Cursor::new(bytes), Password::empty()).map_err(|error| match error {
            sevenz_rust2::Error::PasswordRequired => Failure::Encrypted,
            sevenz_rust2::Error::UnsupportedCompressionMethod(method) if method.contains("AES") => {
                Failure::Encrypted
            }
            error => Failure::damaged(format!("the 7z archive is unreadable: {error}")),
        })?;
    reader.set_thread_count(1);
    let mut coders = reader
        .archive()
        .blocks
        .iter()
        .flat_map(|block| &block.coders);
    let is_encrypted =
        coders.any(|coder| coder.encoder_method_id() == EncoderMethod::ID_AES256_SHA256);
    if is_encrypted || !job.may_descend() {
        // Where contents are encrypted, names often are not.
        for file in &reader.archive().files {
            if !job.next_member() {
                break;
            }
            write_7z_name(file, job);
        }
        return if is_encrypted {
            Err(Failure::Encrypted)
        } else {
            Ok(())
        };
    }
    let read = reader.for_each_entries(|file, content| {
        if !job.next_member() {
            return Ok(false);
        }
        let turn = write_7z_name(file, job);
        // Members of a block are packed together: what is passed over is unpacked too, and counts.
        if file.size() > job.unpacked_left().min(job.limits.input_bytes as u64) {
            job.is_cut = true;
            return Ok(false);
        }
        job.spend(file.size());
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        job.take_member(turn, file.name(), &bytes);
        Ok(!job.sink.is_full() && !job.roll.is_done())
    });
    read.map_err(|error| Failure::damaged(format!("the 7z archive is damaged: {error}")))
}

/// One file (or a tar) under a compressor.
fn read_packed(inner: String, packed: impl Read, job: &mut Job) -> Result<(), Failure> {
    if !job.may_descend() || !job.next_member() {
        return Ok(());
    }
    let mut content = Vec::new();
    let limit = job.unpacked_left().min(job.limits.input_bytes as u64);
    let read = packed.take(limit).read_to_end(&mut content);
    job.spend(content.len() as u64);
    job.is_cut |= content.len() as u64 == limit;
    if super::detect(&inner, &content) == FileType::Tar {
        // Packed as one, it is one archive to people.
        read_tar(&content, job)?;
    } else if !job.roll.is_opening() {
        job.read_member(&inner, &content);
    }
    read.map(drop).map_err(unreadable) // what came before the damage is kept
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::damaged(format!("the compressed stream is unreadable: {error}"))
}

/// `notes.txt.gz` holds `notes.txt`, and `all.tgz` holds `all.tar`.
fn inner_name(name: &str, suffix: &str) -> String {
    let stem = |ending: &str| {
        name.strip_suffix(ending)
            .and_then(|rest| rest.strip_suffix('.'))
    };
    if let Some(inner) = stem(suffix) {
        return inner.to_owned();
    }
    let short = [format!("t{suffix}"), "tbz".to_owned()];
    let tar = short.iter().find_map(|ending| stem(ending));
    tar.map_or_else(|| name.to_owned(), |inner| format!("{inner}.tar"))
}

/// Writes a member's name, where its words begin.
fn write_name(name: &str, size: Option<u64>, modified_ms: Option<i64>, job: &mut Job) -> Turn {
    let turn = job.enter(Entry {
        path: name.trim_start_matches("./"),
        size,
        modified_ms,
        ..Entry::default()
    });
    write_part(name, job);
    turn
}

fn write_7z_name(file: &ArchiveEntry, job: &mut Job) -> Turn {
    if file.is_directory() {
        write_folder(file.name(), job);
        return Turn::Pass;
    }
    let ticks = u64::from(file.last_modified_date());
    let modified_ms = file.has_last_modified_date.then(|| windows_ms(ticks));
    write_name(file.name(), Some(file.size()), modified_ms.flatten(), job)
}

/// Writes the name of what is no file: it is the archive's own.
fn write_folder(name: &str, job: &mut Job) {
    job.leave();
    write_part(name, job);
}

fn write_part(name: &str, job: &mut Job) {
    let name = &name[..name.floor_char_boundary(MAX_NAME_BYTES)];
    job.sink.part(name);
    job.sink.text(name);
    job.sink.line();
}

#[cfg(test)]
mod tests;
