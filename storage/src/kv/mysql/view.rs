//! Reads at one point of history: a consistent snapshot of InnoDB's on a connection of its own, and where rows lie on several
//! servers one on each of them.
//!
//! The others' snapshots are taken first and the primary's last, so that none of them is ahead of it; what they have not
//! written yet is laid over their rows from the intents that the primary's snapshot holds.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sqlx::mysql::MySqlRow;

use super::cache::{Cache, Cached, Question};
use super::connection::{Connection, Failure, column, number};
use super::intent;
use super::layout::{Layout, PRIMARY};
use super::part::Part;
use super::placement::Span;
use super::pool::Lease;
use super::schema::row_of;
use super::servers::Servers;
use crate::error::{Error, Result};
use crate::kv::optimistic::{Base, after, numbers};
use crate::kv::{Number, Pair, Visit};

/// Begins a snapshot.
pub const START: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
/// The versions of the clock and of the map.
const NOW: &str = "SELECT c.version, l.version FROM firefly_clock c JOIN firefly_layout l ON l.id = 1 WHERE c.id = 1";
/// The value of a key.
const GET: &str = "SELECT v FROM firefly_rows WHERE k = ?";
const FORWARD: &str = "SELECT k, v FROM firefly_rows WHERE k >= ? AND k < ? ORDER BY k LIMIT ?";
const BACKWARD: &str =
    "SELECT k, v FROM firefly_rows WHERE k >= ? AND k < ? ORDER BY k DESC LIMIT ?";
const NUMBERS: &str = "SELECT k, n FROM firefly_numbers WHERE k > ? ORDER BY k LIMIT ?";
/// Rows of the first page when nobody says how many are wanted, and of the largest page.
const PAGE: (usize, usize) = (128, 1_024);
/// How often a snapshot is begun while the map changes or a server falls behind.
const BEGINNINGS: usize = 10;

/// A snapshot.
pub struct View {
    primary: RefCell<Lease>,
    cached: Option<Cached>,
    servers: Arc<Servers>,
    layout: Arc<Layout>,
    parts: BTreeMap<u32, Part>,
    /// The clock's version.
    pub version: u64,
}

/// Rows of one server on their way into a merge.
struct Source {
    server: u32,
    start: Vec<u8>,
    end: Vec<u8>,
    page: VecDeque<Pair>,
    is_done: bool,
}

impl View {
    /// All that is committed now; rows may be had from the cache when there is one.
    pub fn open(servers: &Arc<Servers>, cache: Option<&Arc<Cache>>) -> Result<View> {
        for n in 1..=BEGINNINGS {
            let layout = servers.layout();
            let parts = layout.in_use.iter();
            let parts = parts.map(|id| Ok((*id, Part::begin(servers, *id)?)));
            let parts = parts.collect::<Result<_>>()?;
            if let Some(view) = View::over(servers, cache, layout.clone(), parts, n == BEGINNINGS)?
            {
                return Ok(view);
            }
        }
        Err(Error::Conflict {
            attempts: BEGINNINGS as u32,
        })
    }

