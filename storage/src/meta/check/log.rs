//! I2: journals without gaps, and partition logs that lead to them.

use super::Checker;
use crate::error::Result;
use crate::journal::{Change, journal_key};
use crate::keyspace;
use crate::meta::ids::NamespaceId;
use crate::row;

/// Bytes of a sequence at a log key's end.
const SEQUENCE: usize = 8;

impl Checker<'_> {
    pub(super) fn logs(&mut self) -> Result<()> {
        let mut last = None;
        self.each(keyspace::JOURNAL, &mut |checker, key, value| {
            let log = checker.follows(key, &mut last, true)?;
            row::decode::<Change>(&log, value).map(drop)
        })?;
        let mut last = None;
        self.each(keyspace::PARTITION, &mut |checker, key, value| {
            let log = checker.follows(key, &mut last, false)?;
            let ns = NamespaceId(row::u64_at(&log, value, 0)?);
            let seq = row::u64_at(&log, value, 8)?;
            let entry = checker
                .rows
                .get(&[&journal_key(ns)[..], &seq.to_be_bytes()].concat())?;
            if seq != 0 && entry.as_deref() != value.get(16..) {
                checker.problem(format!("{log}: namespace {ns} has no such change {seq}"));
            }
            Ok(())
        })
    }

    /// The log of a key, whose sequence must follow the last one of the same log (a whole log starts with 1).
    fn follows(
        &mut self,
        key: &[u8],
        last: &mut Option<(Vec<u8>, u64)>,
        whole: bool,
    ) -> Result<String> {
        let (log, _) = key.split_at(key.len().saturating_sub(SEQUENCE));
        let seq = row::u64_at("log key", key, log.len())?;
        let name = format!("log {} entry {seq}", hex::encode(log));
        let wanted = match last.take() {
            Some((before, at)) if before == log => at + 1,
            _ if whole => 1,
            _ => seq,
        };
        if seq != wanted {
            self.problem(format!("{name}: expected {wanted}"));
        }
        *last = Some((log.to_vec(), seq));
        Ok(name)
    }
}
