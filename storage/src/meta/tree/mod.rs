//! Writing: one transaction per operation, with its journal entries, references, quota and queue rows. // I1, I2
//!
//! Two operations conflict only if one changes what the other stands on: a folder above it, or the name it takes. No row
//! is shared by all that happens in a folder, and names are read by key, never as a range.
//!
//! `op` is an operation's frame (who, where to, with which right), `edit` the steps, then one file per operation.

mod commit;
mod copy;
mod delete;
pub mod edit;
mod op;
mod relocate;

pub(crate) use op::{Op, Target, job};

#[cfg(test)]
mod tests;
