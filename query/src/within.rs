//! Parts of long words: a word that no file has stands for those that hold it (`freunde` for *Barbarenfreunde*).
//!
//! Dictionaries are in the order of the alphabet, so this reads them from the start: names first, and only so many words.

use std::collections::HashMap;

use indexer::term;
use storage::meta::NamespaceId;

use crate::error::Result;
use crate::plan::Word;
use crate::resolve::{Asked, EVERYWHERE};

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
            for &ns in asked.spaces(part, field) {
                let mut range = inverted.terms().range();
                if ns != EVERYWHERE {
                    let keys = asked.terms(ns).expansion("");
                    range = range.ge(keys.start).lt(keys.end);
                }
                let mut stream = range.into_stream()?;
                while left > 0 && stream.advance() {
                    left -= 1;
                    let other = token_of(ns, stream.key());
                    if let Some(other) = other.filter(|other| other.contains(token)) {
                        let documents = u64::from(stream.value().doc_freq);
                        *found.entry(other.to_owned()).or_default() += documents;
                    }
                }
            }
        }
    }
    Ok(found)
}

/// The token of a dictionary's key.
fn token_of(ns: NamespaceId, key: &[u8]) -> Option<&str> {
    match ns {
        EVERYWHERE => std::str::from_utf8(key).ok(),
        _ => term::parse(key).map(|(_, token)| token),
    }
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
