//! `firefly account`: people's accounts.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::admin;
use crate::config::DataArg;

/// Accounts.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make an account; prints a link to choose a password and, as the last line, a bearer token
    Create {
        /// The account's e-mail address
        email: String,
        /// Name shown to others [default: the part before the @]
        #[arg(long)]
        name: Option<String>,
    },
    /// List all accounts
    List,
    /// End an account's sign-ins and tokens and let it in no more; its files stay
    Suspend {
        /// The account's e-mail address
        email: String,
    },
    /// Let a suspended account in again
    Resume {
        /// The account's e-mail address
        email: String,
    },
    /// Print a one-time link to choose a new password
    Invite {
        /// The account's e-mail address
        email: String,
    },
}

/// Runs the command, against the running server or, when none runs, on the stopped store.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    match args.action {
        Action::Create { email, name } => {
            let made = admin::call(
                data,
                "account/create",
                json!({"email": email, "name": name}),
            )?;
            println!(
                "account {email} made; to choose a password: {}",
                text(&made, "invite_url")
            );
            println!("{}", text(&made, "token"));
        }
        Action::List => {
            let all = admin::call(data, "account/list", json!({}))?;
            for account in all["accounts"].as_array().into_iter().flatten() {
                let marks = [("is_admin", "admin"), ("is_suspended", "suspended")];
                let marks: Vec<_> = marks
                    .iter()
                    .filter(|(key, _)| account[*key] == true)
                    .map(|(_, mark)| *mark)
                    .collect();
                println!(
                    "{}\t{}\t{}",
                    text(account, "email"),
                    text(account, "name"),
                    marks.join(",")
                );
            }
        }
        Action::Suspend { email } => {
            admin::call(
                data,
                "account/suspend",
                json!({"email": email, "suspended": true}),
            )?;
            println!("{email} is suspended");
        }
        Action::Resume { email } => {
            admin::call(
                data,
                "account/suspend",
                json!({"email": email, "suspended": false}),
            )?;
            println!("{email} may sign in again");
        }
        Action::Invite { email } => {
            let made = admin::call(data, "account/invite", json!({"email": email}))?;
            println!("{}", text(&made, "invite_url"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
