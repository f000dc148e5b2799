//! Shards of other processes: a search's legs over the network.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use query::coverage::Coverage;
use query::leg::{Leg, Looked, Opening, Question, Reply, Shards};
use query::segment::Covered;
use query::statistics::Statistics;
use query::{Error, Result};
use storage::meta::{FileId, NamespaceId, Rev};

use super::owners::{Owner, Owners};
use crate::rpc::Client;
use crate::rpc::call::{Answer, At, Call, Opened};

/// What one call to a shard may take; the search itself has more, so that it can answer without the shard.
const SHARD_LIMIT: Duration = Duration::from_millis(1_200);
/// What a question that is no search may take.
const QUESTION_LIMIT: Duration = Duration::from_secs(2);

/// All shards, through the processes that hold them. Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    client: Client,
    owners: Arc<Owners>,
    shards: u16,
}

/// A leg at another process.
struct RemoteLeg {
    remote: Remote,
    shard: u16,
    number: u64,
    opening: Arc<Opening>,
    namespaces: Vec<NamespaceId>,
    opened: Opened,
    owner: Mutex<Owner>,
}

impl Remote {
    /// The shards that `owners` knows of.
    pub fn new(client: Client, owners: Arc<Owners>, shards: u16) -> Self {
        Remote {
            client,
            owners,
            shards,
        }
    }

    /// Asks the holder of a shard, and once more when it has just changed.
    fn ask<'a>(
        &self,
        shard: u16,
        request: u64,
        deadline: Instant,
        call: impl Fn(At) -> Call<'a>,
    ) -> Result<(Answer, Owner)> {
        let owner = self
            .owners
            .of(shard)
            .or_else(|| self.owners.look_again(shard));
        let owner = owner.ok_or_else(|| silent(shard, "nobody holds it at present"))?;
        match self.ask_at(shard, &owner, request, deadline, &call)? {
            Answer::NotHeld => {}
            answer => return Ok((answer, owner)),
        }
        let next = self.owners.look_again(shard).filter(|next| *next != owner);
        let next = next.ok_or_else(|| silent(shard, "its holder changes"))?;
        let answer = self.ask_at(shard, &next, request, deadline, &call)?;
        Ok((answer, next))
    }

    fn ask_at<'a>(
        &self,
        shard: u16,
        owner: &Owner,
        request: u64,
        deadline: Instant,
        call: impl Fn(At) -> Call<'a>,
    ) -> Result<Answer> {
        let at = At {
            shard,
            epoch: owner.epoch,
        };
        let by = deadline.min(Instant::now() + SHARD_LIMIT);
        let answer = self.client.call(&owner.url, request, &call(at), by);
        match answer {
            Ok(Answer::Failed(why)) => Err(silent(shard, why)),
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.owners.shun(&owner.url);
                Err(silent(shard, format!("{error:#}")))
            }
        }
    }
}

fn silent(shard: u16, why: impl Into<String>) -> Error {
    Error::Unreachable {
        shard,
        why: why.into(),
    }
}

fn unexpected(shard: u16) -> Error {
    silent(shard, "it answers another question than it was asked")
}

impl Shards for Remote {
    fn count(&self) -> u16 {
        self.shards
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn open(
        &self,
        shard: u16,
        opening: &Arc<Opening>,
        namespaces: Vec<NamespaceId>,
        deadline: Instant,
    ) -> Result<Box<dyn Leg>> {
        let number = rand::random();
        let (answer, owner) = self.ask(shard, number, deadline, |at| Call::Open {
            at,
            leg: number,
            opening: Cow::Borrowed(opening),
            namespaces: Cow::Borrowed(&namespaces),
        })?;
        let Answer::Opened(opened) = answer else {
            return Err(unexpected(shard));
        };
        Ok(Box::new(RemoteLeg {
            remote: self.clone(),
            shard,
            number,
            opening: opening.clone(),
            namespaces,
            opened: *opened,
            owner: Mutex::new(owner),
        }))
    }

    fn coverage(
        &self,
        shard: u16,
        namespaces: &[NamespaceId],
        deadline: Instant,
    ) -> Result<Coverage> {
        let namespaces = Cow::Borrowed(namespaces);
        let asked = self.ask(shard, rand::random(), deadline, |at| Call::Coverage {
            at,
            namespaces: namespaces.clone(),
        });
        match asked?.0 {
            Answer::Coverage(coverage) => Ok(coverage),
            _ => Err(unexpected(shard)),
        }
    }

    fn shows(&self, shard: u16, ns: NamespaceId, file: FileId, rev: Rev) -> Result<bool> {
        let deadline = Instant::now() + QUESTION_LIMIT;
        let asked = self.ask(shard, rand::random(), deadline, |at| Call::Shows {
            at,
            ns,
            file,
            rev,
        });
        match asked?.0 {
            Answer::Shows(shows) => Ok(shows),
            _ => Err(unexpected(shard)),
        }
    }
}

impl RemoteLeg {
    fn owner(&self) -> Owner {
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        owner.clone()
    }

    /// Opens the leg at whoever holds the shard now: it was taken over, or the holder had to forget the leg.
    fn open_again(&self, deadline: Instant) -> Result<Owner> {
        let asked = self
            .remote
            .ask(self.shard, self.number, deadline, |at| Call::Open {
                at,
                leg: self.number,
                opening: Cow::Borrowed(&self.opening),
                namespaces: Cow::Borrowed(&self.namespaces),
            });
        let (answer, owner) = asked?;
        match answer {
            Answer::Opened(_) => {
                *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = owner.clone();
                Ok(owner)
            }
            _ => Err(unexpected(self.shard)),
        }
    }

    fn ask_at(&self, owner: &Owner, question: &Question<'_>, deadline: Instant) -> Result<Answer> {
        self.remote
            .ask_at(self.shard, owner, self.number, deadline, |at| Call::Ask {
                at,
                leg: self.number,
                question: question.borrowed(),
            })
    }
}

impl Leg for RemoteLeg {
    fn shard(&self) -> u16 {
        self.shard
    }

    fn namespaces(&self) -> &[NamespaceId] {
        &self.namespaces
    }

    fn is_complete(&self) -> bool {
        self.opened.complete
    }

    fn statistics(&self) -> &Statistics {
        &self.opened.statistics
    }

    fn covered(&self) -> Result<Covered> {
        Ok(self.opened.covered)
    }

    fn word(&self, index: usize) -> Looked {
        self.opened.words.get(index).copied().unwrap_or_default()
    }

    fn started(&self, index: usize) -> Vec<(&str, u64)> {
        let started = self.opened.started.get(index).into_iter().flatten();
        started
            .map(|(word, documents)| (word.as_str(), *documents))
            .collect()
    }

    fn ask(&self, question: &Question<'_>, deadline: Instant) -> Result<Reply> {
        match self.ask_at(&self.owner(), question, deadline)? {
            Answer::Reply(reply) => return Ok(reply),
            Answer::NoLeg | Answer::NotHeld => {}
            _ => return Err(unexpected(self.shard)),
        }
        let owner = self.open_again(deadline)?;
        match self.ask_at(&owner, question, deadline)? {
            Answer::Reply(reply) => Ok(reply),
            _ => Err(unexpected(self.shard)),
        }
    }
}
