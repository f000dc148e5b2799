//! Work on all shards at once, when it is worth waking other threads.

use rayon::prelude::*;

use crate::error::Result;
use storage::trace::Id;

/// So few shards or hits are looked at one after the other: handing work over and waiting for it costs more.
const FEW: usize = 3;
/// Legs over a network that are waited for at once, in all searches of a process.
const MAX_WAITING: usize = 128;

/// What `work` gives for each item, in order; the first error.
pub fn each<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync + Send,
) -> Result<Vec<R>> {
    match items.len() {
        0..=FEW => items.iter().map(work).collect(),
        _ => items.par_iter().map(work).collect(),
    }
}

/// The same for items of which each is worth it.
pub fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync + Send,
) -> Result<Vec<R>> {
    items.par_iter().with_max_len(1).map(work).collect()
}

/// How the legs of a search are asked: by as many threads as there are cores where they compute, by many where they wait.
#[derive(Default)]
pub struct Fan {
    waiting: Option<rayon::ThreadPool>,
}

impl Fan {
    /// For legs over a network; where no threads can be had, one leg is asked after the other.
    pub fn over_network() -> Self {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(MAX_WAITING)
            .thread_name(|number| format!("fan-{number}"))
            .build();
        let waiting = pool
            .inspect_err(|error| tracing::error!(%error, "shards are asked one after the other"));
        Fan {
            waiting: waiting.ok(),
        }
    }

    /// What `ask` gives for each item, in order; the first error.
    pub fn each<T: Sync, R: Send>(
        &self,
        items: &[T],
        ask: impl Fn(&T) -> Result<R> + Sync + Send,
    ) -> Result<Vec<R>> {
        match &self.waiting {
            None => each(items, ask),
            Some(_) if items.len() < 2 => items.iter().map(ask).collect(),
            Some(pool) => {
                let request = Id::present();
                let ask = |item: &T| match &request {
                    Some(request) => request.during(|| ask(item)),
                    None => ask(item),
                };
                pool.install(|| items.par_iter().with_max_len(1).map(ask).collect())
            }
        }
    }
}
