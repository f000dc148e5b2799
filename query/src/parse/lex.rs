//! Text to tokens. Total: every text has tokens.

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Phrase(String),
    /// `field:value`, without quotes; the name in lower case.
    Field(String, String),
    /// `field:"value"`: the value stood in quotes.
    Quoted(String, String),
    Or,
    And,
    Not,
    Open,
    Close,
}

/// Quotation marks that people's keyboards make.
const OPENING: [char; 5] = ['"', '“', '”', '„', '«'];
const CLOSING: [char; 4] = ['"', '”', '“', '»'];

/// Splits `text` into tokens.
pub(super) fn lex(text: &str) -> Vec<Token> {
    let mut rest = text.trim_start();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '(' => (Some(Token::Open), &rest[1..]),
            ')' => (Some(Token::Close), &rest[1..]),
            '-' if starts_negation(rest) => (Some(Token::Not), &rest[1..]),
            c if OPENING.contains(&c) => quoted(rest, c.len_utf8()),
            _ => word(rest),
        };
        tokens.extend(token);
        rest = after.trim_start();
    }
    tokens
}

/// `-x` excludes, a lone `-` is nothing.
fn starts_negation(rest: &str) -> bool {
    rest[1..]
        .chars()
        .next()
        .is_some_and(|c| !c.is_whitespace() && c != '-')
}

fn quoted(rest: &str, open_bytes: usize) -> (Option<Token>, &str) {
    let (inside, after) = until_quote(&rest[open_bytes..]);
    let words = inside.trim();
    let token = (!words.is_empty()).then(|| Token::Phrase(words.to_owned()));
    (token, after)
}

/// What is before the closing quote, and what after; an open quote runs to the end.
fn until_quote(rest: &str) -> (&str, &str) {
    match rest.char_indices().find(|(_, c)| CLOSING.contains(c)) {
        Some((at, quote)) => (&rest[..at], &rest[at + quote.len_utf8()..]),
        None => (rest, ""),
    }
}

fn word(rest: &str) -> (Option<Token>, &str) {
    let end =
        rest.find(|c: char| c.is_whitespace() || c == '(' || c == ')' || OPENING.contains(&c));
    let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
    match word {
        "OR" | "|" | "||" => return (Some(Token::Or), after),
        "AND" | "&&" => return (Some(Token::And), after),
        "NOT" => return (Some(Token::Not), after),
        _ => {}
    }
    match word.split_once(':') {
        Some((name, value)) if is_field_name(name) => field(name, value, after),
        _ => (Some(Token::Word(word.to_owned())), after),
    }
}

fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic())
}

/// A field's value may be quoted: `in:"/My folder"`.
fn field<'a>(name: &str, value: &str, after: &'a str) -> (Option<Token>, &'a str) {
    let name = name.to_ascii_lowercase();
    let opening = after
        .chars()
        .next()
        .filter(|c| value.is_empty() && OPENING.contains(c));
    match opening {
        Some(quote) => {
            let (inside, after) = until_quote(&after[quote.len_utf8()..]);
            (Some(Token::Quoted(name, inside.trim().to_owned())), after)
        }
        None => (Some(Token::Field(name, value.to_owned())), after),
    }
}
