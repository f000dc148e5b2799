//! Parts of long words: a word that no file has stands for those that hold it (`freunde` for *Barbarenfreunde*).
//!
//! Dictionaries are in the order of the alphabet, so this reads them from the start: names first, and only so many words.

use std::collections::HashMap;

use tantivy::postings::TermInfo;
use tantivy_fst::automaton::AlwaysMatch;

use crate::error::Result;
use crate::plan::Word;
use crate::resolve::Asked;
use crate::spaces;

/// Letters from which on a word may be a part of others.
const MIN_LETTERS: usize = 4;
/// Words of a shard's dictionaries that are looked at; in very large accounts not all.
const MAX_LOOKED: usize = 20_000;
/// Words that one part may stand for.
pub const MAX_WORDS: usize = 16;

/// True when a token may be looked for within others.
pub fn may_be_part(token: &str) -> bool {
    token.chars().count() >= MIN_LETTERS && token.chars().all(char::is_alphabetic)
}

/// The words of one shard that hold `token`, with their documents.
pub fn holding(asked: &Asked<'_>, word: &Word, token: &str) -> Result<HashMap<String, u64>> {
    let mut found: HashMap<String, u64> = HashMap::new();
    let mut left = MAX_LOOKED;
    for field in asked.searched(word) {
        for part in &asked.commit.segments {
            let Some(inverted) = part.segment.inverted(field) else {
                continue;
            };
            for ns in asked.spaces(part, field) {
                let (space, most) = (std::slice::from_ref(ns), left);
                let take = |_, other: &str, info: &TermInfo| {
                    left -= 1;
                    if other.contains(token) {
                        *found.entry(other.to_owned()).or_default() += u64::from(info.doc_freq);
                    }
                };
                spaces::each(inverted.terms(), space, "", |_| AlwaysMatch, most, take)?;
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::may_be_part;

    #[test]
    fn short_words_and_numbers_are_no_parts() {
        for (token, is_part) in [
            ("bart", true),
            ("bar", false),
            ("2024", false),
            ("größe", true),
        ] {
            assert_eq!(may_be_part(token), is_part, "{token}");
        }
    }
}
