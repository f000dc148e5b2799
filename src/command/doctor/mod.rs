//! `firefly doctor`: looks at an installation, says what is wrong and what to do about it. Changes nothing.

mod folders;
mod helpers;
mod keys;
mod machine;
mod reach;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use crate::config::{Config, DataArg, Metadata};

/// Look at this installation and say what is wrong and how to put it right: settings, folders and their rights, disks, keys,
/// certificates, limits, helper programs, the running server and its public address. Changes nothing.
/// Settings that are only flags of `firefly serve` are not seen: keep them in firefly.toml.
/// Exit code 1 when something is broken.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Only ask the server whether it answers where it listens; no server is an error
    #[arg(long)]
    running: bool,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but may surprise.
    Warning,
    /// Does not work, or will lose something.
    Broken,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    level: Level,
    /// What was found.
    what: String,
    /// What to do about it; empty when nothing is to be done.
    cure: String,
}

impl Finding {
    fn ok(what: impl Into<String>) -> Self {
        Finding {
            level: Level::Ok,
            what: what.into(),
            cure: String::new(),
        }
    }

    fn warning(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Finding {
            level: Level::Warning,
            what: what.into(),
            cure: cure.into(),
        }
    }

    fn broken(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Finding {
            level: Level::Broken,
            what: what.into(),
            cure: cure.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.level {
            Level::Ok => "ok      ",
            Level::Warning => "warning ",
            Level::Broken => "BROKEN  ",
        };
        write!(f, "{mark}{}", self.what)?;
        if !self.cure.is_empty() {
            write!(f, "\n        -> {}", self.cure)?;
        }
        Ok(())
    }
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    let findings = examine(data, args.running)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for finding in &findings {
            println!("{finding}");
        }
        println!("{}", verdict(&findings));
    }
    let worst = findings.iter().map(|finding| finding.level).max();
    Ok(match worst {
        Some(Level::Broken) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn examine(data: &DataArg, only_running: bool) -> Result<Vec<Finding>> {
    let config = match Config::without_flags(data) {
        Ok(config) => config,
        Err(error) => {
            let cure = "correct firefly.toml or the environment; `firefly serve --help` names every setting";
            return Ok(vec![Finding::broken(
                format!("the settings do not hold: {error:#}"),
                cure,
            )]);
        }
    };
    if only_running {
        return super::block_on(async { Ok(reach::answers(&config).await) });
    }
    let settings = format!("settings of {}", config.data.display());
    let mut findings = vec![Finding::ok(settings)];
    findings.extend(folders::examine(&config));
    findings.extend(keys::examine(&config));
    findings.extend(machine::examine());
    findings.extend(helpers::examine(&config));
    findings.extend(super::block_on(async {
        Ok(reach::examine(&config).await)
    })?);
    Ok(findings)
}

/// Whether something was stored already, so that folders and keys have to be there.
fn has_store(config: &Config) -> bool {
    config.metadata != Metadata::Embedded || config.data.join("meta").exists()
}

fn verdict(findings: &[Finding]) -> String {
    let count = |level| {
        findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    match (count(Level::Broken), count(Level::Warning)) {
        (0, 0) => "all is well".into(),
        (broken, warnings) => format!("{broken} broken, {warnings} to know of"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_tells_its_cure() {
        let finding = Finding::broken("the disk is full", "make room");
        assert_eq!(
            finding.to_string(),
            "BROKEN  the disk is full\n        -> make room"
        );
        assert_eq!(verdict(&[Finding::ok("a")]), "all is well");
        assert_eq!(verdict(&[finding]), "1 broken, 0 to know of");
    }
}
