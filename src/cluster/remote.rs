//! Shards of other processes: a search's legs over the network.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use query::coverage::Coverage;
use query::leg::{Leg, Looked, Opening, Question, Reply, Shards};
use query::segment::Covered;
use query::statistics::Statistics;
use query::{Error, Result};
use storage::meta::{FileId, NamespaceId, Rev};

use super::hedge::Hedges;
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
    hedges: Arc<Hedges>,
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
            hedges: Arc::default(),
            shards,
        }
    }

    /// Asks a shard: the holder that is asked first, another one beside it when that is late, or after it when it fails; and once more,
    /// when none answers, who has taken it meanwhile. `attempt` asks one holder.
    fn ask<F: Future<Output = Result<Answer>>>(
        &self,
        shard: u16,
        holders: Vec<Owner>,
        attempt: impl Fn(Owner) -> F,
    ) -> Result<(Answer, Owner)> {
        let known = match holders.is_empty() {
            true => self.owners.look_again(shard),
            false => holders,
        };
        let raced = self.client.wait(self.race(shard, &known, &attempt));
        let asked = settled(shard, raced);
        if asked.is_ok() || known.is_empty() {
            return asked;
        }
        let next = self.owners.look_again(shard);
        match next.iter().all(|holder| known.contains(holder)) {
            true => asked,
            false => settled(shard, self.client.wait(self.race(shard, &next, &attempt))),
        }
    }

    /// The first good answer of the first two holders.
    async fn race<F: Future<Output = Result<Answer>>>(
        &self,
        shard: u16,
        holders: &[Owner],
        attempt: impl Fn(Owner) -> F,
    ) -> Result<(Answer, Owner)> {
        let (first, second) = match holders {
            [] => return Err(silent(shard, "nobody holds it at present")),
            [only] => return Ok((attempt(only.clone()).await?, only.clone())),
            [first, second, ..] => (first, second),
        };
        let begun = Instant::now();
        let mut one = pin!(attempt(first.clone()));
        let early = tokio::time::timeout(self.hedges.wait(shard), &mut one).await;
        let may_hedge = early.is_err() && self.hedges.may();
        let early = match early {
            Ok(answer) => Some(answer),
            Err(_) if may_hedge => None,
            Err(_) => {
                metrics::counter!("firefly_shard_hedges_refused_total").increment(1);
                Some(one.as_mut().await)
            }
        };
        if let Some(answer) = early {
            self.hedges.took(shard, begun.elapsed());
            if is_good(&answer) {
                return Ok((answer?, first.clone()));
            }
            metrics::counter!("firefly_shard_failovers_total").increment(1);
            return Ok((attempt(second.clone()).await?, second.clone()));
        }
        let mut two = pin!(attempt(second.clone()));
        let (answer, winner) = tokio::select! {
            answer = &mut one => match is_good(&answer) {
                true => (answer, first),
                false => (two.await, second),
            },
            answer = &mut two => match is_good(&answer) {
                true => (answer, second),
                false => (one.await, first),
            },
        };
        self.hedges.took(shard, begun.elapsed());
        let loser = if winner == first { second } else { first };
        let outcome = if winner == first { "lost" } else { "won" };
        metrics::counter!("firefly_shard_hedges_total", "outcome" => outcome).increment(1);
        if winner == second {
            self.owners.raced(&winner.url, &loser.url);
        }
        Ok((answer?, winner.clone()))
    }

    /// Asks one holder of a shard.
    async fn ask_at(
        &self,
        shard: u16,
        owner: &Owner,
        deadline: Instant,
        call: &Call<'_>,
    ) -> Result<Answer> {
        let by = deadline.min(Instant::now() + SHARD_LIMIT);
        let begun = Instant::now();
        let answer = self.client.ask(&owner.url, call, by).await;
        metrics::counter!("firefly_shard_calls_total").increment(1);
        metrics::histogram!("firefly_shard_call_seconds").record(begun.elapsed().as_secs_f64());
        match answer {
            Ok(answer) => {
                self.owners.answered(&owner.url);
                match answer {
                    Answer::Failed(why) => Err(silent(shard, why)),
                    answer => Ok(answer),
                }
            }
            Err(error) => {
                let why = format!("{error:#}");
                self.owners.shun(&owner.url, &why);
                Err(silent(shard, why))
            }
        }
    }

    /// A question that needs no leg.
    fn question(
        &self,
        shard: u16,
        deadline: Instant,
        call: impl Fn(At) -> Call<'static>,
    ) -> Result<Answer> {
        let attempt = |owner: Owner| {
            let call = call(at(shard, &owner));
            async move { self.ask_at(shard, &owner, deadline, &call).await }
        };
        Ok(self.ask(shard, self.owners.of(shard), attempt)?.0)
    }
}

fn at(shard: u16, owner: &Owner) -> At {
    let epoch = owner.epoch;
    At { shard, epoch }
}

/// An answer of a process that does not hold the shard is none.
fn settled(shard: u16, asked: Result<(Answer, Owner)>) -> Result<(Answer, Owner)> {
    match asked? {
        (Answer::NotHeld, _) => Err(silent(shard, "its holder changes")),
        answered => Ok(answered),
    }
}

