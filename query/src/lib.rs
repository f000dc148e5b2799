//! Answers from shards: parse, plan, fan out, rank, highlight.
//!
//! Read in this order: [`parse`] (text to a tree, never an error), [`plan`] (words to tokens), [`scope`] and [`folders`] (where to look),
//! [`resolve`] (which terms a shard has), [`statistics`], [`compile`] and [`inside`] (to the engine's query), [`collect`] (counts and keys),
//! [`hit`] (looked up again, marked), [`highlight`], and [`engine`], which runs them.

pub mod collect;
pub mod compile;
pub mod coverage;
pub mod engine;
mod error;
pub mod folders;
pub mod highlight;
pub mod hit;
pub mod inside;
pub mod parse;
pub mod plan;
pub mod request;
pub mod resolve;
pub mod scope;
pub mod statistics;

#[cfg(test)]
mod tests;

pub use engine::Engine;
pub use error::{Error, Result};
pub use request::{Answer, Facets, Hit, Matched, Order, Request, Status};
