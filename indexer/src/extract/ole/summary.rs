//! Title and author from the summary property set.

use super::super::job::Job;
use super::super::rtf::codepage;
use super::u32_at;

/// Properties that are looked at.
const MAX_PROPERTIES: u32 = 200;

pub(super) fn headlines(set: &[u8], job: &mut Job) {
    let Some(section) = u32_at(set, 44).and_then(|at| set.get(at as usize..)) else {
        return;
    };
    let page = property(section, 1)
        .and_then(|at| u32_at(section, at + 4))
        .unwrap_or(1252);
    if let Some(title) = text(section, 2, page) {
        job.set_title(&title);
    }
    if let Some(author) = text(section, 4, page) {
        job.set_author(&author);
    }
}

fn property(section: &[u8], wanted: u32) -> Option<usize> {
    let count = u32_at(section, 4)?.min(MAX_PROPERTIES) as usize;
    let entry = (0..count)
        .map(|index| 8 + index * 8)
        .find(|at| u32_at(section, *at) == Some(wanted))?;
    u32_at(section, entry + 4).map(|at| at as usize)
}

/// A string property (VT_LPSTR).
fn text(section: &[u8], wanted: u32, page: u32) -> Option<String> {
    let at = property(section, wanted)?;
    if u32_at(section, at)? != 0x1E {
        return None;
    }
    let length = u32_at(section, at + 4)? as usize;
    let bytes = section.get(at + 8..(at + 8).checked_add(length)?)?;
    let text = codepage((page & 0xFFFF) as i32)
        .decode_without_bom_handling(bytes)
        .0;
    Some(text.trim_end_matches('\0').to_owned())
}
