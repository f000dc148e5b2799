//! What a hit owes its rank to, on request: the sum and its parts, down to single words in single fields.

use tantivy::query::{EnableScoring, Query};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED, Term};

use crate::error::Result;
use crate::lately::Doings;
use crate::part::Part;
use crate::prepared::Prepared;
use crate::request::{Hit, Why};

impl Prepared<'_> {
    /// Adds to each hit what it owes its rank to. A hit that its shard no longer shows goes without.
    pub fn explain(&self, hits: &mut [Hit], relaxed: bool) -> Result<()> {
        let of = |hit: &Hit| (hit.place.node.id.0, hit.number);
        let told = self.ask(|leg| {
            let here = hits.iter().enumerate();
            let here = here.filter(|(_, hit)| !hit.is_old);
            let here = here.filter(|(_, hit)| leg.namespaces().contains(&hit.place.ns));
            let (places, of): (Vec<_>, Vec<_>) = here.map(|(at, hit)| (at, of(hit))).unzip();
            let why = leg.why(&self.weighed, relaxed, &of, self.deadline)?;
            Ok(places.into_iter().zip(why).collect::<Vec<_>>())
        })?;
        for (at, why) in told.into_iter().flatten() {
            hits[at].why = why.map(|why| self.with_lately(&hits[at], why));
        }
        Ok(())
    }
}

impl Prepared<'_> {
    /// The score with what counts beside words.
    fn with_lately(&self, hit: &Hit, words: Why) -> Why {
        let (Some(lately), Some(head)) = (&self.lately, hit.place.node.head()) else {
            return words;
        };
        let inner = hit.member.as_ref().and_then(|member| member.modified_ms);
        let doings = Doings {
            file: hit.place.node.id.0,
            modified_ms: inner.unwrap_or(head.client_modified_ms),
            author: head.author.0,
            rev: head.rev.0,
        };
        let beside = Why {
            what: lately.told(doings).into(),
            score: words.score * (lately.factor(doings) - 1.0),
            of: Vec::new(),
        };
        let score = words.score + beside.score;
        let mut of = match words.of.is_empty() {
            true => vec![words],
            false => words.of,
        };
        of.push(beside);
        Why {
            what: "sum".into(),
            score,
            of,
        }
    }
}

/// What the document of a file, or of one of its members, owes its score to.
pub fn why(part: &Part, query: &dyn Query, file: u64, member: u64) -> Result<Option<Why>> {
    let searcher = &part.view.searcher;
    let term = Term::from_field_u64(part.view.fields.file, file);
    let weight = query.weight(EnableScoring::enabled_from_searcher(searcher))?;
    for reader in searcher.segment_readers() {
        let inverted = reader.inverted_index(term.field())?;
        let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)? else {
            continue;
        };
        let numbers = &part.commit.part(reader)?.segment.member;
        let number = |doc| numbers.as_ref().and_then(|n| n.first(doc)).unwrap_or(0);
        while postings.doc() != TERMINATED
            && (reader.is_deleted(postings.doc()) || number(postings.doc()) != member)
        {
            postings.advance();
        }
        if postings.doc() == TERMINATED {
            continue;
        }
        let Ok(explanation) = weight.explain(reader, postings.doc()) else {
            return Ok(None); // another content than the one that was found
        };
        let told = serde_json::to_value(&explanation).and_then(serde_json::from_value::<Why>);
        return Ok(told.ok().map(plain));
    }
    Ok(None)
}

/// Sums of one part are that part.
fn plain(mut why: Why) -> Why {
    why.of.retain(|part| part.score != 0.0);
    why.of = why.of.into_iter().map(plain).collect();
    match why.of.len() {
        1 => why.of.remove(0),
        _ => Why {
            what: if why.of.is_empty() {
                why.what
            } else {
                "sum".into()
            },
            ..why
        },
    }
}
