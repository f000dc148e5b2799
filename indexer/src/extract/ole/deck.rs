//! The slides of a presentation in the order in which they are shown, each with its outline, number and notes.

use std::collections::{HashMap, HashSet};

use super::super::job::Job;
use super::persist::Persist;
use super::powerpoint::{
    DOCUMENT, HANDOUT, LIST, MASTER, MAX_DEPTH, NOTES, Place, SLIDE, children, record, record_at,
    walk,
};
use super::{u16_at, u32_at};

/// Slides that are read.
const MAX_SLIDES: usize = 20_000;

const DOCUMENT_ATOM: u16 = 0x03E9;
const NOTES_ATOM: u16 = 0x03F1;
const SLIDE_PERSIST: u16 = 0x03F3;
/// Where in a text the slide's number is drawn.
const NUMBER_MARK: u16 = 0x0FD8;
const HEADER_FOOTER: u16 = 0x0FD9;
const HEADER_FOOTER_ATOM: u16 = 0x0FDA;
/// The instance of what headers and footers all slides have.
const ALL_SLIDES: u16 = 3;
/// The flag of a slide that shows its number.
const SHOWS_NUMBER: u16 = 8;

/// A kind of list: slides with their outlines, masters.
const SLIDES: u16 = 0;
const MASTERS: u16 = 1;

type Record<'b> = (u16, u16, &'b [u8]);

/// The parts of a presentation.
pub(super) struct Deck<'b> {
    stream: &'b [u8],
    document: &'b [u8],
    slides: Vec<Slide<'b>>,
    masters: HashSet<usize>,
    /// Notes by their slides' ids.
    notes: HashMap<u32, &'b [u8]>,
    live: HashSet<usize>,
}

struct Slide<'b> {
    id: u32,
    body: &'b [u8],
    /// The texts of its placeholders, where the document keeps them.
    outline: Vec<Record<'b>>,
}

impl<'b> Deck<'b> {
    /// What the directory leads to; none where it leads elsewhere.
    pub fn of(stream: &'b [u8], persist: &Persist) -> Option<Self> {
        let (_, DOCUMENT, document) = record_at(stream, persist.document)? else {
            return None;
        };
        let mut deck = Self {
            stream,
            document,
            slides: Vec::new(),
            masters: HashSet::new(),
            notes: HashMap::new(),
            live: persist.places(),
        };
        for (head, kind, list) in children(document) {
            match (kind, head >> 4) {
                (LIST, SLIDES) => deck.add_slides(list, persist)?,
                (LIST, MASTERS) => deck.add_masters(list, persist),
                _ => {}
            }
        }
        // Notes and handouts have masters too; the document names them.
        let atom = children(document).find(|(_, kind, _)| *kind == DOCUMENT_ATOM);
        let atom = atom.map_or(&[][..], |(_, _, body)| body);
        let others = [24, 28]
            .into_iter()
            .filter_map(|at| persist.place(u32_at(atom, at)?));
        deck.masters.extend(others);
        deck.add_notes();
        (!deck.slides.is_empty()).then_some(deck)
    }

    fn add_slides(&mut self, list: &'b [u8], persist: &Persist) -> Option<()> {
        for entry in children(list) {
            if entry.1 != SLIDE_PERSIST {
                if let Some(slide) = self.slides.last_mut() {
                    slide.outline.push(entry);
                }
                continue;
            }
            let place = persist.place(u32_at(entry.2, 0)?)?;
            let (_, SLIDE, body) = record_at(self.stream, place)? else {
                return None;
            };
            if self.slides.len() == MAX_SLIDES {
                return None;
            }
            self.live.remove(&place);
            self.slides.push(Slide {
                id: u32_at(entry.2, 12)?,
                body,
                outline: Vec::new(),
            });
        }
        Some(())
    }

    fn add_masters(&mut self, list: &[u8], persist: &Persist) {
        let entries = children(list).filter(|(_, kind, _)| *kind == SLIDE_PERSIST);
        let places = entries.filter_map(|(_, _, body)| persist.place(u32_at(body, 0)?));
        self.masters.extend(places);
    }

