//! Makes shards from changes: looks at what the logs name, and makes the index agree with metadata.
//!
//! In reading order: [`extract`] (a file's bytes to its text, in child processes), [`analyse`] (text to tokens), [`term`]
//! (tokens to terms of one namespace), [`schema`] (the fields).

pub mod analyse;
pub mod extract;
pub mod schema;
pub mod term;
