//! Segments as searches read them: columns and lengths opened once for all searches, and which namespaces are in them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indexer::ShardView;
use indexer::analyse::Language;
use indexer::past;
use indexer::schema::{FLAG_DELETED, FLAG_PAST, Fields};
use serde::{Deserialize, Serialize};
use storage::meta::NamespaceId;
use tantivy::columnar::{Column, StrColumn};
use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::SegmentId;
use tantivy::schema::Field;
use tantivy::{DocId, InvertedIndexReader, SegmentReader};

use crate::error::Result;
use crate::facts::{self, Facts};
use crate::own::Own;

/// Fields of which lengths are counted.
const MEASURED: usize = 4;

/// One segment. Deletions are not in it: they change from commit to commit, and a segment stays.
pub struct Segment {
    /// The file ids.
    pub file: Column<u64>,
    /// The namespaces.
    pub namespace: Column<u64>,
    /// Times of modification, milliseconds.
    pub modified: Column<i64>,
    /// Bytes.
    pub size: Column<u64>,
    /// What facets count.
    pub facts: Facts,
    /// The folders that documents lie in.
    pub below: Column<u64>,
    /// What documents are: folders, deleted, members.
    pub flags: Column<u64>,
    /// Numbers of members in their files; none where there are none.
    pub member: Option<Column<u64>>,
    /// The accounts that stored what documents show.
    pub author: Column<u64>,
    /// Revs that documents show.
    pub rev: Column<u64>,
    /// When old versions ended; none where there are none.
    until: Option<Column<i64>>,
    /// The numbers of languages.
    pub language: Column<u64>,
    /// Folded names.
    pub name: Option<StrColumn>,
    /// Extensions.
    pub extension: Option<StrColumn>,
    /// Documents, deleted ones too.
    pub documents: u32,
    measured: [(Field, FieldNormReader); MEASURED],
    inverted: Vec<(Field, Arc<InvertedIndexReader>)>,
    spaces: HashMap<NamespaceId, Space>,
    /// Namespaces that it has files of, old versions aside.
    fronts: usize,
    /// Documents of live files, namespace by namespace, in order.
    live: Vec<DocId>,
}

/// What a segment has of one namespace.
#[derive(Debug, Clone, Copy, Default)]
pub struct Space {
    /// Documents of live files.
    pub live: u64,
    /// Documents of deleted files.
    pub deleted: u64,
    /// Live files, members not counted.
    pub covered: Covered,
    /// Where its live documents begin among the segment's.
    from: usize,
    /// Live documents that have the field, and their words in it.
    lengths: [(u64, u64); MEASURED],
    /// The languages of live documents: a bit for each number.
    languages: u128,
}

/// Files, and how many of them are searchable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// All live files.
    pub files: u64,
    /// Those whose extraction has ended, whatever it gave.
    pub searchable: u64,
}

impl Segment {
    fn open(fields: &Fields, reader: &SegmentReader) -> tantivy::Result<Self> {
        let columns = reader.fast_fields();
        let name = |field| reader.schema().get_field_name(field);
        let norms =
            |field| Ok::<_, tantivy::TantivyError>((field, reader.get_fieldnorms_reader(field)?));
        let measured = [
            norms(fields.name)?,
            norms(fields.title)?,
            norms(fields.wide)?,
            norms(fields.wide_name)?,
        ];
        let inverted = [
            fields.name,
            fields.deleted_name,
            fields.title,
            fields.body,
            fields.wide_name,
            fields.wide,
            fields.tag,
            fields.parent,
        ];
        let inverted = inverted.map(|field| Ok((field, reader.inverted_index(field)?)));
        let inverted = inverted.into_iter().collect::<tantivy::Result<_>>()?;
        let mut segment = Segment {
            file: columns.u64(name(fields.file))?,
            namespace: columns.u64(name(fields.namespace))?,
            modified: columns.i64(name(fields.modified))?,
            size: columns.u64(name(fields.size))?,
            facts: Facts::default(),
            below: columns.u64(name(fields.below))?,
            flags: columns.u64(name(fields.flags))?,
            member: columns.column_opt(name(fields.member))?,
            author: columns.u64(name(fields.author))?,
            rev: columns.u64(name(fields.rev))?,
            until: columns.column_opt(name(fields.until))?,
            language: columns.u64(name(fields.language))?,
            name: columns.str(name(fields.sort_name))?,
            extension: columns.str(name(fields.extension))?,
            documents: reader.max_doc(),
            measured,
            inverted,
            spaces: HashMap::new(),
            fronts: 0,
            live: Vec::new(),
        };
        segment.facts = Facts::read(
            segment.documents,
            &facts::Columns {
                modified: &segment.modified,
                category: &columns.u64(name(fields.category))?,
                size: &segment.size,
                language: &segment.language,
                extension: segment.extension.as_ref().map(|column| column.ords()),
                below: &segment.below,
                namespace: &segment.namespace,
            },
        );
        segment.measure();
        segment.cover(reader)?;
        Ok(segment)
    }

