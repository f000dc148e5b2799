//! `firefly audit`: who did what, from where and when.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::admin;
use super::backup::now_ms;
use crate::config::DataArg;
use crate::moment;

/// Reads the audit log: sign-ins and failed ones, downloads, searches, shares, permissions, deletions, administration, tokens.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show events, oldest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most so many, the first that pass
        #[arg(short = 'n', long, default_value_t = 100)]
        limit: usize,
    },
    /// Write all events that pass to a file
    Export {
        #[command(flatten)]
        filter: Filter,
        /// How
        #[arg(long, value_enum, default_value_t = Format::Jsonl)]
        format: Format,
        /// Where to [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check that nothing was edited, cut out or moved; exit code 1 when something was
    Verify {
        /// A head that was printed, or logged, earlier: SEQUENCE:HASH (may be given several times)
        #[arg(long, value_name = "ANCHOR")]
        anchor: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated, with a line of names; a field that a spreadsheet would take for a formula starts with '
    Csv,
}

#[derive(Debug, clap::Args)]
struct Filter {
    /// Of this account
    #[arg(long, value_name = "EMAIL")]
    actor: Option<String>,
    /// With this action: sign_in, sign_in_failed, download, search, deleted, … (may be given several times)
    #[arg(long, value_name = "ACTION")]
    action: Vec<String>,
    /// From this moment on (UTC): 2026-03-01T12:00:00Z, 2026-03-01, or so long ago: 30m, 2h, 3d
    #[arg(long, value_name = "MOMENT")]
    since: Option<String>,
    /// Up to this moment
    #[arg(long, value_name = "MOMENT")]
    until: Option<String>,
    /// With this text in the subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// From this network address
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
}

/// The columns of a CSV export.
const COLUMNS: [&str; 6] = ["sequence", "at", "actor", "action", "subject", "address"];

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    match args.action {
        Action::List { filter, limit } => {
            let mut out = std::io::stdout().lock();
            each(data, &filter, limit, &mut |event| {
                let part = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
                let line = ["at", "actor", "address", "action", "subject"]
                    .map(part)
                    .join("\t");
                writeln!(out, "{line}").context("standard output")
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Export {
            filter,
            format,
            output,
        } => export(data, &filter, format, output),
        Action::Verify { anchor } => verify(data, &anchor),
    }
}

/// Calls `visit` with each event that passes, at most `limit`.
fn each(
    data: &DataArg,
    filter: &Filter,
    limit: usize,
    visit: &mut dyn FnMut(&Value) -> Result<()>,
) -> Result<()> {
    let moment = |text: &Option<String>| {
        let parsed = text.as_deref().map(|text| moment::parse(text, now_ms()));
        parsed.transpose()
    };
    let mut wanted = json!({
        "actor": filter.actor, "actions": filter.action, "since_ms": moment(&filter.since)?,
        "until_ms": moment(&filter.until)?, "subject": filter.subject, "address": filter.address,
    });
    let session = admin::Session::open(data)?;
    let mut left = limit;
    while left > 0 {
        wanted["limit"] = json!(left.min(storage::meta::audit::MAX_PAGE));
        let page = session.call("audit/list", wanted.clone())?;
        for event in page["events"].as_array().into_iter().flatten() {
            visit(event)?;
            left -= 1;
        }
        match page["next"].as_u64() {
            Some(next) => wanted["after"] = json!(next),
            None => break,
        }
    }
    Ok(())
}

fn export(
    data: &DataArg,
    filter: &Filter,
    format: Format,
    output: Option<PathBuf>,
) -> Result<ExitCode> {
    let mut out: Box<dyn Write> = match &output {
        Some(path) => {
            let file = std::fs::File::create(path);
            let file = file.with_context(|| path.display().to_string())?;
            Box::new(std::io::BufWriter::new(file))
        }
        None => Box::new(std::io::stdout().lock()),
    };
    if format == Format::Csv {
        write!(out, "{}\r\n", COLUMNS.join(","))?;
    }
    let mut events = 0u64;
    each(data, filter, usize::MAX, &mut |event| {
        events += 1;
        match format {
            Format::Jsonl => writeln!(out, "{event}")?,
            Format::Csv => write!(
                out,
                "{}\r\n",
                COLUMNS.map(|key| field(&event[key])).join(",")
            )?,
        }
        Ok(())
    })?;
    out.flush()?;
    if output.is_some() {
        eprintln!("{events} events exported");
    }
    Ok(ExitCode::SUCCESS)
}

/// A value as RFC 4180 has it. Names of files come from anybody, so what a spreadsheet would compute is made text.
fn field(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text,
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

fn verify(data: &DataArg, anchors: &[String]) -> Result<ExitCode> {
    let report = admin::call(data, "audit/verify", json!({"anchors": anchors}))?;
    let problems = report["problems"].as_array().map_or(&[][..], Vec::as_slice);
    for problem in problems {
        println!("broken: {}", problem.as_str().unwrap_or_default());
    }
    println!(
        "{} events read, {} anchors compared: {}",
        report["events"],
        report["anchors"],
        match problems.len() {
            0 => "as they were written".to_owned(),
            n => format!("{n} problems"),
        },
    );
    println!("anchor: {}", report["head"].as_str().unwrap_or_default());
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_formulas_are_text() {
        for (value, wanted) in [
            (json!("plain"), "plain"),
            (json!("a,\"b\""), "\"a,\"\"b\"\"\""),
            (json!("=HYPERLINK(1)"), "'=HYPERLINK(1)"),
            (json!(7), "7"),
            (Value::Null, ""),
        ] {
            assert_eq!(field(&value), wanted);
        }
    }
}
