//! Case, accents and compatibility forms folded away, character by character.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Characters below this have their folded form in a table (Latin, Greek, Cyrillic, Hebrew, Arabic).
const TABLE_END: usize = 0x700;

static TABLE: LazyLock<Vec<String>> = LazyLock::new(|| {
    (0..TABLE_END as u32)
        .map(|code| char::from_u32(code).map(compute).unwrap_or_default())
        .collect()
});

/// Folded form of any text: lowercase, NFKC without accents.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Appends the folded form of `text`.
pub(super) fn fold_into(text: &str, out: &mut String) {
    if text.chars().any(composes) {
        for c in text.nfkc() {
            fold_char(c, out);
        }
    } else {
        for c in text.chars() {
            fold_char(c, out);
        }
    }
}

fn fold_char(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
    } else if (c as usize) < TABLE_END {
        out.push_str(&TABLE[c as usize]);
    } else if matches!(c, '\u{3041}'..='\u{309a}' | '\u{30a1}'..='\u{30fa}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
    {
        out.push(c); // kana, Han and Hangul syllables fold to themselves
    } else {
        out.push_str(&compute(c));
    }
}

/// True for characters that may join with the one before them: the text must be composed first.
fn composes(c: char) -> bool {
    c >= '\u{300}'
        && (matches!(c, '\u{300}'..='\u{36f}' | '\u{3099}' | '\u{309a}' | '\u{ff9e}' | '\u{ff9f}' | '\u{1100}'..='\u{11ff}')
            || (c >= '\u{653}' && is_combining_mark(c)))
}

fn compute(c: char) -> String {
    let mut out = String::new();
    for lower in c.to_lowercase() {
        if lower == 'й' {
            out.push(lower); // a letter of its own, not an accented и
            continue;
        }
        for part in lower.nfkd().filter(|&part| !is_accent(part)) {
            for small in part.to_lowercase() {
                push_plain(small, &mut out);
            }
        }
    }
    out.nfc().collect()
}

/// Marks that are dropped: Latin, Greek and Cyrillic accents, Hebrew points, Arabic vowels. The marks of other scripts
/// (Devanagari vowels, say) are letters to their readers and stay.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{640}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{ad}' | '\u{200c}' | '\u{200d}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{fe00}'..='\u{fe0f}')
}

/// Letters that Unicode does not decompose but readers type as plain ones.
fn push_plain(c: char, out: &mut String) {
    match c {
        'ß' => out.push_str("ss"),
        'æ' => out.push_str("ae"),
        'œ' => out.push_str("oe"),
        'ø' => out.push('o'),
        'đ' | 'ð' => out.push('d'),
        'ł' => out.push('l'),
        'ħ' => out.push('h'),
        'ı' => out.push('i'),
        'ŧ' => out.push('t'),
        'þ' => out.push_str("th"),
        'ς' => out.push('σ'),
        other => out.push(other),
    }
}
