//! Query to plan: the words of the tree become tokens, and what cannot be searched falls away.

use indexer::analyse::{self, Language, MAX_TOKEN_BYTES, Mode, Token, is_function_word};
use serde::{Deserialize, Serialize};

use crate::highlight::Needles;
use crate::numbers;
use crate::parse::{Clause, Filter, TextScope};

/// A node of the plan. The same shape as [`Clause`], with words analysed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// A word that need not be there; what has it comes first.
    Better(usize),
}

/// A word or phrase of the query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// Its tokens with their positions; several are a phrase.
    pub tokens: Vec<(usize, String)>,
    /// The last token is the start of a word.
    pub prefix: bool,
    /// Where it must be.
    pub names_only: bool,
    /// It was quoted: exact words in this order, no stems, no folder names.
    pub quoted: bool,
    /// Other forms of the same words: in names parts at camelCase and digits, and the joined form; in texts numbers written
    /// otherwise; paths.
    pub in_names: Vec<Plan>,
}

/// A plan and its words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Planned {
    /// The tree.
    pub plan: Plan,
    /// The words that its leaves number.
    pub words: Vec<Word>,
    /// What to mark in results; shards do not need to know.
    #[serde(skip)]
    pub needles: Needles,
    /// There were more than [`MAX_TOKENS`] words.
    pub is_cut: bool,
    /// It has only what nothing is found by: punctuation.
    #[serde(default)]
    pub is_blank: bool,
    /// The language of the question, by its function words.
    pub language: Language,
    /// Senders, recipients or subjects of messages are asked for.
    pub asks_letters: bool,
}

/// Words of a query that are searched; ten thousand characters of a script without spaces would be as many terms.
pub const MAX_TOKENS: usize = 256;
/// A query of so many telling words is a question: that a file has them all is not to be expected.
const LONG: usize = 4;
/// A question of which fewer files than this have all words is answered with files that have some of them as well.
const FEW: u64 = 10;
/// Shorter words are not looked for as one or many, letters.
const MIN_NUMBERED: usize = 4;
/// A word of more parts has no other forms in names.
const MAX_PARTS: usize = 16;

/// Plans a query tree.
pub fn plan(clause: &Clause, names_only: bool) -> Planned {
    let mut planner = Planner {
        words: Vec::new(),
        needles: Needles::default(),
        names_only,
        tokens: 0,
        asks_letters: false,
    };
    let plan = planner.clause(clause, true);
    let tokens = planner.words.iter().flat_map(|word| &word.tokens);
    let language = analyse::asked_in(tokens.map(|(_, token)| token.as_str()));
    Planned {
        language,
        is_blank: plan.is_none(),
        plan: plan.unwrap_or(Plan::All),
        words: planner.words,
        needles: planner.needles,
        is_cut: planner.tokens > MAX_TOKENS,
        asks_letters: planner.asks_letters,
    }
}

struct Planner {
    words: Vec<Word>,
    needles: Needles,
    names_only: bool,
    tokens: usize,
    asks_letters: bool,
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
            Clause::Filter(filter) => {
                let is_of_letters = matches!(filter, Filter::Letter { .. } | Filter::Sent(..));
                self.asks_letters |= wanted && is_of_letters;
                Some(Plan::Filter(filter.clone()))
            }
            Clause::And(sides) => {
                let sides = flat(self.sides(sides, wanted)?);
                Some(Plan::And(self.eased(sides)))
            }
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

    /// What is typed between spaces or quotes: its words, and the symbols among them.
    fn word(
        &mut self,
        text: &str,
        prefix: bool,
        scope: TextScope,
        quoted: bool,
        wanted: bool,
    ) -> Option<Plan> {
        let words = self.words(text, prefix, scope, quoted, wanted);
        if words.is_some() && !wanted {
            return words;
        }
        let mut sides: Vec<_> = words.into_iter().collect();
        sides.extend(self.symbols(text, scope, wanted));
        match sides.len() {
            0 | 1 => sides.pop(),
            _ => Some(Plan::And(self.eased(sides))),
        }
    }

