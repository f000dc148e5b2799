//! Walks a shard's matches: counts, facets and the best keys of a page. What is excluded or in another namespace is none of them. // I6

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use indexer::document::category_code;
use indexer::exclusion::Exclusions;
use indexer::extract::Category;
use indexer::past;
use serde::{Deserialize, Serialize};
use storage::meta::Rev;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use crate::facts::Fact;
use crate::lately::{Doings, Lately};
use crate::request::{Members, Order};
use crate::segment::{Commit, Segment};

/// Scores are compared in steps of this, so that a page does not hang on the last bits of a float sum.
const SCORE_STEPS: f32 = 1024.0;
/// Matches between two looks at the clock.
const CLOCK_EVERY: u64 = 4096;
/// Categories that there may be.
const CATEGORIES: usize = 16;
/// Boundaries of the age facet, days.
const AGES_DAYS: [i64; 4] = [1, 7, 30, 365];

/// Boundaries of the size facet, bytes.
const SIZES_BYTES: [u64; 5] = [10 << 10, 100 << 10, 1 << 20, 10 << 20, 100 << 20];

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

    /// True when it stands before a hit with this number of another file, whatever else that has.
    fn is_before(&self, number: i64, file: impl FnOnce() -> u64) -> bool {
        match number.cmp(&self.number) {
            Ordering::Less => false,
            Ordering::Equal => self.text.is_empty() && file() > self.file,
            Ordering::Greater => true,
        }
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

/// The number of a size's range among [`SIZES`].
pub fn range_of(bytes: u64) -> usize {
    let larger = SIZES_BYTES.iter().position(|most| bytes <= *most);
    larger.unwrap_or(SIZES_BYTES.len())
}

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
    /// Which of the segment's namespaces are the account's; none when it has no others.
    ours: Option<Vec<bool>>,
    wanted: Wanted,
    matches: Matches,
    heap: BinaryHeap<Key>,
    /// Matches by class.
    classes: Vec<u64>,
    places: Runs,
    /// What was modified at these seconds or before is as old as [`AGES_DAYS`] say.
    ages: [i64; AGES_DAYS.len()],
    /// The file whose members are matching, and its best score.
    file: Option<(DocId, Score)>,
    /// The file of which a version matched last.
    version: Option<u64>,
    seen: u64,
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
    lately: Option<Arc<Lately>>,
    deadline: Instant,
}

/// Counts of values of which the same one often comes again and again.
#[derive(Default)]
struct Runs {
    counts: HashMap<u32, u64>,
    last: u32,
    run: u64,
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
        let classes = match self.facets {
            true => segment.facts.classes.len(),
            false => 0,
        };
        let day = |days: &i64| self.now_ms / 1000 - days * 86_400;
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
            lately: self.lately.filter(|_| self.requires_scoring()).cloned(),
            deadline: self.deadline,
        };
        Ok(SegmentPage {
            ours: (!only_ours).then(|| segment.facts.among(&part.present)),
            wanted,
            matches: Matches::default(),
            heap: BinaryHeap::new(),
            classes: vec![0; classes],
            places: Runs::default(),
            ages: std::array::from_fn(|age| day(&AGES_DAYS[age])),
            segment,
            file: None,
            version: None,
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
        self.tell_classes();
        self.tell_places();
        self.matches.keys = self.heap.into_sorted_vec();
        self.matches
    }
}

