//! Counts over all matches, by their names.

use crate::collect::{AGES, Matches};
use crate::request::{Facets, MAX_FACET_VALUES};

impl Facets {
    /// The counts of all matches.
    pub fn of(matches: &Matches) -> Facets {
        let mut category: Vec<_> = matches
            .category
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(|(code, n)| {
                (
                    indexer::document::category_of(code as u64)
                        .as_str()
                        .to_owned(),
                    *n,
                )
            })
            .collect();
        category.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let mut extension: Vec<_> = matches
            .extension
            .iter()
            .map(|(text, n)| (text.clone(), *n))
            .collect();
        extension.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        extension.truncate(MAX_FACET_VALUES);
        let modified = AGES.iter().zip(matches.age).filter(|(_, n)| *n > 0);
        Facets {
            category,
            extension,
            modified: modified.map(|(name, n)| ((*name).to_owned(), n)).collect(),
        }
    }
}
