//! How much of what an account can read is searchable.

use std::time::{Duration, Instant};

use indexer::schema::{FLAG_FOLDER, FLAG_MEMBER};
use indexer::term::{Tag, Terms};
use indexer::{Shard, ShardView};
use serde::{Deserialize, Serialize};
use storage::meta::{Actor, FileId, NamespaceId};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED, Term};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::part::Part;
use crate::scope;
use crate::segment::Covered;

/// Excluded files of a shard that are looked up for one answer.
const MAX_EXCLUDED: usize = 256;
/// What the count may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Files of an account by index state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// All files: those that are searchable and those that wait.
    pub files: u64,
    /// Files in the index as they are now, whose extraction has ended, whatever it gave.
    pub searchable: u64,
    /// Files whose text is not there yet, and files of which a change is not in the index yet.
    pub waiting: u64,
}

impl Engine {
    /// Counts over everything the account can read.
    pub fn coverage(&self, actor: Actor) -> Result<Coverage> {
        let view = self.sources().meta.view(actor.account)?;
        let namespaces = scope::namespaces(&view, actor.root)?;
        let deadline = Instant::now() + TIME_LIMIT;
        let by_shard = self.by_shard(&namespaces);
        let counted = self.fan().each(&by_shard, |(shard, mine)| {
            match self.shards().coverage(*shard, mine, deadline) {
                Err(Error::Unreachable { .. }) => Ok(unknown(mine)),
                counted => counted,
            }
        })?;
        let mut coverage = Coverage::default();
        for counted in counted {
            coverage.waiting += counted.waiting;
            coverage.searchable += counted.searchable;
        }
        coverage.files = coverage.searchable + coverage.waiting;
        Ok(coverage)
    }
}

/// What is said of a shard that can say nothing: before its first scan is through, or while nobody has it.
fn unknown(namespaces: &[NamespaceId]) -> Coverage {
    Coverage {
        waiting: namespaces.len() as u64,
        ..Coverage::default()
    }
}

/// Counts over some namespaces of one shard.
pub fn of_shard(shard: &Shard, namespaces: &[NamespaceId], deadline: Instant) -> Result<Coverage> {
    let view = shard.view(namespaces, deadline);
    let Some(view) = view.filter(|view| view.complete) else {
        return Ok(unknown(namespaces));
    };
    let mut coverage = Coverage::default();
    for &ns in namespaces {
        coverage.waiting += shard.waiting(ns);
        let is_coming = |file| shard.is_coming(FileId(file));
        count(&view, ns, &is_coming, &mut coverage)?;
    }
    Ok(coverage)
}

/// Files of the account as a shard's last commit has them, without those that have gone since: from counters, so that each answer can
/// say it. Files that came since are not among them.
pub(crate) fn at_commit(part: &Part) -> Result<Covered> {
    let (mut sum, mut gone) = (Covered::default(), Covered::default());
    for segment in &part.commit.segments {
        for ns in &segment.present {
            let here = segment.segment.space(*ns).map(|space| space.covered);
            add(&mut sum, here.unwrap_or_default());
            add(&mut gone, segment.gone.get(ns).copied().unwrap_or_default());
        }
    }
    add(&mut gone, excluded(part)?);
    sum.files = sum.files.saturating_sub(gone.files);
    sum.searchable = sum.searchable.saturating_sub(gone.searchable);
    Ok(sum)
}

/// Adds what another shard counted.
pub(crate) fn add(sum: &mut Covered, more: Covered) {
    sum.files += more.files;
    sum.searchable += more.searchable;
}

/// The account's files in a commit that are excluded from its searches, as far as there are few of them. // I6
fn excluded(part: &Part) -> Result<Covered> {
    let (view, mut found) = (&part.view, Covered::default());
    for file in view.exclusions.iter().take(MAX_EXCLUDED) {
        let term = Term::from_field_u64(view.fields.file, file);
        for reader in view.searcher.segment_readers() {
            let inverted = reader.inverted_index(term.field())?;
            let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)?
            else {
                continue;
            };
            while postings.doc() != TERMINATED && reader.is_deleted(postings.doc()) {
                postings.advance();
            }
            if postings.doc() == TERMINATED {
                continue;
            }
            // Its first document that is there is its own; members come behind it.
            let doc = postings.doc();
            let segment = &part.commit.part(reader)?.segment;
            let ns = NamespaceId(segment.namespace.first(doc).unwrap_or(0));
            let is_ours = part.namespaces.binary_search(&ns).is_ok();
            if is_ours && segment.flags.first(doc) == Some(0) {
                let outcomes = reader.fast_fields().u64("outcome")?;
                found.files += 1;
                found.searchable += u64::from(outcomes.first(doc).unwrap_or(0) != 0);
            }
        }
    }
    Ok(found)
}

/// Counts the documents of files that are not about to come anew, which are counted as waiting already.
fn count(
    view: &ShardView,
    ns: NamespaceId,
    is_coming: &dyn Fn(u64) -> bool,
    coverage: &mut Coverage,
) -> Result<()> {
    let fields = &view.fields;
    let live = Terms::of(fields, ns).tag(Tag::Live);
    for segment in view.searcher.segment_readers() {
        let inverted = segment.inverted_index(live.field())?;
        let Some(mut postings) = inverted.read_postings(&live, IndexRecordOption::Basic)? else {
            continue;
        };
        if postings.doc_freq() == 0 {
            continue;
        }
        let column = |field| {
            segment
                .fast_fields()
                .u64(segment.schema().get_field_name(field))
        };
        let (flags, outcomes, files) = (
            column(fields.flags)?,
            column(fields.outcome)?,
            column(fields.file)?,
        );
        let mut doc = postings.doc();
        while doc != TERMINATED {
            let is_no_file = flags.first(doc).unwrap_or(0) & (FLAG_FOLDER | FLAG_MEMBER) != 0;
            let file = files.first(doc).unwrap_or(0);
            let gone = segment.is_deleted(doc) || view.exclusions.contains(file);
            if !gone && !is_no_file && !is_coming(file) {
                match outcomes.first(doc).unwrap_or(0) {
                    0 => coverage.waiting += 1,
                    _ => coverage.searchable += 1,
                }
            }
            doc = postings.advance();
        }
    }
    Ok(())
}