    /// Counts, once, what every namespace has here.
    fn measure(&mut self) {
        for doc in 0..self.documents {
            let (ns, is_live) = self.whose(doc);
            let space = self.spaces.entry(ns).or_default();
            if !is_live {
                space.deleted += 1;
                continue;
            }
            space.live += 1;
            space.languages |= 1 << self.language.first(doc).unwrap_or(0).min(127);
            for (length, (_, norms)) in space.lengths.iter_mut().zip(&self.measured) {
                let words = u64::from(norms.fieldnorm(doc));
                *length = (length.0 + u64::from(words > 0), length.1 + words);
            }
        }
        self.fronts = self.spaces.keys().filter(|ns| !past::is_side(**ns)).count();
        self.list();
    }

    /// Lists the live documents of every namespace.
    fn list(&mut self) {
        let mut next: HashMap<NamespaceId, usize> = HashMap::new();
        let mut count = 0;
        for (ns, space) in &mut self.spaces {
            space.from = count;
            next.insert(*ns, count);
            count += space.live as usize;
        }
        self.live = vec![0; count];
        for doc in 0..self.documents {
            if let (ns, true) = self.whose(doc)
                && let Some(at) = next.get_mut(&ns)
            {
                self.live[*at] = doc;
                *at += 1;
            }
        }
    }

    /// A document's namespace, and whether it is a live file's.
    fn whose(&self, doc: DocId) -> (NamespaceId, bool) {
        let is_deleted = self.flags.first(doc).unwrap_or(0) & FLAG_DELETED != 0;
        let ns = NamespaceId(self.namespace.first(doc).unwrap_or(0));
        (ns, !is_deleted)
    }

    /// The live documents of some of the namespaces that it has.
    fn own(&self, present: &[NamespaceId]) -> Own {
        if self.is_all(present) {
            return Own::All;
        }
        let spaces = present.iter().filter_map(|ns| self.space(*ns));
        let lists = spaces.map(|space| &self.live[space.from..space.from + space.live as usize]);
        Own::of(self.documents, lists)
    }

    /// Counts, once, the files of every namespace here.
    fn cover(&mut self, reader: &SegmentReader) -> tantivy::Result<()> {
        for (ns, covered) in self.covered(reader, 0..self.documents)? {
            self.spaces.entry(ns).or_default().covered = covered;
        }
        Ok(())
    }

    /// The files among some documents, by namespace.
    fn covered(
        &self,
        reader: &SegmentReader,
        docs: impl Iterator<Item = DocId>,
    ) -> tantivy::Result<HashMap<NamespaceId, Covered>> {
        let outcomes = reader.fast_fields().u64("outcome")?;
        let mut covered: HashMap<NamespaceId, Covered> = HashMap::new();
        for doc in docs {
            if self.flags.first(doc) == Some(0) {
                let ns = NamespaceId(self.namespace.first(doc).unwrap_or(0));
                let here = covered.entry(ns).or_default();
                here.files += 1;
                here.searchable += u64::from(outcomes.first(doc).unwrap_or(0) != 0);
            }
        }
        Ok(covered)
    }

    /// The dictionary and postings of a text field.
    pub fn inverted(&self, field: Field) -> Option<&Arc<InvertedIndexReader>> {
        let mut known = self.inverted.iter();
        known
            .find(|(known, _)| *known == field)
            .map(|(_, inverted)| inverted)
    }

    /// How long documents are in a field; none for fields without lengths.
    pub fn norms(&self, field: Field) -> Option<&FieldNormReader> {
        let mut known = self.measured.iter();
        known
            .find(|(known, _)| *known == field)
            .map(|(_, norms)| norms)
    }

    /// True for old versions.
    pub fn is_past(&self, doc: DocId) -> bool {
        self.until.is_some() && self.flags.first(doc).unwrap_or(0) & FLAG_PAST != 0
    }

    /// What it has of a namespace.
    pub fn space(&self, ns: NamespaceId) -> Option<&Space> {
        self.spaces.get(&ns)
    }

    /// Those of `namespaces` (in order) that it has something of, in order.
    pub fn present(&self, namespaces: &[NamespaceId]) -> Vec<NamespaceId> {
        if self.spaces.len() >= namespaces.len() {
            let here = |ns: &NamespaceId| self.spaces.contains_key(ns);
            return namespaces.iter().copied().filter(here).collect();
        }
        let asked = |ns: &NamespaceId| namespaces.binary_search(ns).is_ok();
        let mut present: Vec<_> = self.spaces.keys().copied().filter(asked).collect();
        present.sort_unstable();
        present
    }

    /// True when it has files of no namespaces but these, old versions aside: what is found by words of the present is theirs.
    pub fn is_all(&self, present: &[NamespaceId]) -> bool {
        present.iter().filter(|ns| !past::is_side(**ns)).count() == self.fronts
    }