impl SegmentPage {
    fn take(&mut self, doc: DocId, score: Score) {
        self.seen += 1;
        if self.seen.is_multiple_of(CLOCK_EVERY) && Instant::now() >= self.wanted.deadline {
            self.matches.is_cut = true;
        }
        if self.matches.is_cut {
            return;
        }
        let fact = self.segment.facts.of(doc);
        if self.is_others(fact) || self.is_excluded(doc) || self.is_member(doc) {
            return;
        }
        self.matches.total += 1;
        if self.wanted.facets {
            self.classes[fact.class as usize] += 1;
            let modified = i64::from(fact.modified_s);
            let age = self.ages.iter().position(|age| modified > *age);
            self.matches.age[age.unwrap_or(AGES_DAYS.len())] += 1;
        }
        if self.wanted.places {
            self.places.add(fact.place);
        }
        if self.wanted.limit > 0 {
            self.keep(doc, score);
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

    /// What is in another namespace is none of ours. // I6
    fn is_others(&self, fact: Fact) -> bool {
        let place = |ours: &Vec<bool>| {
            let place = self.segment.facts.places[fact.place as usize];
            !ours[place.space as usize]
        };
        self.ours.as_ref().is_some_and(place)
    }

    /// What has gone since the commit is no match. // I6
    fn is_excluded(&self, doc: DocId) -> bool {
        let (exclusions, in_folders) = (&self.wanted.exclusions, self.wanted.in_folders);
        if exclusions.is_empty() && !in_folders {
            return false;
        }
        let file = self.segment.file.first(doc).unwrap_or(0);
        exclusions.contains(file) || (in_folders && exclusions.is_moved(file))
    }

    /// Members may be no matches.
    fn is_member(&self, doc: DocId) -> bool {
        let number = |numbers: &Column<u64>| numbers.first(doc).is_some();
        self.wanted.members == Members::None
            && self.segment.member.as_ref().is_some_and(number)
            && !self.segment.is_past(doc)
    }

    fn tell_classes(&mut self) {
        let named = self.segment.extension.as_ref();
        let folder = category_code(Category::Folder); // has no size
        let mut extensions: HashMap<u32, u64> = HashMap::new();
        let counted = self.segment.facts.classes.iter().zip(&self.classes);
        for (class, n) in counted.filter(|(_, n)| **n > 0) {
            let category = usize::from(class.category).min(CATEGORIES - 1);
            self.matches.category[category] += n;
            if u64::from(class.category) != folder {
                self.matches.size[usize::from(class.size)] += n;
            }
            if class.language > 0 {
                let language = self.matches.language.entry(class.language.into());
                *language.or_default() += n;
            }
            if let Some(extension) = class.extension {
                *extensions.entry(extension).or_default() += n;
            }
        }
        for (number, n) in extensions {
            let mut text = String::new();
            let read = |column: &StrColumn| column.ord_to_str(number.into(), &mut text);
            // A value that cannot be read is not counted by name; it stays in the total.
            if named.map(read).is_some_and(|read| read.unwrap_or(false)) {
                self.matches.extension.insert(text, n);
            }
        }
    }

    fn tell_places(&mut self) {
        let facts = &self.segment.facts;
        for (place, n) in std::mem::take(&mut self.places).counted() {
            let place = facts.places[place as usize];
            if let Some(folder) = place.folder {
                *self.matches.folder.entry(folder).or_default() += n;
            }
            let ns = past::front_of(facts.spaces[place.space as usize]).0;
            *self.matches.namespace.entry(ns).or_default() += n;
        }
    }

    fn keep(&mut self, doc: DocId, score: Score) {
        let full = self.heap.len() >= self.wanted.limit;
        let lately = self.wanted.lately.as_ref();
        let best = self.number(doc, score * lately.map_or(1.0, |lately| lately.most()));
        let file = || self.segment.file.first(doc).unwrap_or(0);
        if full
            && self
                .heap
                .peek()
                .is_none_or(|last| last.is_before(best, file))
        {
            return;
        }
        let number = match lately {
            Some(lately) => self.number(doc, score * lately.factor(self.doings(doc))),
            None => best,
        };
        let key = Key {
            number,
            text: self.text(doc),
            file: file(),
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
            Order::Relevance => -((score * SCORE_STEPS + 0.5) as i64), // no score is negative
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

impl Runs {
    fn add(&mut self, value: u32) {
        if value != self.last {
            self.end();
            self.last = value;
        }
        self.run += 1;
    }

    fn end(&mut self) {
        if self.run > 0 {
            *self.counts.entry(self.last).or_default() += self.run;
            self.run = 0;
        }
    }

    fn counted(mut self) -> HashMap<u32, u64> {
        self.end();
        self.counts
    }
}
