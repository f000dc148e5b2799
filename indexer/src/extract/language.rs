//! The language of a text, by a small sample: it is asked for every file.

/// Bytes of text looked at.
const SAMPLE_BYTES: usize = 400;
/// Shorter samples say nothing.
const MIN_LETTERS: usize = 40;

/// ISO 639-3 code of the text's language, when it is clear.
pub(crate) fn of(text: &str) -> Option<String> {
    let start = text.floor_char_boundary((text.len() / 3).min(2_000));
    let end = text.floor_char_boundary((start + SAMPLE_BYTES).min(text.len()));
    let sample = &text[start..end];
    if sample.chars().filter(|c| c.is_alphabetic()).count() < MIN_LETTERS {
        return None;
    }
    if is_plainly_english(sample) {
        return Some("eng".to_owned());
    }
    let found = whatlang::detect(sample)?;
    found.is_reliable().then(|| found.lang().code().to_owned())
}

/// Comparing trigrams with every language costs as much as the rest of a small file; English shows by its small words.
fn is_plainly_english(sample: &str) -> bool {
    const SMALL_WORDS: [&str; 12] = [
        "the", "of", "and", "is", "that", "with", "this", "which", "from", "be", "are", "it",
    ];
    if !sample.is_ascii() {
        return false;
    }
    let words = sample.split_ascii_whitespace();
    let (all, small, the) = words.fold((0, 0, 0), |(all, small, the), word| {
        let is_small = usize::from(SMALL_WORDS.contains(&word));
        (all + 1, small + is_small, the + usize::from(word == "the"))
    });
    the >= 2 && small * 7 >= all
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn languages_are_told_when_clear() {
        let english = "The log is cut below the lowest checkpoint, and that is why the rest of it is scanned.";
        assert_eq!(of(english).as_deref(), Some("eng"));
        let french = "Les journaux sont coupés sous le point de reprise le plus bas, et le reste est relu ensuite.";
        assert_eq!(of(french).as_deref(), Some("fra"));
        assert_eq!(of("short"), None);
        assert_eq!(of("1234 5678 90 {} [] = 1234 5678 90 {} [] = 1234"), None);
    }
}
