//! A file's extracted text, from where extraction left it. The index holds no text: highlights and previews read it here.

use storage::block::BlockStore;
use storage::chunk::BlockHash;
use storage::extraction::{ExtractionRecord, TextSource};

/// Longest text that is loaded, bytes; extraction keeps no more.
pub const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// The text of a content whose own blocks are `content`; empty when there is none. Cut at [`MAX_TEXT_BYTES`].
pub fn load(
    record: &ExtractionRecord,
    content: &[BlockHash],
    blocks: &BlockStore,
) -> storage::Result<String> {
    let source = match &record.text {
        TextSource::None => return Ok(String::new()),
        TextSource::Content => content,
        TextSource::Blocks { blocks, .. } => blocks,
    };
    let mut bytes = Vec::new();
    for hash in source {
        bytes.append(&mut blocks.get(hash)?);
        if bytes.len() > MAX_TEXT_BYTES {
            bytes.truncate(MAX_TEXT_BYTES);
            break;
        }
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