    /// The primary's snapshot over those of the others. `None` when they do not fit any more; the last time, reads of what does
    /// not fit fail.
    fn over(
        servers: &Arc<Servers>,
        cache: Option<&Arc<Cache>>,
        mut layout: Arc<Layout>,
        mut parts: BTreeMap<u32, Part>,
        is_last: bool,
    ) -> Result<Option<View>> {
        let known = known(&parts);
        let (lease, (sets, question)) = servers.primary().begin(|connection| {
            let question = cache.map(|cache| cache.question());
            let asked = question
                .as_ref()
                .map_or("", |question: &Question| &question.sql);
            let statements = [START, NOW, &known, asked].map(str::to_owned);
            let statements: Vec<String> = statements
                .into_iter()
                .filter(|sql| !sql.is_empty())
                .collect();
            Ok((connection.run(statements.join("; "))?, question))
        })?;
        let mut lease = lease.in_snapshot();
        let now = row_of(&sets, 1)?;
        let (version, map): (u64, u64) = (column(now, 0)?, column(now, 1)?);
        if map != layout.version {
            layout = servers.learn(Layout::read(lease.connection()?, map)?);
            if !layout.in_use.iter().all(|id| parts.contains_key(id)) {
                return Ok(None);
            }
        }
        if !known.is_empty() {
            for row in sets.get(2).into_iter().flatten() {
                let (id, removed): (u32, u64) = (column(row, 0)?, column(row, 1)?);
                let batch: Option<Vec<u8>> = column(row, 2)?;
                let Some(part) = parts.get_mut(&id) else {
                    continue;
                };
                let is_behind = part
                    .applied()
                    .is_some_and(|applied| applied.position < removed);
                if is_behind && !is_last {
                    return Ok(None);
                }
                part.refuse_unless(|applied| applied.check(version, removed, batch.as_deref()));
            }
        }
        let cached = match (cache, question) {
            (Some(cache), Some(question)) => {
                let commits = sets.last().map_or(&[][..], Vec::as_slice);
                cache.follow(&question, commits)?
            }
            _ => None,
        };
        Ok(Some(View {
            primary: RefCell::new(lease),
            cached,
            servers: servers.clone(),
            layout,
            parts,
            version,
        }))
    }

    /// The map as of the snapshot.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn reader(&self, key: &[u8]) -> u32 {
        match self.layout.is_plain() {
            true => PRIMARY,
            false => self.layout.reader(self.servers.placement().slot(key)),
        }
    }

    fn on_primary<T>(&self, call: impl FnOnce(&mut Connection) -> Result<T, Failure>) -> Result<T> {
        on(&mut self.primary.borrow_mut(), call)
    }

    fn part(&self, server: u32) -> Result<&Part> {
        let part = self.parts.get(&server);
        part.ok_or_else(|| {
            Error::Engine(format!("there is no snapshot of database server {server}"))
        })
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let get = |connection: &mut Connection| {
            let rows = connection.fetch(GET, &[key], None)?;
            rows.first().map(|row| column(row, 0)).transpose()
        };
        match self.reader(key) {
            PRIMARY => self.on_primary(get),
            server => {
                let part = self.part(server)?;
                match part.laid_over(&mut self.primary.borrow_mut())?.get(key) {
                    Some(value) => Ok(value.clone()),
                    None => part.call(get),
                }
            }
        }
    }

    /// The servers that may have rows of the range.
    fn sources(&self, start: &[u8], end: &[u8]) -> Vec<u32> {
        let span = match self.layout.is_plain() {
            true => Span::Primary,
            false => self.servers.placement().span(start, end),
        };
        match span {
            Span::Primary => vec![PRIMARY],
            Span::Slot(slot) => vec![self.layout.reader(Some(slot))],
            Span::Any => std::iter::once(PRIMARY)
                .chain(self.layout.in_use.iter().copied())
                .collect(),
        }
    }

    /// Reads the source's next page: what the snapshot has there.
    fn fill(&self, source: &mut Source, reverse: bool, limit: usize) -> Result<()> {
        let (start, end) = (source.start.clone(), source.end.clone());
        let page = |connection: &mut Connection| {
            let sql = if reverse { BACKWARD } else { FORWARD };
            let rows = connection.fetch(sql, &[&start, &end], Some(limit as u64))?;
            rows.iter().map(pair).collect::<Result<Vec<Pair>, _>>()
        };
        let mut rows = match source.server {
            PRIMARY => self.on_primary(page)?,
            server => self.part(server)?.call(page)?,
        };
        // What this page is about: from `start` to `end`, less what is left for the next.
        let (mut start, mut end) = (start, end);
        source.is_done = rows.len() < limit;
        match rows.last() {
            Some((last, _)) if !source.is_done && reverse => {
                start.clone_from(last);
                source.end.clone_from(last);
            }
            Some((last, _)) if !source.is_done => {
                end = after(last);
                source.start.clone_from(&end);
            }
            _ => {}
        }
        if source.server != PRIMARY {
            let part = self.part(source.server)?;
            let over = part.laid_over(&mut self.primary.borrow_mut())?;
            let mut over = over.range(start..end).peekable();
            if over.peek().is_some() {
                let mut all: BTreeMap<Vec<u8>, Option<Vec<u8>>> = rows
                    .into_iter()
                    .map(|(key, value)| (key, Some(value)))
                    .collect();
                all.extend(over.map(|(key, value)| (key.clone(), value.clone())));
                rows = all
                    .into_iter()
                    .filter_map(|(key, value)| Some((key, value?)))
                    .collect();
                if reverse {
                    rows.reverse();
                }
            }
        }
        // Rows of slots that lie elsewhere are on their way, or left over.
        rows.retain(|(key, _)| self.reader(key) == source.server);
        source.page = rows.into();
        Ok(())
    }
}

