//! Highlights: the passage of a text that answers best, and where the query's words are in it and in a name.
//!
//! Works on the stored text with the index's own analyser, so that what was found is what is marked.

use std::collections::HashMap;

use indexer::analyse::{Language, MAX_TOKEN_BYTES, Mode, Words, names, stem, stems, symbols};

/// Bytes of text from which the passage is taken, so that one huge file cannot hold up a page.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// Matches looked at.
const MAX_MATCHES: usize = 2000;
/// Bytes of a passage, before white space is folded.
const PASSAGE_BYTES: usize = 260;
/// Bytes shown before the first match.
const LEAD_BYTES: usize = 70;

/// What to look for in texts and names.
#[derive(Debug, Clone, Default)]
pub struct Needles {
    exact: HashMap<String, usize>,
    stems: HashMap<String, usize>,
    prefixes: Vec<(String, usize)>,
    count: usize,
    language: Language,
}

impl Needles {
    /// The same, to look for in a text of this language.
    pub fn in_language(&self, language: Language) -> Needles {
        Needles {
            language,
            ..self.clone()
        }
    }

    /// Adds a word of the query, as the analyser made it; returns its number, under which other forms of it may be added.
    pub fn word(&mut self, token: &str) -> usize {
        let number = *self.exact.entry(token.to_owned()).or_insert(self.count);
        self.count = self.count.max(number + 1);
        let languages: Vec<_> = Language::stemmed().collect();
        for stem in stems(&languages, token) {
            self.stems.entry(stem).or_insert(number);
        }
        number
    }

    /// Adds a word that counts as number `number`: an expansion of a prefix or a forgiven typo.
    pub fn also(&mut self, token: &str, number: usize) {
        self.exact.entry(token.to_owned()).or_insert(number);
    }

    /// Adds a word of which only the start was typed; returns its number.
    pub fn prefix(&mut self, token: &str) -> usize {
        let number = self.word(token);
        self.prefixes.push((token.to_owned(), number));
        number
    }

    /// True when there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// First bytes that a matching token may have. A stem begins like its word.
    fn starts(&self) -> [bool; 256] {
        let exact = self.exact.keys().chain(self.stems.keys());
        let prefixes = self.prefixes.iter().map(|(start, _)| start);
        let mut starts = [false; 256];
        for byte in exact.chain(prefixes).filter_map(|form| form.bytes().next()) {
            starts[usize::from(byte)] = true;
        }
        starts
    }

    /// The number of the needle that `token` is, and how many of its bytes are to be marked.
    fn find(&self, token: &str) -> Option<usize> {
        if let Some(number) = self.exact.get(token) {
            return Some(*number);
        }
        let prefix = self
            .prefixes
            .iter()
            .find(|(start, _)| token.starts_with(start.as_str()));
        if let Some((_, number)) = prefix {
            return Some(*number);
        }
        if self.stems.is_empty() {
            return None;
        }
        stem(self.language, token).and_then(|stem| self.stems.get(&stem).copied())
    }
}

/// Text with marked ranges, `[start, end)` in characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// The text.
    pub text: String,
    /// The ranges, in order, not touching each other.
    pub highlights: Vec<(usize, usize)>,
    /// The first match of the passage in the whole text, bytes.
    pub first: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy)]
struct Match {
    start: usize,
    end: usize,
    position: usize,
    needle: usize,
}

/// The best passage of `text`; its beginning when nothing matches.
pub fn passage(text: &str, needles: &Needles) -> Marked {
    let text = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
    let matches = matches_in(text, needles);
    let Some(first) = best_window(&matches, needles.count) else {
        return cut(text, 0, &[]);
    };
    let lead = matches[first].start.saturating_sub(LEAD_BYTES);
    Marked {
        first: Some((matches[first].start, matches[first].end)),
        ..cut(text, word_start(text, lead), &matches)
    }
}

/// The ranges of `name` that match, in characters.
pub fn in_name(name: &str, needles: &Needles) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = names(name)
        .iter()
        .chain(&symbols(name))
        .filter(|token| needles.find(&token.text).is_some())
        .map(|token| (token.start, token.end))
        .collect();
    spans.sort_unstable();
    let chars = |at: usize| name[..at].chars().count();
    merged(
        spans
            .into_iter()
            .map(|(start, end)| (chars(start), chars(end))),
    )
}

/// True when one of the names of a path matches.
pub fn has_any(path: &str, needles: &Needles) -> bool {
    let mut tokens = path
        .split('/')
        .flat_map(|name| [names(name), symbols(name)].concat());
    tokens.any(|token| needles.find(&token.text).is_some())
}

fn matches_in(text: &str, needles: &Needles) -> Vec<Match> {
    if needles.is_empty() {
        Vec::new()
    } else if text.is_ascii() {
        ascii_matches(text, needles)
    } else {
        any_matches(text, needles)
    }
}

