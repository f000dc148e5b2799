//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::command;
use crate::config::{Config, DataArg, Settings};

/// A search-first document service that a team runs itself.
///
/// People put files in; every word in them is findable about a second later, by exactly the people who may see it.
/// Start with: firefly serve --import FOLDER
#[derive(Debug, Parser)]
#[command(name = "firefly", version, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    data: DataArg,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server: storage, search, API and web page in one process, or one of several with a --role
    Serve(Box<ServeArgs>),
    /// Bring a folder in (skips what is there unchanged, goes on after an interruption)
    Import(command::import::Args),
    /// Search from the terminal
    Search(command::search::Args),
    /// Accounts: invite, list, suspend, reset, quota, hand over, delete
    Account(command::account::Args),
    /// Bearer tokens of the admin: create, list, revoke
    Token(command::token::Args),
    /// Verify the invariants over everything stored; exit code 1 when one is broken
    Check(command::check::Args),
    /// How all of it is at one look: what runs, disks, how far the index is, queues; exit code 1 when something is wrong
    Status(command::status::Args),
    /// Look at this installation: what is wrong, and what to do about it
    Doctor(command::doctor::Args),
    /// Back up everything while the server runs; list, verify and prune backups
    Backup(command::backup::Args),
    /// Restore a backup, at a point of your choice, into an empty data folder
    Restore(command::restore::Args),
    /// Undo what has happened to a folder since a moment (an attack, a mistake); can itself be undone
    Rewind(command::rewind::Args),
    /// How long deleted files and old versions are kept, and the room that they take
    Retention(command::retention::Args),
    /// Disks for blocks: how they are; add, drain, replace
    Storage(command::storage::Args),
    /// Database servers for metadata: add one, move namespaces between them while they are used, drain one
    Database(command::database::Args),
    /// Who did what, from where and when: list, export, verify
    Audit(command::audit::Args),
    /// Key-encryption keys: show where they are, rotate
    Keys(command::keys::Args),
    /// The broker's queues: how much waits, dead letters, putting them back
    Queue(command::queue::Args),
    /// Carry a stopped store to a database or to other disks, and back
    Migrate(command::migrate::Args),
    /// The index: how far it is, whether it is right, build it anew
    Index(command::index::Args),
    /// Build the index anew beside the live one
    Reindex(command::reindex::Args),
    /// Measure: open-loop load against a running server
    Bench(command::bench::Args),
    /// Evaluate extraction and relevance on a corpus
    Eval(command::eval::Args),
    /// Extract text from files that come on standard input (started by the server)
    #[command(hide = true)]
    ExtractWorker,
    /// Become a program that reads files, confined (started by the server)
    #[command(hide = true)]
    ExtractTool {
        /// Memory in bytes, seconds, program, its arguments
        #[arg(last = true)]
        command: Vec<std::ffi::OsString>,
    },
}

/// Starts the server. With --cluster-key several processes share one database, each with the roles of --role.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Import this folder; searches are answered meanwhile
    #[arg(long, value_name = "FOLDER")]
    pub import: Option<PathBuf>,
    /// How it is imported
    #[command(flatten)]
    pub how: command::import::How,
    /// Settings file [default: DIR/firefly.toml when it is there]
    #[arg(long, value_name = "FILE", env = "FIREFLY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Every other setting
    #[command(flatten)]
    pub settings: Settings,
}

/// Runs the command that the process was started with.
pub fn run() -> Result<ExitCode> {
    let cli = Cli::parse();
    let data = &cli.data;
    match cli.command {
        Command::Serve(args) => {
            let args = *args;
            let config = Config::load(data, args.config.as_deref(), args.settings)?;
            match config.is_block_server {
                true => command::block_server::run(config),
                false => command::serve::run(config, args.import, args.how),
            }
        }
        Command::Import(args) => command::import::run(data, args),
        Command::Search(args) => command::search::run(data, args),
        Command::Account(args) => command::account::run(data, args),
        Command::Token(args) => command::token::run(data, args),
        Command::Check(args) => command::check::run(data, args),
        Command::Status(args) => command::status::run(data, args),
        Command::Doctor(args) => command::doctor::run(data, args),
        Command::Backup(args) => command::backup::run(data, args),
        Command::Restore(args) => command::restore::run(data, args),
        Command::Rewind(args) => command::rewind::run(data, args),
        Command::Retention(args) => command::retention::run(data, args),
        Command::Storage(args) => command::storage::run(data, args),
        Command::Database(args) => command::database::run(data, args),
        Command::Audit(args) => command::audit::run(data, args),
        Command::Keys(args) => command::keys::run(data, args),
        Command::Queue(args) => command::queue::run(data, args),
        Command::Migrate(args) => command::migrate::run(data, args),
        Command::Index(args) => command::index::run(data, args),
        Command::Reindex(args) => command::reindex::run(data, args),
        Command::Bench(args) => command::bench::run(data, args),
        Command::Eval(args) => command::eval::run(args),
        Command::ExtractTool { command } => Err(indexer::extract::become_tool(&command).into()),
        Command::ExtractWorker => {
            indexer::extract::run_worker()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
