//! Archives: the names of their members, and the words of those that have some.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::FileType;
use super::job::{Failure, Job};
use super::package::Package;

/// Longest member name that is written, in bytes.
const MAX_NAME_BYTES: usize = 1_000;

/// Writes names and words of an archive's members.
pub(super) fn read(name: &str, bytes: &[u8], kind: FileType, job: &mut Job) -> Result<(), Failure> {
    match kind {
        FileType::Zip => read_zip(bytes, job),
        FileType::Tar => read_tar(bytes, job),
        _ => read_gzip(name, bytes, job),
    }
}

fn read_zip(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut package = Package::open(bytes)?;
    let (mut encrypted, mut files) = (0, 0);
    for (index, name) in package.names().iter().enumerate() {
        if !job.next_member() {
            break;
        }
        write_name(name, job);
        if name.ends_with('/') || !package.is_file(index) {
            continue;
        }
        files += 1;
        if package.is_encrypted(index) {
            encrypted += 1;
        } else if job.may_descend()
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
        write_name(&name, job);
        if !entry.header().entry_type().is_file() || !job.may_descend() {
            continue;
        }
        let mut content = Vec::new();
        let limit = job.unpacked_left().min(job.limits.input_bytes as u64);
        // Sparse and cut entries give what they have.
        if (&mut entry).take(limit).read_to_end(&mut content).is_ok() || !content.is_empty() {
            job.spend(content.len() as u64);
            job.read_member(&name, &content);
        }
    }
    Ok(())
}

fn read_gzip(name: &str, bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    if !job.may_descend() || !job.next_member() {
        return Ok(());
    }
    let mut content = Vec::new();
    let limit = job.unpacked_left().min(job.limits.input_bytes as u64);
    let read = MultiGzDecoder::new(bytes)
        .take(limit)
        .read_to_end(&mut content);
    job.spend(content.len() as u64);
    let inner = name
        .strip_suffix(".gz")
        .map_or_else(|| name.replace(".tgz", ".tar"), str::to_owned);
    job.read_member(&inner, &content);
    match read {
        Err(error) if content.is_empty() => Err(Failure::damaged(format!(
            "the gzip stream is unreadable: {error}"
        ))),
        _ => Ok(()),
    }
}

fn write_name(name: &str, job: &mut Job) {
    job.sink.line();
    job.sink
        .text(&name[..name.floor_char_boundary(MAX_NAME_BYTES)]);
    job.sink.line();
}