    /// Sums up how long the documents of a namespace are: field, documents, words.
    pub fn lengths(&self, space: &Space) -> [(Field, u64, u64); MEASURED] {
        std::array::from_fn(|i| (self.measured[i].0, space.lengths[i].0, space.lengths[i].1))
    }
}

/// The segments of one commit, and the account's namespaces in each.
pub struct Commit {
    /// In the searcher's order.
    pub segments: Vec<Part>,
    by_id: HashMap<SegmentId, usize>,
}

/// One segment of a search.
pub struct Part {
    /// The segment.
    pub segment: Arc<Segment>,
    /// The account's namespaces in it, in order.
    pub present: Vec<NamespaceId>,
    /// The share of its documents that are not replaced or gone.
    pub alive: f64,
    /// Its files that are replaced or gone.
    pub gone: Arc<HashMap<NamespaceId, Covered>>,
    own: OnceLock<Own>,
}

impl Part {
    /// The account's live documents in it.
    pub fn own(&self) -> &Own {
        self.own.get_or_init(|| self.segment.own(&self.present))
    }
}

impl Commit {
    /// The number of a segment among [`Self::segments`].
    pub fn number(&self, reader: &SegmentReader) -> Option<usize> {
        self.by_id.get(&reader.segment_id()).copied()
    }

    /// The languages other than English of what the account has, as far as their words have stems.
    pub fn languages(&self) -> Vec<Language> {
        let spaces = self.segments.iter().flat_map(|part| {
            let spaces = part.present.iter().filter_map(|ns| part.segment.space(*ns));
            spaces.map(|space| space.languages)
        });
        let present = spaces.fold(0, |all, some| all | some);
        let known = Language::stemmed().filter(|known| *known != Language::ENGLISH);
        known
            .filter(|known| present & (1 << known.number()) != 0)
            .collect()
    }

    /// A segment of this commit.
    pub fn part(&self, reader: &SegmentReader) -> tantivy::Result<&Part> {
        let part = self.number(reader).map(|number| &self.segments[number]);
        part.ok_or_else(|| {
            let what = format!("segment {} is of another commit", reader.segment_id());
            tantivy::TantivyError::InternalError(what)
        })
    }
}

/// Opened segments of all shards, as long as their commits have them. Cheap to clone.
#[derive(Clone, Default)]
pub struct Segments(Arc<Mutex<HashMap<u16, Opened>>>);

type Opened = HashMap<SegmentId, Known>;

/// A segment, and what of it a number of deletions took.
#[derive(Clone)]
struct Known {
    segment: Arc<Segment>,
    deletions: u32,
    gone: Arc<HashMap<NamespaceId, Covered>>,
}

impl Known {
    fn open(fields: &Fields, reader: &SegmentReader) -> tantivy::Result<Self> {
        Ok(Known {
            segment: Arc::new(Segment::open(fields, reader)?),
            deletions: 0,
            gone: Arc::default(),
        })
    }

    /// The same with the deletions of a commit; true when these are others.
    fn of(mut self, reader: &SegmentReader) -> tantivy::Result<(Self, bool)> {
        let deletions = reader.num_deleted_docs();
        let changed = deletions != self.deletions;
        if changed {
            let gone = (0..reader.max_doc()).filter(|doc| reader.is_deleted(*doc));
            self.gone = Arc::new(self.segment.covered(reader, gone)?);
            self.deletions = deletions;
        }
        Ok((self, changed))
    }
}

impl Segments {
    /// The segments of a shard's commit, for an account's namespaces (in order).
    pub fn of(&self, shard: u16, view: &ShardView, namespaces: &[NamespaceId]) -> Result<Commit> {
        let readers = view.searcher.segment_readers();
        let mut known = self.known(shard);
        let is_new = known.len() != readers.len();
        let mut opened = Opened::new();
        let (mut segments, mut by_id) = (Vec::new(), HashMap::new());
        let mut changed = is_new;
        for reader in readers {
            let id = reader.segment_id();
            let found = match known.remove(&id) {
                Some(found) => found,
                None => {
                    changed = true;
                    Known::open(&view.fields, reader)?
                }
            };
            let (found, has_other_deletions) = found.of(reader)?;
            changed |= has_other_deletions;
            by_id.insert(id, segments.len());
            opened.insert(id, found.clone());
            let Known { segment, gone, .. } = found;
            segments.push(Part {
                gone,
                present: segment.present(namespaces),
                alive: f64::from(reader.num_docs()) / f64::from(reader.max_doc().max(1)),
                own: OnceLock::new(),
                segment,
            });
        }
        if changed {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(shard, opened);
        }
        Ok(Commit { segments, by_id })
    }

    fn known(&self, shard: u16) -> Opened {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&shard).cloned().unwrap_or_default()
    }
}