fn any_matches(text: &str, needles: &Needles) -> Vec<Match> {
    let starts = needles.starts();
    let mut found = Vec::new();
    let (mut words, mut token) = (Words::new(text, Mode::Index), String::new());
    while let Some((start, end, position)) = words.advance(&mut token, 0) {
        let may_match = token.bytes().next().is_some_and(|b| starts[usize::from(b)]);
        if let Some(needle) = may_match.then(|| needles.find(&token)).flatten() {
            found.push(Match {
                start,
                end,
                position,
                needle,
            });
            if found.len() == MAX_MATCHES {
                break;
            }
        }
    }
    found
}

/// The same for text in ASCII, which most is: only words with the first letter of a needle are looked at.
fn ascii_matches(text: &str, needles: &Needles) -> Vec<Match> {
    let starts = needles.starts();
    let bytes = text.as_bytes();
    let (mut found, mut token) = (Vec::new(), String::new());
    let (mut at, mut position) = (0, 0);
    while found.len() < MAX_MATCHES {
        while at < bytes.len() && !bytes[at].is_ascii_alphanumeric() {
            at += 1;
        }
        if at == bytes.len() {
            break;
        }
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_alphanumeric() {
            at += 1;
        }
        if starts[usize::from(bytes[start].to_ascii_lowercase())] {
            token.clear();
            token.push_str(&text[start..at.min(start + MAX_TOKEN_BYTES)]);
            token.make_ascii_lowercase();
            if let Some(needle) = needles.find(&token) {
                found.push(Match {
                    start,
                    end: at,
                    position,
                    needle,
                });
            }
        }
        position += 1;
    }
    found
}

/// The first match of the passage that has most of the needles, then most of them side by side, then most matches.
fn best_window(matches: &[Match], needles: usize) -> Option<usize> {
    let mut best = None;
    let (mut window, mut end) = (Window::of(needles), 0);
    for (first, at) in matches.iter().enumerate() {
        let fits = |m: &Match| m.end <= at.start + PASSAGE_BYTES - LEAD_BYTES;
        while matches.get(end).is_some_and(fits) {
            window.enter(matches, end, first);
            end += 1;
        }
        let score = window.score();
        if best.is_none_or(|(_, highest)| score > highest) {
            best = Some((first, score));
        }
        if end > first {
            window.leave(matches, first, end);
        } else {
            end = first + 1; // a match that is longer than a passage
        }
    }
    best.map(|(first, _)| first)
}

/// The matches of one possible passage, counted.
struct Window {
    seen: Vec<u32>,
    distinct: usize,
    together: usize,
    all: usize,
}

impl Window {
    fn of(needles: usize) -> Self {
        Window {
            seen: vec![0; needles],
            distinct: 0,
            together: 0,
            all: 0,
        }
    }

    /// Takes in match `at` behind the ones from `first` on.
    fn enter(&mut self, matches: &[Match], at: usize, first: usize) {
        let seen = &mut self.seen[matches[at].needle];
        self.distinct += usize::from(*seen == 0);
        *seen += 1;
        self.all += 1;
        self.together += usize::from(at > first && is_next(&matches[at - 1], &matches[at]));
    }

    /// Lets match `at`, the first one, go; the window ends before `end`.
    fn leave(&mut self, matches: &[Match], at: usize, end: usize) {
        let seen = &mut self.seen[matches[at].needle];
        *seen -= 1;
        self.distinct -= usize::from(*seen == 0);
        self.all -= 1;
        self.together -= usize::from(at + 1 < end && is_next(&matches[at], &matches[at + 1]));
    }

    fn score(&self) -> usize {
        self.distinct * 10_000 + self.together.min(99) * 100 + self.all.min(99)
    }
}

fn is_next(before: &Match, after: &Match) -> bool {
    before.position + 1 == after.position && before.needle != after.needle
}

/// The start of the word at or before `at`, but not far before.
fn word_start(text: &str, at: usize) -> usize {
    let at = text.floor_char_boundary(at);
    if at == 0 {
        return 0;
    }
    let after = text[at..]
        .find(char::is_whitespace)
        .filter(|offset| *offset < LEAD_BYTES / 2);
    at + after.unwrap_or(0)
}

/// The passage that begins at `start`: white space folded, with … where text is left out.
fn cut(text: &str, start: usize, matches: &[Match]) -> Marked {
    let end = text.ceil_char_boundary((start + PASSAGE_BYTES).min(text.len()));
    let end = last_word_end(text, start, end);
    let mut out = String::new();
    let mut chars = 0;
    let mut ranges = Vec::new();
    let mut open: Option<usize> = None;
    let mut inside = matches
        .iter()
        .filter(|m| m.start >= start && m.end <= end)
        .peekable();
    let mut closes = 0;
    if start > 0 {
        out.push('…');
        chars += 1;
    }
    for (offset, c) in text[start..end].char_indices() {
        let at = start + offset;
        if at >= closes
            && let Some(from) = open.take()
        {
            ranges.push((from, chars));
        }
        while let Some(m) = inside.next_if(|m| m.start <= at) {
            open.get_or_insert(chars);
            closes = closes.max(m.end);
        }
        let c = if c.is_whitespace() || c.is_control() {
            ' '
        } else {
            c
        };
        if c == ' ' && (out.is_empty() || out.ends_with([' ', '…'])) && open.is_none() {
            continue;
        }
        out.push(c);
        chars += 1;
    }
    if let Some(from) = open {
        ranges.push((from, chars));
    }
    if end < text.len() {
        out.push('…');
    }
    Marked {
        text: out,
        highlights: merged(ranges.into_iter()),
        first: None,
    }
}

