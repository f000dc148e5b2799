//! Unix archives (`ar`): Debian packages and libraries.

use super::super::decode::to_text;
use super::super::job::{Failure, Job};
use super::{Member, write_member};

/// What such an archive begins with.
pub(super) const MAGIC: &[u8] = b"!<arch>\n";
const HEADER_BYTES: usize = 60;

/// Writes names and words of the members.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let (mut at, mut long_names) = (MAGIC.len(), &[][..]);
    while at < bytes.len() && job.next_member() {
        let (name, modified_s, size) = header(bytes, at).ok_or_else(broken)?;
        at += HEADER_BYTES;
        let whole = at.saturating_add(size);
        let mut content = bytes.get(at..whole.min(bytes.len())).unwrap_or_default();
        at = whole.saturating_add(size & 1);
        let name = match name {
            b"//" => {
                long_names = content;
                continue;
            }
            b"/" | b"/SYM64/" | b"__.SYMDEF" => continue,
            // BSD: the name is in front of the content; GNU: a place in the table of long names.
            [b'#', b'1', b'/', length @ ..] => {
                let length = number(length).ok_or_else(broken)?;
                let (name, rest) = content.split_at_checked(length).ok_or_else(broken)?;
                content = rest;
                name.split(|byte| *byte == 0).next().unwrap_or_default()
            }
            [b'/', place @ ..] => long_name(long_names, place).ok_or_else(broken)?,
            name => name.strip_suffix(b"/").unwrap_or(name),
        };
        let member = Member {
            name: to_text(name, None).into_owned(),
            size: Some(content.len() as u64),
            modified_s,
            content: Some(content),
        };
        write_member(&member, job);
        if whole > bytes.len() {
            return Err(broken());
        }
    }
    Ok(())
}

fn broken() -> Failure {
    Failure::damaged("the Unix archive is unreadable or cut short")
}

/// Name, time of change and size of the member whose header is at a place.
fn header(bytes: &[u8], at: usize) -> Option<(&[u8], Option<i64>, usize)> {
    let header = bytes.get(at..at.checked_add(HEADER_BYTES)?)?;
    let modified_s = number(&header[16..28]).and_then(|seconds| i64::try_from(seconds).ok());
    let is_header = header.ends_with(b"`\n");
    let size = number(&header[48..58]).filter(|_| is_header)?;
    Some((header[..16].trim_ascii_end(), modified_s, size))
}

fn number(digits: &[u8]) -> Option<usize> {
    str::from_utf8(digits).ok()?.trim_end().parse().ok()
}

fn long_name<'b>(names: &'b [u8], place: &[u8]) -> Option<&'b [u8]> {
    let name = names
        .get(number(place)?..)?
        .split(|byte| *byte == b'\n')
        .next()?;
    Some(name.strip_suffix(b"/").unwrap_or(name))
}
