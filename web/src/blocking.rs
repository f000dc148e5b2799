//! Work that blocks: on threads of its own, a bounded number at once, shared fairly by whoever asks for it.
//!
//! Searches compute, and more of them at once than there are processors make each slower for all: they have fewer turns.
//! Administration and the door (signing in, looking a token up) have a few of their own, which no other work can take.

use std::sync::Arc;
use std::time::Duration;

use crate::App;
use crate::frame::Failure;
use crate::frame::asking::{self, Who};
use crate::turns::{Refused, Turn, Turns};

/// Blocking calls at once; a store groups the commits of many, and an account that is alone has half of them.
const WORK: usize = 192;
/// Searches at once for each processor, at least and at most.
const SEARCHES_A_PROCESSOR: usize = 4;
const SEARCHES: std::ops::RangeInclusive<usize> = 16..=128;
/// Calls at once of administrators and at the door.
const DOOR: usize = 16;
/// How long a request waits for its turn before it is told to come back.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// When whoever has too many calls under way is to come back, seconds.
pub const BACK_AFTER_S: u32 = 2;

/// Turns at a thread.
pub struct Blocking {
    work: Arc<Turns<Who>>,
    searches: Arc<Turns<Who>>,
    door: Arc<Turns<Who>>,
}

impl Default for Blocking {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let searches = processors * SEARCHES_A_PROCESSOR;
        let searches = searches.clamp(*SEARCHES.start(), *SEARCHES.end());
        Blocking {
            work: Turns::new("work", WORK),
            searches: Turns::new("searches", searches),
            door: Turns::new("door", DOOR),
        }
    }
}

#[cfg(test)]
impl Blocking {
    /// Calls of an account that have a turn or wait for one, of each kind.
    pub fn under_way(&self, account: storage::meta::AccountId) -> [usize; 3] {
        [&self.work, &self.searches, &self.door].map(|turns| turns.under_way(Who::Account(account)))
    }

    /// Turns that nobody holds, of each kind.
    pub fn free(&self) -> [usize; 3] {
        [&self.work, &self.searches, &self.door].map(|turns| turns.free())
    }
}

impl Failure {
    /// No turn came.
    pub fn of_turns(refused: Refused) -> Self {
        match refused {
            Refused::Own => Failure::TooMany("too_many_requests", BACK_AFTER_S),
            Refused::Full => Failure::Busy,
        }
    }
}

impl App {
    /// Runs `work` on a blocking thread, a bounded number at once. When no turn comes, [`Failure::TooMany`] where the caller's own
    /// calls are what is waited for, else [`Failure::Busy`]. Work whose request goes away meanwhile keeps its turn until it ends.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        self.run(&self.turns().work, work).await
    }

    /// The same for a search.
    pub async fn searching<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        self.run(&self.turns().searches, work).await
    }

    /// The same for administration, and for letting people in.
    pub async fn at_door<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        self.run(&self.turns().door, work).await
    }

    /// The same for what must not be refused any more: it waits as long as it takes.
    pub async fn patiently<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = self.turns().work.wait(asking::who()).await;
        self.with(turn, work).await
    }

    /// A turn for each block of content that comes or goes, on behalf of the present request.
    pub fn turn_each(&self) -> impl Fn() -> BlockTurn + Send + Sync + 'static + use<> {
        let (turns, who) = (self.turns().work.clone(), asking::who());
        move || {
            let turns = turns.clone();
            Box::pin(async move { turns.wait(who).await })
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        turns: &Arc<Turns<Who>>,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = turns.take(asking::who(), MAX_WAIT).await;
        self.with(turn.map_err(Failure::of_turns)?, work).await
    }

    async fn with<T: Send + 'static>(
        &self,
        turn: Turn<Who>,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (app, asking) = (self.clone(), asking::present());
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            match asking {
                Some(asking) => asking.request().during(|| work(&app)),
                None => work(&app),
            }
        })
        .await;
        done.map_err(|error| Failure::Internal(format!("blocking work: {error}")))
    }
}

/// The wait for a turn at one block.
pub type BlockTurn = futures::future::BoxFuture<'static, Turn<Who>>;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::testing::Bench;

    #[tokio::test]
    async fn work_whose_request_went_away_keeps_its_turn() {
        let bench = Bench::new();
        let (release, held) = mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let work = bench.app.blocking(move |_| {
            let _ = begin.send(());
            let _ = held.recv();
        });
        tokio::select! {
            _ = work => panic!("it waits to be released"),
            begun = begun => begun.expect("it began"),
        }
        let turns = bench.app.turns().work.clone();
        assert_eq!(turns.free(), WORK - 1);
        drop(release);
        while turns.free() < WORK {
            tokio::task::yield_now().await;
        }
    }
}
