//! `firefly account`: people's accounts.

use std::process::ExitCode;

use anyhow::{Result, bail};
use indicatif::HumanBytes;
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
    /// List all accounts: address, name, state, space used and allowed, when last seen
    List,
    /// Print a one-time link to choose a password, for a new account or one there is; older links end
    Invite {
        /// The account's e-mail address
        email: String,
        /// Name of a new account [default: the part before the @]
        #[arg(long)]
        name: Option<String>,
    },
    /// Take an invitation back: the account, which nobody has used yet, goes
    Withdraw {
        /// The account's e-mail address
        email: String,
    },
    /// End an account's sign-ins, tokens and running downloads at once, and let it in no more; its files stay
    Suspend {
        /// The account's e-mail address
        email: String,
    },
    /// Let a suspended account in again
    Resume {
        /// The account's e-mail address
        email: String,
    },
    /// Print a one-time link to choose a new password; the old one works until then
    ResetPassword {
        /// The account's e-mail address
        email: String,
    },
    /// Take an account's second factor away, for who lost telephone and recovery codes
    ResetTwoFactor {
        /// The account's e-mail address
        email: String,
    },
    /// Set what an account may store
    Quota {
        /// The account's e-mail address
        email: String,
        /// GiB; below what it stores, it can only shrink
        gib: f64,
    },
    /// Make an account an administrator, or with --remove not one any more (the last one stays)
    Admin {
        /// The account's e-mail address
        email: String,
        /// It is no administrator any more
        #[arg(long)]
        remove: bool,
    },
    /// Make a suspended account's files a folder of another account, and that the owner of its shared folders
    HandOver {
        /// Whose files
        email: String,
        /// Who gets them
        to: String,
        /// The folder's name [default: Files of NAME]
        #[arg(long)]
        folder: Option<String>,
        /// Delete the account afterwards
        #[arg(long)]
        delete: bool,
    },
    /// Delete a suspended account that has no files left (hand them over first)
    Delete {
        /// The account's e-mail address
        email: String,
    },
}

/// Runs the command, against the running server or, when none runs, on the stopped store.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    let call = |operation: &str, argument: Value| {
        admin::call(data, &format!("account/{operation}"), argument)
    };
    match args.action {
        Action::Create { email, name } => {
            let made = call("create", json!({ "email": email, "name": name }))?;
            println!(
                "account {email} made; to choose a password: {}",
                text(&made, "invite_url")
            );
            println!("{}", text(&made, "token"));
        }
        Action::List => list(&call)?,
        Action::Invite { email, name } => {
            let made = call("invite", json!({ "email": email, "name": name }))?;
            println!("{}", text(&made, "invite_url"));
        }
        Action::Withdraw { email } => {
            call("withdraw", json!({ "email": email }))?;
            println!("the invitation of {email} is taken back");
        }
        Action::Suspend { email } => {
            call("suspend", json!({ "email": email, "suspended": true }))?;
            println!("{email} is suspended");
        }
        Action::Resume { email } => {
            call("suspend", json!({ "email": email, "suspended": false }))?;
            println!("{email} may sign in again");
        }
        Action::ResetPassword { email } => {
            let made = call("reset_password", json!({ "email": email }))?;
            println!("{}", text(&made, "invite_url"));
        }
        Action::ResetTwoFactor { email } => {
            call("reset_two_factor", json!({ "email": email }))?;
            println!("{email} signs in without a second factor");
        }
        Action::Quota { email, gib } => {
            let quota = bytes(gib)?;
            call("set_quota", json!({ "email": email, "quota": quota }))?;
            println!("{email} may store {}", HumanBytes(quota));
        }
        Action::Admin { email, remove } => {
            call("set_admin", json!({ "email": email, "is_admin": !remove }))?;
            let is = if remove {
                "is no administrator any more"
            } else {
                "is an administrator"
            };
            println!("{email} {is}");
        }
        Action::HandOver {
            email,
            to,
            folder,
            delete,
        } => {
            let done = call(
                "hand_over",
                json!({ "email": email, "to": to, "folder": folder }),
            )?;
            let into = done["folder"]
                .as_str()
                .map(|folder| format!(" in {folder:?}"));
            println!(
                "{to} has {} of {email}{}, and owns {} more shared folders",
                HumanBytes(done["bytes"].as_u64().unwrap_or(0)),
                into.unwrap_or_default(),
                done["shared_folders"],
            );
            if delete {
                call("delete", json!({ "email": email }))?;
                println!("account {email} deleted");
            }
        }
        Action::Delete { email } => {
            call("delete", json!({ "email": email }))?;
            println!("account {email} deleted");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(call: &dyn Fn(&str, Value) -> Result<Value>) -> Result<()> {
    let mut cursor = Value::Null;
    loop {
        let page = call("list", json!({ "cursor": cursor }))?;
        page["accounts"]
            .as_array()
            .into_iter()
            .flatten()
            .for_each(show);
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            return Ok(());
        }
    }
}

fn show(account: &Value) {
    let marks = [("is_admin", "admin"), ("two_factor", "two-factor")];
    let marks = marks.iter().filter(|(key, _)| account[*key] == true);
    let marks: Vec<_> = std::iter::once(text(account, "state"))
        .chain(marks.map(|(_, mark)| *mark))
        .collect();
    let number = |key: &str| HumanBytes(account[key].as_u64().unwrap_or(0)).to_string();
    println!(
        "{}\t{}\t{}\t{} of {}\tlast seen {}",
        text(account, "email"),
        text(account, "name"),
        marks.join(","),
        number("used"),
        number("quota"),
        account["last_seen"].as_str().unwrap_or("never"),
    );
}

/// GiB as bytes.
fn bytes(gib: f64) -> Result<u64> {
    if !gib.is_finite() || !(0.0..=1e9).contains(&gib) {
        bail!("{gib} is no size in GiB");
    }
    Ok((gib * f64::from(1 << 30)) as u64)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
