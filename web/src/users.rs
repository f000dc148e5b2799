//! `users/*`, `check/*`, `auth/token/revoke`: who is who.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{Account, AccountId, AuditAction};

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::tie;
use crate::frame::{Arg, Failure, Reply, StrangerArg, Union, Void};

/// The most accounts asked about at once, as Dropbox bounds it.
const MAX_ACCOUNTS: usize = 300;

/// Whose account.
#[derive(Deserialize)]
pub struct GetAccountArg {
    account_id: String,
}

/// Whose accounts.
#[derive(Deserialize)]
pub struct GetAccountBatchArg {
    account_ids: Vec<String>,
}

/// Which features.
#[derive(Deserialize)]
pub struct FeaturesArg {
    features: Vec<Union>,
}

/// What to send back.
#[derive(Deserialize)]
pub struct EchoArg {
    #[serde(default)]
    query: String,
}

/// The caller's own account.
pub async fn get_current_account(caller: Caller, _: Void) -> Reply<Value> {
    let root = caller.account.root.to_string();
    let mut account = basic(&caller.account);
    let more = json!({
        "locale": "en",
        "referral_link": "",
        "is_paired": false,
        "account_type": { ".tag": "basic" },
        "root_info": { ".tag": "user", "root_namespace_id": root, "home_namespace_id": root },
    });
    if let (Some(account), Value::Object(more)) = (account.as_object_mut(), more) {
        account.extend(more);
    }
    Reply(account)
}

/// Another account of the same service.
pub async fn get_account(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<GetAccountArg>,
) -> Answer<Value> {
    let found = app
        .blocking(move |app| known(app, &caller, &arg.account_id))
        .await?;
    let account = found
        .map_err(Failure::from_storage)?
        .ok_or_else(|| Failure::tag("no_account"))?;
    Ok(Reply(account))
}

/// Several accounts; all must be there.
pub async fn get_account_batch(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<GetAccountBatchArg>,
) -> Answer<Value> {
    if !(1..=MAX_ACCOUNTS).contains(&arg.account_ids.len()) {
        return Err(Failure::bad(
            "request body: account_ids: must be between 1 and 300",
        ));
    }
    let found = app.blocking(move |app| {
        let one = |id: &String| match known(app, &caller, id).map_err(Failure::from_storage)? {
            Some(account) => Ok(account),
            None => Err(Failure::refused(
                json!({ ".tag": "no_account", "no_account": id }),
            )),
        };
        arg.account_ids
            .iter()
            .map(one)
            .collect::<Result<Vec<_>, _>>()
    });
    Ok(Reply(Value::Array(found.await??)))
}

/// What the caller uses and may use, bytes.
pub async fn get_space_usage(State(app): State<App>, caller: Caller, _: Void) -> Answer<Value> {
    let usage = app
        .blocking(move |app| app.meta().space_used(caller.id()))
        .await?
        .map_err(Failure::from_storage)?;
    let allocated = usage.allocated.unwrap_or(i64::MAX as u64);
    Ok(Reply(
        json!({ "used": usage.used, "allocation": { ".tag": "individual", "allocated": allocated } }),
    ))
}

/// Which of Dropbox's optional features there are: none.
pub async fn features(_: Caller, Arg(arg): Arg<FeaturesArg>) -> Answer<Value> {
    let value = |feature: &Union| {
        let mut value = json!({ ".tag": feature.tag });
        value[&feature.tag] = match feature.tag.as_str() {
            "paper_as_files" | "file_locking" | "team_shared_dropbox" | "distinct_member_home" => {
                json!({ ".tag": "enabled", "enabled": false })
            }
            other => {
                return Err(Failure::bad(format!(
                    "request body: features: unknown value {other:?}"
                )));
            }
        };
        Ok(value)
    };
    let values = arg
        .features
        .iter()
        .map(value)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Reply(json!({ "values": values })))
}

/// Sends a caller's words back: the token works.
pub async fn check_user(_: Caller, Arg(arg): Arg<EchoArg>) -> Reply<Value> {
    Reply(json!({ "result": arg.query }))
}

/// Sends words back: the service is there.
pub async fn check_app(StrangerArg(arg): StrangerArg<EchoArg>) -> Reply<Value> {
    Reply(json!({ "result": arg.query }))
}

/// Revokes the token that the call carries.
pub async fn revoke_token(State(app): State<App>, caller: Caller, _: Void) -> Answer<()> {
    tie::untie();
    let revoked = app.blocking(move |app| {
        app.meta()
            .revoke(caller.id(), caller.token_id())
            .map_err(Failure::from_storage)?;
        app.record(
            &caller,
            AuditAction::TokenRevoked,
            caller.token.name.clone(),
        )
    });
    revoked.await?.map(Reply)
}

/// An account that the caller may know of: its own, or one of its team.
fn known(app: &App, caller: &Caller, id: &str) -> storage::Result<Option<Value>> {
    let Some(id) = AccountId::parse(id) else {
        return Ok(None);
    };
    let account = app.meta().account(id)?;
    let is_mate = |account: &Account| account.team.is_some() && account.team == caller.account.team;
    let known = account.filter(|account| account.id == caller.id() || is_mate(account));
    Ok(known.map(|account| {
        let mut shape = basic(&account);
        shape["is_teammate"] = json!(is_mate(&account));
        shape
    }))
}

fn basic(account: &Account) -> Value {
    json!({
        "account_id": account.id.to_string(),
        "name": name(&account.name),
        "email": account.email,
        "email_verified": true,
        "disabled": account.disabled,
    })
}

fn name(display: &str) -> Value {
    let (given, surname) = display.rsplit_once(' ').unwrap_or((display, ""));
    let initials: String = display
        .split_whitespace()
        .filter_map(|word| word.chars().next())
        .take(2)
        .collect();
    json!({
        "given_name": given,
        "surname": surname,
        "familiar_name": given,
        "display_name": display,
        "abbreviated_name": initials.to_uppercase(),
    })
}
