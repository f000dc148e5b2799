//! Answers from shards: parse, plan, fan out, rank, highlight.

pub mod parse;
