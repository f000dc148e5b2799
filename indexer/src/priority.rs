//! Indexing gives way: what answers a request is served first, what makes it findable goes on beside it.

/// How much nicer the indexer's threads are: while requests take all there is, a niced thread still gets a third as much
/// as one that answers.
const NICER: i32 = 5;

/// Lowers the calling thread, and every thread and process that it starts from now on.
pub fn give_way() {
    if let Err(error) = rustix::process::nice(NICER) {
        tracing::debug!(%error, "indexing runs at the priority of requests");
    }
}
