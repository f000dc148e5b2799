//! Symbols in names: emoji, ticks, stars, arrows, signs of currencies. People mark folders with them. Texts have none as words.

use super::{NameToken, Token, words};

/// The symbols of a name, in order; a flag is one. Marks that only change how one looks are no part of it.
pub fn symbols(name: &str) -> Vec<NameToken> {
    let mut found = Vec::new();
    if name.is_ascii() {
        return found;
    }
    let mut chars = name.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if !is_symbol(c) {
            continue;
        }
        let second = chars.next_if(|(_, next)| is_half_flag(c) && is_half_flag(*next));
        let (last, last_char) = second.unwrap_or((start, c));
        let end = last + last_char.len_utf8();
        found.push(Token {
            text: name[start..end].to_owned(),
            start,
            end,
            position: found.len(),
        });
    }
    found
}

/// True for what is neither letter, digit, mark nor punctuation, beyond ASCII. Tones of skin are none: they change how one looks.
pub fn is_symbol(c: char) -> bool {
    matches!(c, '\u{a2}'..='\u{a9}' | '\u{ac}' | '\u{ae}'..='\u{b1}' | '\u{b6}' | '\u{d7}' | '\u{f7}' | '\u{20a0}'..='\u{20cf}'
        | '\u{2100}'..='\u{214f}' | '\u{2190}'..='\u{2bff}' | '\u{3012}'..='\u{3013}' | '\u{1f000}'..='\u{1faff}')
        && !matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
        && !words::is_of_word(c)
}

/// Two of these are a flag.
fn is_half_flag(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_found_among_words_marks_and_punctuation() {
        let found = |name: &str| -> Vec<String> {
            let tokens = symbols(name).into_iter();
            tokens.map(|token| token.text).collect()
        };
        for (name, wanted) in [
            ("🎉 party", vec!["🎉"]),
            ("report ✓.pdf", vec!["✓"]),
            ("a★b → 5€ ©x", vec!["★", "→", "€", "©"]),
            ("❤\u{fe0f} 👍🏽 👩\u{200d}🚀", vec!["❤", "👍", "👩", "🚀"]),
            ("🇩🇪🇫🇷🇩", vec!["🇩🇪", "🇫🇷", "🇩"]),
            ("① C++ <a> $5 – “x” … 東京 é", vec![]),
        ] {
            assert_eq!(found(name), wanted, "{name}");
        }
        let spans: Vec<_> = symbols("é🎉")
            .iter()
            .map(|token| (token.start, token.end))
            .collect();
        assert_eq!(spans, [(2, 6)]);
    }
}
