//! `firefly`: a search-first document service in one program. This crate composes; the work is in the other crates.

mod cli;
mod client;
mod cluster;
mod command;
mod config;
mod healing;
mod hints;
mod log;
mod maintenance;
mod memory;
mod metadata;
mod moment;
mod node;
mod operations;
mod rpc;
mod task;
mod work;

use std::process::ExitCode;

/// Frees memory of short-lived threads again; see Cargo.toml.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("firefly: {error:#}");
            ExitCode::FAILURE
        }
    }
}
