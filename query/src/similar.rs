//! Typos forgiven: a word that none of the account's files has stands for the ones that differ from it by a letter or two.
//!
//! Only the account's own dictionaries are looked through, and only words that a file has which it can see now are taken: what
//! others store is neither found nor suggested.

use std::collections::HashMap;
use std::sync::LazyLock;

use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};
use tantivy::postings::TermInfo;
use tantivy_fst::Automaton;

use crate::error::Result;
use crate::leg::Leg;
use crate::plan::{Plan, Word};
use crate::prepared::Prepared;
use crate::resolve::{Asked, Expansions};
use crate::spaces;
use crate::within;

/// Letters from which on one typo is forgiven.
const ONE_FROM: usize = 5;
/// Letters from which on two are.
const TWO_FROM: usize = 9;
/// The rank of words that hold what was typed; no typo has it.
const PART: u8 = u8::MAX;
/// Words that one typo may stand for.
const MAX_SIMILAR: usize = 4;
/// Words of the dictionaries that are looked at more closely.
const MAX_CANDIDATES: usize = 12;
/// Dictionary entries taken of one namespace, field and segment.
const MAX_SCANNED: usize = 1024;

/// One and two typos; two letters that changed places are one.
static BUILDERS: LazyLock<[LevenshteinAutomatonBuilder; 2]> =
    LazyLock::new(|| [1, 2].map(|typos| LevenshteinAutomatonBuilder::new(typos, true)));

/// How many typos are forgiven in a token; none in short ones and in numbers.
fn forgiven(token: &str) -> usize {
    let letters = token.chars().count();
    match letters {
        _ if !token.chars().all(char::is_alphabetic) => 0,
        TWO_FROM.. => 2,
        ONE_FROM.. => 1,
        _ => 0,
    }
}

/// What a mistyped token may have been.
struct Meant {
    whole: DFA,
    /// For a word that is still being typed: its start.
    start: Option<DFA>,
}

impl Meant {
    /// With at most `typos` of those that are forgiven in the token.
    fn by(token: &str, prefix: bool, typos: usize) -> Option<Self> {
        let builder = &BUILDERS[forgiven(token).min(typos).checked_sub(1)?];
        Some(Meant {
            whole: builder.build_dfa(token),
            start: prefix.then(|| builder.build_prefix_dfa(token)),
        })
    }

    /// How far away a word is; a word that only starts so is farther than a whole one.
    fn rank(&self, word: &str) -> Option<u8> {
        let exact = |dfa: &DFA| match dfa.eval(word) {
            Distance::Exact(typos) => Some(typos),
            Distance::AtLeast(_) => None,
        };
        let whole = exact(&self.whole).map(|typos| 2 * typos);
        let start = || {
            self.start
                .as_ref()
                .and_then(exact)
                .map(|typos| 2 * typos + 1)
        };
        whole.or_else(start)
    }
}

/// Keys whose token is near; they begin as they should.
struct Near<'a> {
    /// Bytes that keys begin with: the namespace, and the letters that are right.
    start: usize,
    /// The state behind these letters.
    begin: u32,
    dfa: &'a DFA,
}

/// How much of the start was read, or the state behind it.
#[derive(Clone, Copy)]
enum At {
    Start(usize),
    Token(u32),
    Nowhere,
}

impl Near<'_> {
    fn after(&self, read: usize) -> At {
        match read == self.start {
            true => At::Token(self.begin),
            false => At::Start(read),
        }
    }
}

impl Automaton for Near<'_> {
    type State = At;

    fn start(&self) -> At {
        self.after(0)
    }

    fn is_match(&self, state: &At) -> bool {
        matches!(state, At::Token(state) if matches!(self.dfa.distance(*state), Distance::Exact(_)))
    }

    fn can_match(&self, state: &At) -> bool {
        !matches!(state, At::Nowhere)
    }

    fn accept(&self, state: &At, byte: u8) -> At {
        match *state {
            At::Start(read) => self.after(read + 1),
            At::Token(state) => match self.dfa.transition(state, byte) {
                SINK_STATE => At::Nowhere,
                state => At::Token(state),
            },
            At::Nowhere => At::Nowhere,
        }
    }
}