    /// The symbols of a text: names have them.
    fn symbols(&mut self, text: &str, scope: TextScope, wanted: bool) -> Vec<Plan> {
        let mut symbols: Vec<_> = analyse::symbols(text).into_iter().map(|s| s.text).collect();
        symbols.sort_unstable();
        symbols.dedup();
        let left = MAX_TOKENS.saturating_sub(self.tokens);
        self.tokens += symbols.len();
        symbols.truncate(left);
        let mut sides = Vec::new();
        for symbol in symbols {
            if wanted {
                self.needles.word(&symbol);
            }
            self.words.push(Word {
                names_only: self.names_only || scope == TextScope::Name,
                ..Word::new(vec![(0, symbol)], false, false)
            });
            sides.push(Plan::Word(self.words.len() - 1));
        }
        sides
    }

    /// Sides of an "and" of which symbols are not demanded beside words, which may be those of a text: texts have no symbols.
    fn eased(&self, sides: Vec<Plan>) -> Vec<Plan> {
        let reads = sides.iter().any(|side| self.reads(side));
        let eased = |side| match side {
            Plan::Word(index) if reads && self.words[index].is_in_no_text() => Plan::Better(index),
            side => side,
        };
        sides.into_iter().map(eased).collect()
    }

    /// True when a word is demanded.
    fn reads(&self, side: &Plan) -> bool {
        match side {
            Plan::Word(index) => !self.words[*index].is_symbol(),
            Plan::And(sides) | Plan::Or(sides) => sides.iter().any(|side| self.reads(side)),
            Plan::All | Plan::Filter(_) | Plan::Not(_) | Plan::Better(_) => false,
        }
    }

    fn words(
        &mut self,
        text: &str,
        prefix: bool,
        scope: TextScope,
        quoted: bool,
        wanted: bool,
    ) -> Option<Plan> {
        let mut tokens = analyse::words(text, Mode::Query);
        let left = MAX_TOKENS.saturating_sub(self.tokens);
        self.tokens += tokens.len();
        tokens.truncate(left);
        let last = tokens.last()?;
        // Something after the last word ("c++", "fire.") says that the word is whole.
        let prefix = prefix && last.end == text.len();
        if wanted {
            self.mark(&tokens, prefix, quoted);
        }
        let mut in_names = self.forms(text, &tokens, prefix, quoted);
        let names_only = self.names_only || scope == TextScope::Name;
        if !quoted && !names_only {
            in_names.extend(self.path(text, prefix));
        }
        self.words.push(Word {
            in_names,
            names_only,
            ..Word::new(positions(&tokens), prefix, quoted)
        });
        Some(Plan::Word(self.words.len() - 1))
    }

    fn mark(&mut self, tokens: &[Token], prefix: bool, quoted: bool) {
        let last = tokens.len() - 1;
        for token in &tokens[..last] {
            self.needles.word(&token.text);
        }
        let number = if prefix {
            self.needles.prefix(&tokens[last].text)
        } else {
            self.needles.word(&tokens[last].text)
        };
        let joined: String = tokens.iter().map(|token| token.text.as_str()).collect();
        self.needles.also(&joined, number);
        if let Some(other) = other_number(&joined, prefix).filter(|_| !quoted) {
            self.needles.also(&other, number);
        }
    }

    /// What may stand instead of a word's tokens. In names: `report2024-final` is report, 2024, final where a name is split
    /// further, `foo-bar` may be `fooBar`, and `myhtmlpage.tsx` is `MyHTMLPage.tsx`. In texts: see [`numbers`]. And a path
    /// is a name below folders.
    fn forms(&mut self, text: &str, tokens: &[Token], prefix: bool, quoted: bool) -> Vec<Plan> {
        let is_unspaced = tokens.windows(2).any(|pair| pair[0].end > pair[1].start);
        if tokens.len() > MAX_PARTS || is_unspaced {
            return Vec::new();
        }
        let mut forms = Vec::new();
        let parts = parts(text);
        if parts.len() > tokens.len() {
            forms.push(self.form(Word::new(parts, prefix, true)));
        }
        if quoted {
            return forms;
        }
        if let [token] = tokens
            && let Some(other) = other_number(&token.text, prefix)
        {
            let other = Word::new(vec![(token.position, other)], false, false);
            forms.push(self.form(other));
        }
        for tokens in numbers::forms(text, tokens) {
            self.words.push(Word::new(tokens, prefix, true));
            forms.push(Plan::Word(self.words.len() - 1));
        }
        if tokens.len() > 1 {
            self.joined(text, tokens, prefix, &mut forms);
        }
        forms
    }