    fn add_notes(&mut self) {
        let shown: HashSet<u32> = self.slides.iter().map(|slide| slide.id).collect();
        for (place, (_, kind, body)) in placed(self.stream) {
            let is_notes = kind == NOTES && self.live.contains(&place);
            if let Some(slide) = is_notes.then(|| slide_of(body)).flatten()
                && shown.contains(&slide)
            {
                self.live.remove(&place);
                self.notes.insert(slide, body);
            }
        }
    }

    /// Writes what is not any slide's, then slide by slide.
    pub fn write(&self, job: &mut Job) {
        let mut records = 0;
        let top = Place::under(DOCUMENT);
        for entry in children(self.document) {
            if (entry.1, entry.0 >> 4) != (LIST, SLIDES) {
                record(entry, top, &mut records, job);
            }
        }
        let rest = placed(self.stream)
            .filter(|(place, (_, kind, _))| self.live.contains(place) && *kind != DOCUMENT);
        let mut objects = Vec::new();
        for (place, entry @ (_, kind, body)) in rest {
            let is_pattern = self.masters.contains(&place) || matches!(kind, MASTER | HANDOUT);
            if is_pattern {
                walk(body, Place::under(kind).in_master(), &mut records, job);
            } else {
                objects.push(entry);
            }
        }
        let (first, all_show) = (
            first_number(self.document),
            shows_number(self.document, ALL_SLIDES),
        );
        for (index, slide) in self.slides.iter().enumerate() {
            job.sink.page();
            for entry in &slide.outline {
                record(*entry, Place::under(LIST), &mut records, job);
            }
            walk(slide.body, Place::under(SLIDE), &mut records, job);
            let is_shown = shows_number(slide.body, 0).or(all_show) == Some(true);
            if is_shown || draws_number(slide.body, MAX_DEPTH) {
                job.sink.line();
                job.sink.text(&(first + index).to_string());
            }
            if let Some(notes) = self.notes.get(&slide.id) {
                walk(notes, Place::under(NOTES), &mut records, job);
            }
        }
        for entry in objects {
            record(entry, Place::default(), &mut records, job);
        }
    }
}

/// The records of the stream with their places.
fn placed(stream: &[u8]) -> impl Iterator<Item = (usize, Record<'_>)> {
    let mut at = 0;
    children(stream).map(move |entry| {
        let place = at;
        at += 8 + entry.2.len();
        (place, entry)
    })
}

/// The slide that notes belong to.
fn slide_of(notes: &[u8]) -> Option<u32> {
    let (_, _, atom) = children(notes).find(|(_, kind, _)| *kind == NOTES_ATOM)?;
    u32_at(atom, 0)
}

/// The number of the first slide.
fn first_number(document: &[u8]) -> usize {
    let atom = children(document).find(|(_, kind, _)| *kind == DOCUMENT_ATOM);
    let number = atom.and_then(|(_, _, body)| u16_at(body, 32));
    number.map_or(1, usize::from)
}

/// Whether slides show their numbers, where a slide or the document says so.
fn shows_number(container: &[u8], instance: u16) -> Option<bool> {
    let mut found = children(container)
        .filter(|(head, kind, _)| *kind == HEADER_FOOTER && head >> 4 == instance);
    let (_, _, body) = found.next()?;
    let (_, _, atom) = children(body).find(|(_, kind, _)| *kind == HEADER_FOOTER_ATOM)?;
    Some(u16_at(atom, 2)? & SHOWS_NUMBER != 0)
}

/// Whether a text on the slide has the slide's number in it.
fn draws_number(bytes: &[u8], depth: u32) -> bool {
    let mut inside = children(bytes);
    depth > 0
        && inside.any(|(head, kind, body)| {
            kind == NUMBER_MARK || (head & 0xF == 0xF && draws_number(body, depth - 1))
        })
}
