//! Answers from shards: parse, plan, fan out, rank, highlight.
//!
//! Read in this order: [`parse`] (text to a tree, never an error), [`plan`] (words to tokens), [`scope`], [`folders`], [`people`] and [`limits`] (where to look),
//! [`segment`] and `facts` (what a shard's segments are made of), [`resolve`] and `spaces` (which terms they have), [`statistics`], [`lately`] (what counts beside words), [`compile`] with [`word`],
//! [`phrase`], [`sums`], [`inside`] and [`excluded`] (to the engine's query), [`leg`] and [`part`] (one shard's leg of a search), `fan` (all shards at once), [`collect`] (counts and keys), [`facets`], [`hit`]
//! (looked up again, marked), [`highlight`], [`cursor`] (what a page leaves to the next), [`prepared`], [`named`] and [`similar`] (a search
//! that is ready to run), [`explain`], [`suggest`] and [`engine`], which runs them; [`trace`] (for which request).

pub mod collect;
pub mod compile;
pub mod coverage;
pub mod cursor;
pub mod engine;
mod error;
pub mod excluded;
mod explain;
mod facets;
mod facts;
mod fan;
mod feedback;
pub mod folders;
pub mod highlight;
pub mod hit;
pub mod inside;
pub mod lately;
pub mod leg;
pub mod limits;
mod named;
mod numbers;
mod own;
pub mod parse;
pub mod part;
pub mod people;
mod phrase;
pub mod plan;
mod prepared;
pub mod request;
pub mod resolve;
pub mod scope;
pub mod segment;
mod similar;
mod spaces;
mod starts;
pub mod statistics;
pub mod suggest;
mod sums;
mod within;
mod word;

pub use engine::Engine;
pub use error::{Error, Result};
pub use lately::{LATELY, LatelyWeights};
pub use request::{
    Answer, Facets, Hit, Leaf, Marks, Matched, Members, Order, Request, Spot, Status, Why,
};
