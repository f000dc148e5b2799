//! Work on all shards at once, when it is worth waking other threads.

use rayon::prelude::*;

use crate::error::Result;

/// So few shards or hits are looked at one after the other: handing work over and waiting for it costs more.
const FEW: usize = 3;

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
