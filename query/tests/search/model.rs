//! Random files in three accounts with shared folders, random queries, and a model that reads every file.

use std::collections::BTreeSet;

use proptest::prelude::*;
use storage::meta::Account;

use crate::bench::Bench;

const WORDS: [&str; 6] = ["apple", "pear", "plum", "fig", "the", "kiwi"];
const FOLDERS: [&str; 5] = ["", "/red", "/red/plum", "/team", "/team/green"];

#[derive(Debug, Clone)]
struct File {
    account: usize,
    folder: usize,
    name: Vec<usize>,
    text: Vec<usize>,
}

#[derive(Debug, Clone)]
enum Asked {
    Word(usize),
    Phrase(Vec<usize>),
    Not(Box<Asked>),
    And(Box<Asked>, Box<Asked>),
    Or(Box<Asked>, Box<Asked>),
}

/// What the model knows of a file: where an account sees it, and its words.
#[derive(Debug, Clone)]
struct Known {
    account: usize,
    is_shared: bool,
    path: String,
    name: Vec<String>,
    text: Vec<String>,
    above: Vec<String>,
}

impl Asked {
    fn typed(&self) -> String {
        match self {
            // In quotes: what is relaxed, stemmed and found by folders has tests of its own, but plain words are typed too.
            Asked::Word(word) => WORDS[*word].to_owned(),
            Asked::Phrase(words) => {
                let words: Vec<_> = words.iter().map(|word| WORDS[*word]).collect();
                format!("\"{}\"", words.join(" "))
            }
            Asked::Not(side) => format!("-({})", side.typed()),
            Asked::And(a, b) => format!("({}) AND ({})", a.typed(), b.typed()),
            Asked::Or(a, b) => format!("(({}) OR ({}))", a.typed(), b.typed()),
        }
    }

    fn holds(&self, file: &Known) -> bool {
        match self {
            Asked::Word(word) => {
                let word = WORDS[*word];
                let has = |words: &[String]| words.iter().any(|other| other == word);
                has(&file.name) || has(&file.text) || has(&file.above)
            }
            Asked::Phrase(words) => {
                let words: Vec<_> = words.iter().map(|word| WORDS[*word]).collect();
                let has = |text: &[String]| text.windows(words.len()).any(|window| window == words);
                has(&file.name) || has(&file.text)
            }
            Asked::Not(side) => !side.holds(file),
            Asked::And(a, b) => a.holds(file) && b.holds(file),
            Asked::Or(a, b) => a.holds(file) || b.holds(file),
        }
    }

    /// Three plain words demanded together may be relaxed.
    fn plain_words(&self) -> usize {
        match self {
            Asked::Word(_) => 1,
            Asked::And(a, b) => a.plain_words() + b.plain_words(),
            _ => 0,
        }
    }
}

fn files() -> impl Strategy<Value = Vec<File>> {
    let words = |most| prop::collection::vec(0..WORDS.len(), 0..most);
    let name = prop::collection::vec(0..WORDS.len(), 1..3);
    let file = (0..3usize, 0..FOLDERS.len(), name, words(8));
    let file = file.prop_map(|(account, folder, name, text)| File {
        account,
        folder,
        name,
        text,
    });
    prop::collection::vec(file, 1..25)
}

fn queries() -> impl Strategy<Value = Vec<Asked>> {
    let leaf = prop_oneof![
        (0..WORDS.len()).prop_map(Asked::Word),
        prop::collection::vec(0..WORDS.len(), 1..4).prop_map(Asked::Phrase),
    ];
    let query = leaf.prop_recursive(3, 8, 2, |inner| {
        let side = || inner.clone().prop_map(Box::new);
        prop_oneof![
            side().prop_map(Asked::Not),
            (side(), side()).prop_map(|(a, b)| Asked::And(a, b)),
            (side(), side()).prop_map(|(a, b)| Asked::Or(a, b)),
        ]
    });
    prop::collection::vec(query.prop_filter("relaxed", |q| q.plain_words() < 3), 12)
}

fn words_of(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|word| WORDS[*word].to_owned()).collect()
}

/// Uploads the files; returns the accounts and what is there. The first account's /team is shared with the second.
fn fill(bench: &Bench, files: &[File]) -> (Vec<Account>, Vec<Known>) {
    let accounts: Vec<_> = ["ann", "bob", "cyd"].map(|name| bench.account(name)).into();
    bench.put(&accounts[0], "/team/first.txt", "start");
    bench.share(&accounts[0], "/team", &[&accounts[1]]);
    let mut known: Vec<Known> = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let name = words_of(&file.name);
        let folder = FOLDERS[file.folder];
        let path = format!("{folder}/{} {number}.txt", name.join(" "));
        let text = words_of(&file.text);
        bench.put(
            &accounts[file.account],
            &path,
            &format!("{}\n{number}", text.join(", ")),
        );
        known.push(Known {
            account: file.account,
            is_shared: folder.starts_with("/team") && file.account < 2,
            path,
            name,
            text,
            above: folder.split('/').map(str::to_owned).collect(),
        });
    }
    (accounts, known)
}

fn seen_by(known: &[Known], account: usize) -> impl Iterator<Item = &Known> {
    known
        .iter()
        .filter(move |file| file.account == account || (file.is_shared && account < 2))
}

fn check(bench: &Bench, accounts: &[Account], known: &[Known], queries: &[Asked]) {
    for query in queries {
        let typed = format!("{} ext:txt -start ", query.typed());
        for (number, account) in accounts.iter().enumerate() {
            let wanted: BTreeSet<&str> = seen_by(known, number)
                .filter(|file| query.holds(file))
                .map(|file| file.path.as_str())
                .collect();
            let found = bench.paths(account, &crate::bench::asked(&typed));
            let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
            assert_eq!(found, wanted, "account {number}: {typed}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn searches_agree_with_reading_every_file(files in files(), queries in queries(), victims in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let bench = Bench::new();
        let (accounts, mut known) = fill(&bench, &files);
        bench.settle();
        check(&bench, &accounts, &known, &queries);
        for victim in victims {
            if known.is_empty() {
                break;
            }
            let file = known.remove(victim.index(known.len()));
            bench.delete(&accounts[file.account], &file.path);
        }
        check(&bench, &accounts, &known, &queries);
    }
}
