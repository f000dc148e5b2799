//! `/2/firefly/account/create`: an administrator's new accounts.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{AuditAction, Refusal, TokenKind};

use super::people::People;
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// Whose account.
#[derive(Deserialize)]
pub struct CreateArg {
    email: String,
    #[serde(default)]
    name: Option<String>,
}

/// Makes an account, a bearer token for it, and a link by which its holder chooses a password.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<CreateArg>,
) -> Answer<Value> {
    caller.require_admin()?;
    let made = app.blocking(move |app| {
        let name = arg.name.as_deref().unwrap_or("");
        let account = app.meta().create_account(&arg.email, name, false).map_err(refused)?;
        let token = app.meta().create_token(account.id, TokenKind::Bearer, "first token", None);
        let token = token.map_err(Failure::from_storage)?;
        let people = People { meta: app.meta(), public_url: &app.settings().public_url };
        let link = people.one_time_link(account.id).map_err(Failure::from_storage)?;
        app.record(&caller, AuditAction::AccountCreated, arg.email)?;
        Ok(json!({ "account_id": account.id.to_string(), "token": token.expose(), "invite_url": link["invite_url"] }))
    });
    made.await?.map(Reply)
}

fn refused(error: storage::Error) -> Failure {
    Failure::shaped(error, |refusal| match refusal {
        Refusal::EmailTaken => Some(json!({ ".tag": "email_taken" })),
        Refusal::InvalidEmail => Some(json!({ ".tag": "invalid_email" })),
        _ => None,
    })
}
