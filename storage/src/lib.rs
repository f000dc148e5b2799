//! The truth: blocks, objects, the transactional key-value store, metadata and the journal.

pub mod backup;
pub mod block;
pub mod chunk;
pub mod error;
pub mod extraction;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod journal;
pub mod key;
pub mod keyspace;
pub mod kv;
pub mod lease;
pub mod meta;
pub mod object;
pub mod relayed;
pub mod row;
pub mod seal;
pub mod slots;
pub mod snapshot;
pub mod trace;

pub use error::{Error, Result};