fn last_word_end(text: &str, start: usize, end: usize) -> usize {
    if end == text.len() {
        return end;
    }
    let space = text[start..end]
        .rfind(char::is_whitespace)
        .map(|offset| start + offset);
    space.filter(|at| end - at < LEAD_BYTES / 2).unwrap_or(end)
}

/// Ordered ranges with overlapping and touching ones joined.
fn merged(ranges: impl Iterator<Item = (usize, usize)>) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = Vec::new();
    for (start, end) in ranges {
        match out.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => out.push((start, end)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needles(words: &[&str], prefix: Option<&str>) -> Needles {
        let mut needles = Needles::default();
        for word in words {
            needles.word(word);
        }
        if let Some(prefix) = prefix {
            needles.prefix(prefix);
        }
        needles
    }

    /// The marked text with [brackets].
    fn shown(marked: &Marked) -> String {
        let mut out = String::new();
        for (at, c) in marked.text.chars().enumerate() {
            if marked.highlights.iter().any(|(start, _)| *start == at) {
                out.push('[');
            }
            out.push(c);
            if marked.highlights.iter().any(|(_, end)| *end == at + 1) {
                out.push(']');
            }
        }
        out
    }

    #[test]
    fn words_prefixes_accents_and_stems_are_marked() {
        for (text, words, prefix, wanted) in [
            ("the fire is here", vec!["fire"], None, "the [fire] is here"),
            (
                "The FIRE\n\n is  here",
                vec!["fire"],
                None,
                "The [FIRE] is here",
            ),
            (
                "Das Café öffnet",
                vec!["cafe"],
                Some("off"),
                "Das [Café] [öffnet]",
            ),
            (
                "two winged planes",
                vec!["plane"],
                None,
                "two winged [planes]",
            ),
            ("nothing here", vec!["absent"], None, "nothing here"),
            ("日本語の本", vec!["本語"], None, "日[本語]の本"),
        ] {
            assert_eq!(shown(&passage(text, &needles(&words, prefix))), wanted);
        }
    }

    #[test]
    fn the_passage_with_most_words_is_shown() {
        let filler = "lorem ipsum dolor sit amet ".repeat(40);
        let text = format!("fire {filler} fire and a fly {filler} fly");
        let marked = passage(&text, &needles(&["fire", "fly"], None));
        assert!(
            shown(&marked).contains("[fire] and a [fly]"),
            "{}",
            shown(&marked)
        );
        assert!(marked.text.starts_with('…') && marked.text.ends_with('…'));
        assert!(marked.text.len() < PASSAGE_BYTES + 20);
    }

    #[test]
    fn parts_of_a_name_are_marked() {
        let marks = |name: &str, words: &[&str]| {
            shown(&Marked {
                text: name.into(),
                highlights: in_name(name, &needles(words, None)),
                first: None,
            })
        };
        assert_eq!(
            marks("Quarterly-Report2024.pdf", &["report"]),
            "Quarterly-[Report]2024.pdf"
        );
        assert_eq!(
            marks("Quarterly-Report2024.pdf", &["2024", "pdf"]),
            "Quarterly-Report[2024].[pdf]"
        );
    }

    proptest::proptest! {
        #[test]
        fn ascii_text_is_matched_as_any_text(
            text in "[a-dA-D0-9 ,._-]{0,200}",
            words in proptest::collection::vec("[a-d]{1,6}(ing|ed|s|ies)?", 0..4),
            prefix in "[a-d]{1,2}",
        ) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let needles = needles(&words, Some(&prefix));
            let shown = |found: Vec<Match>| format!("{found:?}");
            proptest::prop_assert_eq!(shown(ascii_matches(&text, &needles)), shown(any_matches(&text, &needles)));
        }

        #[test]
        fn words_without_the_first_letter_of_a_needle_do_not_match(
            text in "[a-dé京都A-D0-9 ,-]{0,200}",
            words in proptest::collection::vec("[a-dy]{1,6}(ing|ed|s|ies|京)?", 1..4),
        ) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let needles = needles(&words, None);
            let (mut stream, mut token, mut every) = (Words::new(&text, Mode::Index), String::new(), 0);
            while stream.advance(&mut token, 0).is_some() {
                every += usize::from(needles.find(&token).is_some());
            }
            proptest::prop_assert_eq!(any_matches(&text, &needles).len(), every);
        }

        #[test]
        fn ranges_are_always_inside(text in "\\PC{0,600}", word in "[a-z]{1,3}") {
            let marked = passage(&text, &needles(&[], Some(&word)));
            let chars = marked.text.chars().count();
            for (start, end) in marked.highlights {
                proptest::prop_assert!(start < end && end <= chars);
            }
        }
    }
}
