//! One file per command.

pub mod account;
pub mod admin;
pub mod audit;
pub mod backup;
pub mod bench;
pub mod block_server;
pub mod check;
pub mod database;
pub mod doctor;
pub mod eval;
pub mod import;
pub mod index;
pub mod keys;
pub mod migrate;
pub mod queue;
pub mod reindex;
pub mod restore;
pub mod retention;
pub mod rewind;
pub mod search;
pub mod serve;
pub mod status;
pub mod storage;
pub mod token;

use anyhow::Result;
use std::future::Future;

/// Runs `work` on a runtime of its own.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
