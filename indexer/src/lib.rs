//! Makes shards from changes: looks at what the logs name, and makes the index agree with metadata.
//!
//! In reading order: [`extract`] (a file's bytes to its text, in child processes), `stage` (who is extracted next, and
//! where the text goes; its rules in `board`), [`analyse`] (text to tokens), [`term`] (tokens to terms of one namespace),
//! [`schema`], [`document`] and [`member`] (a node, and what is in it, as documents), [`text`] (its words again, for highlights), `writer`, `reconcile`
//! (log entries to documents), `payload` (how far), `generation` and `line` (an index on disk, being written), `owner`
//! (the thread of a shard), [`tenure`] (under which lease), [`exclusion`] (what has gone since a commit), [`shard`] (what searches see), `pace` (who has to slow down), [`snapshot`] (kept elsewhere), [`verify`]
//! (is all there), [`indexer`] (all).

pub mod analyse;
mod bell;
mod board;
pub mod document;
pub mod error;
pub mod exclusion;
pub mod extract;
mod generation;
mod heads;
pub mod indexer;
pub mod late;
mod line;
mod look;
pub mod member;
mod merge;
mod owner;
mod pace;
pub mod past;
mod payload;
mod reconcile;
pub mod schema;
pub mod shard;
pub mod snapshot;
mod stage;
pub mod status;
#[cfg(any(test, feature = "testing"))]
pub mod stepped;
pub mod tenure;
pub mod term;
pub mod text;
mod tidy;
pub mod verify;
mod walk;
mod writer;

pub use error::{Error, Result};
pub use indexer::{Alive, Holding, Indexer, MEMORY_BYTES, Options, Sharing};
pub use reconcile::Sources;
pub use shard::{Shard, ShardView};
pub use tenure::Tenure;

#[cfg(test)]
mod tests;
