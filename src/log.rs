//! Log lines: text or JSON, to standard error or to a file a day. `FIREFLY_LOG` filters them as `RUST_LOG` would.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::config::Log;

/// Starts the log. Lines are written at once, so that none is lost with the process.
pub fn start(log: &Log) -> Result<()> {
    let filter =
        EnvFilter::try_from_env("FIREFLY_LOG").unwrap_or_else(|_| "info,tantivy=warn".into());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(!log.json && log.folder.is_none() && std::io::stderr().is_terminal())
        .with_writer(writer(log)?);
    if log.json {
        lines.json().flatten_event(true).init();
    } else {
        lines.init();
    }
    Ok(())
}

fn writer(log: &Log) -> Result<BoxMakeWriter> {
    let Some(folder) = &log.folder else {
        return Ok(BoxMakeWriter::new(std::io::stderr));
    };
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("firefly")
        .filename_suffix("log")
        .max_log_files(log.keep)
        .build(folder)
        .with_context(|| format!("open a log in {}", folder.display()))?;
    Ok(BoxMakeWriter::new(files))
}
