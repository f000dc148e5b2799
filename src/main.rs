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
            eprintln!("firefly: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and what it came of; what the words before say already is not said again.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.ends_with(&cause) {
            continue;
        }
        if !told.is_empty() {
            told.push_str(": ");
        }
        told.push_str(&cause);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_once() {
        let error = sync::Error::Io {
            what: "read folder x".into(),
            source: std::io::Error::other("it is gone"),
        };
        let error = anyhow::Error::from(error).context("import");
        assert_eq!(told(&error), "import: read folder x: it is gone");
    }
}
