//! The truth: blocks, objects, the transactional key-value store, metadata and the journal.

pub mod chunk;
pub mod error;
pub mod keyspace;
pub mod kv;
pub mod meta;

pub use error::{Error, Result};