/// Selects up to where intents are gone, and the names of the commits up to which the parts have written them.
fn known(parts: &BTreeMap<u32, Part>) -> String {
    let at = parts
        .iter()
        .filter_map(|(id, part)| Some((id, part.applied()?)));
    let at =
        at.map(|(id, applied)| format!(" WHEN {id} THEN {}", intent::version(applied.position)));
    let at: String = at.collect();
    match at.is_empty() {
        true => String::new(),
        false => format!(
            "SELECT s.id, s.removed, c.batch FROM firefly_servers s \
             LEFT JOIN firefly_commits c ON c.version = CASE s.id{at} END"
        ),
    }
}

/// A lost connection ends the snapshot.
pub fn on<T>(
    lease: &mut Lease,
    call: impl FnOnce(&mut Connection) -> Result<T, Failure>,
) -> Result<T> {
    match lease.connection().and_then(call) {
        Err(Failure::Lost(reason) | Failure::Again(reason)) => {
            tracing::warn!(reason, "a snapshot of the metadata database was lost");
            lease.lose();
            Err(Error::Conflict { attempts: 1 })
        }
        done => Ok(done?),
    }
}

impl Base for View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let cached = self.cached.as_ref();
        if let Some(value) = cached.and_then(|cached| cached.get(key)) {
            return Ok(value);
        }
        let value = self.read(key)?;
        if let Some(cached) = cached {
            cached.put(key, value.as_deref());
        }
        Ok(value)
    }

    fn walk(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        expected: usize,
        visit: Visit,
    ) -> Result<()> {
        let mut limit = match expected {
            usize::MAX => PAGE.0,
            expected => expected.clamp(1, PAGE.1),
        };
        let servers = self.sources(start, end).into_iter();
        let mut sources: Vec<Source> = servers
            .map(|server| Source::new(server, start, end))
            .collect();
        loop {
            let mut has_read = false;
            for source in &mut sources {
                while source.page.is_empty() && !source.is_done {
                    self.fill(source, reverse, limit)?;
                    has_read = true;
                }
            }
            if has_read {
                limit = (limit * 4).clamp(PAGE.0, PAGE.1);
            }
            let heads = sources.iter_mut().filter(|source| !source.page.is_empty());
            let next = match reverse {
                true => heads.max_by(|a, b| a.page[0].0.cmp(&b.page[0].0)),
                false => heads.min_by(|a, b| a.page[0].0.cmp(&b.page[0].0)),
            };
            let Some((key, value)) = next.and_then(|source| source.page.pop_front()) else {
                return Ok(());
            };
            if !visit(&key, &value)? {
                return Ok(());
            }
        }
    }

    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()> {
        let mut from = Vec::new();
        loop {
            let page: Vec<(Vec<u8>, u64)> = self.on_primary(|connection| {
                let rows = connection.fetch(NUMBERS, &[&from], Some(PAGE.1 as u64))?;
                rows.iter().map(number).collect()
            })?;
            for (at, value) in &page {
                numbers::of(at).map_or(Ok(()), |number| visit(number, *value))?;
            }
            match page.into_iter().last() {
                Some((last, _)) => from = last,
                None => return Ok(()),
            }
        }
    }
}

impl Source {
    fn new(server: u32, start: &[u8], end: &[u8]) -> Source {
        Source {
            server,
            start: start.to_vec(),
            end: end.to_vec(),
            page: VecDeque::new(),
            is_done: start >= end,
        }
    }
}

fn pair(row: &MySqlRow) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    Ok((column(row, 0)?, column(row, 1)?))
}