    fn joined(&mut self, text: &str, tokens: &[Token], prefix: bool, forms: &mut Vec<Plan>) {
        let joined = |tokens: &[Token]| {
            let mut joined: String = tokens.iter().map(|token| token.text.as_str()).collect();
            joined.truncate(joined.floor_char_boundary(MAX_TOKEN_BYTES));
            vec![(0, joined)]
        };
        forms.push(self.form(Word::new(joined(tokens), prefix, true)));
        if let Some((last, stem)) = tokens.split_last()
            && text[..last.start].ends_with('.')
        {
            let stem = self.form(Word::new(joined(stem), false, true));
            let extension = Word::new(vec![(0, last.text.clone())], prefix, true);
            forms.push(Plan::And(vec![stem, self.form(extension)]));
        }
    }

    /// `plans/q3/budget.txt`: the last part in the name, the others anywhere, which folders' names are.
    fn path(&mut self, text: &str, prefix: bool) -> Option<Plan> {
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        let (name, folders) = parts.split_last()?;
        if folders.is_empty() || parts.len() > MAX_PARTS || text.contains("://") {
            return None;
        }
        let name = self.word(name, prefix, TextScope::Name, false, false)?;
        let mut sides = vec![name];
        for folder in folders {
            sides.push(self.word(folder, false, TextScope::Anywhere, false, false)?);
        }
        Some(Plan::And(sides))
    }

    fn form(&mut self, word: Word) -> Plan {
        self.words.push(Word {
            names_only: true,
            ..word
        });
        Plan::Word(self.words.len() - 1)
    }
}

impl Word {
    fn new(tokens: Vec<(usize, String)>, prefix: bool, quoted: bool) -> Self {
        Word {
            tokens,
            prefix,
            names_only: false,
            quoted,
            in_names: Vec::new(),
        }
    }

    fn is_symbol(&self) -> bool {
        let first = self
            .tokens
            .first()
            .and_then(|(_, text)| text.chars().next());
        first.is_some_and(analyse::is_symbol)
    }

    /// A symbol that was not asked for in names alone.
    fn is_in_no_text(&self) -> bool {
        self.is_symbol() && !self.names_only
    }
}

/// One for many and many for one (`invoices`, `invoice`), for names, which have no stems: where an s is all the difference. A
/// start stands for many already.
fn other_number(word: &str, prefix: bool) -> Option<String> {
    if word.len() < MIN_NUMBERED || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    match word.strip_suffix('s') {
        Some(one) => Some(one.to_owned()),
        None if prefix => None,
        None => Some(format!("{word}s")),
    }
}

fn positions(tokens: &[Token]) -> Vec<(usize, String)> {
    tokens
        .iter()
        .map(|token| (token.position, token.text.clone()))
        .collect()
}

