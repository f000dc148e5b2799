//! Entries of a dictionary that begin with one of some keys, in one walk: with hundreds of namespaces, a stream for each costs more than
//! the few words that each has (docs/benchmarks.md).

use indexer::term;
use storage::meta::NamespaceId;
use tantivy::postings::TermInfo;
use tantivy::termdict::TermDictionary;
use tantivy_fst::Automaton;

use crate::error::Result;
use crate::resolve::EVERYWHERE;

/// What keys begin with: the namespaces, in order, each with the same letters behind it.
pub struct Starts(Vec<Vec<u8>>);

/// How far a key has been read, and which of the starts it may still be of.
#[derive(Clone, Copy)]
pub struct Walk {
    from: usize,
    until: usize,
    read: usize,
}

impl Starts {
    /// Words of these namespaces, in order, that begin so.
    pub fn of(namespaces: &[NamespaceId], start: &str) -> Self {
        let key = |ns: &NamespaceId| match *ns {
            EVERYWHERE => start.as_bytes().to_vec(),
            ns => term::marked(ns, start).into_bytes(),
        };
        Starts(namespaces.iter().map(key).collect())
    }

    /// Before the first byte.
    pub fn begin(&self) -> Walk {
        Walk {
            from: 0,
            until: self.0.len(),
            read: 0,
        }
    }

    /// True when a whole start was read.
    pub fn is_read(&self, at: Walk) -> bool {
        self.0.first().is_some_and(|key| key.len() == at.read)
    }

    /// One byte on; none when nothing starts so.
    pub fn step(&self, at: Walk, byte: u8) -> Option<Walk> {
        let keys = &self.0[at.from..at.until];
        let from = at.from + keys.partition_point(|key| key[at.read] < byte);
        let until = at.from + keys.partition_point(|key| key[at.read] <= byte);
        let read = at.read + 1;
        (from < until).then_some(Walk { from, until, read })
    }
}

/// Everything behind the starts.
pub struct All<'a>(pub &'a Starts);

impl Automaton for All<'_> {
    type State = Option<Walk>;

    fn start(&self) -> Option<Walk> {
        Some(self.0.begin())
    }

    fn is_match(&self, state: &Option<Walk>) -> bool {
        state.is_some_and(|at| self.0.is_read(at))
    }

    fn can_match(&self, state: &Option<Walk>) -> bool {
        state.is_some()
    }

    fn accept(&self, state: &Option<Walk>, byte: u8) -> Option<Walk> {
        match *state {
            Some(at) if !self.0.is_read(at) => self.0.step(at, byte),
            state => state,
        }
    }
}

/// Takes the entries that an automaton lets through, `most` of each namespace; true when one of them has more.
pub fn each<A: Automaton>(
    terms: &TermDictionary,
    is_wide: bool,
    automaton: impl Fn() -> A,
    most: usize,
    mut take: impl FnMut(NamespaceId, &str, &TermInfo),
) -> Result<bool>
where
    A::State: Clone,
{
    let (mut from, mut is_cut) = (Vec::new(), false);
    'walk: loop {
        let mut stream = terms.search(automaton()).ge(&from).into_stream()?;
        let (mut ns, mut taken) = (None, 0);
        while stream.advance() {
            let key = stream.key();
            let entry = match is_wide {
                true => std::str::from_utf8(key).ok().map(|key| (EVERYWHERE, key)),
                false => term::parse(key),
            };
            let Some((own, token)) = entry else { continue };
            if ns != Some(own) {
                (ns, taken) = (Some(own), 0);
            }
            taken += 1;
            if taken > most {
                is_cut = true;
                if is_wide {
                    break 'walk;
                }
                from = storage::kv::prefix_end(&key[..term::PREFIX_BYTES]);
                continue 'walk;
            }
            take(own, token, stream.value());
        }
        break;
    }
    Ok(is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tantivy::schema::{STRING, Schema};
    use tantivy::{Index, IndexWriter, TantivyDocument};

    proptest::proptest! {
        #[test]
        fn a_walk_takes_what_a_look_at_every_entry_would(
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
            let starts = Starts::of(&namespaces, &start);
            let mut found = Vec::new();
            let is_cut = each(inverted.terms(), false, || All(&starts), most, |ns, token, _| {
                found.push((ns.0, token.to_owned()));
            }).expect("walked");
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
