//! Walks a shard's matches: counts, facets and the best keys of a page. What is excluded or in another namespace is none of them. // I6

use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use indexer::exclusion::Exclusions;
use indexer::past;
use serde::{Deserialize, Serialize};
use storage::meta::{NamespaceId, Rev};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, Score, SegmentOrdinal, SegmentReader};

use crate::lately::{Doings, Lately};
use crate::request::{Members, Order};
use crate::segment::{Commit, Segment};

/// Scores are compared in steps of this, so that a page does not hang on the last bits of a float sum.
const SCORE_STEPS: f32 = 1024.0;
/// Documents that are looked at together.
const BLOCK: usize = COLLECT_BLOCK_BUFFER_LEN;
/// Blocks between two looks at the clock.
const CLOCK_EVERY: u32 = 64;
/// Extensions of a segment that are counted by number; where there are more, by a map.
const MAX_COUNTERS: usize = 4096;
/// Categories that there may be.
const CATEGORIES: usize = 16;
/// Boundaries of the age facet, days.
const AGES_DAYS: [i64; 4] = [1, 7, 30, 365];

/// Boundaries of the size facet, bytes.
const SIZES_BYTES: [u64; 5] = [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// A hit's place in the order; smaller is earlier. The file id and the member's number make it unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    number: i64,
    text: String,
    /// The file.
    pub file: u64,
    /// The member's number in it, from 1; 0 for the file itself; the rev of an old version, which is far greater.
    pub member: u64,
}

/// Members of a file are fewer; revs are greater.
const MOST_MEMBERS: u64 = 1 << 32;

impl Key {
    /// The old version that it stands for; none for what is there now.
    pub fn version(&self) -> Option<Rev> {
        (self.member >= MOST_MEMBERS).then_some(Rev(self.member))
    }

    /// The score of a hit that is ordered by relevance.
    pub fn score(&self) -> f64 {
        -self.number as f64 / f64::from(SCORE_STEPS)
    }
}

/// What is wanted of a shard's matches.
pub struct Page<'a> {
    /// The segments, and the account's namespaces in each.
    pub commit: &'a Arc<Commit>,
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
    /// What becomes of members that match.
    pub members: Members,
    /// Old versions may match: of a file's versions that do, the newest is the hit.
    pub newest: bool,
    /// Facets are counted.
    pub facets: bool,
    /// Facets of folders and namespaces are counted.
    pub places: bool,
    /// The clock of the search, milliseconds since 1970.
    pub now_ms: i64,
    /// What counts beside words.
    pub lately: Option<&'a Arc<Lately>>,
    /// When to stop.
    pub deadline: Instant,
}

/// What a shard has.
#[derive(Debug, Default, Serialize, Deserialize)]
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
    /// Matches by size, see [`SIZES`].
    pub size: [u64; 6],
    /// Matches by the number of their language.
    pub language: HashMap<u64, u64>,
    /// Matches by the folder they lie in.
    pub folder: HashMap<u64, u64>,
    /// Matches by namespace.
    pub namespace: HashMap<u64, u64>,
    /// The deadline came first.
    pub is_cut: bool,
}

/// Names of the age facet's values.
pub const AGES: [&str; 5] = ["today", "week", "month", "year", "older"];

/// Names of the size facet's values: the largest size of each but the last, as `size:` reads it.
pub const SIZES: [&str; 6] = ["10kb", "100kb", "1mb", "10mb", "100mb", "larger"];

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
        self.size
            .iter_mut()
            .zip(other.size)
            .for_each(|(sum, n)| *sum += n);
        add_all(&mut self.extension, other.extension);
        add_all(&mut self.language, other.language);
        add_all(&mut self.folder, other.folder);
        add_all(&mut self.namespace, other.namespace);
        self.keys.extend(other.keys);
        self.keys.sort_unstable();
        self.keys.truncate(limit);
    }
}

fn add_all<K: Eq + std::hash::Hash>(sums: &mut HashMap<K, u64>, counts: HashMap<K, u64>) {
    if sums.is_empty() {
        *sums = counts;
        return;
    }
    for (value, n) in counts {
        *sums.entry(value).or_default() += n;
    }
}