/// The smallest parts of a text as a name.
fn parts(text: &str) -> Vec<(usize, String)> {
    let tokens = analyse::names(text);
    let holds_less = |token: &Token| {
        let inside = |other: &Token| token.start <= other.start && other.end <= token.end;
        tokens
            .iter()
            .any(|other| inside(other) && other.end - other.start < token.end - token.start)
    };
    let smallest: Vec<_> = tokens
        .iter()
        .filter(|token| !holds_less(token))
        .cloned()
        .collect();
    positions(&smallest)
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
    /// The plain words of a plan that is nothing but words ANDed (and properties), when they may be relaxed: three or more
    /// when no file has them all, a long question ([`LONG`]) when few have. None when there are only stop words, which would
    /// find anything.
    pub fn relaxable(&self, found: u64) -> Option<Vec<usize>> {
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
        let telling = words.iter().filter(|index| self.tells(**index)).count();
        let few = if telling >= LONG { FEW } else { 1 };
        (words.len() >= 3 && telling > 0 && found < few).then_some(words)
    }

    /// True when a word is more than function words of the question's language.
    pub fn tells(&self, word: usize) -> bool {
        let mut tokens = self.words[word].tokens.iter();
        tokens.any(|(_, token)| !is_function_word(self.language, token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn words(text: &str) -> Vec<String> {
        let query = parse(text, time::OffsetDateTime::UNIX_EPOCH);
        let planned = plan(&query.clause, false);
        let main = planned.words.iter().filter(|word| !word.names_only);
        let shown = main.map(|word| {
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
    fn words_of_several_parts_have_other_forms_in_names() {
        let forms = |text: &str| {
            let query = parse(text, time::OffsetDateTime::UNIX_EPOCH);
            let planned = plan(&query.clause, false);
            let forms = planned.words.iter().filter(|word| word.names_only);
            let shown = forms.map(|word| {
                let tokens = word
                    .tokens
                    .iter()
                    .map(|(at, token)| format!("{token}@{at}"));
                tokens.collect::<Vec<_>>().join(" ")
            });
            shown.collect::<Vec<_>>()
        };
        assert_eq!(forms("report2024"), ["report@0 2024@1"]);
        assert_eq!(forms("plan"), [""; 0]);
        assert_eq!(forms("東京都"), [""; 0]);
        assert_eq!(
            forms("report2024-final"),
            ["report@0 2024@1 final@2", "report2024final@0"]
        );
        assert_eq!(forms("\"My report2024\""), ["my@0 report@1 2024@2"]);
        assert_eq!(forms("page.tsx"), ["pagetsx@0", "page@0", "tsx@0"]);
    }

    #[test]
    fn very_many_words_are_cut() {
        let query = parse(&"東京都庁".repeat(200), time::OffsetDateTime::UNIX_EPOCH);
        let planned = plan(&query.clause, false);
        assert!(planned.is_cut);
        assert_eq!(planned.words[0].tokens.len(), MAX_TOKENS);
    }

    #[test]
    fn what_nothing_is_found_by_is_told() {
        let is_blank = |text: &str| {
            let query = parse(text, time::OffsetDateTime::UNIX_EPOCH);
            plan(&query.clause, false).is_blank
        };
        assert!(["!!!", "– ", "\"-\" …"].into_iter().all(is_blank));
        assert!(
            !["", "is:folder", "!!! a", "c++", "😀"]
                .into_iter()
                .any(is_blank)
        );
    }

    #[test]
    fn symbols_are_demanded_where_no_word_is() {
        let planned = |text: &str| {
            let query = parse(text, time::OffsetDateTime::UNIX_EPOCH);
            plan(&query.clause, false).plan
        };
        let demanded = |index| Plan::Word(index);
        for (text, wanted) in [
            ("🎉", demanded(0)),
            ("🎉 ✓", Plan::And(vec![demanded(0), demanded(1)])),
            ("✓🎉✓", Plan::And(vec![demanded(0), demanded(1)])),
            ("🎉 party", Plan::And(vec![Plan::Better(0), demanded(1)])),
            ("🎉party", Plan::And(vec![demanded(0), Plan::Better(1)])),
            ("\"5 €\"", Plan::And(vec![demanded(0), Plan::Better(1)])),
            ("name:🎉 party", Plan::And(vec![demanded(0), demanded(1)])),
            (
                "-🎉 party",
                Plan::And(vec![Plan::Not(Box::new(demanded(0))), demanded(1)]),
            ),
            ("-🎉party", Plan::Not(Box::new(demanded(0)))),
        ] {
            assert_eq!(planned(text), wanted, "{text}");
        }
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
