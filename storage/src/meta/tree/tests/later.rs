//! Files that wait for a helper of extraction.

use std::collections::HashSet;

use super::*;
use crate::extraction::{EXTRACTOR_VERSION, ExtractionRecord, Extractions, Helper, Outcome};
use crate::journal::{Change, Journal, route};
use crate::row;

fn scan(awaits: Option<Helper>) -> ExtractionRecord {
    ExtractionRecord {
        version: EXTRACTOR_VERSION,
        outcome: Outcome::NeedsOcr,
        awaits,
        ..ExtractionRecord::default()
    }
}

/// Files that the partition log of the first account tells as extracted.
fn told(w: &World, place: &Place) -> usize {
    let partition = route(place.ns, place.node.id);
    let entries = Journal::new(w.meta.store().clone()).partition_entries(partition, 0, 99);
    let is_told =
        |change: &Change| matches!(change, Change::Extracted { file } if *file == place.node.id);
    entries
        .unwrap()
        .iter()
        .filter(|entry| is_told(&entry.change))
        .count()
}

#[test]
fn a_file_waits_for_its_helper_and_so_do_its_copies() {
    let w = World::new(1);
    let extractions = Extractions::new(w.meta.store().clone());
    let first = w.put("/scan.pdf", 1).unwrap();
    let job = extractions.next_jobs(None, 9, 9).unwrap().remove(0);
    extractions.finish(&job, &scan(Some(Helper::Ocr))).unwrap();
    let copy = w.put("/copy.pdf", 1).unwrap();
    assert!(extractions.next_jobs(None, 9, 9).unwrap().is_empty());
    assert_eq!(extractions.waiting_for(Helper::Ocr, 9).unwrap(), 2);
    assert_eq!(extractions.waiting_for(Helper::Tika, 9).unwrap(), 0);
    let none = HashSet::new();
    let later = extractions
        .next_later(Helper::Ocr, None, &none)
        .unwrap()
        .unwrap();
    assert_eq!(later.job.file, first.node.id);
    extractions.keep_page(&later, 2, "second").unwrap();
    let again = extractions
        .next_later(Helper::Ocr, None, &none)
        .unwrap()
        .unwrap();
    assert_eq!(
        extractions.kept_pages(&again).unwrap(),
        [(2, "second".to_owned())]
    );
    let aside = HashSet::from([(first.node.id, later.job.rev)]);
    let second = extractions
        .next_later(Helper::Ocr, None, &aside)
        .unwrap()
        .unwrap();
    assert_eq!(second.job.file, copy.node.id);
    extractions.finish_later(&later, &scan(None)).unwrap();
    // The copy has the same record now, and the index hears of it.
    assert_eq!(
        extractions.next_later(Helper::Ocr, None, &none).unwrap(),
        None
    );
    assert_eq!(extractions.waiting_for(Helper::Ocr, 9).unwrap(), 0);
    assert_eq!((told(&w, &first), told(&w, &copy)), (2, 1));
    assert!(extractions.kept_pages(&later).unwrap().is_empty());
    w.sound();
}

#[test]
fn accounts_take_turns_and_old_versions_wait_no_more() {
    let w = World::new(2);
    let extractions = Extractions::new(w.meta.store().clone());
    for account in 0..2 {
        for content in 0..2 {
            w.clock.advance_ms(1);
            let path = at(&format!("/{content}.tif"));
            let mine = file(content + 1 + 10 * account as u8, WriteMode::Add);
            w.meta.commit_file(w.actor(account), &path, &mine).unwrap();
        }
    }
    for job in extractions.next_jobs(None, 9, 9).unwrap() {
        extractions.finish(&job, &scan(Some(Helper::Ocr))).unwrap();
    }
    let none = HashSet::new();
    let next = |after| {
        let later = extractions
            .next_later(Helper::Ocr, after, &none)
            .unwrap()
            .unwrap();
        (later.job.account, later.job.name)
    };
    let (first, second) = (
        w.accounts[0].id.min(w.accounts[1].id),
        w.accounts[0].id.max(w.accounts[1].id),
    );
    assert_eq!(next(None), (first, "0.tif".to_owned()));
    assert_eq!(next(Some(first)), (second, "0.tif".to_owned()));
    assert_eq!(next(Some(second)), (first, "0.tif".to_owned()));
    let owner = w
        .accounts
        .iter()
        .position(|account| account.id == first)
        .unwrap();
    w.clock.advance_ms(1);
    let newer = file(9, WriteMode::Overwrite);
    w.meta
        .commit_file(w.actor(owner), &at("/0.tif"), &newer)
        .unwrap();
    assert_eq!(next(None), (first, "1.tif".to_owned()));
    assert_eq!(extractions.waiting_for(Helper::Ocr, 9).unwrap(), 3);
}

#[test]
fn records_of_the_first_release_are_read() {
    let old = ExtractionRecord {
        version: 1,
        title: Some("A title".to_owned()),
        pages: vec![3, 9],
        words: 7,
        ..ExtractionRecord::default()
    };
    let row = row::encode(&old).unwrap();
    // That release's rows ended before the last two fields, each a zero byte here.
    let read: ExtractionRecord = row::decode("record", &row[..row.len() - 2]).unwrap();
    assert_eq!(read, old);
    assert!(!read.is_current());
}

#[test]
fn records_are_current_until_their_kind_of_file_is_read_otherwise() {
    let is_current = |version: u32, category: &str, file_type: &str| {
        let record = ExtractionRecord {
            version,
            category: category.to_owned(),
            file_type: file_type.to_owned(),
            ..ExtractionRecord::default()
        };
        record.is_current()
    };
    assert!(is_current(EXTRACTOR_VERSION, "archive", "zip"));
    assert!(is_current(2, "pdf", "pdf") && is_current(3, "mail", "mail"));
    assert!(!is_current(2, "mail", "mail") && !is_current(3, "archive", "zip"));
    assert!(!is_current(3, "spreadsheet", "xls") && is_current(3, "spreadsheet", "ods"));
    assert!(!is_current(EXTRACTOR_VERSION + 1, "pdf", "pdf"));
}

#[test]
fn a_text_is_known_while_a_renamed_file_is_read_anew() {
    let w = World::new(1);
    let extractions = Extractions::new(w.meta.store().clone());
    let file = w.put("/notes.md", 1).unwrap();
    let job = extractions.next_jobs(None, 9, 9).unwrap().remove(0);
    let found = ExtractionRecord {
        outcome: Outcome::Text,
        words: 3,
        ..scan(None)
    };
    extractions.finish(&job, &found).unwrap();

    w.meta
        .relocate(w.actor(0), &at("/notes.md"), &at("/notes.txt"), false)
        .unwrap();
    let jobs = extractions.next_jobs(None, 9, 9).unwrap();
    assert_eq!(
        (jobs.len(), jobs[0].file, jobs[0].name.as_str()),
        (1, file.node.id, "notes.txt")
    );
    let record = |extension| {
        extractions
            .record(job.scope, &job.content_hash, extension)
            .unwrap()
    };
    let known = record("txt").unwrap();
    assert!(known.words == 3 && !known.is_current());
    extractions.finish(&jobs[0], &found).unwrap();
    assert!(record("txt").unwrap().is_current());

    // Back again: nothing is left to be read.
    w.meta
        .relocate(w.actor(0), &at("/notes.txt"), &at("/notes.md"), false)
        .unwrap();
    assert!(extractions.next_jobs(None, 9, 9).unwrap().is_empty());
}
