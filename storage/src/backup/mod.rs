//! Backups: points in time of a whole store, in a place for objects. docs/format.md has the layout.
//!
//! A point is one snapshot of every row, and the blocks that it names. Rows go into chunks named by their hash, blocks into
//! segments named by where they lay; what an earlier point has stored already is not stored again. A point counts when its
//! manifest is there, which is written last.
//!
//! In reading order: `point` (the manifest), `depot` (where objects are, and who writes there), `rows` and `segment` (the two
//! kinds of objects), `seal` (the key ring in a backup), `take`, `open` (reading a point), `restore`, `verify`, `prune`.

mod depot;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod open;
mod point;
mod prune;
mod restore;
mod rows;
mod seal;
mod segment;
mod take;
#[cfg(test)]
mod tests;
mod verify;

pub use depot::Depot;
pub use open::{choose, points};
pub use point::{KeysIncluded, Point};
pub use prune::{Keep, PruneReport, prune};
pub use restore::{Destination, is_unfinished, restore};
pub use seal::Passphrase;
pub use take::{Source, WithKeys, take};
pub use verify::{VerifyReport, verify};

/// The format this release writes, and the newest it reads.
pub const FORMAT: u32 = 1;

/// How far a long operation on a backup is.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// What is being done.
    pub phase: &'static str,
    /// Rows of metadata so far.
    pub rows: u64,
    /// Blocks so far.
    pub blocks: u64,
    /// Bytes of blocks so far.
    pub bytes: u64,
    /// What the bytes will be at most; 0 while that is not known.
    pub bytes_total: u64,
}

/// Hears of progress; answers whether to go on.
pub type Tell<'t> = &'t mut dyn FnMut(&Progress) -> bool;

/// The error of an operation that was asked to end.
fn stopped() -> crate::Error {
    crate::Error::Engine("stopped; the same command goes on from here".into())
}

fn corrupt(what: impl Into<String>, detail: impl Into<String>) -> crate::Error {
    crate::Error::Corrupt {
        what: what.into(),
        detail: detail.into(),
    }
}
