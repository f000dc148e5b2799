//! Query to plan: the words of the tree become tokens, and what cannot be searched falls away.

use indexer::analyse::{self, Mode};

use crate::highlight::Needles;
use crate::parse::{Clause, Filter, TextScope};

/// A node of the plan. The same shape as [`Clause`], with words analysed.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// Everything.
    All,
    /// A number into [`Planned::words`].
    Word(usize),
    /// A property.
    Filter(Filter),
    /// All of these.
    And(Vec<Plan>),
    /// At least one of these.
    Or(Vec<Plan>),
    /// Not this.
    Not(Box<Plan>),
}

/// A word or phrase of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its tokens with their positions; several are a phrase.
    pub tokens: Vec<(usize, String)>,
    /// The last token is the start of a word.
    pub prefix: bool,
    /// Where it must be.
    pub names_only: bool,
    /// It was quoted: exact words in this order, no stems, no folder names.
    pub quoted: bool,
}

/// A plan and its words.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The tree.
    pub plan: Plan,
    /// The words that its leaves number.
    pub words: Vec<Word>,
    /// What to mark in results.
    pub needles: Needles,
}

/// Plans a query tree.
pub fn plan(clause: &Clause, names_only: bool) -> Planned {
    let mut planner = Planner {
        words: Vec::new(),
        needles: Needles::default(),
        names_only,
    };
    let plan = planner.clause(clause, true);
    Planned {
        plan: plan.unwrap_or(Plan::All),
        words: planner.words,
        needles: planner.needles,
    }
}

struct Planner {
    words: Vec<Word>,
    needles: Needles,
    names_only: bool,
}

impl Planner {
    /// The plan of a clause; none when there is nothing in it to search for (punctuation).
    fn clause(&mut self, clause: &Clause, wanted: bool) -> Option<Plan> {
        match clause {
            Clause::All => Some(Plan::All),
            Clause::Word {
                text,
                prefix,
                scope,
            } => self.word(text, *prefix, *scope, false, wanted),
            Clause::Phrase { text, scope } => self.word(text, false, *scope, true, wanted),
            Clause::Filter(filter) => Some(Plan::Filter(filter.clone())),
            Clause::And(sides) => Some(Plan::And(flat(self.sides(sides, wanted)?))),
            Clause::Or(sides) => Some(Plan::Or(self.sides(sides, wanted)?)),
            Clause::Not(side) => Some(Plan::Not(Box::new(self.clause(side, !wanted)?))),
        }
    }

    fn sides(&mut self, sides: &[Clause], wanted: bool) -> Option<Vec<Plan>> {
        let planned: Vec<_> = sides
            .iter()
            .filter_map(|side| self.clause(side, wanted))
            .collect();
        (!planned.is_empty()).then_some(planned)
    }

    fn word(
        &mut self,
        text: &str,
        prefix: bool,
        scope: TextScope,
        quoted: bool,
        wanted: bool,
    ) -> Option<Plan> {
        let tokens = analyse::words(text, Mode::Query);
        let last = tokens.last()?;
        // Something after the last word ("c++", "fire.") says that the word is whole.
        let prefix = prefix && last.end == text.len();
        if wanted {
            for token in &tokens[..tokens.len() - 1] {
                self.needles.word(&token.text);
            }
            if prefix {
                self.needles.prefix(&last.text);
            } else {
                self.needles.word(&last.text);
            }
        }
        self.words.push(Word {
            tokens: tokens
                .into_iter()
                .map(|token| (token.position, token.text))
                .collect(),
            prefix,
            names_only: self.names_only || scope == TextScope::Name,
            quoted,
        });
        Some(Plan::Word(self.words.len() - 1))
    }
}

/// Lists within lists as one: parentheses around words that are all demanded change nothing.
fn flat(sides: Vec<Plan>) -> Vec<Plan> {
    let inner = |side| match side {
        Plan::And(sides) => sides,
        other => vec![other],
    };
    sides.into_iter().flat_map(inner).collect()
}

impl Planned {
    /// The plain words of a plan that is nothing but words ANDed (and properties): what may be relaxed when no file has them all. None where
    /// all are stop words: some of those are in every text.
    pub fn relaxable(&self) -> Option<Vec<usize>> {
        let Plan::And(sides) = &self.plan else {
            return None;
        };
        let words: Vec<usize> = sides
            .iter()
            .filter_map(|side| match side {
                Plan::Word(index) if !self.words[*index].quoted => Some(*index),
                _ => None,
            })
            .collect();
        let telling = |index: &usize| {
            let mut tokens = self.words[*index].tokens.iter();
            tokens.any(|(_, token)| !analyse::is_stop_word(token))
        };
        (words.len() >= 3 && words.iter().any(telling)).then_some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn words(text: &str) -> Vec<String> {
        let query = parse(text, time::OffsetDateTime::UNIX_EPOCH);
        let planned = plan(&query.clause, false);
        let shown = planned.words.iter().map(|word| {
            let tokens: Vec<_> = word
                .tokens
                .iter()
                .map(|(_, token)| token.as_str())
                .collect();
            format!("{}{}", tokens.join(" "), if word.prefix { "*" } else { "" })
        });
        shown.collect()
    }

    #[test]
    fn what_is_typed_becomes_tokens() {
        for (text, wanted) in [
            ("Fire Fly", vec!["fire", "fly*"]),
            ("new-f", vec!["new f*"]),
            ("foo bar.txt ", vec!["foo", "bar txt"]),
            ("Müller", vec!["muller*"]),
            ("fire.", vec!["fire"]),
            ("!!! fire ", vec!["fire"]),
            ("!!!", vec![]),
        ] {
            assert_eq!(words(text), wanted, "{text}");
        }
    }
}
