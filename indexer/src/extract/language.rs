//! The language of a text, by a small sample: it is asked for every file.

/// Bytes of text looked at.
const SAMPLE_BYTES: usize = 400;
/// Shorter samples say nothing.
const MIN_LETTERS: usize = 40;

/// ISO 639-3 code of the text's language, when it is clear.
pub(super) fn of(text: &str) -> Option<String> {
    let start = text.floor_char_boundary((text.len() / 3).min(2_000));
    let end = text.floor_char_boundary((start + SAMPLE_BYTES).min(text.len()));
    let sample = &text[start..end];
    if sample.chars().filter(|c| c.is_alphabetic()).count() < MIN_LETTERS {
        return None;
    }
    let found = whatlang::detect(sample)?;
    found.is_reliable().then(|| found.lang().code().to_owned())
}
