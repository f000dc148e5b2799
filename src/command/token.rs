//! `firefly token`: bearer tokens.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::admin;
use crate::config::DataArg;

/// Bearer tokens for programs: the SDKs, rclone, scripts.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The account [default: the admin]
    #[arg(long, value_name = "EMAIL", global = true)]
    email: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a token; it is shown once
    Create {
        /// What it is for
        name: String,
    },
    /// List tokens
    List,
    /// Revoke a token at once
    Revoke {
        /// Its id in the list
        id: String,
    },
}

/// Runs the command, against the running server or, when none runs, on the stopped store.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    let email = args.email;
    match args.action {
        Action::Create { name } => {
            let made = admin::call(
                data,
                "account/token_create",
                json!({"email": email, "name": name}),
            )?;
            println!("{}", made["token"].as_str().unwrap_or_default());
        }
        Action::List => {
            let all = admin::call(data, "account/token_list", json!({"email": email}))?;
            for token in all["tokens"].as_array().into_iter().flatten() {
                let part = |key: &str| token[key].as_str().unwrap_or_default().to_owned();
                println!(
                    "{}\t{}\t{}\tlast used {}",
                    part("id"),
                    part("kind"),
                    part("name"),
                    part("last_used")
                );
            }
        }
        Action::Revoke { id } => {
            admin::call(
                data,
                "account/token_revoke",
                json!({"email": email, "id": id}),
            )?;
            println!("revoked");
        }
    }
    Ok(ExitCode::SUCCESS)
}
