//! PowerPoint 4 and 95: the texts of the `PP40` stream.
//!
//! The format was never published. Its texts give themselves away: each has its length before it (four bytes), and behind it,
//! at an even place, the tag 12 and the same length once more.

use encoding_rs::{Encoding, MACINTOSH, WINDOWS_1252};

use super::super::job::{Failure, Job};
use super::Compound;

/// Longest text of one frame, bytes.
const MAX_TEXT_BYTES: usize = 1 << 16;
/// What stands between a text and its repeated length.
const TAG: usize = 12;

/// How the machine that wrote the file writes numbers and characters.
struct Platform {
    is_big_endian: bool,
    encoding: &'static Encoding,
}

/// Writes the texts of a presentation, slides and notes in their order.
pub(super) fn read(compound: &mut Compound, job: &mut Job) -> Result<(), Failure> {
    let Some(stream) = compound.stream("/PP40", job) else {
        return Err(Failure::damaged("the presentation stream is missing"));
    };
    let platform = match stream.get(..4) {
        Some([0x0B, 0xAD, 0xDE, 0xED]) => Platform {
            is_big_endian: true,
            encoding: MACINTOSH,
        },
        Some([0xED, 0xDE, 0xAD, 0x0B]) => Platform {
            is_big_endian: false,
            encoding: WINDOWS_1252,
        },
        _ => return Err(Failure::damaged("the presentation stream has no header")),
    };
    let mut at = 4;
    while at < stream.len() && !job.sink.stop() {
        if let Some(text) = platform.text(&stream, at) {
            let shown = platform.encoding.decode_without_bom_handling(text).0;
            // Marks of formats stand inside words.
            let shown = shown.replace('\u{7F}', "").replace(['\r', '\u{B}'], "\n");
            job.sink.line();
            job.sink.text(&shown);
            job.sink.line();
            at += 4 + text.len().next_multiple_of(2);
        } else {
            at += 2;
        }
    }
    Ok(())
}

impl Platform {
    fn number<const N: usize>(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let digits = bytes.get(at..at + N)?;
        let add = |number: usize, byte: &u8| number << 8 | usize::from(*byte);
        Some(if self.is_big_endian {
            digits.iter().fold(0, add)
        } else {
            digits.iter().rev().fold(0, add)
        })
    }

    fn text<'b>(&self, bytes: &'b [u8], at: usize) -> Option<&'b [u8]> {
        let length = self.number::<4>(bytes, at)?;
        if length == 0 || length > MAX_TEXT_BYTES {
            return None;
        }
        let behind = at + 4 + length.next_multiple_of(2);
        let is_text = self.number::<2>(bytes, behind)? == TAG
            && self.number::<4>(bytes, behind + 2)? == length;
        is_text.then(|| &bytes[at + 4..at + 4 + length])
    }
}
