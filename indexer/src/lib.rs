//! Makes shards from changes.
//!
//! In reading order: [`extract`] (a file's bytes to its text, in child processes).

pub mod extract;
