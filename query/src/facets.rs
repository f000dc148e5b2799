//! Counts over all matches, by their names.

use std::cmp::Reverse;
use std::collections::HashMap;

use indexer::analyse::Language;
use indexer::document::category_of;
use storage::meta::{Actor, FileId, NamespaceId};

use crate::collect::{AGES, Matches, SIZES};
use crate::engine::Engine;
use crate::error::Result;
use crate::request::{Facets, MAX_FACET_VALUES};

impl Facets {
    /// The counts of all matches, but for folders and owners.
    pub fn of(matches: &Matches) -> Facets {
        let category = (0u64..).zip(matches.category).filter(|(_, n)| *n > 0);
        let category = category.map(|(code, n)| (category_of(code).as_str().to_owned(), n));
        let mut category: Vec<_> = category.collect();
        category.sort_by_key(|(_, n)| Reverse(*n));
        let extension = matches.extension.iter();
        let language = matches
            .language
            .iter()
            .filter_map(|(number, n)| Some((Language::of_number(*number)?.code().to_owned(), *n)));
        Facets {
            category,
            extension: most(extension.map(|(text, n)| (text.clone(), *n)).collect()),
            modified: some(&AGES, &matches.age),
            size: some(&SIZES, &matches.size),
            language: most(language.collect()),
            ..Facets::default()
        }
    }
}

impl Engine {
    /// Adds the counts by folder and owner, with the names that the account sees. // I6
    pub(crate) fn add_places(
        &self,
        actor: Actor,
        matches: &Matches,
        facets: &mut Facets,
    ) -> Result<()> {
        let view = self.sources().meta.view(actor.account)?;
        let mut folders: Vec<_> = matches.folder.iter().collect();
        folders.sort_unstable_by_key(|(folder, n)| (Reverse(**n), **folder));
        for (folder, n) in folders {
            if facets.folder.len() == MAX_FACET_VALUES {
                break;
            }
            let place = view.place(FileId(*folder))?; // none: gone since, or a deleted one's
            facets
                .folder
                .extend(place.map(|place| (place.path_display.to_string(), *n)));
        }
        let shared = self.sources().meta.list_shared(actor)?; // by namespace
        let mut owners = HashMap::new();
        for (ns, n) in &matches.namespace {
            let at = shared.binary_search_by_key(&NamespaceId(*ns), |folder| folder.ns);
            let owner = at.map_or(actor.account, |at| shared[at].owner);
            *owners.entry(owner).or_insert(0) += n;
        }
        let mut named = Vec::new();
        for (owner, n) in owners {
            let account = self.sources().meta.account(owner)?;
            named.extend(account.map(|account| (account.email, n)));
        }
        facets.owner = most(named);
        Ok(())
    }
}

/// The values with the highest counts, most first.
fn most(mut counts: Vec<(String, u64)>) -> Vec<(String, u64)> {
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(MAX_FACET_VALUES);
    counts
}

/// The values that are there, in their own order.
fn some(names: &[&str], counts: &[u64]) -> Vec<(String, u64)> {
    let counted = names.iter().zip(counts).filter(|(_, n)| **n > 0);
    counted.map(|(name, n)| ((*name).to_owned(), *n)).collect()
}