/// Words of one shard that differ from a mistyped token by `typos` at most and begin with `first`, with their rank and documents.
pub fn near(
    asked: &Asked<'_>,
    word: &Word,
    (token, first): (&str, &str),
    typos: usize,
) -> Result<HashMap<String, (u8, u64)>> {
    let mut found: HashMap<String, (u8, u64)> = HashMap::new();
    let Some(meant) = Meant::by(token, word.prefix, typos) else {
        return Ok(found);
    };
    let dfa = meant.start.as_ref().unwrap_or(&meant.whole);
    let read = |state, byte| dfa.transition(state, byte);
    let begin = first.bytes().fold(dfa.initial_state(), read);
    for field in asked.searched(word) {
        for part in &asked.commit.segments {
            let Some(inverted) = part.segment.inverted(field) else {
                continue;
            };
            let near = |key: &[u8]| Near {
                start: key.len(),
                begin,
                dfa,
            };
            let take = |_, token: &str, info: &TermInfo| {
                if let Some(rank) = meant.rank(token) {
                    let entry = found.entry(token.to_owned()).or_insert((rank, 0));
                    entry.1 += u64::from(info.doc_freq);
                }
            };
            let spaces = asked.spaces(part, field);
            spaces::each(inverted.terms(), spaces, first, near, MAX_SCANNED, take)?;
        }
    }
    Ok(found)
}

