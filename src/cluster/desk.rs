//! What this process answers others: legs of searches at the shards that it holds, and how its part of the index is.
//!
//! Before and after everything that is read from a shard its lease is looked at: an owner that was paused, and whose shard may be
//! another's by now, says so instead of answering. // fenced by epoch

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indexer::{Indexer, Shard, Tenure};
use query::coverage;
use query::leg::{Leg, Opening};
use query::part::Part;
use query::segment::Segments;
use serde_json::json;
use storage::lease::Held;

use super::earlier::Earlier;
use crate::rpc::call::{Answer, At, Call, Opened};
use crate::rpc::server::Answers;

/// Legs that are kept open, at most; the oldest are forgotten, and opened again by who still asks.
const MAX_LEGS: usize = 16_384;
/// A search does not take longer than this.
const LEG_LASTS: Duration = Duration::from_secs(5);

/// Answers an administrator's question about this process's part of the index.
pub type Operate = Box<dyn Fn(&str, &str) -> anyhow::Result<serde_json::Value> + Send + Sync>;

/// The desk.
pub struct Desk {
    indexer: Option<Arc<Indexer>>,
    process: Arc<Mutex<Held>>,
    about: serde_json::Value,
    earlier: Earlier,
    operate: Operate,
    segments: Segments,
    legs: Mutex<HashMap<u64, (Instant, Arc<Part>)>>,
}

impl Desk {
    /// The desk of a process with this lease of its own; `about` is told on `/healthz`.
    pub fn new(
        indexer: Option<Arc<Indexer>>,
        process: Arc<Mutex<Held>>,
        about: serde_json::Value,
        earlier: Earlier,
        operate: Operate,
    ) -> Self {
        Desk {
            indexer,
            process,
            about,
            earlier,
            operate,
            segments: Segments::default(),
            legs: Mutex::default(),
        }
    }

    /// Answers from a shard, if it is held under the epoch that is asked for, before and after.
    fn with(&self, at: At, answer: impl FnOnce(&Arc<Shard>) -> query::Result<Answer>) -> Answer {
        let held = self.indexer.iter().flat_map(|indexer| indexer.held());
        let mut held = held.filter(|(shard, _)| shard.number == at.shard);
        let Some((shard, Some(tenure))) = held.next() else {
            return Answer::NotHeld;
        };
        let is_ours = || {
            let lease = tenure.held();
            lease.epoch == at.epoch && lease.is_valid()
        };
        if !is_ours() {
            return Answer::NotHeld;
        }
        let answer = answer(&shard).unwrap_or_else(|error| Answer::Failed(error.to_string()));
        match is_ours() {
            true => answer,
            false => Answer::NotHeld,
        }
    }

    fn open(
        &self,
        shard: &Shard,
        leg: u64,
        opening: Opening,
        namespaces: Vec<storage::meta::NamespaceId>,
        deadline: Instant,
    ) -> query::Result<Answer> {
        let opening = Arc::new(opening);
        let part = Part::open(shard, &self.segments, &opening, namespaces, deadline)?;
        let Some(part) = part else {
            return Ok(Answer::Failed("it has no commit yet".into()));
        };
        let words = 0..opening.planned.words.len();
        let started = |index| {
            let started = part.started(index).into_iter();
            started
                .map(|(word, documents)| (word.to_owned(), documents))
                .collect()
        };
        let opened = Opened {
            complete: part.is_complete(),
            statistics: part.statistics().clone(),
            covered: part.covered()?,
            words: words.clone().map(|index| part.word(index)).collect(),
            started: words.map(started).collect(),
        };
        self.keep(leg ^ (u64::from(shard.number) << 48), part);
        Ok(Answer::Opened(Box::new(opened)))
    }

    /// Forgets the legs of searches that have ended: they hold on to their commits.
    pub fn tidy(&self) {
        let now = Instant::now();
        self.legs().retain(|_, (since, _)| now - *since < LEG_LASTS);
    }

    fn keep(&self, leg: u64, part: Part) {
        let mut legs = self.legs();
        let now = Instant::now();
        if legs.len() >= MAX_LEGS {
            legs.clear();
        }
        legs.insert(leg, (now, Arc::new(part)));
    }

    fn leg(&self, at: At, leg: u64) -> Option<Arc<Part>> {
        let legs = self.legs();
        let (_, part) = legs.get(&(leg ^ (u64::from(at.shard) << 48)))?;
        Some(part.clone())
    }

    fn legs(&self) -> MutexGuard<'_, HashMap<u64, (Instant, Arc<Part>)>> {
        self.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for Desk {
    fn answer(&self, call: Call<'static>, deadline: Instant) -> Answer {
        match call {
            Call::Open {
                at,
                leg,
                opening,
                namespaces,
            } => self.with(at, |shard| {
                let (opening, namespaces) = (opening.into_owned(), namespaces.into_owned());
                self.open(shard, leg, opening, namespaces, deadline)
            }),
            Call::Ask { at, leg, question } => self.with(at, |_| match self.leg(at, leg) {
                Some(part) => Ok(Answer::Reply(part.ask(&question, deadline)?)),
                None => Ok(Answer::NoLeg),
            }),
            Call::Coverage { at, namespaces } => self.with(at, |shard| {
                let counted = coverage::of_shard(shard, &namespaces, deadline)?;
                Ok(Answer::Coverage(counted))
            }),
            Call::Shows { at, ns, file, rev } => {
                self.with(at, |shard| Ok(Answer::Shows(shard.shows(ns, file, rev)?)))
            }
            Call::Operation { name, argument } => match (self.operate)(&name, &argument) {
                Ok(answer) => Answer::of_operation(&answer),
                Err(error) => Answer::Failed(format!("{error:#}")),
            },
        }
    }

    fn takes_plain(&self) -> bool {
        self.earlier.is_there()
    }

    fn health(&self) -> (bool, serde_json::Value) {
        let held = self.indexer.iter().flat_map(|indexer| indexer.held());
        let shards: Vec<_> = held
            .filter(|(_, tenure)| tenure.as_ref().is_none_or(Tenure::is_valid))
            .map(|(shard, _)| shard.number)
            .collect();
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let is_member = process.is_valid();
        let status = match is_member {
            true => "ok",
            false => "its lease could not be renewed: is the database there?",
        };
        let version = env!("CARGO_PKG_VERSION");
        let health = json!({ "status": status, "version": version, "shards": shards, "process": self.about });
        (is_member, health)
    }
}
