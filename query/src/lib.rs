//! Answers from shards: parse, plan, fan out, rank, highlight.
//!
//! Read in this order: [`parse`] (text to a tree, never an error), [`plan`] (words to tokens), [`scope`], [`folders`], [`people`] and [`limits`] (where to look),
//! [`resolve`] (which terms a shard has), [`statistics`], [`compile`], [`inside`] and [`excluded`] (to the engine's query), [`collect`] (counts and keys),
//! [`hit`] (looked up again, marked), [`highlight`], [`cursor`] (what
//! a page leaves to the next), and [`engine`], which runs them.

pub mod collect;
pub mod compile;
pub mod coverage;
pub mod cursor;
pub mod engine;
mod error;
pub mod excluded;
pub mod folders;
pub mod highlight;
pub mod hit;
pub mod inside;
pub mod limits;
mod numbers;
pub mod parse;
pub mod people;
pub mod plan;
pub mod request;
pub mod resolve;
pub mod scope;
pub mod statistics;

pub use engine::Engine;
pub use error::{Error, Result};
pub use request::{Answer, Facets, Hit, Marks, Matched, Order, Request, Status};
