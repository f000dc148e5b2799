//! Calls an operation of `/2/firefly/admin`: of the running server, or of the stopped store itself.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::client::{Client, ServerAddress};
use crate::config::{Config, DataArg};
use crate::node::Node;
use crate::operations::Operations;

/// Between two looks at something that takes long.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Between two lines about it where nobody sees a bar.
const PRINT_EVERY: Duration = Duration::from_secs(10);

/// Who does what is asked for.
pub enum Session<'d> {
    /// The server that runs on the data folder.
    Running(&'d DataArg),
    /// This process, on a stopped store.
    Stopped(Box<Operations>),
}

impl<'d> Session<'d> {
    /// Finds the server, or opens the store.
    pub fn open(data: &'d DataArg) -> Result<Session<'d>> {
        if ServerAddress::read(&data.data).is_some() {
            return Ok(Session::Running(data));
        }
        let config = Config::without_flags(data)?;
        let operations = Operations::new(Node::open_stopped(&config)?);
        Ok(Session::Stopped(Box::new(operations)))
    }

    /// The operation's answer.
    pub fn call(&self, operation: &str, argument: Value) -> Result<Value> {
        match self {
            Session::Running(data) => {
                let client = Client::of_running(&data.data)?;
                let route = format!("firefly/admin/{operation}");
                super::block_on(async { client.rpc(&route, &argument).await })
            }
            Session::Stopped(operations) => operations.call_here(operation, argument),
        }
    }
}

/// The operation's answer.
pub fn call(data: &DataArg, operation: &str, argument: Value) -> Result<Value> {
    Session::open(data)?.call(operation, argument)
}

/// Starts an operation that takes long, shows how far it is, and returns its answer. A server goes on with it when this command
/// is ended.
pub fn follow(
    data: &DataArg,
    operation: &str,
    argument: Value,
    line: &dyn Fn(&Value) -> String,
) -> Result<Value> {
    let session = Session::open(data)?;
    let started = session.call(operation, argument)?;
    let bar = Shown::new();
    loop {
        let status = session.call("task/status", json!({"task": started["task"]}))?;
        if let Some(error) = status["error"].as_str() {
            bail!("{error}");
        }
        if !status["answer"].is_null() {
            return Ok(status["answer"].clone());
        }
        bar.show(&line(&status["progress"]));
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Progress on the terminal: a line that changes, or where there is none a line now and then.
pub struct Shown {
    bar: ProgressBar,
    terminal: bool,
    printed: std::cell::Cell<Instant>,
}

impl Shown {
    /// Nothing is shown yet.
    pub fn new() -> Shown {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Shown {
            bar,
            terminal: std::io::stderr().is_terminal(),
            printed: std::cell::Cell::new(Instant::now()),
        }
    }

    /// Shows how far it is now.
    pub fn show(&self, line: &str) {
        if self.terminal {
            self.bar.set_message(line.to_owned());
            self.bar.tick();
        } else if self.printed.get().elapsed() >= PRINT_EVERY {
            self.printed.set(Instant::now());
            eprintln!("{line}");
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