impl Prepared<'_> {
    /// Finds what mistyped words stand for. `frozen`: what they stood for on an earlier page.
    pub fn forgive(&mut self, frozen: Option<&Expansions>) -> Result<()> {
        let mut wanted = Vec::new();
        wanted_words(&self.planned.plan, &mut wanted);
        for index in wanted {
            let known = frozen.and_then(|frozen| frozen.get(&index));
            let word = &self.planned.words[index];
            let (token, is_known) = match &word.tokens[..] {
                [(_, token)] if !word.quoted => (token.clone(), self.is_found(index)),
                _ => continue,
            };
            match (known, frozen) {
                (Some(known), _) => {
                    let known = known.iter().map(|word| (0, word.clone())).collect();
                    self.take(index, &token, known, true)?;
                }
                (None, Some(_)) => {}
                (None, None) if is_known => {}
                (None, None) => self.forgive_word(index, &token)?,
            }
        }
        Ok(())
    }

    /// Takes the words that are nearest; a word that holds what was typed is nearer than one that only starts like it, with a
    /// typo. One typo is looked for before two, which costs many times as much; where no near word has the same first letter,
    /// one typo is forgiven wherever it is: dictionaries are then looked through from their beginnings.
    fn forgive_word(&mut self, index: usize, token: &str) -> Result<()> {
        let first = token.chars().next().map_or(0, char::len_utf8);
        let first = &token[..first];
        let mut held = false;
        for (first, typos) in [(first, 1), (first, 2), ("", 1)] {
            if typos > 1 && forgiven(token) < typos {
                continue;
            }
            let near = self.near(index, token, first, typos)?;
            let is_whole = near.first().is_some_and(|(rank, _)| rank % 2 == 0);
            if !near.is_empty() && !is_whole && !held {
                let words = self.holding(index, token)?;
                if self.take(index, token, words, false)? {
                    return Ok(());
                }
                held = true;
            }
            if self.take(index, token, near, false)? {
                return Ok(());
            }
        }
        if !held {
            let words = self.holding(index, token)?;
            self.take(index, token, words, false)?;
        }
        Ok(())
    }

    /// True when a word, one of its other forms, or a folder is found in some shard.
    fn is_found(&self, word: usize) -> bool {
        let mut forms = vec![word];
        for form in &self.planned.words[word].in_names {
            wanted_words(form, &mut forms);
        }
        let in_leg = |leg: &dyn Leg| forms.iter().any(|form| leg.word(*form).is_found);
        self.weighed.folders.contains_key(&word) || self.legs.iter().any(|leg| in_leg(&**leg))
    }

    /// Words that are near and begin with `first`, the nearest and most frequent first.
    fn near(
        &self,
        index: usize,
        token: &str,
        first: &str,
        typos: usize,
    ) -> Result<Vec<(u8, String)>> {
        if forgiven(token).min(typos) == 0 {
            return Ok(Vec::new());
        }
        let legs = self.ask(|leg| leg.near(index, (token, first), typos, self.deadline))?;
        let mut sums: HashMap<String, (u8, u64)> = HashMap::new();
        for (token, (rank, documents)) in legs.into_iter().flatten() {
            sums.entry(token).or_insert((rank, 0)).1 += documents;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by(|(a, (near_a, many_a)), (b, (near_b, many_b))| {
            near_a.cmp(near_b).then(many_b.cmp(many_a)).then(a.cmp(b))
        });
        sums.truncate(MAX_CANDIDATES);
        let words = sums.into_iter().map(|(word, (rank, _))| (rank, word));
        Ok(words.collect())
    }

    /// Words that hold the word, the most frequent first.
    fn holding(&self, index: usize, token: &str) -> Result<Vec<(u8, String)>> {
        if !within::may_be_part(token) {
            return Ok(Vec::new());
        }
        let legs = self.ask(|leg| leg.holding(index, token, self.deadline))?;
        let mut sums: HashMap<String, u64> = HashMap::new();
        for (word, documents) in legs.into_iter().flatten() {
            *sums.entry(word).or_default() += documents;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sums.truncate(within::MAX_WORDS);
        Ok(sums.into_iter().map(|(word, _)| (PART, word)).collect())
    }

    /// Takes the nearest candidates that a visible file has; false when there are none.
    fn take(
        &mut self,
        index: usize,
        token: &str,
        candidates: Vec<(u8, String)>,
        is_known: bool,
    ) -> Result<bool> {
        let mut nearest = None;
        let mut taken = Vec::new();
        for (rank, candidate) in candidates {
            if (taken.len() == MAX_SIMILAR && rank != PART && !is_known)
                || nearest.is_some_and(|nearest| rank > nearest)
            {
                break;
            }
            let counted = self.ask(|leg| leg.meant(index, &candidate, self.deadline))?;
            if !is_known && !self.is_seen(index, &candidate)? {
                continue;
            }
            nearest = Some(rank);
            for counted in counted.into_iter().flatten() {
                self.weighed.statistics.merge(counted);
            }
            let number = self.planned.needles.word(token);
            self.planned.needles.also(&candidate, number);
            taken.push(candidate);
        }
        let has_any = !taken.is_empty();
        if has_any {
            self.weighed.similar.insert(index, taken);
        }
        Ok(has_any)
    }

    /// True when a file of the account that is there now has a word that was meant. // I6
    fn is_seen(&self, index: usize, word: &str) -> Result<bool> {
        for leg in &self.legs {
            let seen = self.ask_one(&**leg, |leg| leg.seen(index, word, self.deadline))?;
            if seen.is_some_and(|seen| seen > 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The query with its typos mended, when that can be shown.
    pub fn mended(&self, query: &str) -> Option<String> {
        let tokens = indexer::analyse::words(query, indexer::analyse::Mode::Query);
        let is_wide = |index: &usize| self.is_wide_word(&self.planned.words[*index]);
        let mut mended = query.to_owned();
        // From behind, so that what stands before keeps its place.
        for token in tokens.iter().rev() {
            let typed = |index: &usize| self.planned.words[*index].tokens[0].1 == token.text;
            let index = self.weighed.similar.keys().find(|index| typed(index));
            // Words that were found in everybody's dictionary are not shown.
            if let Some(index) = index.filter(|index| !is_wide(index)) {
                let word = self.weighed.similar[index].first()?;
                if word.contains(&token.text) {
                    continue; // a longer word that holds it mends nothing
                }
                mended.replace_range(token.start..token.end, word);
            }
        }
        (mended != query).then_some(mended)
    }
}

/// The words of a plan that files should have.
fn wanted_words(plan: &Plan, words: &mut Vec<usize>) {
    match plan {
        Plan::Word(index) => words.push(*index),
        Plan::And(sides) | Plan::Or(sides) => {
            sides.iter().for_each(|side| wanted_words(side, words))
        }
        Plan::All | Plan::Filter(_) | Plan::Not(_) | Plan::Better(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_forgiven_by_length() {
        for (typed, word, rank) in [
            ("invioce", "invoice", Some(2)), // two letters changed places
            ("invoce", "invoice", Some(2)),
            ("invoicee", "invoice", Some(2)),
            ("invoise", "invoice", Some(2)),
            ("invise", "invoice", None),
            ("spectroscpoy", "spectroscopy", Some(2)),
            ("spectrosopi", "spectroscopy", Some(4)),
            ("fier", "fire", None),
            ("20231", "20232", None),
            ("a1b2c3", "a1b2c4", None),
        ] {
            let meant = Meant::by(typed, false, 2);
            assert_eq!(
                meant.and_then(|meant| meant.rank(word)),
                rank,
                "{typed} {word}"
            );
        }
        let meant = Meant::by("invio", true, 2).expect("long enough");
        assert_eq!(meant.rank("invoices"), Some(3));
    }
}
