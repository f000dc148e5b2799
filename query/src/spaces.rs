//! Entries of a dictionary in some namespaces that begin in one way.

use indexer::term;
use storage::meta::NamespaceId;
use tantivy::postings::TermInfo;
use tantivy::termdict::TermDictionary;
use tantivy_fst::Automaton;

use crate::error::Result;
use crate::resolve::EVERYWHERE;

/// What the keys of a namespace's words begin with that start so.
fn key(ns: NamespaceId, start: &str) -> Vec<u8> {
    match ns {
        EVERYWHERE => start.into(),
        ns => term::marked(ns, start).into(),
    }
}

/// Takes the entries whose words start so and that an automaton lets through, `most` of each namespace; true when one has more. The
/// automaton reads whole keys.
pub fn each<A: Automaton>(
    terms: &TermDictionary,
    namespaces: &[NamespaceId],
    start: &str,
    automaton: impl Fn(&[u8]) -> A,
    most: usize,
    mut take: impl FnMut(NamespaceId, &str, &TermInfo),
) -> Result<bool>
where
    A::State: Clone,
{
    let mut is_cut = false;
    for &ns in namespaces {
        let first = key(ns, start);
        // Bounds lead to the first key at once; an automaton alone looks at every branch on the way.
        let mut range = terms.search(automaton(&first)).ge(&first);
        if !first.is_empty() {
            range = range.lt(storage::kv::prefix_end(&first));
        }
        let mut stream = range.into_stream()?;
        let mut taken = 0;
        while stream.advance() {
            taken += 1;
            if taken > most {
                is_cut = true;
                break;
            }
            let token = match ns {
                EVERYWHERE => std::str::from_utf8(stream.key()).ok(),
                _ => term::parse(stream.key()).map(|(_, token)| token),
            };
            if let Some(token) = token {
                take(ns, token, stream.value());
            }
        }
    }
    Ok(is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tantivy::schema::{STRING, Schema};
    use tantivy::{Index, IndexWriter, TantivyDocument};
    use tantivy_fst::automaton::AlwaysMatch;

    proptest::proptest! {
        #[test]
        fn what_is_taken_is_what_a_look_at_every_entry_would_take(
            entries in proptest::collection::btree_set((1u64..400, "[a-c]{1,4}"), 1..120),
            asked in proptest::collection::btree_set(1u64..400, 1..200),
            start in "[a-c]{0,2}",
            most in 1usize..5,
        ) {
            let mut schema = Schema::builder();
            let field = schema.add_text_field("name", STRING);
            let index = Index::create_in_ram(schema.build());
            let mut writer: IndexWriter = index.writer_with_num_threads(1, 15_000_000).expect("a writer");
            let mut document = TantivyDocument::new();
            for (ns, token) in &entries {
                document.add_text(field, term::marked(NamespaceId(*ns), token));
            }
            writer.add_document(document).expect("added");
            writer.commit().expect("committed");
            let searcher = index.reader().expect("a reader").searcher();
            let inverted = searcher.segment_readers()[0].inverted_index(field).expect("a dictionary");
            let namespaces: Vec<_> = asked.iter().map(|ns| NamespaceId(*ns)).collect();
            let mut found = Vec::new();
            let take = |ns: NamespaceId, token: &str, _: &TermInfo| found.push((ns.0, token.to_owned()));
            let is_cut = each(inverted.terms(), &namespaces, &start, |_| AlwaysMatch, most, take);
            let is_cut = is_cut.expect("read");
            let (mut expected, mut more) = (Vec::new(), false);
            for ns in &asked {
                let own = entries.iter().filter(|(of, token)| of == ns && token.starts_with(&start));
                let own: Vec<_> = own.cloned().collect();
                more |= own.len() > most;
                expected.extend(own.into_iter().take(most));
            }
            proptest::prop_assert_eq!((found, is_cut), (expected, more));
        }
    }
}
