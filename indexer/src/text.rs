//! A file's extracted text, from where extraction left it. The index holds no text: highlights and previews read it here.

use storage::block::BlockStore;
use storage::chunk::{BLOCK_BYTES, BlockHash};
use storage::extraction::{ExtractionRecord, TextSource};

/// Longest text that is loaded, bytes; extraction keeps no more.
pub const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// Blocks of a text that has members are small: a search reads the parts that it shows.
const MEMBERS_PIECE_BYTES: usize = 256 * 1024;

/// Bytes of each block of a text but the last.
pub(crate) fn piece_bytes(has_members: bool) -> usize {
    match has_members {
        true => MEMBERS_PIECE_BYTES,
        false => BLOCK_BYTES,
    }
}

/// The part of the text between two bytes of it, without reading blocks before or behind.
pub fn load_range(
    record: &ExtractionRecord,
    range: (u32, u32),
    blocks: &BlockStore,
) -> storage::Result<String> {
    let TextSource::Blocks { blocks: source, .. } = &record.text else {
        return Ok(String::new()); // members are found in no plain text
    };
    let (start, end) = (range.0 as usize, (range.1 as usize).min(MAX_TEXT_BYTES));
    let length = piece_bytes(record.members.is_some());
    let mut bytes = Vec::new();
    for (turn, hash) in source.iter().enumerate() {
        let at = turn * length;
        if at < end && at + length > start {
            let piece = blocks.get(hash)?;
            let until = end.saturating_sub(at).min(piece.len());
            bytes.extend_from_slice(&piece[start.saturating_sub(at).min(until)..until]);
        }
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The text of a content whose own blocks are `content`; empty when there is none. Cut at [`MAX_TEXT_BYTES`].
pub fn load(
    record: &ExtractionRecord,
    content: &[BlockHash],
    blocks: &BlockStore,
) -> storage::Result<String> {
    load_start(record, content, blocks, MAX_TEXT_BYTES)
}

/// At most the first `most` bytes of the text, without reading blocks behind them.
pub fn load_start(
    record: &ExtractionRecord,
    content: &[BlockHash],
    blocks: &BlockStore,
    most: usize,
) -> storage::Result<String> {
    let source = match &record.text {
        TextSource::None => return Ok(String::new()),
        TextSource::Content => content,
        TextSource::Blocks { blocks, .. } => blocks,
    };
    let mut bytes = Vec::new();
    for hash in source {
        bytes.append(&mut blocks.get(hash)?);
        if bytes.len() >= most {
            bytes.truncate(most);
            break;
        }
    }
    drop_cut_character(&mut bytes);
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Removes a character of which the end was cut off.
fn drop_cut_character(bytes: &mut Vec<u8>) {
    let tail = bytes.len().saturating_sub(3);
    if let Some(lead) = bytes[tail..].iter().rposition(|byte| byte & 0xc0 != 0x80) {
        let cut =
            std::str::from_utf8(&bytes[tail + lead..]).is_err_and(|e| e.error_len().is_none());
        if cut {
            bytes.truncate(tail + lead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_characters_are_kept() {
        let text = "aé日𝄞".as_bytes();
        let kept = |end: usize| {
            let mut bytes = text[..end].to_vec();
            drop_cut_character(&mut bytes);
            bytes.len()
        };
        let ends: Vec<_> = (0..=text.len()).map(kept).collect();
        assert_eq!(ends, [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10]);
    }
}
