//! What facets count of each document of a segment, put together once: twelve bytes a document, in the documents' order.
//!
//! Read column by column, the facets of half a million matches cost more than finding and ranking them (docs/benchmarks.md).

use std::collections::HashMap;
use std::hash::Hash;

use storage::meta::NamespaceId;
use tantivy::columnar::Column;
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId};

use crate::collect::range_of;

/// Documents that are read together.
const BLOCK: usize = COLLECT_BLOCK_BUFFER_LEN;

/// The facts of a segment's documents.
#[derive(Default)]
pub struct Facts {
    documents: Vec<Fact>,
    /// The classes that there are.
    pub classes: Vec<Class>,
    /// The places that there are.
    pub places: Vec<Place>,
    /// The namespaces of places.
    pub spaces: Vec<NamespaceId>,
}

/// What is known of one document.
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    /// When it was modified, whole seconds since 1970, rounded up; what lies outside of a `u32` is at its end.
    pub modified_s: u32,
    /// The number of its class.
    pub class: u32,
    /// The number of its place.
    pub place: u32,
}

/// What documents have in common that facets tell apart, but for their age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Class {
    /// The category's code.
    pub category: u8,
    /// The number of the size's range.
    pub size: u8,
    /// The language's number; 0 for none.
    pub language: u8,
    /// The extension's number in the segment.
    pub extension: Option<u32>,
}

/// A folder in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The folder; none for what lies in none.
    pub folder: Option<u64>,
    /// The number of its namespace among the segment's.
    pub space: u32,
}

/// The columns that facts are put together from.
pub struct Columns<'a> {
    /// Times of modification, milliseconds.
    pub modified: &'a Column<i64>,
    /// Categories' codes.
    pub category: &'a Column<u64>,
    /// Bytes.
    pub size: &'a Column<u64>,
    /// Languages' numbers.
    pub language: &'a Column<u64>,
    /// Numbers of extensions.
    pub extension: Option<&'a Column<u64>>,
    /// Folders.
    pub below: &'a Column<u64>,
    /// Namespaces.
    pub namespace: &'a Column<u64>,
}

impl Facts {
    /// Reads the facts of so many documents.
    pub fn read(documents: u32, columns: &Columns<'_>) -> Self {
        let mut facts = Facts {
            documents: Vec::with_capacity(documents as usize),
            ..Facts::default()
        };
        let (mut classes, mut places, mut spaces) =
            (Numbers::new(), Numbers::new(), Numbers::new());
        for first in (0..documents).step_by(BLOCK) {
            let mut docs = [first; BLOCK];
            for (doc, at) in docs.iter_mut().zip(0..) {
                *doc = first + at;
            }
            let docs = &docs[..BLOCK.min((documents - first) as usize)];
            let (modified, below) = (values(columns.modified, docs), values(columns.below, docs));
            let (category, size) = (values(columns.category, docs), values(columns.size, docs));
            let language = values(columns.language, docs);
            let extension = columns.extension.map(|column| values(column, docs));
            let namespace = values(columns.namespace, docs);
            for i in 0..docs.len() {
                let class = Class {
                    category: small(category[i].unwrap_or(0)),
                    size: small(range_of(size[i].unwrap_or(0)) as u64),
                    language: small(language[i].unwrap_or(0)),
                    extension: extension.and_then(|of| of[i]).map(|number| number as u32),
                };
                let ns = NamespaceId(namespace[i].unwrap_or(0));
                let place = Place {
                    folder: below[i],
                    space: spaces.of(ns, &mut facts.spaces),
                };
                facts.documents.push(Fact {
                    modified_s: seconds(modified[i].unwrap_or(0)),
                    class: classes.of(class, &mut facts.classes),
                    place: places.of(place, &mut facts.places),
                });
            }
        }
        facts
    }

    /// The facts of a document.
    #[inline]
    pub fn of(&self, doc: DocId) -> Fact {
        self.documents[doc as usize]
    }

    /// Which of the segment's namespaces are among these, in order.
    pub fn among(&self, namespaces: &[NamespaceId]) -> Vec<bool> {
        let is_among = |ns: &NamespaceId| namespaces.binary_search(ns).is_ok();
        self.spaces.iter().map(is_among).collect()
    }
}

/// Rounded up: of a time in whole seconds, what is later than it stays later.
fn seconds(ms: i64) -> u32 {
    let seconds = ms.div_euclid(1000) + i64::from(ms.rem_euclid(1000) > 0);
    seconds.clamp(0, u32::MAX.into()) as u32
}

fn small(number: u64) -> u8 {
    number.min(u8::MAX.into()) as u8
}

fn values<T: Copy + PartialOrd + std::fmt::Debug + Send + Sync + 'static>(
    column: &Column<T>,
    docs: &[DocId],
) -> [Option<T>; BLOCK] {
    let mut found = [None; BLOCK];
    column.first_vals(docs, &mut found[..docs.len()]);
    found
}

/// Numbers of values in the order in which they come; the same one often comes again and again.
struct Numbers<T> {
    known: HashMap<T, u32>,
    last: Option<(T, u32)>,
}

impl<T: Copy + Eq + Hash> Numbers<T> {
    fn new() -> Self {
        Numbers {
            known: HashMap::new(),
            last: None,
        }
    }

    fn of(&mut self, value: T, all: &mut Vec<T>) -> u32 {
        if let Some((last, number)) = self.last
            && last == value
        {
            return number;
        }
        let number = *self.known.entry(value).or_insert_with(|| {
            all.push(value);
            (all.len() - 1) as u32
        });
        self.last = Some((value, number));
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up_within_bounds() {
        for (ms, expected) in [
            (0, 0),
            (1, 1),
            (1000, 1),
            (1001, 2),
            (-1, 0),
            (-5000, 0),
            (i64::MAX, u32::MAX),
            (i64::MIN, 0),
        ] {
            assert_eq!(seconds(ms), expected, "{ms}");
        }
    }

    #[test]
    fn values_are_numbered_as_they_come() {
        let (mut numbers, mut all) = (Numbers::new(), Vec::new());
        let given: Vec<_> = "abbacab".chars().map(|c| numbers.of(c, &mut all)).collect();
        assert_eq!(given, [0, 1, 1, 0, 2, 0, 1]);
        assert_eq!(all, ['a', 'b', 'c']);
    }
}
