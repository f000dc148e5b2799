//! `firefly search WORDS`: results on the terminal.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Client;
use crate::config::DataArg;

/// Searches names and contents. Words are ANDed; "phrases", -not, OR, type:pdf, ext:docx, in:/folder, modified:>2024-01,
/// size:>10mb, name:word, is:deleted. Exit code 1 when nothing is found.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to look for
    #[arg(required = true, allow_hyphen_values = true)]
    words: Vec<String>,
    /// Hits to show
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: u32,
    /// Bearer token of the account that searches [default: the admin's]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FIREFLY_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Print the server's answer as JSON
    #[arg(long)]
    json: bool,
    /// Print all hits, each on a line: path, type, size, time and id, without snippets
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["json", "limit"])]
    export: Option<Format>,
}

/// How all hits are printed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// Comma-separated values with a line of names
    Csv,
    /// A JSON object on each line
    Jsonl,
}

#[derive(Deserialize)]
struct Answer {
    hits: Vec<Hit>,
    total: u64,
    took_ms: f64,
    partial: bool,
    #[serde(default)]
    did_you_mean: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Hit {
    metadata: Value,
    snippet: Snippet,
}

#[derive(Deserialize)]
struct Snippet {
    text: String,
    highlights: Vec<(usize, usize)>,
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    super::block_on(async {
        let mut client = Client::of_running(&data.data)?;
        if let Some(token) = &args.token {
            client = client.with_token(token);
        }
        let query = args.words.join(" ");
        if let Some(format) = args.export {
            return export(&client, &query, format).await;
        }
        let argument =
            json!({"query": query, "options": {"max_results": args.limit, "facets": false}});
        let answer: Value = client.rpc("firefly/search", &argument).await?;
        if args.json {
            println!("{}", serde_json::to_string_pretty(&answer)?);
        }
        let answer: Answer = serde_json::from_value(answer)?;
        if !args.json {
            print(&answer);
        }
        Ok(if answer.hits.is_empty() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    })
}

/// Prints all hits; exit code 1 when there are none.
async fn export(client: &Client, query: &str, format: Format) -> Result<ExitCode> {
    let (format, head) = match format {
        Format::Csv => ("csv", 1),
        Format::Jsonl => ("jsonl", 0),
    };
    let argument = json!({"query": query, "format": format});
    let mut out = Lines {
        out: std::io::stdout().lock(),
        lines: 0,
    };
    client
        .stream("firefly/search/export", &argument, &mut out)
        .await?;
    Ok(match out.lines > head {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Counts the lines that pass.
struct Lines<W> {
    out: W,
    lines: usize,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.lines += bytes[..written]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

fn print(answer: &Answer) {
    let colour = std::io::stdout().is_terminal();
    for hit in &answer.hits {
        let path = hit.metadata["path_display"].as_str().unwrap_or_default();
        println!("{path}");
        let text = marked(&hit.snippet.text, &hit.snippet.highlights, colour);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            println!("    {text}");
        }
    }
    let partial = if answer.partial {
        ", partial: some shards did not answer in time"
    } else {
        ""
    };
    println!(
        "{} of {} in {:.1} ms{partial}",
        answer.hits.len(),
        answer.total,
        answer.took_ms
    );
    if let Some(meant) = &answer.did_you_mean {
        println!("note: these are for {meant:?}");
    }
    for warning in &answer.warnings {
        println!("note: {warning}");
    }
}

/// The snippet with its highlights (in characters) in bold on a terminal, in [brackets] elsewhere.
fn marked(text: &str, highlights: &[(usize, usize)], colour: bool) -> String {
    let (open, close) = if colour {
        ("\x1b[1;33m", "\x1b[0m")
    } else {
        ("[", "]")
    };
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if highlights.iter().any(|(start, _)| *start == at) {
            out.push_str(open);
        }
        // A file's own control characters must not reach the terminal.
        out.push(if c.is_control() { ' ' } else { c });
        if highlights.iter().any(|(_, end)| *end == at + 1) {
            out.push_str(close);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highlights_are_marked_by_character() {
        assert_eq!(marked("über fire fly", &[(5, 9)], false), "über [fire] fly");
        assert_eq!(marked("a\x1b[2Jb", &[], false), "a [2Jb");
    }
}