/// False when another holder may know better.
fn is_good(answer: &Result<Answer>) -> bool {
    !matches!(answer, Err(_) | Ok(Answer::NotHeld))
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
        let attempt = |owner: Owner| {
            let (opening, namespaces) = (Cow::Borrowed(&**opening), Cow::Borrowed(&*namespaces));
            async move {
                let call = Call::Open {
                    at: at(shard, &owner),
                    leg: number,
                    opening,
                    namespaces,
                };
                self.ask_at(shard, &owner, deadline, &call).await
            }
        };
        let (answer, owner) = self.ask(shard, self.owners.of(shard), attempt)?;
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
        let namespaces = namespaces.to_vec();
        let answer = self.question(shard, deadline, |at| Call::Coverage {
            at,
            namespaces: Cow::Owned(namespaces.clone()),
        });
        match answer? {
            Answer::Coverage(coverage) => Ok(coverage),
            _ => Err(unexpected(shard)),
        }
    }

    fn shows(&self, shard: u16, ns: NamespaceId, file: FileId, rev: Rev) -> Result<bool> {
        let deadline = Instant::now() + QUESTION_LIMIT;
        let answer = self.question(shard, deadline, |at| Call::Shows { at, ns, file, rev });
        match answer? {
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

    /// The holders of the shard, the one where the leg is open first, if it holds the shard still and is not in trouble.
    fn holders(&self, own: &Owner) -> Vec<Owner> {
        let mut holders = self.remote.owners.of(self.shard);
        let at = holders.iter().position(|holder| holder == own);
        if let Some(at) = at.filter(|_| !self.remote.owners.is_troubled(own)) {
            holders[..=at].rotate_right(1);
        }
        holders
    }

    /// Asks a holder; where the leg is not open, or is forgotten, it is opened there first.
    async fn ask_at(
        &self,
        owner: &Owner,
        is_open: bool,
        question: &Question<'_>,
        deadline: Instant,
    ) -> Result<Answer> {
        let ask = || async {
            let call = Call::Ask {
                at: at(self.shard, owner),
                leg: self.number,
                question: question.borrowed(),
            };
            self.remote.ask_at(self.shard, owner, deadline, &call).await
        };
        if is_open {
            match ask().await? {
                Answer::NoLeg => {}
                answer => return Ok(answer),
            }
        }
        let open = Call::Open {
            at: at(self.shard, owner),
            leg: self.number,
            opening: Cow::Borrowed(&self.opening),
            namespaces: Cow::Borrowed(&self.namespaces),
        };
        match self
            .remote
            .ask_at(self.shard, owner, deadline, &open)
            .await?
        {
            Answer::Opened(_) => ask().await,
            answer => Ok(answer),
        }
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
        self.opened.word(index)
    }

    fn started(&self, index: usize) -> Vec<(&str, u64)> {
        self.opened.started(index)
    }

    fn ask(&self, question: &Question<'_>, deadline: Instant) -> Result<Reply> {
        let own = self.owner();
        let attempt = |owner: Owner| {
            let is_open = owner == own;
            async move { self.ask_at(&owner, is_open, question, deadline).await }
        };
        let asked = self.remote.ask(self.shard, self.holders(&own), attempt);
        let (answer, owner) = asked?;
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = owner;
        match answer {
            Answer::Reply(reply) => Ok(reply),
            _ => Err(unexpected(self.shard)),
        }
    }
}

#[cfg(test)]
mod tests {
    use storage::kv::Store;
    use storage::kv::memory::MemoryStore;
    use storage::lease::{Leases, Terms};

    use super::super::note::{Note, shard_lease};
    use super::*;
    use crate::rpc::ClusterKey;

    const SHARDS: u16 = 16;
    const DEAD: &str = "http://dead";
    const ALIVE: &str = "http://alive";

    /// One holder of two died, and the other takes its place in that moment: whoever is asked first, the answer is there.
    #[test]
    fn a_shard_that_changes_hands_while_it_is_asked_answers() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "k".repeat(32)).unwrap();
        let client = Client::new(
            ClusterKey::read(file.path()).unwrap(),
            runtime.handle().clone(),
        );
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let leases = |me: u64, url: &str| {
            let note = Note {
                url: url.into(),
                roles: vec!["shard".into()],
                version: String::new(),
                shards: SHARDS,
                tls: false,
            };
            Leases::new(store.clone(), me, note.text(), Terms::default())
        };
        let (dead, alive) = (leases(1, DEAD), leases(2, ALIVE));
        let take = |leases: &Leases, shard, replica| {
            let taken = leases.take(&shard_lease(shard, replica)).unwrap();
            taken.unwrap()
        };
        let held: Vec<_> = (0..SHARDS).map(|shard| take(&dead, shard, 0)).collect();
        (0..SHARDS).for_each(|shard| drop(take(&alive, shard, 1)));
        let owners = Owners::start(leases(3, "http://web")).unwrap();
        let remote = Remote::new(client, Arc::new(owners), SHARDS);
        for shard in 0..SHARDS {
            let before = remote.owners.of(shard);
            let takes_over = || {
                dead.release(&held[usize::from(shard)]).unwrap();
                take(&alive, shard, 0);
            };
            let moved = std::sync::Once::new();
            let attempt = |owner: Owner| {
                let is_new = !before.contains(&owner);
                moved.call_once(takes_over);
                async move {
                    match (&*owner.url, is_new) {
                        (DEAD, _) => Err(silent(shard, "it is dead")),
                        (_, false) => Ok(Answer::NotHeld),
                        (_, true) => Ok(Answer::Shows(true)),
                    }
                }
            };
            let answer = remote.ask(shard, before.clone(), attempt);
            assert!(matches!(answer, Ok((Answer::Shows(true), _))), "{shard}");
        }
    }
}
