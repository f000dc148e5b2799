//! Walks a shard's matches: counts, facets and the best keys of a page. What is excluded or in another namespace is none of them. // I6

use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use indexer::exclusion::Exclusions;
use indexer::schema::Fields;
use serde::{Deserialize, Serialize};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use crate::request::Order;

/// Scores are compared in steps of this, so that a page does not hang on the last bits of a float sum.
const SCORE_STEPS: f32 = 1024.0;
/// Documents between two looks at the clock.
const CLOCK_EVERY: u32 = 4096;
/// Categories that there may be.
const CATEGORIES: usize = 16;
/// Boundaries of the age facet, days.
const AGES_DAYS: [i64; 4] = [1, 7, 30, 365];

/// A hit's place in the order; smaller is earlier. The file id makes it unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    number: i64,
    text: String,
    /// The file.
    pub file: u64,
}

/// What is wanted of a shard's matches.
pub struct Page<'a> {
    /// The fields.
    pub fields: &'a Fields,
    /// The account's namespaces.
    pub namespaces: &'a Arc<HashSet<u64>>,
    /// What has gone since the commit.
    pub exclusions: &'a Exclusions,
    /// The search is limited to folders: what lies in another one since the commit is none of it.
    pub in_folders: bool,
    /// The order.
    pub order: Order,
    /// Only what comes after this.
    pub after: Option<&'a Key>,
    /// Keys at most.
    pub limit: usize,
    /// Facets are counted.
    pub facets: bool,
    /// The clock of the search, milliseconds since 1970.
    pub now_ms: i64,
    /// When to stop.
    pub deadline: Instant,
}

/// What a shard has.
#[derive(Debug, Default)]
pub struct Matches {
    /// All matches.
    pub total: u64,
    /// The first keys in order.
    pub keys: Vec<Key>,
    /// Matches by category code.
    pub category: [u64; CATEGORIES],
    /// Matches by extension.
    pub extension: HashMap<String, u64>,
    /// Matches by age, see [`AGES`].
    pub age: [u64; 5],
    /// The deadline came first.
    pub is_cut: bool,
}

/// Names of the age facet's values.
pub const AGES: [&str; 5] = ["today", "week", "month", "year", "older"];

impl Matches {
    /// Takes in another part; keeps the first `limit` keys.
    pub fn merge(&mut self, other: Matches, limit: usize) {
        self.total += other.total;
        self.is_cut |= other.is_cut;
        self.category
            .iter_mut()
            .zip(other.category)
            .for_each(|(sum, n)| *sum += n);
        self.age
            .iter_mut()
            .zip(other.age)
            .for_each(|(sum, n)| *sum += n);
        for (extension, n) in other.extension {
            *self.extension.entry(extension).or_default() += n;
        }
        self.keys.extend(other.keys);
        self.keys.sort_unstable();
        self.keys.truncate(limit);
    }
}

/// One segment of a page.
pub struct SegmentPage {
    page: SegmentColumns,
    matches: Matches,
    heap: BinaryHeap<Key>,
    extensions: HashMap<u64, u64>,
    seen: u32,
}

struct SegmentColumns {
    file: Column<u64>,
    namespace: Column<u64>,
    category: Column<u64>,
    modified: Column<i64>,
    size: Column<u64>,
    name: Option<StrColumn>,
    extension: Option<StrColumn>,
    namespaces: Arc<HashSet<u64>>,
    exclusions: Exclusions,
    in_folders: bool,
    order: Order,
    after: Option<Key>,
    limit: usize,
    facets: bool,
    now_ms: i64,
    deadline: Instant,
}