/// One segment of a page.
pub struct SegmentPage {
    segment: Arc<Segment>,
    /// The account's namespaces in the segment, in order; none when it has no others.
    namespaces: Option<Vec<NamespaceId>>,
    wanted: Wanted,
    matches: Matches,
    heap: BinaryHeap<Key>,
    extensions: Counters,
    /// The file whose members are matching, and its best score.
    file: Option<(DocId, Score)>,
    /// The file of which a version matched last.
    version: Option<u64>,
    block: Vec<(DocId, Score)>,
    blocks: u32,
}

/// What of [`Page`] a segment needs.
struct Wanted {
    exclusions: Exclusions,
    in_folders: bool,
    order: Order,
    after: Option<Key>,
    limit: usize,
    members: Members,
    newest: bool,
    facets: bool,
    places: bool,
    now_ms: i64,
    lately: Option<Arc<Lately>>,
    deadline: Instant,
}

/// Counts by number.
enum Counters {
    Few(Vec<u64>),
    Many(HashMap<u64, u64>),
}

impl Collector for Page<'_> {
    type Fruit = Matches;
    type Child = SegmentPage;

    fn for_segment(
        &self,
        _: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<SegmentPage> {
        let part = self.commit.part(reader)?;
        let segment = part.segment.clone();
        let only_ours = segment.is_all(&part.present);
        let extensions = segment
            .extension
            .as_ref()
            .map_or(0, |column| column.num_terms());
        let wanted = Wanted {
            exclusions: self.exclusions.clone(),
            in_folders: self.in_folders,
            order: self.order,
            after: self.after.cloned(),
            limit: self.limit,
            members: self.members,
            newest: self.newest,
            facets: self.facets,
            places: self.places,
            now_ms: self.now_ms,
            lately: self.lately.filter(|_| self.requires_scoring()).cloned(),
            deadline: self.deadline,
        };
        Ok(SegmentPage {
            namespaces: (!only_ours).then(|| part.present.clone()),
            segment,
            wanted,
            matches: Matches::default(),
            heap: BinaryHeap::new(),
            extensions: Counters::new(extensions),
            file: None,
            version: None,
            block: Vec::with_capacity(BLOCK),
            blocks: 0,
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
        if self.wanted.newest && !self.is_newest(doc) {
            return;
        }
        match &self.segment.member {
            Some(numbers) if self.wanted.members == Members::File => {
                // Members stand right behind their file.
                let number = numbers.first(doc).unwrap_or(0);
                self.see(doc - number.min(u64::from(doc)) as DocId, score);
            }
            _ => self.take(doc, score),
        }
    }

    fn harvest(mut self) -> Matches {
        if let Some((doc, score)) = self.file.take() {
            self.take(doc, score);
        }
        self.look();
        self.matches.keys = self.heap.into_sorted_vec();
        let named = self.segment.extension.as_ref();
        for (ordinal, n) in self.extensions.counted() {
            let mut text = String::new();
            // A value that cannot be read is not counted by name; it stays in the total.
            if named.is_some_and(|column| column.ord_to_str(ordinal, &mut text).unwrap_or(false)) {
                self.matches.extension.insert(text, n);
            }
        }
        self.matches
    }
}

impl SegmentPage {
    fn take(&mut self, doc: DocId, score: Score) {
        self.block.push((doc, score));
        if self.block.len() == BLOCK {
            self.look();
        }
    }

    /// False for versions of a file of which a newer one matched: a file's versions stand behind it, newest first.
    fn is_newest(&mut self, doc: DocId) -> bool {
        let is_past = self.segment.is_past(doc);
        let member = self
            .segment
            .member
            .as_ref()
            .and_then(|numbers| numbers.first(doc));
        if member.is_some() && !is_past {
            return true;
        }
        let file = self.segment.file.first(doc);
        let is_same = is_past && self.version == file;
        self.version = file;
        !is_same
    }

    /// A match in a file, which counts once, as its best one.
    fn see(&mut self, file: DocId, score: Score) {
        match self.file.replace((file, score)) {
            Some((last, best)) if last == file => self.file = Some((file, score.max(best))),
            Some((last, best)) => self.take(last, best),
            None => {}
        }
    }

    /// Takes in the documents of a block.
    fn look(&mut self) {
        self.blocks = self.blocks.wrapping_add(1);
        let is_time = self.blocks.is_multiple_of(CLOCK_EVERY);
        if is_time && Instant::now() >= self.wanted.deadline {
            self.matches.is_cut = true;
        }
        let mut block = std::mem::take(&mut self.block);
        if !self.matches.is_cut && !block.is_empty() {
            self.drop_others(&mut block);
            self.drop_excluded(&mut block);
            self.drop_members(&mut block);
            self.matches.total += block.len() as u64;
            if self.wanted.facets {
                self.count(&block);
            }
            if self.wanted.places {
                self.count_places(&block);
            }
            for (doc, score) in &block {
                self.keep(*doc, *score);
            }
        }
        block.clear();
        self.block = block;
    }

    /// What is in another namespace is none of ours. // I6
    fn drop_others(&self, block: &mut Vec<(DocId, Score)>) {
        let Some(ours) = &self.namespaces else { return };
        let found = values(&self.segment.namespace, block);
        retain(block, |i| {
            let ns = NamespaceId(found[i].unwrap_or(0));
            ours.binary_search(&ns).is_ok()
        });
    }

    /// What has gone since the commit is no match. // I6
    fn drop_excluded(&self, block: &mut Vec<(DocId, Score)>) {
        let (exclusions, in_folders) = (&self.wanted.exclusions, self.wanted.in_folders);
        if exclusions.is_empty() && !in_folders {
            return;
        }
        let files = values(&self.segment.file, block);
        retain(block, |i| {
            let file = files[i].unwrap_or(0);
            let is_gone = exclusions.contains(file);
            let has_left = in_folders && exclusions.is_moved(file);
            !is_gone && !has_left
        });
    }

    fn drop_members(&self, block: &mut Vec<(DocId, Score)>) {
        if let Some(numbers) = &self.segment.member
            && self.wanted.members == Members::None
        {
            let found = values(numbers, block);
            let is_past: Vec<_> = block
                .iter()
                .map(|(doc, _)| self.segment.is_past(*doc))
                .collect();
            retain(block, |i| found[i].is_none() || is_past[i]);
        }
    }

    fn count(&mut self, block: &[(DocId, Score)]) {
        let segment = &self.segment;
        let known = ..block.len();
        for category in &values(&segment.category, block)[known] {
            let category = category.unwrap_or(0) as usize;
            self.matches.category[category.min(CATEGORIES - 1)] += 1;
        }
        for modified in &values(&segment.modified, block)[known] {
            let days = (self.wanted.now_ms - modified.unwrap_or(0)) / 86_400_000;
            let age = AGES_DAYS.iter().position(|age| days < *age);
            self.matches.age[age.unwrap_or(AGES_DAYS.len())] += 1;
        }
        for size in &values(&segment.size, block)[known] {
            let size = size.unwrap_or(0);
            let larger = SIZES_BYTES.iter().position(|most| size <= *most);
            self.matches.size[larger.unwrap_or(SIZES_BYTES.len())] += 1;
        }
        for language in values(&segment.language, block)[known].iter().flatten() {
            if *language > 0 {
                *self.matches.language.entry(*language).or_default() += 1;
            }
        }
        if let Some(column) = &segment.extension {
            for ordinal in values(column.ords(), block)[known].iter().flatten() {
                self.extensions.add(*ordinal);
            }
        }
    }

    fn count_places(&mut self, block: &[(DocId, Score)]) {
        let known = ..block.len();
        for folder in values(&self.segment.below, block)[known].iter().flatten() {
            *self.matches.folder.entry(*folder).or_default() += 1;
        }
        for ns in values(&self.segment.namespace, block)[known]
            .iter()
            .flatten()
        {
            let ns = past::front_of(NamespaceId(*ns)).0;
            *self.matches.namespace.entry(ns).or_default() += 1;
        }
    }

    fn keep(&mut self, doc: DocId, score: Score) {
        let full = self.heap.len() >= self.wanted.limit;
        let lately = self.wanted.lately.as_ref();
        let best = self.number(doc, score * lately.map_or(1.0, |lately| lately.most()));
        if full && self.heap.peek().is_none_or(|last| best > last.number) {
            return;
        }
        let number = match lately {
            Some(lately) => self.number(doc, score * lately.factor(self.doings(doc))),
            None => best,
        };
        let key = Key {
            number,
            text: self.text(doc),
            file: self.segment.file.first(doc).unwrap_or(0),
            member: match (&self.segment.member, self.wanted.members) {
                _ if self.segment.is_past(doc) => self.segment.rev.first(doc).unwrap_or(0),
                (Some(numbers), Members::Own) => numbers.first(doc).unwrap_or(0),
                _ => 0,
            },
        };
        let late = full && self.heap.peek().is_none_or(|last| key >= *last);
        if late
            || self
                .wanted
                .after
                .as_ref()
                .is_some_and(|after| key <= *after)
        {
            return;
        }
        if full {
            self.heap.pop();
        }
        self.heap.push(key);
    }

    fn doings(&self, doc: DocId) -> Doings {
        let segment = &self.segment;
        Doings {
            file: segment.file.first(doc).unwrap_or(0),
            modified_ms: segment.modified.first(doc).unwrap_or(0),
            author: segment.author.first(doc).unwrap_or(0),
            rev: segment.rev.first(doc).unwrap_or(0),
        }
    }

    fn number(&self, doc: DocId, score: Score) -> i64 {
        let segment = &self.segment;
        match self.wanted.order {
            Order::Relevance => -((score * SCORE_STEPS).round() as i64),
            Order::Modified => segment.modified.first(doc).unwrap_or(0).saturating_neg(),
            Order::Size => -(segment.size.first(doc).unwrap_or(0).min(i64::MAX as u64) as i64),
            Order::Name => 0,
        }
    }

    fn text(&self, doc: DocId) -> String {
        let mut text = String::new();
        if self.wanted.order == Order::Name
            && let Some(column) = &self.segment.name
            && let Some(ordinal) = column.term_ords(doc).next()
            && !column.ord_to_str(ordinal, &mut text).unwrap_or(false)
        {
            text.clear();
        }
        text
    }
}

/// The values of a block's documents, in their order.
fn values<T: Copy + PartialOrd + std::fmt::Debug + Send + Sync + 'static>(
    column: &Column<T>,
    block: &[(DocId, Score)],
) -> [Option<T>; BLOCK] {
    let (mut docs, mut found) = ([0; BLOCK], [None; BLOCK]);
    for (into, (doc, _)) in docs.iter_mut().zip(block) {
        *into = *doc;
    }
    column.first_vals(&docs[..block.len()], &mut found[..block.len()]);
    found
}

/// Keeps the documents of a block that `keeps` says yes to, by their place in it.
fn retain(block: &mut Vec<(DocId, Score)>, keeps: impl Fn(usize) -> bool) {
    let mut place = 0..;
    block.retain(|_| place.next().is_some_and(&keeps));
}

impl Counters {
    fn new(numbers: usize) -> Self {
        match numbers {
            0..=MAX_COUNTERS => Counters::Few(vec![0; numbers]),
            _ => Counters::Many(HashMap::new()),
        }
    }

    fn add(&mut self, number: u64) {
        match self {
            Counters::Few(counts) => {
                if let Some(count) = counts.get_mut(number as usize) {
                    *count += 1;
                }
            }
            Counters::Many(counts) => *counts.entry(number).or_default() += 1,
        }
    }

    fn counted(self) -> Vec<(u64, u64)> {
        let some = |(_, n): &(u64, u64)| *n > 0;
        match self {
            Counters::Few(counts) => (0..).zip(counts).filter(some).collect(),
            Counters::Many(counts) => counts.into_iter().collect(),
        }
    }
}