impl Collector for Page<'_> {
    type Fruit = Matches;
    type Child = SegmentPage;

    fn for_segment(
        &self,
        _: SegmentOrdinal,
        segment: &SegmentReader,
    ) -> tantivy::Result<SegmentPage> {
        let columns = segment.fast_fields();
        let name = |field| segment.schema().get_field_name(field);
        let page = SegmentColumns {
            file: columns.u64(name(self.fields.file))?,
            namespace: columns.u64(name(self.fields.namespace))?,
            category: columns.u64(name(self.fields.category))?,
            modified: columns.i64(name(self.fields.modified))?,
            size: columns.u64(name(self.fields.size))?,
            name: columns.str(name(self.fields.sort_name))?,
            extension: columns.str(name(self.fields.extension))?,
            namespaces: self.namespaces.clone(),
            exclusions: self.exclusions.clone(),
            in_folders: self.in_folders,
            order: self.order,
            after: self.after.cloned(),
            limit: self.limit,
            facets: self.facets,
            now_ms: self.now_ms,
            deadline: self.deadline,
        };
        Ok(SegmentPage {
            page,
            matches: Matches::default(),
            heap: BinaryHeap::new(),
            extensions: HashMap::new(),
            seen: 0,
        })
    }

    fn requires_scoring(&self) -> bool {
        self.order == Order::Relevance
    }

    fn merge_fruits(&self, segments: Vec<Matches>) -> tantivy::Result<Matches> {
        let mut all = Matches::default();
        for segment in segments {
            all.merge(segment, self.limit);
        }
        Ok(all)
    }
}

impl SegmentCollector for SegmentPage {
    type Fruit = Matches;

    fn collect(&mut self, doc: DocId, score: Score) {
        self.seen = self.seen.wrapping_add(1);
        if self.seen.is_multiple_of(CLOCK_EVERY) && Instant::now() >= self.page.deadline {
            self.matches.is_cut = true;
        }
        if self.matches.is_cut {
            return;
        }
        let page = &self.page;
        let value = |column: &Column<u64>| column.first(doc).unwrap_or(0);
        let file = value(&page.file);
        if page.exclusions.contains(file) || !page.namespaces.contains(&value(&page.namespace)) {
            return;
        }
        if page.in_folders && page.exclusions.is_moved(file) {
            return;
        }
        self.matches.total += 1;
        if page.facets {
            self.count(doc);
        }
        self.keep(doc, score, file);
    }

    fn harvest(mut self) -> Matches {
        self.matches.keys = self.heap.into_sorted_vec();
        if let Some(column) = &self.page.extension {
            for (ordinal, n) in self.extensions {
                let mut text = String::new();
                // A value that cannot be read is not counted by name; it stays in the total.
                if column.ord_to_str(ordinal, &mut text).unwrap_or(false) {
                    self.matches.extension.insert(text, n);
                }
            }
        }
        self.matches
    }
}

impl SegmentPage {
    fn count(&mut self, doc: DocId) {
        let page = &self.page;
        let category = page.category.first(doc).unwrap_or(0) as usize;
        self.matches.category[category.min(CATEGORIES - 1)] += 1;
        if let Some(ordinal) = page
            .extension
            .as_ref()
            .and_then(|column| column.term_ords(doc).next())
        {
            *self.extensions.entry(ordinal).or_default() += 1;
        }
        let days = (page.now_ms - page.modified.first(doc).unwrap_or(0)) / 86_400_000;
        self.matches.age[AGES_DAYS
            .iter()
            .position(|age| days < *age)
            .unwrap_or(AGES_DAYS.len())] += 1;
    }

    fn keep(&mut self, doc: DocId, score: Score, file: u64) {
        let key = self.page.key(doc, score, file);
        let full = self.heap.len() >= self.page.limit;
        let late = full && self.heap.peek().is_none_or(|last| key >= *last);
        if late || self.page.after.as_ref().is_some_and(|after| key <= *after) {
            return;
        }
        if full {
            self.heap.pop();
        }
        self.heap.push(key);
    }
}

impl SegmentColumns {
    fn key(&self, doc: DocId, score: Score, file: u64) -> Key {
        let mut text = String::new();
        let number = match self.order {
            Order::Relevance => -((score * SCORE_STEPS).round() as i64),
            Order::Modified => self.modified.first(doc).unwrap_or(0).saturating_neg(),
            Order::Size => -(self.size.first(doc).unwrap_or(0).min(i64::MAX as u64) as i64),
            Order::Name => {
                if let Some(column) = &self.name
                    && let Some(ordinal) = column.term_ords(doc).next()
                    && !column.ord_to_str(ordinal, &mut text).unwrap_or(false)
                {
                    text.clear();
                }
                0
            }
        };
        Key { number, text, file }
    }
}
